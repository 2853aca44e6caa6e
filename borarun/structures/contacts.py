"""Close contacts and strained bonds: configurations in which ions nearly touch, or in which an atom
is pulled out of an anion or pushed into it.

Molecular dynamics seldom goes up the repulsive wall between two ions, so a potential that learns
from it alone has no wall there, and in a long run ions that meet fall into one another. Nor does it
stretch a bond by half or shorten it by a quarter, and a potential that never saw it may let the
atom go, or fall in. A few configurations that show these walls prevent it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii, vdw_radii
from ase.geometry import get_distances
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray
from pydantic import NonNegativeInt

from borarun.basics.errors import Problem, StudyError
from borarun.records.frames import Frames
from borarun.records.task import Settings
from borarun.structures.structure import BOND_TOLERANCE, find_anions, whole_anions

Array = NDArray[Any]

OF_IONS, OF_ANIONS = (0.45, 0.62), (0.36, 0.70)
"""The nearest contact of what was moved, in sums of van der Waals radii: from a wall of
electronvolts to where hot ions come now and then. That of an anion is the one with other anions.
"""

FLOOR = 0.40
"""An anion that moves stops before it comes nearer than this to anything that is no anion, in the
same unit: 1.2 A of H and Li, 1.4 A of S and Li. Labels of nearer atoms are of no use.
"""

STRAINS = (0.72, 0.88), (1.2, 1.6)
"""A bond that is shortened, and one that is stretched, in lengths of its own: from where heat
brings it to where it costs electronvolts.
"""

STEPS, STEP_A = 100, 0.05
RATTLE_A = 0.03
"""Standard deviation of a displacement of all atoms along each axis, so that no two configurations
share the rest of the cell.
"""


class Contacts(Settings):
    """What to make.

    Attributes
    ----------
    number : configurations with a close contact
    strained : and configurations with a strained bond, after those
    anion, mobile : formulas of the molecular anions and symbols of the mobile ions, with blanks
        between; ``anion`` is empty where there are no molecules
    seed : decides which ions, and how near
    """

    number: NonNegativeInt
    strained: NonNegativeInt = 0
    anion: str
    mobile: str
    seed: NonNegativeInt = 1


def contacts(atoms: Atoms, settings: Contacts) -> Frames:
    """Configurations of a structure in which one ion was moved until it nearly touches another, or
    one bond is strained.

    In turn, a mobile ion is moved anywhere, a mobile ion towards the nearest other one, and an
    anion as a whole towards the nearest other one, if any. In turn, an atom with one bond, as the
    hydrogen of B12H12 or the oxygen of SO4, is pushed in and pulled out along it.

    Parameters
    ----------
    atoms : periodic structure at rest
    settings : what to make

    Raises
    ------
    StudyError
        Where the anions are not found, or bonds are to be strained and no atom of them has just
        one.
    """
    rng = np.random.default_rng(settings.seed)
    mobile_ions = settings.mobile.split()
    kinds = find_anions(atoms, settings.anion.split(), mobile_ions)
    anions = [anion for kind in kinds for anion in kind]
    whole = [positions for kind in kinds for positions in whole_anions(atoms, kind)]
    mobile = np.flatnonzero(np.isin(atoms.symbols, mobile_ions))
    out = []
    for number in range(settings.number):
        ion = int(rng.choice(mobile))
        moved, positions, others = (
            np.array([ion]),
            atoms.positions[[ion]],
            atoms.positions[mobile[mobile != ion]],
        )
        rest, (nearest, farthest) = np.delete(np.arange(len(atoms)), ion), OF_IONS
        kind = number % (3 if len(anions) > 1 else 2)
        if kind == 2:
            index = int(rng.integers(len(anions)))
            moved, positions, others = (
                anions[index],
                whole[index],
                np.array([other.mean(axis=0) for other in whole[:index] + whole[index + 1 :]]),
            )
            rest, (nearest, farthest) = (
                np.concatenate(anions[:index] + anions[index + 1 :]),
                OF_ANIONS,
            )
        direction = rng.normal(size=3)
        if kind and len(others):
            vectors, distances = (
                found[0]
                for found in get_distances(
                    positions.mean(axis=0), others, cell=atoms.cell, pbc=True
                )
            )
            direction = vectors[np.argmin(distances)]
        made = atoms.copy()
        made.positions[moved] = _until_contact(
            atoms,
            moved,
            rest,
            positions,
            direction / np.linalg.norm(direction),
            rng.uniform(nearest, farthest),
            np.setdiff1d(np.arange(len(atoms)), np.concatenate([moved, rest])),
        )
        out.append(_rattled(made, rng))
    ends = [end for kind in kinds for end in bond_ends(atoms, kind)] if settings.strained else []
    if settings.strained and not ends:
        of = f" of its anions {' and '.join(settings.anion.split())}" if anions else ""
        why = (
            f"no atom{of} has just one bond, which could be strained. "
            "Leave training_set.strained_bonds out."
        )
        raise StudyError(Problem("structure", 0, "", why))
    for number in range(settings.strained):
        atom, bond = ends[rng.integers(len(ends))]
        made = atoms.copy()
        made.positions[atom] += (rng.uniform(*STRAINS[number % 2]) - 1) * bond
        out.append(_rattled(made, rng))
    return Frames.of(out)


def bond_ends(atoms: Atoms, anions: Array) -> list[tuple[int, Array]]:
    """Atoms with one bond in their anion, and that bond: (3,) angstrom, towards the atom.

    Parameters
    ----------
    atoms : periodic structure
    anions : (A, k) int, atoms of each anion
    """
    found = []
    for anion, positions in zip(anions, whole_anions(atoms, anions), strict=True):
        one, bonds = neighbor_list(
            "iD",
            Atoms(atoms.numbers[anion], positions),
            BOND_TOLERANCE * covalent_radii[atoms.numbers[anion]],
        )
        found += [
            (int(anion[atom]), -bonds[one == atom][0])
            for atom in np.flatnonzero(np.bincount(one, minlength=len(anion)) == 1)
        ]
    return found


def _rattled(atoms: Atoms, rng: np.random.Generator) -> Atoms:
    atoms.positions += rng.normal(scale=RATTLE_A, size=atoms.positions.shape)
    return atoms


def _until_contact(
    atoms: Atoms,
    moved: Array,
    rest: Array,
    positions: Array,
    direction: Array,
    nearest: float,
    others: Array,
) -> Array:
    """Positions along a direction, the first at which something of what is moved comes nearer than
    asked to the rest; else the nearest ones. It ends where ``others`` are in the way.
    """
    closest, best = np.inf, positions
    for step in range(1, STEPS):
        on_the_way = positions + step * STEP_A * direction
        share = _share(atoms, moved, on_the_way, rest)
        if len(others) and _share(atoms, moved, on_the_way, others) < FLOOR:
            break
        if share < closest:
            closest, best = share, on_the_way
        if share < nearest:
            break
    return best


def _share(atoms: Atoms, moved: Array, positions: Array, others: Array) -> float:
    """The nearest contact of moved atoms with others, in sums of van der Waals radii."""
    touching = vdw_radii[atoms.numbers[moved]][:, None] + vdw_radii[atoms.numbers[others]]
    distances = get_distances(positions, atoms.positions[others], cell=atoms.cell, pbc=True)[1]
    return float((distances / touching).min())
