"""What makes a structure one that can be computed, and what makes it doubtful."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from ase.formula import Formula
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from borarun.structures.files.text import REMARKS, wrong

SHORTEST_DISTANCE_A = 0.5
"""Atoms nearer than this are a mistake of the file: the shortest bond there is, H-H, has 0.74
angstrom.
"""

MOST_ATOMS = 20_000
"""Of a cell: no reference computes more, and a supercell is made from it."""

LONGEST_A = 1000.0
"""Of a cell."""

LOWEST_DENSITY_G_PER_CM3 = 0.3
"""Below that of any solid but hydrogen: Li has 0.53, LiBH4 0.67."""

HIGHEST_DENSITY_G_PER_CM3 = 23.0
"""Above that of any element: Os has 22.6."""

SMALLEST_VOLUME_PER_ATOM_A3 = 4.0
"""Diamond has 5.7 cubic angstrom an atom, beryllium 8.1, LiBH4 9."""

NEAREST = (0.6, 1.5)
"""The shortest distance between atoms over the sum of their covalent radii: 0.8 for N2, 1.1 for
NaCl, 1.0 for CsI. A crystal in bohr read as angstrom has 1.9 times as much.
"""

LARGEST_CHANGE_OF_VOLUME = 1.5
"""Ratio of the volumes of a formula unit in two phases of one material."""

U_PER_A3_IN_G_PER_CM3 = 1.66053906660
"""CODATA 2018."""

Array = NDArray[Any]


def checked(atoms: Atoms) -> Atoms:
    """The structure, if it is one.

    Raises
    ------
    StudyError
        Where it has no atoms or no cell, or atoms overlap.
    """
    if len(atoms) == 0:
        raise wrong("contains no atoms.")
    if len(atoms) > MOST_ATOMS:
        raise wrong(
            f"has {len(atoms):,} atoms (at most {MOST_ATOMS:,} are allowed). Use a smaller cell."
        )
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise wrong("a coordinate is not a number.")
    if (unknown := np.flatnonzero(atoms.numbers < 1)).size:
        raise wrong(f"atom {unknown[0] + 1} is not a known element.")
    lengths = atoms.cell.lengths()
    if (lengths > LONGEST_A).any():
        raise wrong(
            f"its cell is {lengths.max():.4g} A long (at most {LONGEST_A:g} A). Check the unit."
        )
    volume = float(np.linalg.det(atoms.cell.array))
    if abs(volume) <= 1e-3 * max(1.0, float(np.prod(lengths))):
        raise wrong(
            "has no cell: three vectors that span a volume are needed (extended XYZ: "
            'Lattice="..." on the second line).'
        )
    if volume < 0:
        raise wrong(
            "the cell vectors are left-handed. Exchange two of them, and the same two "
            "coordinates of each atom."
        )
    areas = np.linalg.norm(
        np.cross(atoms.cell.array[[1, 2, 0]], atoms.cell.array[[2, 0, 1]]), axis=1
    )
    if (width := (volume / areas).min()) < SHORTEST_DISTANCE_A:
        raise wrong(
            f"atoms overlap with their own periodic images: the cell is {width:.3f} A wide. Check "
            "its unit."
        )
    crowded = _crowded(atoms)
    first, second, distance = (
        crowded if crowded else neighbor_list("ijd", atoms, SHORTEST_DISTANCE_A)
    )
    if len(distance):
        nearest = int(np.argmin(distance))
        i, j = int(first[nearest]), int(second[nearest])
        a, b = (f"{k + 1} ({chemical_symbols[atoms.numbers[k]]})" for k in (i, j))
        raise wrong(
            f"atoms {a} and {b} overlap (got {distance[nearest]:.3f} A, at least "
            f"{SHORTEST_DISTANCE_A} A). Remove one of them. In a CIF the cause may be a "
            "rounded coordinate (0.33 for 1/3) or another setting of the space group."
        )
    return atoms


def _crowded(atoms: Atoms) -> tuple[Array, Array, Array] | None:
    """Two atoms in one small cube, which are certainly too near: a list of all pairs would not fit
    into memory where many atoms share one place.
    """
    edge = SHORTEST_DISTANCE_A / 2
    places = atoms.get_positions(wrap=True)
    cubes = np.floor(places / edge).astype(np.int64)
    _, kept, which = np.unique(cubes, axis=0, return_index=True, return_inverse=True)
    doubled = np.flatnonzero(kept[which.ravel()] != np.arange(len(atoms)))
    if len(doubled) < len(atoms) / 100:  # few pairs are listed, and the nearest is told
        return None
    first = kept[which.ravel()][doubled]
    return first, doubled, np.linalg.norm(places[first] - places[doubled], axis=1)


def doubts(phases: Mapping[str, Atoms], atoms_of_unit: int) -> Iterator[tuple[str, str]]:
    """What is possible in a structure but seldom meant: the phase, and what is doubtful.

    Parameters
    ----------
    phases : structures, by phase
    atoms_of_unit : of a formula unit
    """
    for phase, atoms in phases.items():
        for remark in atoms.info.get(REMARKS, ()):
            yield phase, remark
        for doubt in _doubtful(atoms):
            yield phase, doubt
    volumes = {
        phase: atoms.get_volume() / len(atoms) * atoms_of_unit for phase, atoms in phases.items()
    }
    for one, other in combinations(volumes, 2):
        small, large = sorted((volumes[one], volumes[other]))
        if large > LARGEST_CHANGE_OF_VOLUME * small:
            yield (
                other,
                f"a formula unit takes {volumes[other]:.1f} A^3, and {volumes[one]:.1f} "
                f"A^3 in {one}. Two solid phases differ by a few percent. Check the "
                "cells, their units and the symmetry.",
            )


def _doubtful(atoms: Atoms) -> Iterator[str]:
    volume = atoms.get_volume()
    density = atoms.get_masses().sum() / volume * U_PER_A3_IN_G_PER_CM3
    nearest = _nearest(atoms)
    if nearest > NEAREST[1]:
        yield (
            f"the nearest atoms are {nearest:.2f} times as far apart as their covalent radii; "
            "in crystals it is 0.8 to 1.3. Is the cell in bohr? Write it in angstrom "
            "(1 bohr = 0.529177 A)."
        )
    elif nearest < NEAREST[0]:
        yield (
            f"the nearest atoms are {nearest:.2f} times as far apart as their covalent radii; "
            "in crystals it is 0.8 to 1.3. Check the unit of the cell."
        )
    if density < LOWEST_DENSITY_G_PER_CM3:
        yield (
            f"its density is {density:.3f} g/cm3, less than that of any solid. Check the "
            "cell, and whether the symmetry leaves atoms out."
        )
    elif density > HIGHEST_DENSITY_G_PER_CM3 or volume / len(atoms) < SMALLEST_VOLUME_PER_ATOM_A3:
        yield (
            f"its density is {density:.1f} g/cm3, with {volume / len(atoms):.1f} A^3 per "
            "atom, more than that of any solid. Check the cell and the symmetry."
        )


def _nearest(atoms: Atoms) -> float:
    """The shortest distance between atoms over the sum of their covalent radii."""
    radii = covalent_radii[atoms.numbers]
    for reach in (NEAREST[0], NEAREST[1], 2.5):
        first, second, distance = neighbor_list("ijd", atoms, reach * radii)
        if len(distance):
            return float((distance / (radii[first] + radii[second])).min())
    return reach


def formula_text(composition: Mapping[str, int]) -> str:
    """A formula of counts, metals first."""
    return Formula.from_dict(
        {element: count for element, count in composition.items() if count}
    ).format("metal")
