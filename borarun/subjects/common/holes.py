"""Sites of a run: the holes that its framework leaves for the mobile ions.

What surrounds a mobile ion depends on the material: centres of molecular anions in a closo-borate,
atoms of oxygen in a garnet, both in an argyrodite. Points are tried from the coarsest to the
finest; the first is taken whose holes have a name, tetrahedral or octahedral, and that the ions do
not avoid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from ase.neighborlist import neighbor_list
from scipy.spatial import cKDTree

from borarun.analysis.sites import OCTAHEDRAL, TETRAHEDRAL, Sites, find_sites
from borarun.report.measured import Array
from borarun.structures.structure import BOND_TOLERANCE
from borarun.subjects.common.trajectory import Trajectory

NEGATIVE = {
    "F": 3.98,
    "O": 3.44,
    "Cl": 3.16,
    "N": 3.04,
    "Br": 2.96,
    "I": 2.66,
    "S": 2.58,
    "Se": 2.55,
    "H": 2.20,
    "P": 2.19,
    "As": 2.18,
    "Te": 2.10,
}
"""Elements that can surround a cation, with their electronegativity after Pauling (CRC Handbook of
Chemistry and Physics, 97th edition). One that is bonded to a more electronegative one does not, as
the phosphorus of PO4.
"""

BETWEEN_ANIONS = "the anions' mean centres"
"""What the sites of a material lie between whose framework is molecules."""

AVOIDED = 1.15
"""Ions avoid sites when they are farther from the nearest one than so many times what random points
are, both as medians.
"""

_RANDOM_POINTS, _LOOKS = 2000, 20


@dataclass(frozen=True)
class Holes:
    """The sites of a run.

    Attributes
    ----------
    sites : in the mean cell
    points : (P, 3) angstrom, mean positions of what they lie between
    between : what that is, e.g. ``the anions' mean centres``
    mark : what one point is called, ``anion`` where all are molecules
    """

    sites: Sites
    points: Array
    between: str
    mark: str


def find_holes(run: Trajectory, *, negative: bool = False) -> Holes | None:
    """Sites between parts of the framework; None where the ions avoid all sites that there are, or
    none is a tetrahedron or an octahedron: points that surround no ion leave such holes.

    Parameters
    ----------
    negative : whether the mobile ions are, so that cations surround them
    """
    for points, between, mark in _choices(run, negative=negative):
        holes = Holes(find_sites(points, run.mean_cell), points, between, mark)
        if _named(holes.sites) and not _avoided(run, holes.sites):
            return holes
    return None


def _named(sites: Sites) -> bool:
    return bool(sites.of(TETRAHEDRAL).any() or sites.of(OCTAHEDRAL).any())


def _choices(run: Trajectory, *, negative: bool) -> Iterator[tuple[Array, str, str]]:
    """Points that may surround the ions, what they are, and what one of them is called."""
    single = {element: means.mean(axis=2) for element, means in run.single.items()}
    elements = surrounding(run, list(single), negative=negative)
    atoms = [single[element] for element in elements]
    molecules = [] if negative else list(run.anions)
    centres = [kind.centres.mean(axis=2) for kind in molecules]
    if centres and not atoms:
        yield np.concatenate(centres), BETWEEN_ANIONS, "anion"
    elif centres or atoms:
        names = [*(f"{kind.formula} centres" for kind in molecules), *elements]
        yield np.concatenate([*centres, *atoms]), f"mean positions: {', '.join(names)}", "framework"
    ends = [
        (chemical_symbols[number], kind.members[:, run.numbers[kind.members[0]] == number].ravel())
        for kind in molecules
        for number in [_outermost(run, kind.members[0])]
    ]
    if ends:
        names = list(dict.fromkeys([*(element for element, _ in ends), *elements]))
        yield (
            np.concatenate([*(run.drawn_still(atoms).mean(axis=2) for _, atoms in ends), *atoms]),
            f"mean positions: {', '.join(names)}",
            "framework",
        )


def surrounding(run: Trajectory, among: Sequence[str], *, negative: bool) -> list[str]:
    """Elements of the framework that surround the mobile ions: those of `NEGATIVE` that are bonded
    to nothing more electronegative, or for negative ions all others; all where there are none.
    """
    framework = ~run.mobile
    atoms = Atoms(
        run.numbers[framework],
        run.drawn_positions[framework, :, 0],
        cell=run.cell[run.drawn[0]],
        pbc=True,
    )
    symbols = np.array(atoms.get_chemical_symbols())
    one, other = neighbor_list("ij", atoms, BOND_TOLERANCE * covalent_radii[atoms.numbers])
    bonded = set(zip(symbols[one].tolist(), symbols[other].tolist(), strict=True))
    found = [
        element
        for element in among
        if (
            element in NEGATIVE
            and not any(
                (element, stronger) in bonded
                for stronger, value in NEGATIVE.items()
                if value > NEGATIVE[element]
            )
        )
        != negative
    ]
    return found or list(among)


def _outermost(run: Trajectory, members: Array) -> int:
    """Atomic number of a molecule's element that is farthest from its centre, on average."""
    positions = run.drawn_positions[members, :, 0]
    cell = run.cell[run.drawn[0]]
    scaled = (positions - positions[0]) @ np.linalg.inv(cell)
    positions = (scaled - np.round(scaled)) @ cell
    numbers = run.numbers[members]
    centre = np.average(positions, axis=0, weights=run.masses[members])
    away = np.linalg.norm(positions - centre, axis=1)
    return int(
        max(set(numbers.tolist()), key=lambda number: (away[numbers == number].mean(), number))
    )


def _avoided(run: Trajectory, sites: Sites) -> bool:
    """Whether the ions are farther from the sites than random points are."""
    shifts = np.array(list(product((-1, 0, 1), repeat=3)))
    tree = cKDTree((sites.scaled[None] + shifts[:, None]).reshape(-1, 3) @ run.mean_cell)

    def median(scaled: Array) -> float:
        return float(np.median(tree.query((scaled - np.floor(scaled)) @ run.mean_cell)[0]))

    frames = np.linspace(0, run.n_frames - 1, min(_LOOKS, run.n_frames)).round().astype(int)
    ions = run.ions[:, :, frames].transpose(0, 2, 1).reshape(-1, 3) @ np.linalg.inv(run.mean_cell)
    anywhere = np.random.default_rng(0).uniform(size=(_RANDOM_POINTS, 3))
    return median(ions) > AVOIDED * median(anywhere)
