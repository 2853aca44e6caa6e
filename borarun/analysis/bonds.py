"""Whether the anions stay in one piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from borarun.analysis.trajectory import whole_images

Array = NDArray[Any]

BONDED_A = 2.2
"""Bonded in a closo-borane: B-B 1.78 and B-H 1.19 angstrom; the next distances begin at 2.6 angstrom."""

_LEAST, _MOST = 0.7, 1.4
"""A bond is intact between these multiples of its kind's mean length in the first frame."""


@dataclass(frozen=True)
class Bonds:
    """Bonds of one kind over a run.

    Attributes
    ----------
    pair : atomic numbers, the smaller first
    n : number of bonds
    start_A : mean length in the first frame, angstrom
    shortest_A, longest_A : over all bonds and frames, angstrom
    intact : whether none was ever shorter than 0.7 or longer than 1.4 times ``start_A``
    """

    pair: tuple[int, int]
    n: int
    start_A: float
    shortest_A: float
    longest_A: float
    intact: bool


def check_bonds(positions: Array, cell: Array, anions: Array, numbers: Array) -> tuple[Bonds, ...]:
    """Follow every bond that the anions have in the first frame.

    Parameters
    ----------
    positions : (N, 3, F) angstrom, unwrapped with image flags, in the cell of their own frame
    cell : (F, 3, 3) angstrom, rows are vectors
    anions : (A, k) int, atoms of each anion
    numbers : (N,) atomic numbers

    Returns
    -------
    One `Bonds` for each pair of elements, by atomic numbers
    """
    images = whole_images(positions[:, :, 0], anions, cell[0])
    lengths: dict[tuple[int, int], list[Array]] = {}
    for anion in anions:
        whole = positions[anion] + np.einsum("ki,fij->kjf", images[anion], cell)
        start = np.linalg.norm(whole[:, None, :, 0] - whole[None, :, :, 0], axis=2)
        for one, other in np.argwhere(np.triu(start < BONDED_A, 1)):
            low, high = sorted((int(numbers[anion[one]]), int(numbers[anion[other]])))
            length = np.linalg.norm(whole[one] - whole[other], axis=0)
            lengths.setdefault((low, high), []).append(np.array([length[0], length.min(), length.max()]))
    return tuple(_summary(pair, np.array(rows)) for pair, rows in sorted(lengths.items()))


def _summary(pair: tuple[int, int], rows: Array) -> Bonds:
    start, shortest, longest = float(rows[:, 0].mean()), float(rows[:, 1].min()), float(rows[:, 2].max())
    return Bonds(pair, len(rows), start, shortest, longest, intact=shortest >= _LEAST * start and longest <= _MOST * start)
