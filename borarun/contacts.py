"""Close contacts: configurations in which ions nearly touch.

Molecular dynamics seldom goes up the repulsive wall between two ions, so a potential that learns from it alone has no wall there, and in a long run ions
that meet fall into one another. A few configurations that show the wall prevent it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.data import vdw_radii
from ase.geometry import get_distances
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveInt

from borarun.frames import Frames
from borarun.structure import find_anions, whole_anions
from borarun.task import Settings

Array = NDArray[Any]

OF_IONS, OF_ANIONS = (0.45, 0.62), (0.52, 0.70)
"""The nearest contact of what was moved, in sums of van der Waals radii: from a wall of electronvolts to where hot ions come now and then. That of an
anion is the one with other anions, on whose way mobile ions come nearer still."""

STEPS, STEP_A = 100, 0.05
RATTLE_A = 0.03
"""Standard deviation of a displacement of all atoms along each axis, so that no two configurations share the rest of the cell."""


class Contacts(Settings):
    """What to make.

    Attributes
    ----------
    number : how many configurations
    anion, mobile : formula and symbol that the ions are found by
    seed : decides which ions, and how near
    """

    number: PositiveInt
    anion: str
    mobile: str
    seed: NonNegativeInt = 1


def contacts(atoms: Atoms, settings: Contacts) -> Frames:
    """Configurations of a structure in which one ion was moved until it nearly touches another.

    In turn, a mobile ion is moved anywhere, a mobile ion towards the nearest other one, and an anion as a whole towards the nearest other one, if any.

    Parameters
    ----------
    atoms : periodic structure at rest
    settings : what to make

    Raises
    ------
    StudyError
        Where the anions are not found.
    """
    rng = np.random.default_rng(settings.seed)
    anions = find_anions(atoms, settings.anion, settings.mobile)
    whole = whole_anions(atoms, anions)
    mobile = np.flatnonzero(atoms.symbols == settings.mobile)
    out = []
    for number in range(settings.number):
        ion = int(rng.choice(mobile))
        moved, positions, others = np.array([ion]), atoms.positions[[ion]], atoms.positions[mobile[mobile != ion]]
        rest, (nearest, farthest) = np.delete(np.arange(len(atoms)), ion), OF_IONS
        kind = number % (3 if len(anions) > 1 else 2)
        if kind == 2:
            index = int(rng.integers(len(anions)))
            moved, positions, others = anions[index], whole[index], np.delete(whole, index, axis=0).mean(axis=1)
            rest, (nearest, farthest) = np.delete(anions, index, axis=0).ravel(), OF_ANIONS
        direction = rng.normal(size=3)
        if kind and len(others):
            vectors, distances = (found[0] for found in get_distances(positions.mean(axis=0), others, cell=atoms.cell, pbc=True))
            direction = vectors[np.argmin(distances)]
        made = atoms.copy()
        made.positions[moved] = _until_contact(atoms, moved, rest, positions, direction / np.linalg.norm(direction), rng.uniform(nearest, farthest))
        made.positions += rng.normal(scale=RATTLE_A, size=made.positions.shape)
        out.append(made)
    return Frames.of(out)


def _until_contact(atoms: Atoms, moved: Array, rest: Array, positions: Array, direction: Array, nearest: float) -> Array:
    """Positions along a direction, the first at which something of what is moved comes nearer than asked to the rest; else the nearest ones."""
    touching = vdw_radii[atoms.numbers[moved]][:, None] + vdw_radii[atoms.numbers[rest]]
    closest, best = np.inf, positions
    for step in range(1, STEPS):
        on_the_way = positions + step * STEP_A * direction
        share = float((get_distances(on_the_way, atoms.positions[rest], cell=atoms.cell, pbc=True)[1] / touching).min())
        if share < closest:
            closest, best = share, on_the_way
        if share < nearest:
            break
    return best
