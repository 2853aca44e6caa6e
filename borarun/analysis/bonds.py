"""Whether the anions stay in one piece, and apart from each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from borarun.analysis.trajectory import whole_images

Array = NDArray[Any]

TOLERANCE = 1.35
"""Two atoms are bonded when nearer than this times the sum of their covalent radii: in a closo-borane B-B 2.27 and B-H 1.55 angstrom, between the bonds
(1.78 and 1.19) and the next distances (2.9 and 2.6), which a hot first frame brings close."""

_LEAST, _MOST = 0.7, 1.5
"""A bond is intact between these multiples of its kind's mean length in the first frame; the next distance in a cage is 1.6 times its edge."""


@dataclass(frozen=True)
class Bonds:
    """Bonds of one kind over a run.

    Attributes
    ----------
    pair : atomic numbers, the smaller first
    n : number of bonds
    start_A : mean length in the first frame, angstrom
    shortest_A, longest_A : over all bonds and frames, angstrom
    intact : whether none was ever shorter than 0.7 or longer than 1.5 times ``start_A``
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

    Source: covalent radii of Cordero et al., Dalton Trans. 2832 (2008), as in ASE.
    """
    images = whole_images(positions[:, :, 0], anions, cell[0])
    lengths: dict[tuple[int, int], list[Array]] = {}
    for one, other in bonded(positions[:, :, 0] + images @ cell[0], anions, numbers):
        low, high = sorted((int(numbers[one]), int(numbers[other])))
        apart = positions[one] - positions[other] + np.einsum("i,fij->jf", images[one] - images[other], cell)
        length = np.linalg.norm(apart, axis=0)
        lengths.setdefault((low, high), []).append(np.array([length[0], length.min(), length.max()]))
    return tuple(_summary(pair, np.array(rows)) for pair, rows in sorted(lengths.items()))


def together(parts: Iterable[tuple[Bonds, ...]]) -> tuple[Bonds, ...]:
    """Bonds of several groups of anions as those of all."""
    kinds: dict[tuple[int, int], list[Bonds]] = {}
    for bonds in (one for part in parts for one in part):
        kinds.setdefault(bonds.pair, []).append(bonds)
    return tuple(_joined(pair, found) for pair, found in sorted(kinds.items()))


def _joined(pair: tuple[int, int], found: list[Bonds]) -> Bonds:
    counts = [one.n for one in found]
    start = float(np.average([one.start_A for one in found], weights=counts))
    return _bonds(pair, sum(counts), start, min(one.shortest_A for one in found), max(one.longest_A for one in found))


def bonded(positions: Array, anions: Array, numbers: Array) -> Array:
    """(B, 2) int: pairs of bonded atoms within anions that are in one piece.

    Parameters
    ----------
    positions : (N, 3) angstrom
    anions : (A, k) int, atoms of each anion
    numbers : (N,) atomic numbers
    """
    pairs = []
    for anion in anions:
        apart = np.linalg.norm(positions[anion][:, None] - positions[anion], axis=2)
        radii = covalent_radii[numbers[anion]]
        pairs.append(anion[np.argwhere(np.triu(apart < TOLERANCE * (radii[:, None] + radii), 1))])
    return np.concatenate(pairs)


def grown_together(positions: Array, cell: Array, anions: Array, numbers: Array) -> int:
    """How many anions have an atom at a bond's length from another anion's: they have reacted, and are no anions of the study any more.

    Parameters
    ----------
    positions : (N, 3) angstrom
    cell : (3, 3) angstrom, rows are vectors
    anions : (A, k) int, atoms of each anion
    numbers : (N,) atomic numbers
    """
    members = anions.ravel()
    owner = np.repeat(np.arange(len(anions)), anions.shape[1])
    atoms = Atoms(numbers[members], positions[members], cell=cell, pbc=True)
    one, other = neighbor_list("ij", atoms, TOLERANCE * covalent_radii[atoms.numbers])
    return len(np.unique(owner[one[owner[one] != owner[other]]]))


def _summary(pair: tuple[int, int], rows: Array) -> Bonds:
    return _bonds(pair, len(rows), float(rows[:, 0].mean()), float(rows[:, 1].min()), float(rows[:, 2].max()))


def _bonds(pair: tuple[int, int], n: int, start_A: float, shortest_A: float, longest_A: float) -> Bonds:
    return Bonds(pair, n, start_A, shortest_A, longest_A, intact=shortest_A >= _LEAST * start_A and longest_A <= _MOST * start_A)
