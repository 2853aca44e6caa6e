"""What the task of a ramp says: its rate, and the temperature at each of its frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from borarun.analysis.transition import Branch
from borarun.basics.units import FS_PER_PS
from borarun.engines.lammps import engine as lammps
from borarun.records.task import Task
from borarun.report.measured import Array
from borarun.subjects.common.source import Done, Source
from borarun.subjects.heating.stage import Ramp

LEAST_BIN_K, LEAST_BIN_PS = 25.0, 0.5
"""A bin of a ramp is at least this wide and lasts at least this long: the cell breathes once in
about a picosecond.
"""


FEWEST_FRAMES = 50
"""Of a ramp, to fit a step."""


@dataclass(frozen=True)
class FittedRamp:
    """A ramp at the pressure of the results.

    Attributes
    ----------
    temperature_K, lattice_A : (F,) of its frames
    fit : the step in its lattice parameter
    """

    done: Done[Ramp]
    temperature_K: Array
    lattice_A: Array
    fit: Branch


def step_range_K(fit: Branch) -> tuple[float, float] | None:
    """K: between these a branch goes from one phase to the other; None where it does not."""
    half = max(fit.width_K / 2, 1.96 * fit.error)
    return (fit.temperature_K - half, fit.temperature_K + half) if fit.found else None


def is_slowest(source: Source, done: Done[Ramp]) -> bool:
    """Whether a ramp, or the heating before it, is the slowest that is done with the same cell and
    functional.
    """
    ours = done.about
    return ours.heating_K_per_ps == min(
        other.about.heating_K_per_ps
        for other in source.of(Ramp)
        if (other.about.functional, other.about.vacancies) == (ours.functional, ours.vacancies)
    )


def set_temperature(task: Task, step: Array) -> Array:
    """(F,) K: the thermostat's temperature at each frame of a ramp."""
    run = lammps.Settings.of(task)
    segment = run.segments[0]
    part = step * run.timestep_fs / FS_PER_PS / segment.time_ps
    return np.asarray(segment.from_K + (segment.to_K - segment.from_K) * part)


def ramp_rate(task: Task) -> float:
    """Heating or cooling rate of a ramp, K/ps."""
    segment = lammps.Settings.of(task).segments[0]
    return float(abs(segment.to_K - segment.from_K) / segment.time_ps)


def bin_width_K(task: Task) -> float:
    """Width of the bins of temperature that a ramp is averaged in, K."""
    return max(LEAST_BIN_K, LEAST_BIN_PS * ramp_rate(task))
