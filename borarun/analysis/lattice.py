"""Lattice parameters and means with honest errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from borarun.analysis.estimate import Estimate

Array = NDArray[Any]

_BIN_BLOCKS = 5


@dataclass(frozen=True)
class Binned:
    """Values averaged in bins of temperature; empty bins are left out.

    Attributes
    ----------
    temperature_K : (b,) mean temperature of the samples in each bin, K
    value, error : (b,) mean and standard error, in the unit of the values
    n : (b,) int, samples
    """

    temperature_K: Array
    value: Array
    error: Array
    n: Array


def lattice_parameter(cell: Array, supercell: Sequence[int]) -> Array:
    """Cube root of the volume of one unit cell.

    Parameters
    ----------
    cell : (F, 3, 3) angstrom, rows are vectors
    supercell : repetitions along the three vectors

    Returns
    -------
    (F,) angstrom
    """
    return np.asarray(np.cbrt(np.abs(np.linalg.det(cell)) / np.prod(supercell)))


def lattice_parameters(cell: Array, supercell: Sequence[int]) -> Array:
    """Lengths of the three vectors of one unit cell.

    Parameters
    ----------
    cell : (F, 3, 3) angstrom, rows are vectors
    supercell : repetitions along the three vectors

    Returns
    -------
    (F, 3) angstrom
    """
    return np.asarray(np.linalg.norm(cell, axis=2) / np.asarray(supercell))


def block_mean(values: Array, n_blocks: int = 10) -> Estimate:
    """Mean of a run at constant conditions, with its error from blocks of time; nan where there are
    too few samples.

    Parameters
    ----------
    values : (F,) in the order of time
    n_blocks : blocks of time; each should last much longer than the slowest fluctuation
    """
    n_blocks = min(n_blocks, len(values))
    parts = (
        np.array([part.mean() for part in np.array_split(np.asarray(values, float), n_blocks)])
        if n_blocks
        else np.zeros(0)
    )
    value = float(np.mean(values)) if n_blocks else math.nan
    error = float(parts.std(ddof=1)) / math.sqrt(n_blocks) if n_blocks > 1 else math.nan
    return Estimate(value, error, max(n_blocks - 1, 0))


def binned(temperature_K: Array, values: Array, width_K: float = 25.0) -> Binned:
    """Average a ramp in bins of temperature.

    The error of a bin comes from five blocks of time within it, after a straight line is taken off.
    It understates where a bin lasts less than several periods of the cell's breathing (about 1 ps
    each).

    Parameters
    ----------
    temperature_K : (F,) K, in the order of time: the thermostat's set temperature, because that of
        a hundred atoms scatters by 8 %
    values : (F,)
    width_K : K; bins begin at multiples of it
    """
    temperature_K, values = np.asarray(temperature_K, float), np.asarray(values, float)
    number = np.floor(temperature_K / width_K).astype(int)
    rows = []
    for index in np.unique(number):
        inside = number == index
        x, y = temperature_K[inside], values[inside]
        flat = (
            y - np.polyval(np.polyfit(x - x.mean(), y, 1), x - x.mean())
            if len(y) >= 2 * _BIN_BLOCKS and np.ptp(x) > 0
            else y
        )
        rows.append((x.mean(), y.mean(), block_mean(flat, _BIN_BLOCKS).error, len(y)))
    columns = np.array(rows).reshape(-1, 4).T
    return Binned(columns[0], columns[1], columns[2], columns[3].astype(int))


def at_temperature(
    temperature_K: Array,
    values: Array,
    at_K: float,
    half_width_K: float = 50.0,
    step_K: tuple[float, float] | None = None,
) -> Estimate:
    """Value of a ramp at one temperature, from a straight line through the samples near it; error
    by the jackknife over blocks of time.

    Parameters
    ----------
    temperature_K : (F,) K, in the order of time
    values : (F,)
    at_K, half_width_K : samples from ``at_K - half_width_K`` to ``at_K + half_width_K`` are used
    step_K : lower and upper end of a step of the values. Below its middle only samples below the
        step are used, above it those above: a mean over both belongs to neither phase

    Returns
    -------
    Estimate; nan where fewer than twenty samples are left, or none within a fifth of
    ``half_width_K`` on one side of ``at_K``
    """
    temperature_K, values = np.asarray(temperature_K, float), np.asarray(values, float)
    inside = np.abs(temperature_K - at_K) <= half_width_K
    if step_K is not None:
        below = at_K < (step_K[0] + step_K[1]) / 2
        inside &= temperature_K <= step_K[0] if below else temperature_K >= step_K[1]
    near = np.flatnonzero(inside)
    x, y = temperature_K[near] - at_K, values[near]
    slack = half_width_K / 5 if step_K is not None else 0.0
    if len(near) < 20 or x.min() > slack or x.max() < -slack or np.ptp(x) == 0:
        return Estimate(math.nan, math.nan)

    def intercept(keep: Array) -> float:
        return float(np.polyfit(x[keep], y[keep], 1)[1])

    every = np.arange(len(near))
    without = np.array([intercept(np.setdiff1d(every, part)) for part in np.array_split(every, 10)])
    error = math.sqrt(0.9 * float(np.sum((without - without.mean()) ** 2)))
    return Estimate(intercept(every), error, 9)
