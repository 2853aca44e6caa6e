"""Extrapolation grades of explorations, while they run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from borarun.basics.units import FS_PER_PS
from borarun.engines.lammps import engine as lammps
from borarun.records.task import Task
from borarun.report.measured import Array
from borarun.report.thinning import peaks
from borarun.sections.study import Study
from borarun.subjects.active_learning.stage import Exploration
from borarun.subjects.common.curves import Curve, Look, curve_of
from borarun.subjects.common.source import Done, Source
from borarun.subjects.potential.collect import exploration

FIGURES = {
    "grade": Look("Extrapolation grade of explorations", "time, ps", "largest grade", log_y=True)
}
MOST_POINTS = 200


def is_drawn(task: Task) -> bool:
    """Explorations are; labels and trainings are not."""
    return isinstance(task.about, Exploration)


def of_record(study: Study, source: Source, done: Done[Exploration]) -> Curve | None:
    """The curve of a finished exploration."""
    found = exploration(source, done)
    return _graded(done.task, found.grade_time_ps, found.grade)


def of_directory(study: Study, task: Task, directory: Path) -> Curve | None:
    """The curve of an exploration as far as it has come."""
    timestep_fs = lammps.Settings.of(task).timestep_fs
    grades = lammps.grades_so_far(directory)
    return _graded(task, grades[:, 0] * timestep_fs / FS_PER_PS, grades[:, 1])


def _graded(task: Task, time_ps: Array, grade: Array) -> Curve:
    whole = np.isfinite(grade)
    curve = curve_of("grade", task, *peaks(time_ps[whole], grade[whole], MOST_POINTS))
    watched = lammps.Settings.of(task).grade
    return curve if watched is None else replace(curve, limit=watched.threshold_break)
