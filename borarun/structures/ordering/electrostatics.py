"""Electrostatic energies of arrangements of ions on the places of a lattice."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from ase.data import atomic_numbers, covalent_radii
from numpy.typing import NDArray

from borarun.structures.files.checks import NEAREST
from borarun.structures.ordering.lattice import Lattice

Array = NDArray[Any]

QUANTUM_EV = 2.0**-20
"""Energies are whole multiples of this, so that sums are exact, and comparisons come out alike
wherever they are made.
"""

CLASH_EV = 4096.0
"""Added for two atoms that overlap, so that an arrangement without such a pair is preferred."""


@dataclass(frozen=True)
class Interactions:
    """Energies of species on the disordered places. Species are numbered; the last is an empty
    place.

    Attributes
    ----------
    species : elements, in order
    charges : (K,) of the species, the last 0
    pair : (D, D) eV per product of two charges, of different places; 0 on the diagonal
    outside : (D,) eV per charge, by the ordered places
    clash : (K, K, D, D) float32, 1 where two species at two places overlap
    clash_outside : (D, K) number of ordered atoms that a species at a place overlaps
    constant_eV : the energy of the ordered places, and of each ion with its own images
    """

    species: tuple[str, ...]
    charges: Array
    pair: Array
    outside: Array
    clash: Array
    clash_outside: Array
    constant_eV: float

    def energy_eV(self, arrangement: Array) -> float:
        """Electrostatic energy of the cell, eV.

        Parameters
        ----------
        arrangement : (D,) int, the species at each place
        """
        q = self.charges[arrangement]
        return float(self.constant_eV + q @ self.outside + q @ self.pair @ q / 2)

    def clashes(self, arrangement: Array) -> int:
        """How many pairs of atoms overlap."""
        index = np.arange(len(arrangement))
        outside = int(self.clash_outside[index, arrangement].sum())
        inside = self.clash[arrangement[:, None], arrangement[None], index[:, None], index[None]]
        return outside + int(inside.sum()) // 2

    def fields(self, arrangement: Array) -> Array:
        """(D, K) energy of each species at each place in the field of all others, eV."""
        q = self.charges[arrangement]
        found = np.outer(self.outside + self.pair @ q, self.charges)
        found += CLASH_EV * self.clash_outside
        there = arrangement[None] == np.arange(len(self.charges))[:, None]  # (K, D)
        for kind, rows in enumerate(self.clash):
            found[:, kind] += CLASH_EV * sum(
                overlaps @ here
                for overlaps, here in zip(rows, there.astype(np.float32), strict=True)
            )
        return found


def interactions(
    lattice: Lattice, charges: dict[str, float], counts: dict[str, int]
) -> Interactions:
    """The energies of ions on the places of a lattice.

    Parameters
    ----------
    lattice : the places
    charges : of each element, elementary charges
    counts : atoms of each element on disordered places

    Source: Ewald sums of pymatgen (Ong et al., Comput. Mater. Sci. 68, 314 (2013)), of unit
    charges; the neutralising background cancels in a neutral cell.
    """
    from pymatgen.analysis.ewald import EwaldSummation
    from pymatgen.core.lattice import Lattice as Cell
    from pymatgen.core.periodic_table import Species
    from pymatgen.core.structure import Structure

    species = tuple(sorted(counts))
    places, disordered = lattice.places, lattice.disordered
    unit = Structure(Cell(lattice.cell), [Species("H", 1)] * len(places), places)
    sums: Any = EwaldSummation
    matrix = np.asarray(sums(unit).total_energy_matrix)
    matrix = np.round((matrix + matrix.T) / 2 / QUANTUM_EV) * QUANTUM_EV
    own = float(matrix[0, 0])
    np.fill_diagonal(matrix, 0.0)
    ordered = np.array(sorted(lattice.fixed), dtype=int)
    outer = np.array([charges[lattice.fixed[index]] for index in ordered.tolist()])
    squares = float(outer @ outer) + sum(
        charges[each] ** 2 * count for each, count in counts.items()
    )
    n_kinds = len(species) + 1
    radii = np.array([covalent_radii[atomic_numbers[each]] for each in species])
    distance = _distances(lattice, disordered)
    clash = np.zeros((n_kinds, n_kinds, len(disordered), len(disordered)), dtype=np.float32)
    clash_outside = np.zeros((len(disordered), n_kinds))
    outer_radii = np.array(
        [covalent_radii[atomic_numbers[lattice.fixed[index]]] for index in ordered.tolist()]
    )
    to_ordered = _distances(lattice, ordered)
    for i, radius in enumerate(radii):
        for j, other in enumerate(radii):
            clash[i, j] = distance[disordered] < NEAREST[0] * (radius + other)
            np.fill_diagonal(clash[i, j], False)
        clash_outside[:, i] = (
            to_ordered[disordered] < NEAREST[0] * (radius + outer_radii)[None]
        ).sum(axis=1)
    return Interactions(
        species=species,
        charges=np.array([*(charges[each] for each in species), 0.0]),
        pair=2 * matrix[np.ix_(disordered, disordered)],
        outside=2 * matrix[np.ix_(disordered, ordered)] @ outer,
        clash=clash,
        clash_outside=clash_outside,
        constant_eV=own * squares + float(outer @ matrix[np.ix_(ordered, ordered)] @ outer),
    )


def _distances(lattice: Lattice, others: Array) -> Array:
    """(N, M) shortest distances from all places to some, angstrom."""
    if not len(others):
        return np.zeros((len(lattice.places), 0))
    apart = lattice.places[:, None] - lattice.places[others][None]
    apart = (apart - np.round(apart)) @ lattice.cell
    nearest = np.full(apart.shape[:2], np.inf)
    for image in product((-1, 0, 1), repeat=3):  # of a skewed cell, the nearest may be the next
        shift = np.array(image) @ lattice.cell
        nearest = np.minimum(nearest, np.einsum("ijk,ijk->ij", apart + shift, apart + shift))
    found: Array = np.sqrt(nearest)
    return found
