"""Displacements of the mobile ions, while runs go on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase.data import atomic_masses, atomic_numbers

from borarun.analysis.msd import mean_squared_displacement
from borarun.analysis.trajectory import remove_drift, unwrap
from borarun.basics.units import FS_PER_PS
from borarun.engines.lammps import engine as lammps
from borarun.records.task import Task
from borarun.report.measured import Array
from borarun.report.thinning import thin_log
from borarun.sections.study import Study
from borarun.subjects.common.curves import Curve, Look, curve_of
from borarun.subjects.common.source import Done, Source
from borarun.subjects.common.trajectory import FEWEST_FRAMES, read
from borarun.subjects.diffusion.stage import DiffusionRun

FIGURES = {"msd": Look("Mean squared displacement", "lag, ps", "MSD, Å²", log_x=True, log_y=True)}
MOST_FRAMES = 400
"""Frames of a running task that are read at a look."""


def is_drawn(task: Task) -> bool:
    """Every run is."""
    return True


def of_record(study: Study, source: Source, done: Done[DiffusionRun]) -> Curve | None:
    """The curve of a finished run; None where it has too few frames."""
    run = read(study, source, done, "produce", directions=False, bonds=False, toroidal=False)
    return None if run is None else _moved(done.task, run.ions, run.interval_fs)


def of_directory(study: Study, task: Task, directory: Path) -> Curve | None:
    """The curve of a run as far as it has come; None where it has too few frames."""
    settings = lammps.Settings.of(task)
    found = lammps.frames_so_far(settings, directory, "produce", MOST_FRAMES)
    if found is None or len(found.steps) < FEWEST_FRAMES:
        return None
    mobile = np.isin(found.numbers, [atomic_numbers[ion] for ion in study.material.ions])
    interval_fs = float(np.median(np.diff(found.steps))) * settings.timestep_fs
    still = remove_drift(unwrap(found.positions, found.cell), ~mobile, atomic_masses[found.numbers])
    return _moved(task, still[mobile], interval_fs)


def _moved(task: Task, ions: Array, interval_fs: float) -> Curve:
    lags = thin_log(max(ions.shape[2] // 2, 2))
    lags = lags[lags > 0]
    moved = mean_squared_displacement(ions)[lags]
    return curve_of("msd", task, lags * interval_fs / FS_PER_PS, moved)
