"""Energies, forces and stresses of a moment tensor potential, by a compiled kernel on neighbours
from a list with a skin.

motep's compiled engine gives the same numbers (the tests compare them); this kernel needs a third
to a fifth of its time, because it propagates derivatives backward from the energy to the
neighbours' directions and runs over neighbours innermost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from numba import njit
from numpy.typing import ArrayLike, NDArray

from borarun.mtp.derivatives import local_gradients
from borarun.mtp.neighbours import Neighbours, Pairs
from borarun.mtp.potential import Potential
from borarun.mtp.tables import (
    FAST,
    Tables,
    all_adjoints,
    all_moments,
    neighbourhood,
    radial_functions,
    type_ends,
)

Array = NDArray[Any]


@dataclass(frozen=True)
class Evaluation:
    """What a potential says of one configuration.

    Attributes
    ----------
    energy : eV
    energies : (N,) local energies, eV
    forces : (N, 3) eV/angstrom
    stress : (6,) eV/angstrom^3, ASE sign and Voigt order
    min_distance : angstrom; infinite where no two atoms are within the cutoff
    """

    energy: float
    energies: Array
    forces: Array
    stress: Array
    min_distance: float


class Evaluator:
    """A potential on N periodic atoms of fixed elements: made once, called every step.

    Parameters
    ----------
    potential : Potential
    numbers : (N,) int, atomic numbers
    skin_A : angstrom; the neighbour list is searched again when pairs may have crossed it

    Raises
    ------
    ValueError
        Where an element is not one of the potential's.
    """

    def __init__(self, potential: Potential, numbers: ArrayLike, skin_A: float = 1.5) -> None:
        self.potential = potential
        self.types = potential.types(np.asarray(numbers))
        self.neighbours = Neighbours(potential.cutoff_A, self.types, skin_A)

    def evaluate(self, positions: Array, cell: Array) -> Evaluation:
        """Energy, forces and stress; positions may be wrapped or not.

        Parameters
        ----------
        positions : (N, 3) angstrom
        cell : (3, 3) angstrom, rows are vectors

        Raises
        ------
        FloatingPointError
            Where positions or cell are not finite or the cell has no volume.
        """
        pairs = self.neighbours.update(positions, cell)
        energies, forces, virial = energies_forces_virial(self.potential, pairs)
        return Evaluation(
            float(energies.sum()),
            energies,
            forces,
            virial / self.neighbours.volume,
            self.neighbours.min_distance,
        )

    def gradients(self) -> Array:
        """Derivatives of the local energies of the last configuration with respect to all
        parameters.

        Returns
        -------
        (N, P) eV per unit of each parameter; the columns are in the order of
        ``Potential.parameters``
        """
        return local_gradients(self.potential.tables, *self.neighbours.pairs)


def energies_forces_virial(potential: Potential, pairs: Pairs) -> tuple[Array, Array, Array]:
    """What a potential says of atoms whose neighbours are known.

    Returns
    -------
    energies (N,) eV, forces (N, 3) eV/angstrom, virial (6,) eV (stress times volume, ASE sign and
    Voigt order)
    """
    n = len(pairs.types)
    energies, forces, virial = np.empty(n), np.zeros((n, 3)), np.zeros(6)
    _evaluate(potential.tables, *pairs, energies, forces, virial)
    return energies, forces, virial


class MTPCalculator(Calculator):
    """ASE's form of an ``Evaluator``.

    Parameters
    ----------
    potential : Potential
    skin_A : angstrom
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]  # noqa: RUF012 - as ASE declares it

    def __init__(self, potential: Potential, skin_A: float = 1.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self.potential = potential
        self.skin_A = skin_A
        self.evaluator: Evaluator | None = None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Energy, local energies, forces and stress of periodic atoms."""
        super().calculate(atoms, properties or ["energy"], system_changes)  # type: ignore[no-untyped-call]
        assert self.atoms is not None
        if self.evaluator is None or "numbers" in system_changes:
            self.evaluator = Evaluator(self.potential, self.atoms.numbers, self.skin_A)
        found = self.evaluator.evaluate(self.atoms.positions, self.atoms.cell.array)
        self.results = {
            "energy": found.energy,
            "free_energy": found.energy,
            "energies": found.energies,
            "forces": found.forces,
            "stress": found.stress,
        }


@njit(cache=True, fastmath=FAST)
def _evaluate(
    tables: Tables,
    types: Array,
    counts: Array,
    js: Array,
    vectors: Array,
    energies: Array,
    forces: Array,
    virial: Array,
) -> None:
    """Set the local energies; add to forces (N, 3) and virial (6,), Voigt order."""
    n_radial, size, width = tables.radial.shape[2], tables.radial.shape[3], js.shape[1]
    inverse, unit = np.empty(width), np.empty((3, width))
    q, dq = np.empty((size, width)), np.empty((size, width))
    f, df = np.empty((n_radial, width)), np.empty((n_radial, width))
    mono = np.empty((len(tables.powers), width))
    moments, adjoint = np.empty(tables.n_moments), np.empty(tables.n_moments)
    ends = np.empty(len(tables.species), np.int64)
    weight, along, slope = np.empty(width), np.empty(width), np.empty((3, width))
    for i in range(len(types)):
        count = counts[i]
        neighbourhood(tables, vectors, i, count, inverse, unit, q, dq, mono)
        type_ends(types, js, i, count, ends)
        radial_functions(tables, types[i], ends, q, f)
        radial_functions(tables, types[i], ends, dq, df)
        all_moments(tables, count, f, mono, moments)
        all_adjoints(tables, moments, adjoint)
        energy = tables.species[types[i]]
        for s in range(len(tables.scalars)):
            energy += tables.moments[s] * moments[tables.scalars[s]]
        energies[i] = energy

        # dE/dr_k = u (sum_b dE/dM_b (f' - degree f / r) mono_b) + (sum_b dE/dM_b f grad mono_b) / r
        along[:count] = 0.0
        slope[:, :count] = 0.0
        for m in range(len(tables.powers)):
            begin, end = tables.group_first[m], tables.group_first[m + 1]
            if begin == end:
                continue
            weight[:count] = 0.0
            for g in range(begin, end):
                b = tables.group[g]
                mu, a = tables.radial_of[b], adjoint[b]
                for k in range(count):
                    weight[k] += a * f[mu, k]
                    along[k] += a * df[mu, k] * mono[m, k]
            degree = float(tables.powers[m].sum())
            for k in range(count):
                along[k] -= degree * weight[k] * inverse[k] * mono[m, k]
            for axis in range(3):
                power, below = float(tables.powers[m, axis]), tables.lower[m, axis]
                if power > 0.0:
                    for k in range(count):
                        slope[axis, k] += power * weight[k] * mono[below, k]
        for k in range(count):
            j = js[i, k]
            x, y, z = vectors[i, 0, k], vectors[i, 1, k], vectors[i, 2, k]
            gx = along[k] * unit[0, k] + slope[0, k] * inverse[k]
            gy = along[k] * unit[1, k] + slope[1, k] * inverse[k]
            gz = along[k] * unit[2, k] + slope[2, k] * inverse[k]
            forces[i, 0] += gx
            forces[i, 1] += gy
            forces[i, 2] += gz
            forces[j, 0] -= gx
            forces[j, 1] -= gy
            forces[j, 2] -= gz
            virial[0] += gx * x
            virial[1] += gy * y
            virial[2] += gz * z
            virial[3] += 0.5 * (gy * z + gz * y)
            virial[4] += 0.5 * (gx * z + gz * x)
            virial[5] += 0.5 * (gx * y + gy * x)
