"""Radial distribution functions and coordination numbers, exact up to half the smallest width of
the cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

Array = NDArray[Any]

STEP_A = 0.05
"""Width of a bin, angstrom."""

SMOOTHED_A = 0.1
"""Standard deviation of the Gaussian that g(r) is smoothed by before its first shell is looked for,
angstrom.
"""

SHARE_OF_PEAK = 0.7
"""The first shell ends at a minimum lower than this part of its peak: what is higher is noise on
the peak.
"""

_BLOCK_PAIRS = 2**20


@dataclass(frozen=True)
class Radial:
    """How atoms of one kind lie around those of another.

    Attributes
    ----------
    r_A : (b,) middles of bins, angstrom
    g : (b,) density at that distance over the mean density; 1 in an ideal gas, in a small one too
    coordination : (b,) mean number of atoms nearer than the outer edge of the bin
    n_frames : frames that were counted
    """

    r_A: Array
    g: Array
    coordination: Array
    n_frames: int


@dataclass(frozen=True)
class Shell:
    """The first shell of neighbours.

    Attributes
    ----------
    peak_A : where g(r) is highest in it, angstrom
    end_A : where it ends, the minimum behind the peak, angstrom
    coordination : atoms in it
    """

    peak_A: float
    end_A: float
    coordination: float


def reach(cell: Array) -> float:
    """Half the smallest distance between opposite faces in any frame, angstrom: as far as every
    distance is seen once.

    Parameters
    ----------
    cell : (F, 3, 3) angstrom, rows are vectors
    """
    return float(0.5 / np.linalg.norm(np.linalg.inv(cell), axis=1).max())


def radial_distribution(
    first: Array, second: Array | None, cell: Array, step_A: float = STEP_A
) -> Radial:
    """g(r) of ``second`` around ``first``; of ``first`` around itself where there is no second.

    Parameters
    ----------
    first, second : (n, 3, F) and (m, 3, F) angstrom, wrapped or not, with no atom in both
    cell : (F, 3, 3) angstrom, rows are vectors
    step_A : width of a bin, angstrom

    Returns
    -------
    Radial, up to `reach`
    """
    others = first if second is None else second
    n_bins = max(int(reach(cell) / step_A), 1)
    edges = step_A * np.arange(n_bins + 1)
    counts, density = np.zeros(n_bins), 0.0
    n_others = len(others) - (second is None)
    block = max(_BLOCK_PAIRS // max(len(others), 1), 1)
    for frame, box in enumerate(cell):
        inverse = np.linalg.inv(box)
        places, around = (
            first[:, :, frame].astype(float) @ inverse,
            others[:, :, frame].astype(float) @ inverse,
        )
        for start in range(0, len(places), block):
            apart = places[start : start + block, None] - around[None]
            distance = np.linalg.norm((apart - np.round(apart)) @ box, axis=2)
            if second is None:
                distance[np.arange(len(distance)), start + np.arange(len(distance))] = math.inf
            counts += np.bincount(
                (distance[distance < edges[-1]] / step_A).astype(int), minlength=n_bins
            )[:n_bins]
        density += n_others / abs(np.linalg.det(box))
    n_frames = len(cell)
    per_atom = counts / (len(first) * n_frames)
    shells = 4 / 3 * math.pi * np.diff(edges**3)
    ideal = shells * density / n_frames
    return Radial(
        0.5 * (edges[1:] + edges[:-1]),
        per_atom / ideal if n_others else np.zeros(n_bins),
        np.cumsum(per_atom),
        n_frames,
    )


def first_shell(radial: Radial) -> Shell | None:
    """The first peak of g(r), the minimum behind it, and how many atoms lie nearer.

    Returns
    -------
    None where g(r) shows no peak that ends within its reach
    """
    step = radial.r_A[1] - radial.r_A[0] if len(radial.r_A) > 1 else STEP_A
    g = gaussian_filter1d(radial.g, SMOOTHED_A / step, mode="nearest")
    if not (g > 0).any():
        return None
    highest = 0
    for index in range(1, len(g) - 1):
        if g[index] > g[highest]:
            highest = index
        elif g[highest] > 1 and g[index] < SHARE_OF_PEAK * g[highest] and g[index] <= g[index + 1]:
            end = index + int(np.argmin(g[index : index + 2]))
            return Shell(
                float(radial.r_A[highest]), float(radial.r_A[end]), float(radial.coordination[end])
            )
    return None
