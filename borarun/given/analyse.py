"""Given trajectories through the analysis and the report of borarun's own runs."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.formula import Formula
from ruamel.yaml import YAML

from borarun import __version__
from borarun.basics.errors import Problem, StudyError
from borarun.given.formats import read_trajectory
from borarun.given.frame import Told, wrong
from borarun.given.gathered import Wanted
from borarun.given.model import Analysis, OneTrajectory
from borarun.given.record import ENGINE, File, result_of, task_of
from borarun.input.messages import Section
from borarun.page import Results, collect
from borarun.records.attributes import Provenance
from borarun.records.frames import Frames
from borarun.records.store import Store
from borarun.records.task import Task
from borarun.sections.study import Study
from borarun.structures.structure import find_anions
from borarun.study.ions import of_ions
from borarun.study.model import StudyFile
from borarun.subjects import SUBJECTS
from borarun.subjects.diffusion.section import Diffusion
from borarun.subjects.diffusion.stage import NAME as STAGE
from borarun.subjects.diffusion.stage import DiffusionRun
from borarun.subjects.reorientation.section import Reorientation

FEWEST_FRAMES = 20
"""Of a trajectory; fewer give no diffusivity."""

FIRST = "first frame"
"""Stands where a study names the phase that runs start from."""


@dataclass(frozen=True)
class _Run:
    """One trajectory.

    Attributes
    ----------
    trajectory : what was said of it
    file : its content
    task : in the store
    atoms : its first frame
    remarks : what a user must know of it
    """

    trajectory: OneTrajectory
    file: File
    task: Task
    atoms: Atoms
    remarks: tuple[str, ...]


def analyse(
    analysis: Analysis,
    folder: Path,
    store: Store,
    tell: Callable[[str], None] = lambda _: None,
) -> Results:
    """Read and store all trajectories, and find what a study of such runs finds.

    Parameters
    ----------
    folder : that the files are named from
    tell : told what goes on

    Raises
    ------
    StudyError
        Where a file cannot be read, or its atoms are not what they are said to be.
    """
    _check_material(analysis)
    repeats: Counter[tuple[float, int]] = Counter()
    runs: list[_Run] = []
    for trajectory in analysis.trajectories:
        tell(f"{trajectory.file}: reading")
        runs.append(_run(analysis, trajectory, folder, store, repeats, runs))
    study = _study(analysis, runs)
    results = collect(study, [run.task for run in runs], store)
    return replace(
        results,
        functionals=(analysis.method,),
        main_functional=analysis.method,
        reference=ENGINE,
        stand_in="",
        warnings=tuple(
            f"{run.trajectory.file}: {remark}." for run in runs for remark in run.remarks
        ),
        provenance=replace(results.provenance, study=_said(analysis, runs)),
    )


def _check_material(analysis: Analysis) -> None:
    """Refuse what is impossible in the formulas, mobile ions and charges."""
    for place, message in of_ions(analysis.material, analysis.material.formula or ""):
        raise _of_material(str(place[1]), message)


def _of_material(key: str, message: str) -> StudyError:
    flag = f"--{key.replace('_', '-').removesuffix('s')}"
    return StudyError(Problem(flag, 0, f"material.{key}", message))


def _run(
    analysis: Analysis,
    trajectory: OneTrajectory,
    folder: Path,
    store: Store,
    repeats: Counter[tuple[float, int]],
    before: list[_Run],
) -> _Run:
    """Read one trajectory, and store it."""
    path, reading = folder / trajectory.file, analysis.reading(trajectory)
    told = Told(
        elements=reading.elements or (),
        units=reading.units or "",
        topology=folder / reading.topology if reading.topology else None,
    )
    wanted = Wanted(
        timestep_fs=reading.timestep_fs,
        interval_fs=reading.interval_fs,
        skip_ps=reading.skip_ps or 0.0,
        stride=reading.stride or 1,
    )
    run = read_trajectory(path, told, wanted)
    if len(run.cell) < FEWEST_FRAMES:
        raise wrong(
            path,
            f"leaves {len(run.cell)} frames to analyse; at least {FEWEST_FRAMES} are needed. Keep "
            "more frames, or run longer.",
        )
    atoms = Atoms(run.numbers, run.positions[:, :, 0], cell=run.cell[0], pbc=True)
    try:
        anions = find_anions(atoms, analysis.material.anions, analysis.material.ions)
    except StudyError as error:
        said = error.problems[0].message.replace("material.anions", "--anion (key: anions)")
        raise wrong(path, said) from error
    units, missing = _vacancies(path, analysis, atoms)
    if before and units != (known := _units(analysis, before[0].atoms)):
        raise wrong(
            path,
            f"has {units} formula units, {before[0].trajectory.file} has {known}. Analyse cells of "
            "different size apart.",
        )
    file = File.of(path)
    if any(file.sha256 == other.file.sha256 for other in before):
        raise wrong(path, "is given twice. Independent runs have files of their own.")
    temperature = trajectory.temperature_K
    repeat = repeats[temperature, missing]
    repeats[temperature, missing] += 1
    task = task_of(
        file,
        run,
        reading.model_dump(mode="json", exclude_none=True),
        stage=STAGE,
        label=f"{trajectory.file}, {temperature:g} K",
        about=DiffusionRun(
            functional=analysis.method,
            temperature_K=temperature,
            vacancies=missing,
            run=repeat,
        ),
    )
    order = _stored_order(atoms, analysis.material.ions, anions)
    if task.key not in store:
        store.write(
            task,
            result_of(run, order),
            Provenance(
                borarun=__version__,
                started=datetime.now(UTC),
                file=file.name,
                size_B=file.size_B,
                sha256=file.sha256,
            ),
        )
    return _Run(trajectory, file, task, atoms[order], run.remarks)


def _stored_order(atoms: Atoms, mobile: Sequence[str], anions: Sequence[np.ndarray]) -> np.ndarray:
    """(N,) the mobile ions first, then anion by anion, then all else: so that each is read at
    once.
    """
    ions = np.flatnonzero(np.isin(atoms.symbols, mobile))
    first = np.concatenate([ions, *(kind.ravel() for kind in anions)])
    return np.concatenate([first, np.setdiff1d(np.arange(len(atoms)), first)])


def _units(analysis: Analysis, atoms: Atoms) -> int:
    """Formula units of the crystal that a frame is of, vacancies filled."""
    formula = _formula(analysis, atoms).count()
    others = [element for element in formula if element not in analysis.material.ions]
    counts = Counter(atoms.get_chemical_symbols())
    return int(min(counts[element] // formula[element] for element in others)) if others else 0


def _formula(analysis: Analysis, atoms: Atoms) -> Formula:
    """That of the analysis; else the smallest one of the frame that holds whole anions."""
    if analysis.material.formula:
        return Formula(analysis.material.formula)
    smallest = atoms.symbols.formula.reduce()[0]
    counts = smallest.count()
    whole = math.lcm(
        *(
            n // math.gcd(n, counts[element])
            for anion in analysis.material.anions
            for element, n in Formula(anion).count().items()
            if element in counts
        )
    )
    return Formula.from_dict({element: whole * n for element, n in counts.items()})


def _vacancies(path: Path, analysis: Analysis, atoms: Atoms) -> tuple[int, int]:
    """Formula units of the crystal, and how many of its mobile ions are missing."""
    mobile = analysis.material.vacancy_ion
    counts = Counter(atoms.get_chemical_symbols())
    if absent := [ion for ion in analysis.material.ions if not counts[ion]]:
        raise wrong(path, f"has no {absent[0]}, which --mobile (key: mobile) names.")
    formula, units = _formula(analysis, atoms).count(), _units(analysis, atoms)
    full = {element: units * count for element, count in formula.items()}
    missing = full.get(mobile, 0) - counts[mobile]
    others = {element: count for element, count in counts.items() if element != mobile}
    if missing < 0 or others != {e: n for e, n in full.items() if e != mobile}:
        raise wrong(
            path,
            f"is {atoms.symbols.formula:metal}, which is no {analysis.material.formula} with "
            f"vacancies of {mobile}. Check --formula (key: formula).",
        )
    return units, missing


def _study(analysis: Analysis, runs: list[_Run]) -> Study:
    """The study that such runs would have been of: what collectors ask for, and no more. What it
    says of functional and reference is replaced in the results.
    """
    material, first = analysis.material, runs[0].atoms
    formula = material.formula or str(_formula(analysis, first))
    units = _units(analysis, first)
    cells = int(np.prod(material.supercell))
    if units % cells:
        size = "x".join(map(str, material.supercell))
        raise wrong(
            Path(runs[0].trajectory.file),
            f"has {units} formula units, which {size} unit cells cannot hold. Check --supercell "
            "(key: supercell).",
        )
    sections: list[Section] = [Diffusion()]
    if material.anions:
        sections.append(Reorientation())
    study = StudyFile.model_validate(
        {
            "borarun": 1,
            "name": analysis.name,
            "material": {
                "formula": formula,
                "phases": {FIRST: runs[0].trajectory.file[-100:]},
                "mobile": material.mobile,
                "mobile_charge": material.mobile_charge,
                "vacancies_of": material.vacancies_of,
                "anions": material.anions,
            },
            "functionals": ["PBE"],
            "supercell": material.supercell,
            "reference": {"engine": "bundled"},
        }
    )
    return study.model_copy(
        update={
            subject.name: section
            for subject in SUBJECTS
            for section in sections
            if subject.section is type(section)
        }
    ).holding(
        texts={FIRST: Frames.of([first]).to_extxyz()},
        n_atoms=len(first) // cells,
        n_units=units // cells,
        warnings=[],
        former=[],
    )


def _said(analysis: Analysis, runs: list[_Run]) -> str:
    """The analysis as it was understood, with what tells its files from all others."""
    content = analysis.model_dump(mode="json", exclude_none=True)
    for each, run in zip(content["trajectories"], runs, strict=True):
        each |= {
            "size_B": run.file.size_B,
            "sha256": run.file.sha256,
            "frame_every_fs": run.task.settings["timestep_fs"],
        }
    text = io.StringIO()
    YAML().dump(content, text)
    return text.getvalue()
