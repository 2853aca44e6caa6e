"""Active set and extrapolation grade: which neighbourhoods span what a potential has learned, and
how far outside another one lies.

A neighbourhood is the row of derivatives of its local energy with respect to all parameters. The
active set is P such rows of (nearly) the largest volume; a row's grade is the largest coefficient,
in absolute value, of its expansion in them. At most one: interpolation.

Source: Podryabinkin, Shapeev, Comput. Mater. Sci. 140, 171 (2017), equations 8..11; MLIP-3's
selection by neighbourhoods (``al_mode=nbh``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from motep.grade.maxvol import MaxVol
from numpy.typing import NDArray
from scipy.linalg import lu_factor, lu_solve

Array = NDArray[Any]

UNSEEN = 1e-6
"""A direction that no row spans is given a row this long, relative to the longest of its column, as
MLIP-3 does: what moves along it grades very high.
"""

TOLERANCE = 0.01
"""A row replaces one of the active set where that enlarges the volume by more than this."""

ROWS_AT_ONCE = 8
"""Rows that are searched at a time, in multiples of P: the search keeps a matrix of them in memory
and changes all of it for every exchange.
"""


def build(gradients: Sequence[Array]) -> Array:
    """The active set of all neighbourhoods of a training set.

    It starts from a part of the rows; those of the rest that lie outside of what they span are let
    in, until there are none.

    Parameters
    ----------
    gradients : the (N, P) gradients of each configuration

    Returns
    -------
    (P, P)
    """
    p = gradients[0].shape[1]
    total = sum(len(rows) for rows in gradients)
    some = np.vstack(
        [
            rows[index % 7 :: max(1, total // (ROWS_AT_ONCE * p))]
            for index, rows in enumerate(gradients)
        ]
    )
    longest = np.max([np.abs(rows).max(axis=0) for rows in gradients], axis=0)
    rows = np.vstack([some, np.diag(UNSEEN * np.where(longest > 0.0, longest, 1.0))])
    active = rows[_largest_volume(rows)]
    while len(outside := _outside(active, gradients)):
        rows = np.vstack([active, outside])
        active = rows[_largest_volume(rows, np.arange(p))]
    return np.asarray(active)


def _outside(active_set: Array, gradients: Sequence[Array]) -> Array:
    """The rows that would enlarge the active set, or the most extrapolating of them."""
    graded = [grades(active_set, rows) for rows in gradients]
    all_grades = np.concatenate(graded)
    n = min(int(np.sum(all_grades > 1.0 + 2.0 * TOLERANCE)), ROWS_AT_ONCE * active_set.shape[1])
    threshold = np.partition(all_grades, -n)[-n] if n else np.inf
    return np.vstack(
        [rows[values >= threshold] for rows, values in zip(gradients, graded, strict=True)]
    )


class Grader:
    """Extrapolation grades by one active set, which is factorised once.

    Parameters
    ----------
    active_set : (P, P)
    """

    def __init__(self, active_set: Array) -> None:
        self._factors = lu_factor(active_set.T)

    def __call__(self, gradients: Array) -> Array:
        """The (N,) grades of neighbourhoods with (N, P) ``gradients``; several threads may ask."""
        lower_upper, pivots = self._factors
        # SciPy counts the pivots from one while it solves, in the very array it is given.
        solved = lu_solve((lower_upper, pivots.copy()), gradients.T)
        return np.asarray(np.abs(solved).max(axis=0))


def grades(active_set: Array, gradients: Array) -> Array:
    """Extrapolation grade of each neighbourhood.

    Parameters
    ----------
    active_set : (P, P)
    gradients : (N, P)

    Returns
    -------
    (N,)
    """
    return Grader(active_set)(gradients)


def select(active_set: Array, candidates: Sequence[Array], max_selected: int) -> list[int]:
    """The candidates that enlarge the active set: those with a neighbourhood in the active set of
    everything.

    Parameters
    ----------
    active_set : (P, P)
    candidates : the (N, P) gradients of each configuration
    max_selected : at most so many, those with the most neighbourhoods in the new active set first

    Returns
    -------
    indices of configurations, the most valuable first
    """
    if not candidates:
        return []
    p = len(active_set)
    outside = [
        np.flatnonzero(grades(active_set, gradients) > 1.0 + TOLERANCE) for gradients in candidates
    ]  # the others cannot enlarge it
    owners = np.concatenate([np.full(len(rows), index) for index, rows in enumerate(outside)])
    rows = np.vstack(
        [
            active_set,
            *(gradients[rows] for gradients, rows in zip(candidates, outside, strict=True)),
        ]
    )
    chosen = _largest_volume(rows, np.arange(p))
    counts = np.bincount(owners[chosen[chosen >= p] - p].astype(int), minlength=len(candidates))
    ranked = sorted(np.flatnonzero(counts), key=lambda index: (-counts[index], index))
    return [int(index) for index in ranked[:max_selected]]


def _largest_volume(rows: Array, start: Array | None = None) -> Array:
    """Indices of P rows of nearly the largest volume; scaling the columns changes no volume ratio,
    but keeps the numbers sound.
    """
    scaled = rows / np.abs(rows).max(axis=0)
    search = MaxVol(threshold=TOLERANCE)
    if start is not None:
        search.init_fn = lambda matrix: start
    return np.asarray(search.run(scaled).indices)
