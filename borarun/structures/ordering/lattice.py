"""The places of an average structure in a supercell, and the symmetries that permute them."""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import spglib
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from borarun.structures.files.average import Average, Occupant

Array = NDArray[Any]

SYMPREC_A = 0.01
"""Within which an operation maps places onto each other."""


@dataclass(frozen=True)
class Orbit:
    """Places of the supercell that symmetry makes equal, and that are not ordered.

    Attributes
    ----------
    places : (n,) int, indices of places
    occupants : the elements that share each of them
    is_full : whether none of them is empty
    """

    places: Array
    occupants: tuple[Occupant, ...]
    is_full: bool

    @property
    def label(self) -> str:
        """Labels of its sites in the file."""
        return "/".join(dict.fromkeys(each.label for each in self.occupants))


@dataclass(frozen=True)
class Lattice:
    """The places of a supercell.

    Attributes
    ----------
    cell : (3, 3) angstrom, rows are the cell vectors
    places : (N, 3) fractional coordinates
    fixed : element of each ordered place, by its index
    orbits : the other places
    permutations : (G, D) int: the image of each disordered place under each symmetry of the
        supercell, as indices into ``disordered``
    disordered : (D,) int, indices of the places of the orbits, ascending
    """

    cell: Array
    places: Array
    fixed: dict[int, str]
    orbits: tuple[Orbit, ...]
    permutations: Array
    disordered: Array


def lattice(average: Average, supercell: tuple[int, int, int]) -> Lattice:
    """The places of a supercell of an average structure.

    Parameters
    ----------
    average : the structure
    supercell : repeats of its cell along a, b and c

    Source: the symmetry is that of the average structure as spglib finds it (Togo, Shinohara and
    Tanaka, Sci. Technol. Adv. Mater. Meth. 4, 2384822 (2024)), so that a file that lists its atoms
    without symmetry gives the same models.
    """
    unit = np.array([position.place for position in average.positions]) % 1.0
    kinds: dict[Any, int] = {}
    numbers = [
        kinds.setdefault(
            tuple(sorted((each.symbol, round(each.share, 3)) for each in position.occupants)),
            len(kinds) + 1,
        )
        for position in average.positions
    ]
    rotations, translations, equivalent = _symmetry(average.cell, unit, numbers)
    repeats = np.array(supercell)
    shifts = np.array(list(product(*map(range, supercell))))
    n_unit = len(unit)
    places = ((unit[None] + shifts[:, None]) / repeats).reshape(-1, 3)
    loose = np.array([not position.is_ordered for position in average.positions])
    # with no symmetry but translations, places that are alike are one orbit
    alike = np.array(numbers) if len(rotations) == 1 else equivalent
    everywhere = np.arange(len(places))
    orbits = []
    for label in dict.fromkeys(alike[loose].tolist()):
        members = np.flatnonzero(loose & (alike == label))
        first = average.positions[members[0]]
        orbits.append(
            Orbit(everywhere[np.isin(everywhere % n_unit, members)], first.occupants, first.is_full)
        )
    disordered = everywhere[loose[everywhere % n_unit]]
    return Lattice(
        cell=average.cell * repeats[:, None],
        places=places,
        fixed={
            int(index): average.positions[index % n_unit].occupants[0].symbol
            for index in everywhere[~loose[everywhere % n_unit]]
        },
        orbits=tuple(orbits),
        permutations=_permutations(unit, loose, repeats, shifts, rotations, translations),
        disordered=disordered,
    )


def space_group(cell: Array, places: Array, numbers: list[int]) -> str:
    """Symbol and number of the space group of a crystal: cell in angstrom, fractional coordinates
    and atomic numbers.
    """
    found: Any = None
    with warnings.catch_warnings(), suppress(spglib.SpglibError):
        warnings.simplefilter("ignore")
        found = spglib.get_spacegroup((cell.tolist(), places.tolist(), numbers), symprec=SYMPREC_A)
    return str(found or "P1 (1)")


def _symmetry(cell: Array, places: Array, numbers: list[int]) -> tuple[Array, Array, Array]:
    """Rotations, translations, and for each place the first that it is equivalent to."""
    found: Any = None
    with warnings.catch_warnings(), suppress(spglib.SpglibError):
        warnings.simplefilter("ignore")  # of how errors are told, which depends on the version
        found = spglib.get_symmetry((cell.tolist(), places.tolist(), numbers), symprec=SYMPREC_A)
    if found is None:  # no space group within the tolerance
        return np.eye(3, dtype=int)[None], np.zeros((1, 3)), np.arange(len(places))
    return found["rotations"], found["translations"], found["equivalent_atoms"]


def _permutations(
    unit: Array,
    loose: Array,
    repeats: Array,
    shifts: Array,
    rotations: Array,
    translations: Array,
) -> Array:
    """(G, D) images of the disordered places, as indices among them."""
    members = np.flatnonzero(loose)
    tree = cKDTree(unit, boxsize=1.0)
    rank = np.full(len(unit), -1)
    rank[members] = np.arange(len(members))
    found = []
    for rotation, translation in zip(rotations, translations, strict=True):
        scaled = rotation * repeats[None, :] / repeats[:, None]
        if not np.allclose(scaled, np.round(scaled)):
            continue  # it changes the supercell
        image = unit[members] @ rotation.T + translation
        _, at = tree.query(image % 1.0)
        offset = np.round(image - unit[at]).astype(int)
        moved = shifts @ rotation.T
        for shift in shifts:
            cells = (moved[:, None] + offset[None] + shift) % repeats
            index = (cells[..., 0] * repeats[1] + cells[..., 1]) * repeats[2] + cells[..., 2]
            found.append((index * len(members) + rank[at]).ravel())
    kept = [each for each in found if len(np.unique(each)) == len(each)]
    return np.unique(np.array(kept, dtype=np.int64), axis=0)
