"""Energies, forces and stresses of a moment tensor potential, by a compiled kernel on neighbours
from a list with a skin.

motep's compiled engine gives the same numbers (the tests compare them); the kernel of ``forces``
needs a fourth to an eighth of its time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from numpy.typing import ArrayLike, NDArray

from borarun.mtp.derivatives import local_gradients
from borarun.mtp.forces import (
    add_parts,
    add_parts_together,
    evaluate_parts,
    evaluate_parts_together,
)
from borarun.mtp.neighbours import Neighbours, Pairs
from borarun.mtp.parts import Threads, n_parts
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
    threads : how many work together; results do not depend on it

    Raises
    ------
    ValueError
        Where an element is not one of the potential's.
    """

    def __init__(
        self, potential: Potential, numbers: ArrayLike, skin_A: float = 1.5, threads: int = 1
    ) -> None:
        self.potential = potential
        self.types = potential.types(np.asarray(numbers))
        self.threads = Threads(threads)
        self.neighbours = Neighbours(potential.cutoff_A, self.types, skin_A, self.threads)

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
        energies, forces, virial = energies_forces_virial(
            self.potential, pairs, self.threads.number > 1
        )
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
        return self.gradients_of(0, len(self.types))

    def gradients_of(self, begin: int, end: int) -> Array:
        """The same of atoms ``begin:end``."""
        pairs = self.neighbours.pairs
        return np.asarray(local_gradients(self.potential.tables, *pairs, begin, end))


def energies_forces_virial(
    potential: Potential, pairs: Pairs, together: bool = False
) -> tuple[Array, Array, Array]:
    """What a potential says of atoms whose neighbours are known.

    Parameters
    ----------
    together : with all threads of numba's; the result is the same

    Returns
    -------
    energies (N,) eV, forces (N, 3) eV/angstrom, virial (6,) eV (stress times volume, ASE sign and
    Voigt order)
    """
    n = len(pairs.types)
    parts = n_parts(n)
    energies, forces, virials = np.empty(n), np.empty((parts, n, 3)), np.empty((parts, 6))
    evaluate, add = (
        (evaluate_parts_together, add_parts_together) if together else (evaluate_parts, add_parts)
    )
    evaluate(potential.tables, *pairs, energies, forces, virials)
    total_forces = np.empty((n, 3))
    add(forces, total_forces)
    return energies, total_forces, virials.sum(axis=0)


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
