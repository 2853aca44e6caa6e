"""The lattice on ramps, while they run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from borarun.analysis import lattice
from borarun.engines.lammps import engine as lammps
from borarun.records.operations.dynamics import MolecularDynamics
from borarun.records.task import Task
from borarun.report.measured import Array
from borarun.sections.study import Study
from borarun.subjects.common.curves import Curve, Look, curve_of
from borarun.subjects.common.source import Done, Source
from borarun.subjects.heating.ramps import bin_width_K, set_temperature
from borarun.subjects.heating.stage import Ramp

FIGURES = {"lattice": Look("Lattice parameter on ramps", "temperature, K", "a, Å")}


def is_drawn(task: Task) -> bool:
    """Every ramp is that results come from."""
    return isinstance(task.about, Ramp)


def of_record(study: Study, source: Source, done: Done[Ramp]) -> Curve | None:
    """The curve of a finished ramp."""
    cell = source.store.array(done.key, MolecularDynamics.CELL)
    a = lattice.lattice_parameter(cell, study.supercell)
    return _ramp(done.task, source.store.array(done.key, MolecularDynamics.STEP), a)


def of_directory(study: Study, task: Task, directory: Path) -> Curve | None:
    """The curve of a running ramp; None before it has a line of its log."""
    thermo = lammps.thermo_so_far(directory)
    a = np.cbrt(thermo[:, 4] / np.prod(study.supercell))
    return _ramp(task, thermo[:, 0], a) if len(a) else None


def _ramp(task: Task, step: Array, a: Array) -> Curve:
    binned = lattice.binned(set_temperature(task, step), a, width_K=bin_width_K(task))
    return curve_of("lattice", task, binned.temperature_K, binned.value)
