"""How far a potential is from its reference, by the definitions that are in use.

Errors of forces are quoted of their components, or of the length of the vector, which is larger by
sqrt(3); of stresses of the six components, or of the Frobenius norm of the tensor. MLIP-3's
``check_errors`` gives the second kind, most papers the first; to set one beside the other shows a
difference that is none.

Source
------
Podryabinkin, Garifullin, Shapeev, Novikov, J. Chem. Phys. 159, 084112 (2023), on MLIP-3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Deviations:
    """Errors of one quantity, all in its unit.

    Attributes
    ----------
    rmse, mae : root mean square and mean absolute error of components
    norm_rmse : root mean square of the length of vectors, or the Frobenius norm of tensors; of a
        scalar the same as ``rmse``
    median, most, largest : of the absolute errors of components; 95 % are below ``most``
    """

    rmse: float
    mae: float
    norm_rmse: float
    median: float
    most: float
    largest: float


def deviations(reference: Array, predicted: Array) -> Deviations:
    """Errors over all configurations.

    Parameters
    ----------
    reference, predicted : (n,) scalars, (n, 3) vectors or (n, 6) symmetric tensors in Voigt order
        xx, yy, zz, yz, xz, xy
    """
    away = np.asarray(predicted, float) - np.asarray(reference, float)
    square = away**2
    if square.ndim == 2:
        # Off the diagonal each component stands for two.
        twice = np.array([1, 1, 1, 2, 2, 2]) if square.shape[1] == 6 else np.ones(square.shape[1])
        norm = float(np.sqrt(np.mean(square @ twice)))
    else:
        norm = float(np.sqrt(np.mean(square)))
    size = np.abs(away)
    return Deviations(
        rmse=float(np.sqrt(np.mean(square))),
        mae=float(size.mean()),
        norm_rmse=norm,
        median=float(np.median(size)),
        most=float(np.quantile(size, 0.95)),
        largest=float(size.max()),
    )


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


FEWEST_FRAMES = 12
"""Of fewer configurations, a bootstrap's intervals of 95 % hold the truth less often than 90 % of
the time.
"""

RESAMPLES = 1000


def rmse_interval(reference: Array, predicted: Array, frame: Array, seed: int = 1) -> Interval:
    """Root mean square error of components, with an interval by the bootstrap over configurations.

    Errors of one configuration are alike: all of its atoms are in one phase at one temperature.
    Configurations are therefore drawn whole. The quantiles are of the logarithm of the bootstrap's
    values, mirrored at the estimate (the basic bootstrap), because a percentile interval lies too
    low: large errors are rare, and those that were not drawn are missing.

    Parameters
    ----------
    reference, predicted : (n,) or (n, k)
    frame : (n,) int, configuration of each row
    seed : of the draws

    Returns
    -------
    Interval : NaN at both ends with fewer than `FEWEST_FRAMES` configurations

    Source
    ------
    Davison, Hinkley, Bootstrap Methods and their Application (1997), section 5.2.
    """
    square = (np.asarray(predicted, float) - np.asarray(reference, float)).reshape(len(frame), -1)
    _, of_frame = np.unique(frame, return_inverse=True)
    total = np.bincount(of_frame, (square**2).sum(axis=1))
    count = np.bincount(of_frame) * square.shape[1]
    value = float(np.sqrt(total.sum() / count.sum()))
    if len(total) < FEWEST_FRAMES or value == 0.0:
        return Interval(value, np.nan, np.nan)
    draws = np.random.default_rng(seed).integers(len(total), size=(RESAMPLES, len(total)))
    found = np.sqrt(total[draws].sum(axis=1) / count[draws].sum(axis=1))
    low, high = np.quantile(found[found > 0], (0.025, 0.975))
    return Interval(value, float(value**2 / high), float(value**2 / low))


def committee_spread(predicted: Array) -> float:
    """Root mean square of the spread of a committee, component by component: the standard deviation
    over its members, about their mean.

    Parameters
    ----------
    predicted : (K, ...) of K >= 2 potentials
    """
    return float(np.sqrt(np.var(np.asarray(predicted, float), axis=0, ddof=1).mean()))
