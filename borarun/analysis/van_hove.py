"""Self part of the van Hove function: how far ions have come after a time.

Source
------
van Hove, Phys. Rev. 95, 249 (1954); Rahman, Phys. Rev. 136, A405 (1964), on the non-Gaussian
parameter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def self_part(positions: Array, lag: int, edges_A: Array) -> Array:
    """Distribution of the distances that ions have come after a time, over all ions and origins.

    Parameters
    ----------
    positions : (N, 3, F) angstrom, unwrapped
    lag : frames, at least 1 and below F
    edges_A : (b + 1,) of bins of distance, angstrom

    Returns
    -------
    (b,) per angstrom: 4 pi r^2 G_s(r, t); it integrates to the share of ions within the last edge
    """
    counts = np.zeros(len(edges_A) - 1)
    total = 0
    for ion in positions:
        moved = np.linalg.norm(ion[:, lag:] - ion[:, :-lag], axis=0)
        counts += np.histogram(moved, edges_A)[0]
        total += len(moved)
    return np.asarray(counts / total / np.diff(edges_A))


def non_gaussian(positions: Array, lag: int) -> float:
    """3 <r^4> / 5 <r^2>^2 - 1: 0 for Brownian motion; positive where some ions have hopped and
    others have not.

    Parameters
    ----------
    positions, lag : as for `self_part`
    """
    square = np.sum((positions[:, :, lag:] - positions[:, :, :-lag]).astype(float) ** 2, axis=1)
    return float(3 * np.mean(square**2) / (5 * np.mean(square) ** 2) - 1)
