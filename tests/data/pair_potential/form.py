"""The potential on atoms: a sum over pairs, linear in the coefficients of its radial functions."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from borarun.basics.causes import Cause
from borarun.basics.errors import EngineError
from borarun.engines.base import Files

Array = NDArray[Any]
Radial = Callable[[Array], tuple[Array, Array]]
"""Values and slopes, (pairs, K), of K functions at some distances."""

POTENTIAL, LEVERAGE = "potential.json", "leverage.npy"
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class Rows:
    """Energy (n,), forces (3 N, n) and stress (6, n) of one configuration for unit coefficients."""

    energy: Array
    forces: Array
    stress: Array
    min_distance: float


def rows_of(atoms: Atoms, species: tuple[int, ...], cutoff_A: float, radial: Radial) -> Rows:
    """One column for each pair of elements and radial function, then one for each element."""
    first, second, distance, vector = neighbor_list("ijdD", atoms, cutoff_A)
    kinds = np.array([species.index(number) for number in atoms.numbers])
    low = np.minimum(kinds[first], kinds[second])
    high = np.maximum(kinds[first], kinds[second])
    pair = high * (high + 1) // 2 + low
    value, slope = radial(distance)
    n_pairs, count = len(species) * (len(species) + 1) // 2, value.shape[1]
    columns = (count * pair)[:, None] + np.arange(count)
    n = n_pairs * count + len(species)
    unit = vector / distance[:, None]
    energy, forces, stress = np.zeros(n), np.zeros((len(atoms), 3, n)), np.zeros((6, n))
    np.add.at(energy, columns, value / 2)
    for axis in range(3):
        np.add.at(forces, (first[:, None], axis, columns), slope * unit[:, axis, None])
    for row, (a, b) in enumerate(VOIGT):
        np.add.at(stress[row], columns, slope * (unit[:, a] * vector[:, b])[:, None] / 2)
    energy[n_pairs * count :] = np.bincount(kinds, minlength=len(species))
    return Rows(
        energy,
        forces.reshape(-1, n),
        stress / atoms.get_volume(),
        float(distance.min(initial=np.inf)),
    )


def bumps(cutoff_A: float, count: int) -> Radial:
    """Gaussians between 1 angstrom and the cutoff, which end there."""
    middles, width = np.linspace(1.0, 0.9 * cutoff_A, count), 0.9 * cutoff_A / count

    def radial(distance: Array) -> tuple[Array, Array]:
        apart = (distance[:, None] - middles) / width
        end = 1 - distance[:, None] / cutoff_A
        gauss = np.exp(-(apart**2))
        return gauss * end**2, gauss * (-2 * apart / width * end**2 - 2 * end / cutoff_A)

    return radial


@dataclass(frozen=True)
class Potential:
    """A potential, and what its text says of it."""

    species: tuple[int, ...]
    cutoff_A: float
    n_radial: int
    coefficients: tuple[float, ...] = ()
    atom_step_us: float = 100.0

    def rows(self, atoms: Atoms) -> Rows:
        """What each parameter does to a configuration."""
        return rows_of(atoms, self.species, self.cutoff_A, bumps(self.cutoff_A, self.n_radial))

    def text(self) -> str:
        """As a file."""
        return json.dumps(vars(self))


def known(text: str) -> Potential:
    """The potential of a file."""
    said = json.loads(text)
    return Potential(**{**said, "species": tuple(said["species"])})


def grade_of(rows: Rows, leverage: Array) -> float:
    """How far outside the training set a configuration is: 1 for the farthest of the set."""
    mean = rows.energy / rows.energy[-2:].sum()
    return float(np.sqrt(mean @ leverage @ mean))


def files(text: str, uncertainty: Array | None, flavour: str) -> Files:
    """The potential, and what its grades follow from."""
    if uncertainty is None:
        return {POTENTIAL: text}
    content = io.BytesIO()
    np.save(content, uncertainty)
    return {POTENTIAL: text, LEVERAGE: content.getvalue()}


def pair_style(flavour: str, thresholds: tuple[float, float] | None) -> str:
    """No LAMMPS has it by itself."""
    raise EngineError(f"flavour {flavour}: has no pair potential", cause=Cause.BAD_SETUP)


@dataclass(frozen=True)
class Evaluation:
    """Energy, forces and stress of one configuration."""

    energy: float
    forces: Array
    stress: Array
    min_distance: float


class Evaluator:
    """A potential on atoms."""

    def __init__(self, potential: Potential, numbers: Array, leverage: Array | None) -> None:
        self._potential, self._numbers, self._leverage = potential, numbers, leverage

    def evaluate(self, positions: Array, cell: Array) -> Evaluation:
        """Energy, forces and stress."""
        if not (np.isfinite(positions).all() and np.linalg.det(cell) > 0):
            raise FloatingPointError("positions or cell are not finite")
        self._rows = rows = self._potential.rows(
            Atoms(self._numbers, positions, cell=cell, pbc=True)
        )
        weights = np.array(self._potential.coefficients)
        return Evaluation(
            float(rows.energy @ weights),
            (rows.forces @ weights).reshape(-1, 3),
            rows.stress @ weights,
            rows.min_distance,
        )

    def grade(self) -> float:
        """Of the last configuration."""
        assert self._leverage is not None
        return grade_of(self._rows, self._leverage)

    def forget(self) -> None:
        """Nothing is kept from one configuration to the next."""


def evaluator(directory: Path, numbers: Array, graded: bool, cores: int = 1) -> Evaluator:
    """The potential in a directory; one core is enough for it."""
    potential = known((directory / POTENTIAL).read_text())
    return Evaluator(potential, numbers, np.load(directory / LEVERAGE) if graded else None)
