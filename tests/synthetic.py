"""A made-up study of the 104-atom cell with known answers: its tasks, and a store with physically
consistent records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from ase import Atoms
from records import dynamics
from scipy.spatial.transform import Rotation

from borarun.basics.causes import Cause
from borarun.basics.units import A2_PER_FS_IN_CM2_PER_S, BOLTZMANN_EV_PER_K
from borarun.engines.lammps import engine as lammps_engine
from borarun.engines.lammps.deck import Grade, Segment
from borarun.engines.moment_tensor.results import TrainedMomentTensor
from borarun.page import Results, collect
from borarun.records.attributes import Provenance
from borarun.records.frames import Frames
from borarun.records.operations.base import quantities
from borarun.records.operations.dynamics import Stop
from borarun.records.operations.potential import (
    PARITY,
    Errors,
    ErrorsOfSets,
    Ranges,
    Selected,
    Trained,
)
from borarun.records.operations.reference import Labelled, Relaxed, Sampled
from borarun.records.store import Store
from borarun.records.task import About, Failure, Ref, Result, Task
from borarun.structures.structure import Cell
from borarun.study import Study
from borarun.study.model import StudyFile
from borarun.subjects.active_learning.stage import Exploration, Labelling, Selection
from borarun.subjects.common.stage import Training
from borarun.subjects.diffusion.section import Diffusion
from borarun.subjects.diffusion.stage import DiffusionRun
from borarun.subjects.heating.section import Heating
from borarun.subjects.heating.stage import Ramp
from borarun.subjects.relax.stage import Relaxation
from borarun.subjects.training_set.stage import Sampling

EA_EV = 0.34
D_AT_500_K = 2e-6
INTERVAL_FS = 50.0
TRANSITION_K = {"heating": 720.0, "cooling": 620.0}
LAG_K = 35.0
"""The transition comes so much later where ramps are twice as fast as the slowest."""
PROVENANCE = Provenance(
    borarun="0.1", host="somewhere", started="2025-01-01T10:00:00+00:00", seconds=60.0, cores=1
)


@dataclass(frozen=True)
class Made:
    """A study with everything that the report needs."""

    study: Study
    tasks: list[Task]
    store: Store


def true_diffusivity(temperature_K: float, vacancies: int) -> float:
    """cm^2/s: an exact Arrhenius law with one vacancy, next to nothing without."""
    if vacancies == 0:
        return 1e-10
    factor = np.exp(-EA_EV / BOLTZMANN_EV_PER_K * (1 / temperature_K - 1 / 500))
    return float(D_AT_500_K * factor * temperature_K / 500)  # sigma, not sigma T, follows Arrhenius


def cage() -> np.ndarray:
    """(24, 3) angstrom: 12 B and 12 H around their centre."""
    golden = (1 + 5**0.5) / 2
    corners = [np.roll((0.0, a, b * golden), k) for k in range(3) for a in (-1, 1) for b in (-1, 1)]
    corners = np.array(corners) / np.sqrt(1 + golden**2)
    return np.concatenate([1.70 * corners, 2.90 * corners])


def crystal(vacancies: int = 0, a: float = 9.58) -> Atoms:
    """Four anions on an fcc lattice, lithium on the tetrahedral sites."""
    centres = np.array([(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]) * a
    sites = (
        np.array([(x, y, z) for x in (0.25, 0.75) for y in (0.25, 0.75) for z in (0.25, 0.75)]) * a
    )
    atoms = Atoms(f"Li{8 - vacancies}", sites[vacancies:], cell=[a, a, a], pbc=True)
    for centre in centres:
        atoms += Atoms("B12H12", cage() + centre)
    return atoms


def walk(
    temperature_K: float, vacancies: int, n_frames: int, turns: bool, seed: int
) -> tuple[Atoms, np.ndarray, np.ndarray]:
    """Atoms, positions (N, 3, F) and cell (F, 3, 3) of a run: walking ions, librating or tumbling
    anions, a breathing cell.
    """
    rng = np.random.default_rng(seed)
    atoms = crystal(vacancies)
    n_ions = 8 - vacancies
    positions = np.repeat(atoms.positions[:, :, None], n_frames, axis=2)
    spread = np.sqrt(
        2 * true_diffusivity(temperature_K, vacancies) / A2_PER_FS_IN_CM2_PER_S * INTERVAL_FS
    )
    positions[:n_ions] += np.cumsum(
        rng.normal(0, spread, (n_ions, 3, n_frames)), axis=2
    ) + rng.normal(0, 0.12, (n_ions, 3, n_frames))
    for anion in range(4):
        steps = rng.normal(0, 0.10 if turns else 0.02, (n_frames, 3))
        vectors = np.cumsum(steps, axis=0) if turns else steps * 4 * np.sqrt(temperature_K / 300)
        turned = np.einsum("fij,kj->kif", Rotation.from_rotvec(vectors).as_matrix(), cage())
        part = slice(n_ions + 24 * anion, n_ions + 24 * (anion + 1))
        centre = atoms.positions[part].mean(axis=0)
        positions[part] = centre[:, None] + turned + rng.normal(0, 0.02, turned.shape)
    scale = 1 + 0.002 * rng.normal(size=n_frames)
    cell = atoms.cell.array[None] * scale[:, None, None]
    return atoms, positions * scale, cell


def lammps(
    atoms: Atoms,
    positions: np.ndarray,
    cell: np.ndarray,
    segment: str,
    temperature_K: np.ndarray,
    stop: Stop = "completed",
) -> Result:
    """A record as the lammps engine leaves it, one step a femtosecond."""
    n_frames = positions.shape[2]
    step = (np.arange(n_frames) * INTERVAL_FS).astype(np.int64)
    looks = np.arange(0, step[-1] + 1, 250)
    grade = 1.0 + 0.5 * np.sin(looks / 3000.0) ** 2
    whole = stop == "completed"
    return dynamics(
        atoms,
        positions,
        cell,
        step,
        np.ones(n_frames),
        temperature_K=temperature_K,
        grades=(looks, grade if whole else np.geomspace(0.5, 14.2, len(looks))),
        candidates=Frames.of([] if whole else [atoms] * 7),
        stop=stop,
        reason="" if whole else "the extrapolation grade reached 14.2",
        grade_max=float(grade.max()) if whole else 14.2,
        segments=("heat", segment),
    )


def make_study(**changes: Any) -> Study:
    """The study; ``changes`` replace whole sections."""
    content = {
        "borarun": 1,
        "name": "made-up",
        "material": {
            "formula": "Li2B12H12",
            "phases": {"Pa-3": "structures/Pa-3.xyz"},
            "mobile": "Li",
            "anions": "B12H12",
        },
        "functionals": ["PBE-D3"],
        "supercell": [1, 1, 1],
        "reference": {"engine": "bundled"},
        "relax": {},
        "training_set": {},
        "potential": {"level": 8},
        "active_learning": {},
        "heating": {},
        "diffusion": {"temperatures_K": [400, 500, 600, 700], "vacancies": [0, 1]},
        "reorientation": {},
        **changes,
    }
    study = StudyFile.model_validate(
        {name: section for name, section in content.items() if section is not None}
    )
    return study.holding(
        texts={"Pa-3": Frames.of([crystal()]).to_extxyz()},
        n_atoms=104,
        n_units=4,
        warnings=[],
        former=[],
    )


def training(number: int, n_train: int, n_valid: int) -> Result:
    """A fit whose errors fall with its number."""
    rng = np.random.default_rng(number)
    errors = Errors(
        energy_meV_per_atom=2.0 / (number + 1),
        forces_eV_per_A=0.12 / (number + 1) ** 0.5,
        stress_kbar=2.0 / (number + 1),
    )
    truth = {
        "energy": rng.uniform(-5.20, -5.05, n_valid),
        "forces": rng.normal(0, 1.5, n_valid * 312),
        "stress": rng.normal(0, 0.01, n_valid * 6),
    }
    noise = {
        "energy": errors.energy_meV_per_atom / 1e3,
        "forces": errors.forces_eV_per_A,
        "stress": 6e-4,
    }
    parity = {
        PARITY[name]: np.stack([x, x + rng.normal(0, noise[name], len(x))])
        for name, x in truth.items()
    }
    facts = TrainedMomentTensor(
        level=8,
        n_parameters=163,
        n_train=n_train,
        n_valid=n_valid,
        evaluations=40,
        errors=ErrorsOfSets(
            train=Errors(**{name: 0.8 * value for name, value in dict(errors).items()}),
            valid=errors,
        ),
        ranges=Ranges(
            energy_eV_per_atom=(-5.21, -5.04),
            forces_eV_per_A=(-9.1, 8.7),
            stress_kbar=(-55.0, 61.0),
        ),
    )
    return Result(
        facts,
        texts={Trained.POTENTIAL: "MTP"},
        arrays=quantities({**parity, Trained.LOSS: np.geomspace(10, 0.1, 40)}),
    )


def build(
    directory: Path,
    study: Study,
    *,
    n_frames: int = 1200,
    temperatures_K: Sequence[float] = (400, 500, 600, 700),
) -> Made:
    """Every task of the study with its record: two rounds of active learning, a transition on
    heating, walking lithium.
    """
    store = Store(directory)
    tasks: list[Task] = []
    grade = Grade(every=10, threshold_save=2.1, threshold_break=11.0)

    def run_of(label: str, *segments: Segment) -> dict[str, Any]:
        cell = Cell(seed=crc32(label.encode()))  # a key of its own
        run = lammps_engine.Settings(
            cell=cell, segments=segments, timestep_fs=1.0, seed=7, grade=grade
        )
        return run.model_dump(mode="json")

    def add(
        result: Result,
        engine: str,
        stage: str,
        label: str,
        about: About,
        settings: dict[str, Any],
        *needs: Task,
    ) -> Task:
        inputs = {"potential": tuple(Ref(task.key, "potential") for task in needs)} if needs else {}
        settings = settings if engine == "lammps" else {**settings, "for": label}
        task = Task(engine, settings, inputs, "1", stage, label, about)
        store.write(task, result, PROVENANCE)
        tasks.append(task)
        return task

    relaxed = Relaxed(
        energy_eV_per_atom=-5.195,
        lattice_A=(9.576, 9.576, 9.576),
        angles_deg=(90.0, 90.0, 90.0),
        volume_A3=878.1,
        max_force_eV_per_A=0.004,
        space_group="Pa-3 (205)",
        steps=12,
    )
    labels = {Labelled.LABELS: Frames.of([crystal()])}
    add(
        Result(relaxed, frames={Relaxed.STRUCTURE: Frames.of([crystal()])}),
        "bundled",
        "relax",
        "Pa-3, PBE-D3",
        Relaxation(functional="PBE-D3", phase="Pa-3"),
        {},
    )
    first = Sampling(functional="PBE-D3", temperature_K=1000.0, vacancies=0)
    add(
        Result(Sampled(n_labels=40, temperature_K=990.0, steps=400), frames=labels),
        "bundled",
        "training_set",
        "PBE-D3, 1000 K",
        first,
        {"seed": 3},
    )
    fit = add(
        training(0, 36, 4),
        "borarun-mtp",
        "potential",
        "PBE-D3, training 0",
        Training(functional="PBE-D3", round=0),
        {"seed": 5},
    )
    heat = Segment(name="heat", time_ps=60.0, from_K=10.0, to_K=1000.0)
    for number, stop in enumerate(("extrapolation", "completed")):
        atoms, positions, cell = walk(600, 0, 200, False, number)
        about = {"functional": "PBE-D3", "round": number}
        label = f"PBE-D3, round {number}"
        run = lammps(atoms, positions, cell, "hold", np.full(200, 600.0), stop)
        explored = Exploration(**about, vacancies=0, run=0)
        add(
            run,
            "lammps",
            "active_learning",
            f"{label}, exploration",
            explored,
            run_of(label, heat),
            fit,
        )
        if stop != "completed":
            selected = Selected(n_candidates=7, n_selected=5, grades=(14.2,) * 7)
            add(
                Result(selected, frames={Selected.SELECTED: Frames.of([crystal()])}),
                "borarun-mtp",
                "active_learning",
                f"{label}, selection",
                Selection(**about),
                {},
                fit,
            )
            add(
                Result(Labelled(n_labels=5), frames=labels),
                "bundled",
                "active_learning",
                f"{label}, labels",
                Labelling(**about, part=0),
                {},
                fit,
            )
            trained = Training(functional="PBE-D3", round=number + 1)
            fit = add(
                training(1, 40, 5),
                "borarun-mtp",
                "active_learning",
                "PBE-D3, training 1",
                trained,
                {"seed": 5},
                fit,
            )
    if study.section(Heating) is not None:
        rates = study.section(Heating).heating_rates_K_per_ps
        for rate in rates:
            faster = rate / rates[0]
            n_ramp = round(1000 / faster)
            for branch, ends, way in (
                ("heating", (10.0, 1000.0), 1),
                ("cooling", (1000.0, 10.0), -1),
            ):
                atoms, positions, cell = walk(300, 0, n_ramp, False, len(branch))
                T = np.linspace(*ends, n_ramp)
                half = TRANSITION_K[branch] + way * LAG_K * np.log2(faster)
                a = 9.53 + 1.2e-4 * (T - 300) + 0.25 / (1 + np.exp(-(T - half) / 8))
                cell = cell * (a / 9.58)[:, None, None]
                run = lammps(atoms, positions * (a / 9.58), cell, branch, T)
                time_ps = (n_ramp - 1) * INTERVAL_FS / 1000
                span = Segment(name=branch, time_ps=time_ps, from_K=ends[0], to_K=ends[1])
                about = Ramp(
                    functional="PBE-D3", branch=branch, vacancies=0, heating_K_per_ps=rate, run=0
                )
                label = f"PBE-D3, 0 vacancies, {branch} at {rate:g} K/ps"
                add(
                    run,
                    "lammps",
                    "heating",
                    label,
                    about,
                    run_of(label, span),
                    fit,
                )
    if study.section(Diffusion) is not None:
        for temperature_K in temperatures_K:
            for vacancies in (0, 1):
                turns = vacancies == 1 and temperature_K == max(temperatures_K)
                atoms, positions, cell = walk(
                    temperature_K, vacancies, n_frames, turns, int(temperature_K) + vacancies
                )
                run = lammps(atoms, positions, cell, "produce", np.full(n_frames, temperature_K))
                held_K = {"from_K": temperature_K, "to_K": temperature_K}
                time_ps = n_frames * INTERVAL_FS / 1000
                produce = Segment(name="produce", time_ps=time_ps, **held_K)
                about = DiffusionRun(
                    functional="PBE-D3", temperature_K=temperature_K, vacancies=vacancies, run=0
                )
                label = f"PBE-D3, {temperature_K:g} K, {vacancies} vacancies"
                add(
                    run,
                    "lammps",
                    "diffusion",
                    label,
                    about,
                    run_of(label, produce),
                    fit,
                )
    return Made(study, tasks, store)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The whole study, done."""
    return build(tmp_path_factory.mktemp("made"), make_study())


@pytest.fixture(scope="session")
def results(made: Made) -> Results:
    """What the report makes of it."""
    return collect(made.study, made.tasks, made.store)


@pytest.fixture(scope="session")
def lammps_record() -> Callable[..., Result]:
    """`lammps`, for other materials."""
    return lammps


@pytest.fixture(scope="session")
def study_of() -> Callable[..., Study]:
    """`make_study`, for other materials."""
    return make_study


@pytest.fixture
def failure() -> Failure:
    """Why a task failed."""
    return Failure(
        Cause.FAILED, "lmp ended with code 1", "Lower the time step.", "ERROR: Lost atoms <script>"
    )


@pytest.fixture(scope="session")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What it makes of ramps at three rates, each twice as fast as the one before."""
    made = build(
        tmp_path_factory.mktemp("hurried"),
        make_study(
            heating={"heating_rates_K_per_ps": [5, 20, 10], "cooling_rates_K_per_ps": 5},
            diffusion=None,
        ),
    )
    return collect(made.study, made.tasks, made.store)


def changed(results: Results, **values: Any) -> Results:
    """These results with other values, of their own or of what a subject found."""
    for name, value in values.items():
        owners = [found for found in results.found if name in found.__dataclass_fields__]
        if not owners:
            results = replace(results, **{name: value})
        for owner in owners:
            results = results.having(replace(owner, **{name: value}))
    return results
