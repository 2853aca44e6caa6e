"""The SevenNet reference. What needs the network itself runs where sevenn and dftd3 are
installed.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from borarun.engines.bundled import engine as bundled
from borarun.engines.sevennet import engine as sevennet
from borarun.frames import Frames

INSTALLED = all(importlib.util.find_spec(name) for name in ("sevenn", "dftd3"))
needs_sevennet = pytest.mark.skipif(
    not INSTALLED, reason='needs sevenn and dftd3: pip install "borarun[sevennet]"'
)

BORANE = Atoms(
    "BH3",
    [(0, 0, 0), (1.2, 0, 0), (-0.6, 1.04, 0), (-0.6, -1.04, 0.05)],
    cell=[5.4, 5.7, 6.1],
    pbc=True,
)
"""No image at the network's cutoff, 5 angstrom, where its energy has a kink."""


def labels(functional: str, images: list[Atoms], directory: Path) -> Frames:
    settings = sevennet.Settings(operation="label", functional=functional)
    directory.mkdir()
    for name, content in sevennet.render(
        settings, {"frames": Frames.of(images)}, sevennet.Program()
    ).items():
        (directory / name).write_text(str(content))
    subprocess.run(
        sevennet.command(settings, 1, sevennet.Program()), cwd=directory, check=True, timeout=300
    )
    return sevennet.parse(settings, directory).frames["labels"]


def test_it_has_two_functionals_and_says_so() -> None:
    with pytest.raises(ValueError, match=r"sevennet has PBE and PBE-D3 \(got SCAN\)"):
        sevennet.Settings(operation="label", functional="SCAN")


def test_what_is_missing_comes_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = sevennet.Settings(operation="label", functional="PBE-D3")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert 'pip install "borarun[sevennet]"' in sevennet.missing(settings, sevennet.Program())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert sevennet.missing(settings, sevennet.Program()) == ""


def test_the_version_names_network_and_packages() -> None:
    assert "7net-0" in sevennet.version(sevennet.Settings(operation="label", functional="PBE"))
    assert "dftd3" not in sevennet.version(sevennet.Settings(operation="label", functional="PBE"))
    assert "dftd3" in sevennet.version(sevennet.Settings(operation="label", functional="PBE-D3"))


def test_its_files_differ_from_those_of_bundled_by_the_calculator_alone() -> None:
    keys = {"operation": "label", "functional": "PBE-D3"}
    frames = Frames.of([BORANE])
    ours = sevennet.render(sevennet.Settings(**keys), {"frames": frames}, sevennet.Program())
    theirs = bundled.render(bundled.Settings(**keys), {"frames": frames}, bundled.Program())
    assert ours["frames.extxyz"] == theirs["frames.extxyz"]
    assert str(ours["job.json"]).replace("sevennet", "bundled") == theirs["job.json"]


def test_planning_loads_no_network() -> None:
    code = "import sys; from borarun.engines.sevennet import engine; "
    code += (
        "engine.missing(engine.Settings(operation='label', functional='PBE-D3'), "
        "engine.Program()); "
    )
    code += "sys.exit('torch' in sys.modules or 'sevenn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@needs_sevennet
def test_forces_and_stress_are_derivatives_and_dispersion_is_added(tmp_path: Path) -> None:
    step, direction = 0.005, np.random.default_rng(1).normal(size=(4, 3))
    images = []
    for sign in (1, -1):
        moved, strained = BORANE.copy(), BORANE.copy()
        moved.positions += sign * step * direction
        strained.set_cell(BORANE.cell.array @ np.diag([1 + sign * step, 1, 1]), scale_atoms=True)
        images += [moved, strained]
    images.append(BORANE)
    slopes = {}
    for functional in ("PBE", "PBE-D3"):
        found = labels(functional, images, tmp_path / functional)
        assert found.energy is not None and found.forces is not None and found.stress is not None
        force = (found.energy[0] - found.energy[2]) / (2 * step)
        strain = (found.energy[1] - found.energy[3]) / (2 * step)
        assert force == pytest.approx(-(found.forces[-4:] * direction).sum(), rel=0.02, abs=0.01)
        assert strain == pytest.approx(
            found.stress[-1, 0] * BORANE.get_volume(), rel=0.02, abs=0.01
        )
        slopes[functional] = found.energy[-1]
    assert -1.0 < slopes["PBE-D3"] - slopes["PBE"] < -0.01, "dispersion binds, weakly"
