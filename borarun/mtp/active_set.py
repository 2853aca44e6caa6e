"""Active set and extrapolation grade: which neighbourhoods span what a potential has learned, and how far outside another one lies.

A neighbourhood is the row of derivatives of its local energy with respect to all parameters. The active set is P such rows of (nearly) the largest
volume; a row's grade is the largest coefficient, in absolute value, of its expansion in them. At most one: interpolation.

Source: Podryabinkin, Shapeev, Comput. Mater. Sci. 140, 171 (2017), equations 8..11; MLIP-3's selection by neighbourhoods (``al_mode=nbh``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from motep.grade.maxvol import MaxVol
from numpy.typing import NDArray

Array = NDArray[Any]

UNSEEN = 1e-6
"""A direction that no row spans is given a row this long, relative to the longest of its column, as MLIP-3 does: what moves along it grades very high."""

TOLERANCE = 0.01
"""A row replaces one of the active set where that enlarges the volume by more than this."""


def build(gradients: Array) -> Array:
    """The active set of all neighbourhoods of a training set.

    Parameters
    ----------
    gradients : (M, P)

    Returns
    -------
    (P, P)
    """
    rows = _with_unseen(gradients)
    return np.asarray(rows[_largest_volume(rows)])


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
    return np.asarray(np.abs(np.linalg.solve(active_set.T, gradients.T)).max(axis=0))


def select(active_set: Array, candidates: Sequence[Array], max_selected: int) -> list[int]:
    """The candidates that enlarge the active set: those with a neighbourhood in the active set of everything.

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
    outside = [np.flatnonzero(grades(active_set, gradients) > 1.0 + TOLERANCE) for gradients in candidates]  # the others cannot enlarge it
    owners = np.concatenate([np.full(len(rows), index) for index, rows in enumerate(outside)])
    rows = np.vstack([active_set, *(gradients[rows] for gradients, rows in zip(candidates, outside, strict=True))])
    chosen = _largest_volume(rows, np.arange(p))
    counts = np.bincount(owners[chosen[chosen >= p] - p].astype(int), minlength=len(candidates))
    ranked = sorted(np.flatnonzero(counts), key=lambda index: (-counts[index], index))
    return [int(index) for index in ranked[:max_selected]]


def _with_unseen(gradients: Array) -> Array:
    longest = np.abs(gradients).max(axis=0)
    return np.vstack([gradients, np.diag(UNSEEN * np.where(longest > 0.0, longest, 1.0))])


def _largest_volume(rows: Array, start: Array | None = None) -> Array:
    """Indices of P rows of nearly the largest volume; scaling the columns changes no volume ratio, but keeps the numbers sound."""
    scaled = rows / np.abs(rows).max(axis=0)
    search = MaxVol(threshold=TOLERANCE)
    if start is not None:
        search.init_fn = lambda matrix: start
    return np.asarray(search.run(scaled).indices)
