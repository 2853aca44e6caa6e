"""Potentials on labelled configurations: the answers are those of the potentials."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from borarun.engines.base import Program
from borarun.engines.examination import engine
from borarun.mtp import evaluate
from borarun.mtp.potential import Potential
from borarun.records.frames import Frames
from borarun.records.operations.examination import Examined

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "data" / "li2b12h12_level8.mtp").read_text()
CELLS = ROOT.parent / "benchmarks" / "data" / "li2b12h12_sevennet0_d3_valid.extxyz"


def test_answers_stand_beside_labels_configuration_by_configuration(tmp_path: Path) -> None:
    """Cells of different composition, in parts; the second potential is another one."""
    whole = Frames.from_extxyz(CELLS.read_text()).take([0, 1])
    first, fewer = whole[0], whole[1]
    calc = fewer.calc
    assert calc is not None
    results = {**calc.results, "forces": calc.results["forces"][1:]}
    del fewer[0]
    fewer.calc = type(calc)(fewer, **results)
    other = Potential.untrained(8, Potential.read(TEXT).species, 5.0, seed=3)
    settings = engine.Settings(potential="moment_tensor")
    inputs = {
        "labels": [Frames.of([first]), Frames.of([fewer])],
        "potentials": [TEXT, other.write()],
    }
    for name, content in engine.render(settings, inputs, Program()).items():
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    subprocess.run(
        [sys.executable, "-m", "borarun.engines.examination.program"], cwd=tmp_path, check=True
    )
    result = engine.parse(settings, tmp_path)
    assert result.misfits() == []
    assert isinstance(result.facts, Examined)
    assert (result.facts.n_frames, result.facts.n_potentials) == (2, 2)
    energy, forces, stress = (
        np.asarray(result.arrays[name].values)
        for name in (Examined.ENERGY, Examined.FORCES, Examined.STRESS)
    )
    for row, potential in ((1, Potential.read(TEXT)), (2, Potential.read(other.write()))):
        begin = 0
        for place, atoms in enumerate((first, fewer)):
            found = evaluate.Evaluator(potential, np.asarray(atoms.numbers)).evaluate(
                atoms.positions, atoms.cell.array
            )
            assert energy[row, place] == pytest.approx(found.energy / len(atoms), abs=1e-12)
            assert forces[row, begin : begin + len(atoms)] == pytest.approx(found.forces, abs=1e-12)
            assert stress[row, place] == pytest.approx(found.stress, abs=1e-12)
            begin += len(atoms)
    assert energy[0, 1] == pytest.approx(results["energy"] / len(fewer))
    assert forces[0, len(first) :] == pytest.approx(results["forces"])
