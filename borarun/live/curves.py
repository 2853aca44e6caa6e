"""What grows while a study runs: grades of explorations, the lattice on ramps, displacements of
mobile ions.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ase.data import atomic_masses, atomic_numbers

from borarun.analysis import lattice
from borarun.analysis.msd import mean_squared_displacement
from borarun.analysis.trajectory import remove_drift, unwrap
from borarun.engines.lammps import engine as lammps
from borarun.errors import BorarunError
from borarun.places import Places
from borarun.report.measured import Array
from borarun.report.source import Done, Source
from borarun.report.thinning import peaks, thin_log
from borarun.report.trajectory import FEWEST_FRAMES, read
from borarun.run.state import State
from borarun.store import Store
from borarun.study import Study
from borarun.subjects.heating.collect import bin_width_K, set_temperature
from borarun.subjects.potential.collect import exploration
from borarun.task import Task
from borarun.units import FS_PER_PS

MOST_POINTS = 200
MOST_FRAMES = 400
"""Frames of a running task that are read at a look."""


@dataclass(frozen=True)
class Curve:
    """One line of a figure.

    Attributes
    ----------
    figure : ``grade`` (against time, ps), ``lattice`` (angstrom, against temperature, K) or ``msd``
        (angstrom^2, against lag, ps)
    functional, label : which run it is of
    x, y : (P,) points
    growing : whether the run still goes on
    limit : grade that ends an exploration; nan in other figures
    """

    figure: str
    functional: str
    label: str
    x: Array
    y: Array
    growing: bool = False
    limit: float = float("nan")


class Drawn:
    """The curves of a study, as often as asked: those of finished runs from memory, those of
    running ones anew.
    """

    def __init__(self, study: Study, places: Places) -> None:
        self._study = study
        self._store, self._work = Store(places.store), places.work
        self._finished: dict[str, Curve | None] = {}

    def look(self, state: State, most_s: float) -> tuple[list[Curve], int]:
        """Curves by now, and how many finished runs are still unread.

        Parameters
        ----------
        most_s : time in which to read runs that have finished; the others come with the next looks
        """
        began = time.monotonic()
        found, missing = [], 0
        for each in state.tasks:
            task, curve = each.task, None
            if not is_drawn(task):
                continue
            if each.condition == "done":
                if task.key not in self._finished and time.monotonic() - began > most_s:
                    missing += 1
                    continue
                if task.key not in self._finished:
                    self._finished[task.key] = of_record(self._study, task, self._store)
                curve = self._finished[task.key]
            elif each.condition == "running":
                curve = of_directory(self._study, task, self._work / task.key)
            if curve is not None and len(curve.x):
                found.append(curve)
        return found, missing


def is_drawn(task: Task) -> bool:
    """Whether a task has a curve."""
    return task.stage in ("heating", "diffusion") or task.about.get("operation") == "explore"


def of_record(study: Study, task: Task, store: Store) -> Curve | None:
    """The curve of a finished run; None where it has too few frames, or its record cannot
    be read.
    """
    source = Source([task], store)
    try:
        for done in source.done:
            if task.stage == "heating":
                cell = store.array(task.key, "cell")
                return _ramp(
                    done,
                    store.array(task.key, "step"),
                    lattice.lattice_parameter(cell, study.supercell),
                )
            if task.stage == "diffusion":
                run = read(
                    study, source, done, "produce", directions=False, bonds=False, toroidal=False
                )
                return None if run is None else _moved(task, run.ions, run.interval_fs)
            found = exploration(source, done)
            return _graded(task, found.grade_time_ps, found.grade)
    except BorarunError:  # the report says what is wrong with it
        return None
    return None


def of_directory(study: Study, task: Task, directory: Path) -> Curve | None:
    """The curve of a run as far as it has come, from the files that it is writing; None where these
    do not say enough yet.
    """
    settings = lammps.Settings(**task.settings)
    if task.stage == "heating":
        thermo = lammps.thermo_so_far(directory)
        a = np.cbrt(thermo[:, 4] / np.prod(study.supercell))
        return _growing(_ramp(Done(task, {}), thermo[:, 0], a) if len(a) else None)
    if task.stage == "diffusion":
        found = lammps.frames_so_far(settings, directory, "produce", MOST_FRAMES)
        if found is None or len(found.steps) < FEWEST_FRAMES:
            return None
        mobile = found.numbers == atomic_numbers[study.material.mobile]
        interval_fs = float(np.median(np.diff(found.steps))) * settings.timestep_fs
        still = remove_drift(
            unwrap(found.positions, found.cell), ~mobile, atomic_masses[found.numbers]
        )
        return _growing(_moved(task, still[mobile], interval_fs))
    grades = lammps.grades_so_far(directory)
    return _growing(_graded(task, grades[:, 0] * settings.timestep_fs / FS_PER_PS, grades[:, 1]))


def _growing(curve: Curve | None) -> Curve | None:
    return None if curve is None else replace(curve, growing=True)


def _ramp(done: Done, step: Array, a: Array) -> Curve:
    binned = lattice.binned(set_temperature(done, step), a, width_K=bin_width_K(done))
    return _curve("lattice", done.task, binned.temperature_K, binned.value)


def _moved(task: Task, ions: Array, interval_fs: float) -> Curve:
    lags = thin_log(max(ions.shape[2] // 2, 2))
    lags = lags[lags > 0]
    return _curve(
        "msd", task, lags * interval_fs / FS_PER_PS, mean_squared_displacement(ions)[lags]
    )


def _graded(task: Task, time_ps: Array, grade: Array) -> Curve:
    whole = np.isfinite(grade)
    curve = _curve("grade", task, *peaks(time_ps[whole], grade[whole], MOST_POINTS))
    return replace(curve, limit=float(task.settings["grade"]["threshold_break"]))


def _curve(figure: str, task: Task, x: Array, y: Array) -> Curve:
    return Curve(
        figure,
        task.about["functional"],
        task.label.removeprefix(f"{task.about['functional']}, "),
        x,
        y,
    )
