"""A second opinion on diffusivities: generalised least squares through the mean squared
displacement.

The displacements of different lags come from the same walk, so their errors go together; for ions
that walk each for itself, the covariance of two lags follows from the scatter of square
displacements at the shorter one and from how many of them do not overlap at the longer one. With
it, the best line and its error follow in closed form; sampling its posterior, as kinisi does, gives
the same two numbers (benchmarks/second_opinion.py).

It knows nothing of ions that move together, and takes jumps straight back for diffusion: for groups
of twelve its errors are three times too small (benchmarks/diffusivity_calibration.py). That is why
it is the second opinion.

Source
------
McCluskey, Coles, Morgan, J. Chem. Theory Comput. 21, 79 (2025); McCluskey, Squires, Dunn, Coles,
Morgan, J. Open Source Softw. 9, 5984 (2024), kinisi.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from borarun.analysis.diffusion import onset_frames
from borarun.analysis.estimate import Estimate
from borarun.basics.units import A2_PER_FS_IN_CM2_PER_S

Array = NDArray[Any]

LAGS = 24
"""Lags that the line goes through."""

_GROWTH = 0.5
"""Least exponent that noise leaves to that growth."""


def regression(positions: Array, interval_fs: float, *, onset_fs: float = 500.0) -> Estimate:
    """Tracer diffusivity of ions that are taken to move each for itself.

    Parameters
    ----------
    positions : (N, 3, F) angstrom, ions of one kind, unwrapped, relative to the framework
    interval_fs : time between frames, fs
    onset_fs : shortest lag used, fs; the longest is a quarter of the run

    Returns
    -------
    Estimate : cm^2/s; nan where the run is too short for a line
    """
    n_ions, _, n_frames = positions.shape
    first = onset_frames(n_frames, interval_fs, onset_fs)
    lags = np.unique(np.linspace(first, max(n_frames // 4, first), LAGS).round().astype(int))
    if len(lags) < 3:
        return Estimate(math.nan, math.nan)
    mean, variance = np.array([_square_displacement(positions, int(lag)) for lag in lags]).T
    # Independent observations of each lag. Scatter times their number grows as the lag, but for
    # noise, with which the covariance could be none.
    count = n_ions * n_frames / lags
    scatter = np.maximum.accumulate(variance * count / lags**_GROWTH) * lags**_GROWTH / count
    shorter = np.minimum.outer(np.arange(len(lags)), np.arange(len(lags)))
    covariance = (
        scatter[shorter] / count[np.maximum.outer(np.arange(len(lags)), np.arange(len(lags)))]
    )
    if not scatter[0] > 0:
        return Estimate(0.0, 0.0)
    design = np.stack([np.ones(len(lags)), lags * interval_fs], axis=1)
    factor = cho_factor(covariance)
    uncertainty = np.linalg.inv(design.T @ cho_solve(factor, design))
    slope = float((uncertainty @ design.T @ cho_solve(factor, mean))[1])
    to_cm2_per_s = A2_PER_FS_IN_CM2_PER_S / 6
    return Estimate(slope * to_cm2_per_s, math.sqrt(uncertainty[1, 1]) * to_cm2_per_s)


def _square_displacement(positions: Array, lag: int) -> tuple[float, float]:
    """Mean and variance over ions and time origins, angstrom^2 and angstrom^4."""
    total = square = 0.0
    n_origins = positions.shape[2] - lag
    for ion in positions:
        step = ion[:, lag:].astype(float) - ion[:, :n_origins]
        found = np.einsum("if,if->f", step, step)
        total += float(found.sum())
        square += float(found @ found)
    mean = total / (n_origins * len(positions))
    return mean, square / (n_origins * len(positions)) - mean**2
