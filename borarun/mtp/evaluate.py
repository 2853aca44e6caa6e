"""Energies, forces and stresses of a moment tensor potential, by motep's compiled engine on neighbours from a list with a skin."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from motep.potentials.mtp.cext._mtp_cext import calc_run
from numba import njit
from numpy.typing import ArrayLike, NDArray

from borarun.mtp.derivatives import local_gradients
from borarun.mtp.neighbours import Block, Neighbours
from borarun.mtp.potential import Potential

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
        blocks = self.neighbours.update(positions, cell)
        energies, forces, virial = energies_forces_virial(self.potential, blocks, len(self.types))
        stress = virial / abs(np.linalg.det(cell))
        return Evaluation(float(energies.sum()), energies, forces, stress, self.neighbours.min_distance)

    def gradients(self) -> Array:
        """Derivatives of the local energies of the last configuration with respect to all parameters.

        Returns
        -------
        (N, P) eV per unit of each parameter; the columns are in the order of ``Potential.parameters``
        """
        return gradients(self.potential, self.neighbours.blocks, len(self.types))


def energies_forces_virial(potential: Potential, blocks: list[Block], n: int) -> tuple[Array, Array, Array]:
    """What motep's engine says of n atoms whose neighbours are known.

    Returns
    -------
    energies (N,) eV, forces (N, 3) eV/angstrom, virial (6,) eV (stress times volume, ASE sign and Voigt order)
    """
    energies, forces, virial = np.empty(n), np.zeros((n, 3)), np.zeros((3, 3))
    for block in blocks:
        basis = SimpleNamespace(vatoms=np.zeros((int(potential.data.alpha_scalar_moments), len(block.atoms))))  # motep adds to it
        local, slopes = calc_run(block.neighbours, block.vectors, block.types, block.neighbour_types, potential.data, basis)
        energies[block.atoms] = local
        _add_forces(block.atoms, block.neighbours, block.vectors, slopes, forces, virial)
    return energies, forces, (0.5 * (virial + virial.T)).flat[[0, 4, 8, 5, 2, 1]]


def gradients(potential: Potential, blocks: list[Block], n: int) -> Array:
    """(N, P) derivatives of the local energies of n atoms whose neighbours are known, see ``Evaluator.gradients``."""
    out = np.empty((n, potential.n_parameters))
    for block in blocks:
        local_gradients(block.atoms, block.types, block.neighbour_types, block.vectors, *potential.tables.arguments, out)
    return out


@njit(cache=True)
def _add_forces(atoms: Array, neighbours: Array, vectors: Array, gradient: Array, forces: Array, virial: Array) -> None:
    """Add the forces and the virial of dE/dr of one block."""
    for row in range(len(atoms)):
        i = atoms[row]
        for k in range(neighbours.shape[1]):
            j = neighbours[row, k]
            if j < 0:
                break
            for a in range(3):
                g = gradient[row, k, a]
                forces[i, a] += g
                forces[j, a] -= g
                for b in range(3):
                    virial[a, b] += g * vectors[row, k, b]


class MTPCalculator(Calculator):  # type: ignore[misc]
    """ASE's form of an ``Evaluator``.

    Parameters
    ----------
    potential : Potential
    skin_A : angstrom
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "energies", "forces", "stress"]

    def __init__(self, potential: Potential, skin_A: float = 1.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.potential = potential
        self.skin_A = skin_A
        self.evaluator: Evaluator | None = None

    def calculate(self, atoms: Atoms | None = None, properties: list[str] | None = None, system_changes: list[str] = all_changes) -> None:
        """Energy, local energies, forces and stress of periodic atoms."""
        super().calculate(atoms, properties or ["energy"], system_changes)
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
