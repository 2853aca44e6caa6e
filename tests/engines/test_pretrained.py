"""Pretrained potentials as references. What needs a package runs where it is installed."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from borarun.engines.bundled import engine as bundled
from borarun.engines.networks.calculator import LOADERS
from borarun.engines.networks.families import FAMILIES
from borarun.engines.pretrained.engine import ENGINES, Program
from borarun.records.frames import Frames

SEVENNET = ENGINES["sevennet"]
FAMILY = pytest.mark.parametrize("name", ENGINES)


def needs(*modules: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        not all(importlib.util.find_spec(name) for name in modules),
        reason=f"needs {' and '.join(modules)}",
    )


BORANE = Atoms(
    "BH3",
    [(0, 0, 0), (1.2, 0, 0), (-0.6, 1.04, 0), (-0.6, -1.04, 0.05)],
    cell=[5.4, 5.7, 6.1],
    pbc=True,
)
"""No image at SevenNet's cutoff, 5 angstrom, where its energy has a kink."""


def labels(
    name: str, images: list[Atoms], directory: Path, program: Program | None = None, **keys: Any
) -> Frames:
    engine, program = ENGINES[name], program or Program()
    settings = engine.Settings(operation="label", **keys)
    assert engine.missing(settings, program) == ""
    directory.mkdir()
    for file, content in engine.render(settings, {"frames": Frames.of(images)}, program).items():
        (directory / file).write_text(str(content))
    subprocess.run(engine.command(settings, 1, program), cwd=directory, check=True, timeout=300)
    return engine.parse(settings, directory).frames["labels"]


def derivatives(found: Frames, step: float, direction: np.ndarray[Any, Any]) -> None:
    """The last configuration's force and stress are slopes of the energies before it."""
    assert found.energy is not None and found.forces is not None and found.stress is not None
    force = (found.energy[0] - found.energy[2]) / (2 * step)
    strain = (found.energy[1] - found.energy[3]) / (2 * step)
    assert force == pytest.approx(-(found.forces[-4:] * direction).sum(), rel=0.02, abs=0.01)
    assert strain == pytest.approx(found.stress[-1, 0] * BORANE.get_volume(), rel=0.02, abs=0.01)


def moved_and_strained(step: float, direction: np.ndarray[Any, Any]) -> list[Atoms]:
    images = []
    for sign in (1, -1):
        moved, strained = BORANE.copy(), BORANE.copy()
        moved.positions += sign * step * direction
        strained.set_cell(BORANE.cell.array @ np.diag([1 + sign * step, 1, 1]), scale_atoms=True)
        images += [moved, strained]
    return [*images, BORANE]


@pytest.mark.parametrize(
    ("name", "keys", "says"),
    [
        ("sevennet", {"functional": "SCAN"}, r"sevennet has PBE and .* \(got SCAN\)"),
        ("sevennet", {"functional": "r2SCAN"}, "approximates PBE .* Use PBE or PBE-D3"),
        ("chgnet", {"functional": "PBE", "model": "r2scan"}, "approximates r2SCAN"),
        ("mace", {"functional": "PBE"}, "contains none. Download one from https://"),
        (
            "sevennet",
            {"functional": "PBE", "model": "7net-mf.pth"},
            "needs model_sha256, .*`sha256sum 7net-mf.pth`.* or choose one of 7net-0",
        ),
        (
            "mace",
            {
                "functional": "PBE",
                "model": "../a.model",
                "model_sha256": "0" * 64,
                "approximates": "PBE",
            },
            "without a folder",
        ),
        (
            "mace",
            {
                "functional": "PBE",
                "model": "a.model",
                "model_sha256": "0" * 64,
                "approximates": "r2SCAN",
            },
            "approximates r2SCAN",
        ),
        (
            "sevennet",
            {"functional": "PBE", "approximates": "PBE"},
            "7net-0 comes with the package. Remove them",
        ),
        ("mace", {"functional": "PBE", "model": "a", "model_sha256": "abc"}, "pattern"),
    ],
)
def test_models_that_cannot_run_are_refused(name: str, keys: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ENGINES[name].Settings(operation="label", **keys)


def test_every_family_has_a_loader_and_an_extra() -> None:
    extras = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert list(LOADERS) == list(ENGINES) == [family.name for family in FAMILIES]
    for family in FAMILIES:
        assert f'\n{family.name} = ["{family.package}' in extras


@FAMILY
def test_what_is_missing_comes_with_its_command(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = ENGINES[name]
    content = b"weights"
    file = {
        "model": "m.pt",
        "model_sha256": hashlib.sha256(content).hexdigest(),
        "approximates": "PBE",
    }
    settings = engine.Settings(operation="label", functional="PBE-D3", **file)
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    assert f'pip install "borarun[{name}]"' in engine.missing(settings, Program())
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: object())
    assert f"set programs.{name}.model_directory" in engine.missing(settings, Program())
    site = Program(model_directory=str(tmp_path))
    assert "cannot be read. Download it from https" in engine.missing(settings, site)
    (tmp_path / "m.pt").write_bytes(content + b"!")
    assert "is not the one of the study" in engine.missing(settings, site)
    (tmp_path / "m.pt").write_bytes(content)
    assert engine.missing(settings, site) == ""
    assert f'"model":"{tmp_path}/m.pt"' in str(
        engine.render(settings, {"frames": Frames.of([BORANE])}, site)["model.json"]
    ).replace(": ", ":")


def test_the_version_names_model_and_packages() -> None:
    plain = SEVENNET.Settings(operation="label", functional="PBE")
    assert "7net-0" in SEVENNET.version(plain) and "dftd3" not in SEVENNET.version(plain)
    corrected = SEVENNET.Settings(operation="label", functional="PBE-D3")
    assert "dftd3" in SEVENNET.version(corrected)


def test_settings_of_the_default_model_are_those_of_every_reference() -> None:
    """Keys of labels that were computed before other models were known."""
    keys = {"operation": "label", "functional": "PBE-D3"}
    assert SEVENNET.Settings(**keys).model_dump() == bundled.Settings(**keys).model_dump()


def test_its_files_differ_from_those_of_bundled_by_the_calculator_alone() -> None:
    keys = {"operation": "label", "functional": "PBE-D3"}
    frames = Frames.of([BORANE])
    ours = SEVENNET.render(SEVENNET.Settings(**keys), {"frames": frames}, Program())
    theirs = bundled.render(bundled.Settings(**keys), {"frames": frames}, bundled.Program())
    assert ours["frames.extxyz"] == theirs["frames.extxyz"]
    assert str(ours["job.json"]).replace("pretrained", "bundled") == theirs["job.json"]


def test_planning_loads_no_network() -> None:
    code = "import sys; from borarun.engines.pretrained.engine import ENGINES, Program; "
    code += "engine = ENGINES['sevennet']; "
    code += "engine.missing(engine.Settings(operation='label', functional='PBE-D3'), Program()); "
    code += "sys.exit('torch' in sys.modules or 'sevenn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("sevennet", marks=needs("sevenn", "dftd3")),
        pytest.param("chgnet", marks=needs("chgnet", "dftd3")),
    ],
)
def test_forces_and_stress_are_derivatives_and_dispersion_is_added(
    name: str, tmp_path: Path
) -> None:
    step, direction = 0.005, np.random.default_rng(1).normal(size=(4, 3))
    energies = {}
    for functional in ("PBE", "PBE-D3"):
        images = moved_and_strained(step, direction)
        found = labels(name, images, tmp_path / functional, functional=functional)
        derivatives(found, step, direction)
        assert found.energy is not None
        energies[functional] = found.energy[-1]
    assert -1.0 < energies["PBE-D3"] - energies["PBE"] < -0.01, "dispersion binds, weakly"


def random_mace(folder: Path) -> str:
    import mace  # noqa: F401 - before e3nn, which it lets load
    import torch
    from e3nn import o3
    from mace.modules import RealAgnosticInteractionBlock, ScaleShiftMACE, gate_dict

    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    model = ScaleShiftMACE(
        r_max=4.0,
        num_bessel=4,
        num_polynomial_cutoff=5,
        max_ell=2,
        interaction_cls=RealAgnosticInteractionBlock,
        interaction_cls_first=RealAgnosticInteractionBlock,
        num_interactions=2,
        num_elements=2,
        hidden_irreps=o3.Irreps("8x0e"),
        MLP_irreps=o3.Irreps("8x0e"),
        gate=gate_dict["silu"],
        atomic_energies=np.zeros(2),
        avg_num_neighbors=4.0,
        atomic_numbers=[1, 5],
        correlation=2,
        atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
    )
    torch.save(model, folder / "random.model")
    return "random.model"


def random_mattersim(folder: Path) -> str:
    import torch
    from mattersim.forcefield.m3gnet.m3gnet import M3Gnet

    torch.manual_seed(0)
    model = M3Gnet(device="cpu")
    content = {
        "model_name": "m3gnet",
        "model_args": model.model_args,
        "model": model.state_dict(),
    }
    torch.save(content, folder / "random.pth")
    return "random.pth"


def random_orb(folder: Path) -> str:
    import torch
    from orb_models.forcefield.atomic_system import SystemConfig
    from orb_models.forcefield.pretrained import orb_v3_conservative_architecture

    torch.manual_seed(0)
    config = SystemConfig(radius=6.0, max_num_neighbors=120)
    model = orb_v3_conservative_architecture(device="cpu", system_config=config)
    torch.save(model.state_dict(), folder / "orb-v3-conservative-inf-omat-random.ckpt")
    return "orb-v3-conservative-inf-omat-random.ckpt"


@pytest.mark.parametrize(
    ("name", "made"),
    [
        pytest.param("mace", random_mace, marks=needs("mace")),
        pytest.param("mattersim", random_mattersim, marks=needs("mattersim")),
        pytest.param("orb", random_orb, marks=needs("orb_models")),
    ],
)
def test_a_model_runs_from_its_file(name: str, made: Callable[[Path], str], tmp_path: Path) -> None:
    """A model with random weights: what is tested is the way through its file."""
    model = made(tmp_path)
    digest = hashlib.sha256((tmp_path / model).read_bytes()).hexdigest()
    step, direction = 0.005, np.random.default_rng(1).normal(size=(4, 3))
    found = labels(
        name,
        moved_and_strained(step, direction),
        tmp_path / "run",
        Program(model_directory=str(tmp_path)),
        functional="PBE",
        model=model,
        model_sha256=digest,
        approximates="PBE",
    )
    derivatives(found, step, direction)


@needs("orb_models")
def test_models_of_orb_that_predict_forces_directly_are_refused() -> None:
    with pytest.raises(Exception, match="no conservative model"):
        LOADERS["orb"]("/models/orb-v3-direct-20-omat-20250404.ckpt", "cpu")
