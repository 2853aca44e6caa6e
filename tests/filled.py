"""A store that holds a made-up result for every task of a study, so that what is done with results
needs no run.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from records import dynamics

from borarun.engines.moment_tensor.results import TrainedMomentTensor
from borarun.records.attributes import Provenance
from borarun.records.frames import Frames
from borarun.records.operations.base import Array, quantities
from borarun.records.operations.examination import Examined
from borarun.records.operations.potential import (
    PARITY,
    Errors,
    ErrorsOfSets,
    Ranges,
    Selected,
    Trained,
)
from borarun.records.operations.reference import Labelled, Relaxed, Sampled
from borarun.records.places import StoredRecords
from borarun.records.store import Store
from borarun.records.task import Result, Task, items_of
from borarun.study import Study
from borarun.study.plan import expand
from borarun.subjects.examination.stage import Examining

POTENTIAL = (Path(__file__).parent / "data" / "li2b12h12_level8.mtp").read_text()
HOST = "node-of-ours"
PROVENANCE = Provenance(
    borarun="0.1.0", host=HOST, started="2025-01-01T10:00:00+00:00", seconds=60.0, cores=1
)


def fill(study: Study, store: Store) -> list[Task]:
    """Write a result for every task, as results make more of them known; all tasks."""
    while True:
        tasks = expand(study, StoredRecords(store)).tasks
        new = [task for task in tasks if task.key not in store]
        if not new:
            return list(tasks)
        for task in new:
            store.write(task, result(study, task), PROVENANCE)


def labelled(study: Study, count: int, seed: int) -> Frames:
    """Configurations about the study's structure, with labels."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(count):
        atoms = Frames.from_extxyz(study.phase_text(study.phase))[0]
        atoms.rattle(0.02, rng=rng)
        forces = rng.normal(size=(len(atoms), 3))
        atoms.calc = SinglePointCalculator(
            atoms,
            energy=-540.0 + rng.normal(),
            forces=forces - forces.mean(axis=0),
            stress=rng.normal(scale=0.01, size=6),
        )
        images.append(atoms)
    return Frames.of(images)


def result(study: Study, task: Task) -> Result:
    """What a task might have left."""
    operation, seed = task.settings.get("operation"), int(task.key[:8], 16)
    if task.engine == "lammps":
        names = [segment["name"] for segment in task.settings["segments"]]
        return trajectory(
            study, seed, names, candidates=3 if task.about.stored().get("round") == 0 else 0
        )
    if operation == "train":
        return training()
    if operation == "select":
        return Result(
            Selected(n_candidates=3, n_selected=2, grades=(4.0, 3.0)),
            frames={Selected.SELECTED: labelled(study, 2, seed)},
        )
    if operation == "relax":
        structure = labelled(study, 1, seed)
        cell = structure[0].cell
        facts = Relaxed(
            energy_eV_per_atom=-5.2,
            lattice_A=tuple(cell.lengths()),
            angles_deg=tuple(cell.angles()),
            volume_A3=float(cell.volume),
            max_force_eV_per_A=0.004,
            space_group="Pa-3 (205)",
            steps=12,
        )
        return Result(facts, frames={Relaxed.STRUCTURE: structure})
    if operation == "examine":
        return examined(task, seed)
    if operation == "label":
        return Result(Labelled(n_labels=2), frames={Labelled.LABELS: labelled(study, 2, seed)})
    return Result(
        Sampled(n_labels=10, temperature_K=600.0, steps=40),
        frames={Sampled.LABELS: labelled(study, 10, seed)},
    )


def examined(task: Task, seed: int) -> Result:
    """A potential with errors of forces of 0.1 eV/A, and its committee."""
    about = Examining.model_validate(task.about.stored())
    rng = np.random.default_rng(seed)
    count, sources = len(about.vacancies), 1 + len(items_of(task.inputs["potentials"]))
    truth = rng.normal(size=(10 * count, 3))
    arrays: dict[Array, np.ndarray] = {
        Examined.ATOMS: np.full(count, 10),
        Examined.ENERGY: -5.0 + rng.normal(scale=0.001, size=(sources, count)),
        Examined.FORCES: truth + rng.normal(scale=0.1, size=(sources, 10 * count, 3)),
        Examined.STRESS: rng.normal(scale=0.001, size=(sources, count, 6)),
    }
    facts = Examined(n_frames=count, n_potentials=sources - 1)
    return Result(facts, arrays=quantities(arrays))


def training() -> Result:
    """A fit of no quality."""
    rng = np.random.default_rng(0)
    errors = Errors(energy_meV_per_atom=1.0, forces_eV_per_A=0.1, stress_kbar=1.0)
    facts = TrainedMomentTensor(
        level=8,
        n_parameters=163,
        n_train=16,
        n_valid=4,
        evaluations=9,
        converged=True,
        errors=ErrorsOfSets(train=errors, valid=errors),
        ranges=Ranges(
            energy_eV_per_atom=(-5.3, -5.1),
            forces_eV_per_A=(-9.0, 9.0),
            stress_kbar=(-50.0, 50.0),
        ),
    )
    arrays = {array: rng.normal(size=(2, 24)) for array in PARITY.values()}
    return Result(
        facts,
        texts={Trained.POTENTIAL: POTENTIAL},
        arrays=quantities({**arrays, Trained.LOSS: np.geomspace(10, 0.1, 9)}),
    )


def trajectory(study: Study, seed: int, segments: list[str], candidates: int) -> Result:
    """A run in which atoms jitter and the cell warms up."""
    atoms = Frames.from_extxyz(study.phase_text(study.phase))[0]
    rng = np.random.default_rng(seed)
    n_frames = 60
    swell = np.linspace(1.0, 1.01, n_frames)
    positions = (
        atoms.positions[:, :, None] + rng.normal(scale=0.05, size=(len(atoms), 3, n_frames))
    ) * swell
    return dynamics(
        atoms,
        positions,
        atoms.cell.array * swell[:, None, None],
        np.arange(n_frames) * 5,
        np.full(n_frames, len(segments) - 1),
        temperature_K=np.linspace(50, 250, n_frames),
        grades=(np.arange(0, 300, 50), np.full(6, 1.5)),
        candidates=labelled(study, candidates, seed),
        grade_max=1.5,
        segments=tuple(segments),
    )
