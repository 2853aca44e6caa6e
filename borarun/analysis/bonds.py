"""Whether the anions stay in one piece, and apart from each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from borarun.analysis.trajectory import whole_images

Array = NDArray[Any]

TOLERANCE = 1.35
"""Two atoms are bonded when nearer than this times the sum of their covalent radii: in a
closo-borane B-B 2.27 and B-H 1.55 angstrom, between the bonds (1.78 and 1.19) and the next
distances (2.9 and 2.6), which a hot first frame brings close.
"""

_LEAST, _MOST = 0.7, 1.5
"""A bond is intact between these multiples of its kind's mean length in the first frame; the next
distance in a cage is 1.6 times its edge.
"""

_LASTING = 3
"""Frames that a bond must be outside of them one after the other. A cage at 1000 K stretches an
edge by half now and then, for less than 50 fs, and is whole again; the more frames, the surer.
"""


@dataclass(frozen=True)
class Bonds:
    """Bonds of one kind over a run.

    Attributes
    ----------
    pair : atomic numbers, the smaller first
    n : number of bonds
    start_A : mean length in the first frame, angstrom
    shortest_A, longest_A : over all bonds and frames, angstrom
    lasting_A : the shortest and the longest that lasted: which a bond reached or passed in three
        frames that follow each other, angstrom
    """

    pair: tuple[int, int]
    n: int
    start_A: float
    shortest_A: float
    longest_A: float
    lasting_A: tuple[float, float]

    @property
    def intact(self) -> bool:
        """Whether none stayed shorter than 0.7 or longer than 1.5 times ``start_A`` for three
        frames.
        """
        shortest, longest = self.lasting_A
        return shortest >= _LEAST * self.start_A and longest <= _MOST * self.start_A


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

    Source: covalent radii of Cordero et al., Dalton Trans. 2832 (2008), as in ASE.
    """
    images = whole_images(positions[:, :, 0], anions, cell[0])
    lengths: dict[tuple[int, int], list[Array]] = {}
    for one, other in bonded(positions[:, :, 0] + images @ cell[0], anions, numbers):
        low, high = sorted((int(numbers[one]), int(numbers[other])))
        apart = (positions[one] - positions[other]).astype(float)
        if (shift := images[one] - images[other]).any():
            apart += np.einsum("i,fij->jf", shift, cell)
        length = np.linalg.norm(apart, axis=0)
        n_windows = max(len(length) - _LASTING, 0) + 1
        in_turn = [length[k : k + n_windows] for k in range(min(_LASTING, len(length)))]
        lasting = reduce(np.maximum, in_turn).min(), reduce(np.minimum, in_turn).max()
        lengths.setdefault((low, high), []).append(
            np.array([length[0], length.min(), length.max(), *lasting])
        )
    return tuple(_bonds(pair, np.array(rows)) for pair, rows in sorted(lengths.items()))


def together(parts: Iterable[tuple[Bonds, ...]]) -> tuple[Bonds, ...]:
    """Bonds of several groups of anions as those of all."""
    kinds: dict[tuple[int, int], list[Bonds]] = {}
    for bonds in (one for part in parts for one in part):
        kinds.setdefault(bonds.pair, []).append(bonds)
    return tuple(_joined(pair, found) for pair, found in sorted(kinds.items()))


def _joined(pair: tuple[int, int], found: list[Bonds]) -> Bonds:
    rows = np.array([[one.start_A, one.shortest_A, one.longest_A, *one.lasting_A] for one in found])
    return _bonds(pair, np.repeat(rows, [one.n for one in found], axis=0))


def bonded(positions: Array, anions: Iterable[Array], numbers: Array) -> Array:
    """(B, 2) int: pairs of bonded atoms within anions that are in one piece.

    Parameters
    ----------
    positions : (N, 3) angstrom
    anions : A times (k,) int, atoms of each anion
    numbers : (N,) atomic numbers
    """
    pairs = [np.zeros((0, 2), int)]
    for anion in anions:
        apart = np.linalg.norm(positions[anion][:, None] - positions[anion], axis=2)
        radii = covalent_radii[numbers[anion]]
        pairs.append(anion[np.argwhere(np.triu(apart < TOLERANCE * (radii[:, None] + radii), 1))])
    return np.concatenate(pairs)


def grown_together(positions: Array, cell: Array, anions: Sequence[Array], numbers: Array) -> int:
    """How many anions have an atom at a bond's length from another anion's: they have reacted, and
    are no anions of the study any more.

    Parameters
    ----------
    positions : (N, 3) angstrom
    cell : (3, 3) angstrom, rows are vectors
    anions : A times (k,) int, atoms of each anion, which may be of several kinds
    numbers : (N,) atomic numbers
    """
    members = np.concatenate(anions)
    owner = np.repeat(np.arange(len(anions)), [len(anion) for anion in anions])
    atoms = Atoms(numbers[members], positions[members], cell=cell, pbc=True)
    one, other = neighbor_list("ij", atoms, TOLERANCE * covalent_radii[atoms.numbers])
    return len(np.unique(owner[one[owner[one] != owner[other]]]))


def _bonds(pair: tuple[int, int], rows: Array) -> Bonds:
    """Bonds of one kind from their lengths: (n, 5), in the first frame, shortest, longest, and the
    same two of what lasted.
    """
    lowest, highest = rows.min(axis=0), rows.max(axis=0)
    return Bonds(
        pair,
        len(rows),
        float(rows[:, 0].mean()),
        float(lowest[1]),
        float(highest[2]),
        (float(lowest[3]), float(highest[4])),
    )
