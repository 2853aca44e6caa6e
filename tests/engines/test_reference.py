"""The shared part of the reference engines: settings, files, parsing; and the embedded program,
with the bundled potential.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from borarun.basics.errors import EngineError, ParseError
from borarun.engines.bundled import engine as bundled
from borarun.engines.reference import base as reference
from borarun.engines.reference import program
from borarun.engines.reference.job import RelaxJob
from borarun.mtp.evaluate import MTPCalculator
from borarun.mtp.potential import Potential
from borarun.records.endings import Ending, ending_of
from borarun.records.frames import Frames
from borarun.records.operations.reference import Labelled, Sampled
from borarun.structures.files import read_structure
from borarun.structures.structure import Cell

STRUCTURE = Path(__file__).parents[2] / "studies" / "structures" / "Li2B12H12-Pa-3.cif"
CELL = Cell(text=Frames.of([read_structure(STRUCTURE)]).to_extxyz())
RUN = {
    "operation": "aimd",
    "functional": "PBE-D3",
    "cell": CELL,
    "time_ps": 0.012,
    "sample_every_fs": 3,
    "temperature_K": 1000,
}


def settings(**keys: object) -> bundled.Settings:
    return bundled.Settings(**{"functional": "PBE-D3", "cell": CELL, **keys})


def prepare(directory: Path, task: bundled.Settings, **inputs: object) -> Path:
    directory.mkdir(exist_ok=True)
    for name, content in bundled.render(task, inputs, bundled.Program()).items():
        (directory / name).write_text(str(content))
    return directory


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[bundled.Settings, Path]:
    """A short run at 1000 K."""
    task = settings(**RUN)
    directory = prepare(tmp_path_factory.mktemp("aimd"), task)
    program.run(directory)
    return task, directory


def copy(directory: Path, target: Path) -> Path:
    for file in directory.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def test_an_unknown_functional_names_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"bundled has PBE-D3.* \(got rev-vdW-DF2\)"):
        settings(operation="relax", functional="rev-vdW-DF2")


@pytest.mark.parametrize(
    "keys",
    [
        {"sample_every_fs": 0.7},
        {"time_ps": 0.002, "sample_every_fs": 5},
        {"timestep_fs": 0},
        {"friction": 1},
    ],
)
def test_settings_that_cannot_run_are_refused(keys: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        settings(operation="aimd", **keys)


def test_a_run_gives_its_facts_and_labels(finished: tuple[bundled.Settings, Path]) -> None:
    result = reference.parse(*finished)
    assert type(result.facts) is Sampled
    assert result.facts.n_labels == 4 and result.facts.steps == 12
    assert 300 < result.facts.temperature_K < 1500
    assert result.facts.ensemble == program.ENSEMBLE
    labels = result.frames["labels"]
    assert len(labels) == 4 and labels.labelled
    volumes = np.linalg.det(labels.cell)
    assert len(set(volumes)) == 4, "the cell must breathe"
    shape = labels.cell / np.cbrt(volumes)[:, None, None]
    np.testing.assert_allclose(shape, np.broadcast_to(shape[0], shape.shape), atol=1e-6)


def test_labels_are_derivatives_of_the_energy(finished: tuple[bundled.Settings, Path]) -> None:
    last = reference.parse(*finished).frames["labels"][-1]
    calculator = MTPCalculator(Potential.read(bundled.potential("PBE-D3")))

    def energy(displacement: np.ndarray, strain: np.ndarray) -> float:
        moved = Atoms(last.numbers, last.positions + displacement, cell=last.cell, pbc=True)
        moved.set_cell(moved.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        moved.calc = calculator
        return float(moved.get_potential_energy())

    rest, step = np.zeros((3, 3)), 1e-4
    direction = np.random.default_rng(1).normal(size=(len(last), 3))
    slope = (energy(step * direction, rest) - energy(-step * direction, rest)) / (2 * step)
    assert slope == pytest.approx(-float((last.get_forces() * direction).sum()), rel=1e-4, abs=1e-3)
    for row, column, voigt in ((0, 0, 0), (1, 2, 3)):
        strain = np.zeros((3, 3))
        strain[row, column] = strain[column, row] = step
        slope = (energy(np.zeros(3), strain) - energy(np.zeros(3), -strain)) / (2 * step)
        expected = last.get_stress()[voigt] * last.get_volume() * (1 if row == column else 2)
        assert slope == pytest.approx(expected, rel=1e-4, abs=1e-3)
    assert energy(np.zeros(3), rest) == pytest.approx(last.get_potential_energy(), abs=1e-4)


def test_the_same_seed_gives_the_same_run_and_another_seed_another(
    finished: tuple[bundled.Settings, Path], tmp_path: Path
) -> None:
    task, directory = finished
    for name, seed, same in (("a", task.seed, True), ("b", task.seed + 1, False)):
        again = prepare(tmp_path / name, settings(**RUN, seed=seed))
        program.run(again)
        assert (
            (again / "labels.extxyz").read_bytes() == (directory / "labels.extxyz").read_bytes()
        ) is same


class KilledError(Exception):
    """Stands for kill -9."""


@pytest.mark.parametrize("operation", ["aimd", "label"])
def test_a_killed_program_goes_on_where_it_was(
    operation: str,
    finished: tuple[bundled.Settings, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aimd, whole = finished
    task = settings(**RUN) if operation == "aimd" else settings(operation="label")
    frames = reference.parse(aimd, whole).frames["labels"]
    directory = prepare(
        tmp_path / "killed", task, **({"frames": frames} if operation == "label" else {})
    )
    labelled, calls = program.labelled, []

    def dies_at_the_third(atoms: Atoms, calculator: object) -> Atoms:
        calls.append(1)
        if len(calls) == 3:
            raise KilledError
        return labelled(atoms, calculator)

    with monkeypatch.context() as patch:
        patch.setattr(program, "labelled", dies_at_the_third)
        with pytest.raises(KilledError):
            program.run(directory)
        with pytest.raises(ParseError):
            reference.parse(task, directory)
        with (directory / "labels.partial.extxyz").open("ab") as handle:
            handle.write(b"104\nLattice=")  # killed within a write
        program.run(directory)
    assert len(calls) == 3 + 2, "what was labelled before is not labelled again"
    got, expected = reference.parse(task, directory).frames["labels"], frames
    np.testing.assert_allclose(got.positions, expected.positions, atol=1e-7)
    np.testing.assert_allclose(got.forces, expected.forces, atol=1e-5)
    np.testing.assert_allclose(got.energy, expected.energy, atol=1e-5)
    program.run(directory)  # complete: nothing is left to do
    assert len(calls) == 5


def test_labelling_keeps_number_and_order_of_different_cells(tmp_path: Path) -> None:
    small, large = read_structure(STRUCTURE), read_structure(STRUCTURE)
    del small[int(np.flatnonzero(small.numbers == 3)[0])]
    frames = Frames.of([large, small, large])
    task = settings(operation="label")
    directory = prepare(tmp_path / "label", task, frames=frames)
    program.run(directory)
    result = reference.parse(task, directory)
    assert result.facts == Labelled(n_labels=3)
    labels = result.frames["labels"]
    np.testing.assert_array_equal(labels.offsets, frames.offsets)
    np.testing.assert_array_equal(labels.numbers, frames.numbers)
    assert labels.energy is not None and labels.energy[0] == labels.energy[2] != labels.energy[1]


def test_nothing_to_label_is_no_error(tmp_path: Path) -> None:
    task = settings(operation="label")
    directory = prepare(tmp_path / "none", task, frames=Frames.of([]))
    program.run(directory)
    assert reference.parse(task, directory).facts == Labelled(n_labels=0)


def test_a_relaxation_that_does_not_end_says_so(tmp_path: Path) -> None:
    task = settings(operation="relax", max_steps=1, fmax_eV_per_A=1e-6)
    directory = prepare(tmp_path / "relax", task)
    program.run(directory)
    with pytest.raises(EngineError, match="not relaxed after 1 steps") as caught:
        reference.parse(task, directory)
    assert not isinstance(caught.value, ParseError) and "max_steps" in caught.value.remedy


class Crooked(EMT):
    """Forces that break the symmetry a little, as those of neural networks do."""

    def calculate(self, atoms: Atoms, *rest: Any) -> None:
        super().calculate(atoms, *rest)
        self.results["forces"] = self.results["forces"] + 0.01 * np.random.default_rng(1).normal(
            size=(len(atoms), 3)
        )


@pytest.mark.parametrize("keep_symmetry", [True, False])
def test_the_force_told_of_a_relaxation_is_the_one_that_was_tested(
    keep_symmetry: bool, tmp_path: Path
) -> None:
    job = RelaxJob(
        calculator="bundled",
        functional="PBE",
        keep_symmetry=keep_symmetry,
        relax_cell=False,
        max_steps=5,
        fmax_eV_per_A=0.002,
        max_stress_kbar=1.0,
    )
    output = program.Output(tmp_path)
    if not keep_symmetry:  # forces that never change never become smaller
        with pytest.raises(EngineError, match=r"not relaxed after 5 steps"):
            program.relax(bulk("Cu", cubic=True), Crooked(), job, output)
        return
    facts = program.relax(bulk("Cu", cubic=True), Crooked(), job, output)
    assert facts.max_force_eV_per_A < 0.002
    label = Frames.from_extxyz((tmp_path / "labels.partial.extxyz").read_text())[0]
    assert np.linalg.norm(label.get_forces(), axis=1).max() > 0.01, (
        "the label has the forces as they are"
    )


def test_an_explosion_says_so(tmp_path: Path) -> None:
    task = settings(**{**RUN, "timestep_fs": 20, "sample_every_fs": 20, "time_ps": 1})
    directory = prepare(tmp_path / "hot", task)
    with np.errstate(all="ignore"):
        program.run(directory)
    with pytest.raises(EngineError, match="exploded at step"):
        reference.parse(task, directory)


@pytest.mark.parametrize("name", ["ending.json", "labels.extxyz"])
def test_files_missing_or_cut_short_at_any_place_are_refused(
    name: str, finished: tuple[bundled.Settings, Path], tmp_path: Path
) -> None:
    task, directory = finished
    file = copy(directory, tmp_path) / name
    whole = file.read_bytes()
    for size in np.linspace(0, len(whole) - 1, 20).astype(int):
        file.write_bytes(whole[:size])
        with pytest.raises(ParseError, match=name):
            reference.parse(task, tmp_path)
    file.unlink()
    with pytest.raises(ParseError, match=f"{name}: (cannot be read|is missing)"):
        reference.parse(task, tmp_path)


def rewrite(directory: Path, images: list[Atoms]) -> None:
    text = Frames.of(images).to_extxyz()
    (directory / "labels.extxyz").write_text(text)
    Ending(result={**ending_of(directory).result, "bytes": len(text)}).write(directory)


def test_wrong_atoms_and_what_is_no_number_are_refused(
    finished: tuple[bundled.Settings, Path], tmp_path: Path
) -> None:
    task, directory = finished
    copy(directory, tmp_path)
    images = list(reference.parse(task, directory).frames["labels"])
    rewrite(tmp_path, images)
    reference.parse(task, tmp_path)

    shorter = images[0][:-1]
    shorter.calc = SinglePointCalculator(
        shorter, energy=0.0, forces=np.zeros((103, 3)), stress=np.zeros(6)
    )
    rewrite(tmp_path, [shorter, *images[1:]])
    with pytest.raises(ParseError, match="requested configurations"):
        reference.parse(task, tmp_path)

    rewrite(tmp_path, images[:-1])
    with pytest.raises(ParseError, match="requested configurations"):
        reference.parse(task, tmp_path)

    broken = images[0].copy()
    broken.calc = SinglePointCalculator(
        broken, **{**images[0].calc.results, "energy": float("nan")}
    )
    rewrite(tmp_path, [broken, *images[1:]])
    with pytest.raises(EngineError, match="configuration 1 has energy that are not numbers"):
        reference.parse(task, tmp_path)

    pushed = images[1].copy()
    forces = images[1].get_forces() + np.array([0.0, 0.0, 0.02])
    pushed.calc = SinglePointCalculator(pushed, **{**images[1].calc.results, "forces": forces})
    rewrite(tmp_path, [images[0], pushed, *images[2:]])
    with pytest.raises(EngineError, match=r"configuration 2: its forces sum to 2.08 eV/angstrom"):
        reference.parse(task, tmp_path)


def test_the_ensemble_has_the_temperature_and_pressure_that_were_asked_for(tmp_path: Path) -> None:
    """Wide bounds: the run is short, and the pressure of 104 atoms swings by several kbar."""
    task = settings(
        **{**RUN, "temperature_K": 300, "time_ps": 0.6, "sample_every_fs": 5, "friction_per_ps": 50}
    )
    directory = prepare(tmp_path / "long", task)
    program.run(directory)
    result = reference.parse(task, directory)
    labels = result.frames["labels"]
    assert labels.stress is not None
    virial_part = labels.stress[len(labels) // 2 :, :3].mean()
    kinetic_part = -104 * units.kB * 300 / np.linalg.det(labels.cell).mean()
    assert result.facts.temperature_K == pytest.approx(300, rel=0.1)
    assert abs(virial_part + kinetic_part) < 0.004  # eV/A^3; the kinetic part alone is 0.003
