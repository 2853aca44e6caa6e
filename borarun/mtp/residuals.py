"""Residuals of a potential on labelled configurations, and the normal equations that a Gauss-Newton
step needs.

The loss is MLIP-3's: over configurations of N atoms, weight * (w_e dE^2 / N + w_f sum dF^2 + w_s
sum d(stress * volume)^2 / N), the last sum over all nine components.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from borarun.mtp.derivatives import jacobian, local_gradients, weighted_gradient
from borarun.mtp.evaluate import energies_forces_virial
from borarun.mtp.neighbours import Neighbours, Pairs
from borarun.mtp.potential import Potential
from borarun.records.frames import Frames

Array = NDArray[Any]

HARD_FORCE = 8.0
"""eV/angstrom; a configuration with a force this large counts half: torn configurations otherwise
spoil the energies of all others.
"""


@dataclass(frozen=True)
class Weights:
    """Weights of squared errors, as in MLIP-3.

    Attributes
    ----------
    energy : 1/eV^2, divided by the number of atoms
    forces : angstrom^2/eV^2
    stress : 1/eV^2, of stress times volume, divided by the number of atoms
    """

    energy: float = 1.0
    forces: float = 0.01
    stress: float = 0.001


class Normal(NamedTuple):
    """Sums over configurations.

    Attributes
    ----------
    matrix : (P, P) J^T J of the weighted residuals
    vector : (P,) J^T r
    loss : sum of the squared weighted residuals
    """

    matrix: Array
    vector: Array
    loss: float


class Bend(NamedTuple):
    """Along a step.

    Attributes
    ----------
    vector : (P,) J^T of the second derivative of the weighted residuals, J at the begin
    half, end : losses half way and at the end
    """

    vector: Array
    half: float
    end: float


class Comparison(NamedTuple):
    """What a potential says of configurations, beside their labels.

    Attributes
    ----------
    energy : (2, F) eV per atom; reference, potential
    forces : (2, A, 3) eV/angstrom
    stress : (2, F, 6) eV/angstrom^3
    """

    energy: Array
    forces: Array
    stress: Array


def configuration_weights(frames: Frames) -> Array:
    """(F,) weight of each configuration, 1 / (1 + (largest force / 8 eV/angstrom)^4)."""
    assert frames.forces is not None
    size = np.linalg.norm(frames.forces, axis=1)
    largest = np.array(
        [
            size[a:b].max(initial=0.0)
            for a, b in zip(frames.offsets[:-1], frames.offsets[1:], strict=True)
        ]
    )
    return np.asarray(1.0 / (1.0 + (largest / HARD_FORCE) ** 4))


@dataclass(frozen=True)
class _Configuration:
    """One labelled configuration with its neighbours, which stay the same throughout a fit.

    Attributes
    ----------
    pairs : neighbours of all atoms
    labels : (7 + 3 N,) energy, virial, forces in the order of ``derivatives.jacobian``
    scale : (7 + 3 N,) square root of each one's weight
    """

    pairs: Pairs
    labels: Array
    scale: Array


class Residuals:
    """The labelled configurations that one process works on.

    Parameters
    ----------
    potential : Potential; the fit changes its parameters only
    frames : labelled
    weights : Weights
    """

    def __init__(self, potential: Potential, frames: Frames, weights: Weights) -> None:
        self.potential = potential
        self.frames = frames
        self._configurations: list[_Configuration] = []
        self._known: deque[tuple[Array, list[Array]]] = deque(maxlen=4)
        for atoms, weight in zip(frames, configuration_weights(frames), strict=True):
            n = len(atoms)
            neighbours = Neighbours(potential.cutoff_A, potential.types(atoms.numbers), 0.0)
            pairs = neighbours.update(atoms.positions, atoms.cell.array)
            stress = atoms.get_stress()
            labels = np.concatenate(
                [
                    [atoms.get_potential_energy()],
                    stress * atoms.get_volume(),
                    atoms.get_forces().ravel(),
                ]
            )
            scale = np.concatenate(
                [
                    [weights.energy / n],
                    np.repeat([weights.stress / n, 2.0 * weights.stress / n], 3),
                    np.full(3 * n, weights.forces),
                ]
            )
            self._configurations.append(_Configuration(pairs, labels, np.sqrt(weight * scale)))

    def normal(self, parameters: Array) -> Normal:
        """J^T J, J^T r and the loss at (P,) parameters; J^T J from derivatives in single
        precision.
        """
        potential = self.potential.with_parameters(parameters)
        residuals = self.residuals(parameters)
        matrix = np.zeros((len(parameters),) * 2)
        for one in self._configurations:
            # Their product is summed in double precision: it has no negative eigenvalues then.
            slopes = jacobian(potential.tables, *one.pairs) * one.scale[:, None]
            matrix += slopes.T @ slopes
        return Normal(matrix, self._gradient(parameters, residuals), _squares(residuals))

    def bend(self, parameters: Array, step: Array) -> Bend:
        """How the residuals bend along a (P,) step, from their values at its begin, half way and
        at its end.
        """
        begin, half, end = (self.residuals(parameters + part * step) for part in (0.0, 0.5, 1.0))
        second = [4.0 * (a - 2.0 * b + c) for a, b, c in zip(begin, half, end, strict=True)]
        return Bend(self._gradient(parameters, second), _squares(half), _squares(end))

    def loss(self, parameters: Array) -> float:
        """The loss at (P,) parameters, without derivatives."""
        return _squares(self.residuals(parameters))

    def residuals(self, parameters: Array) -> list[Array]:
        """Of each configuration the (7 + 3 N,) weighted residuals. Those of the last few parameters
        are kept: a trial that succeeds is where the next step begins.
        """
        for known, found in self._known:
            if np.array_equal(known, parameters):
                return found
        found = [
            (values - one.labels) * one.scale
            for one, values in zip(self._configurations, self.predict(parameters), strict=True)
        ]
        self._known.append((np.array(parameters), found))
        return found

    def _gradient(self, parameters: Array, residuals: list[Array]) -> Array:
        """(P,) J^T residuals."""
        potential = self.potential.with_parameters(parameters)
        total: Array = np.sum(
            [
                weighted_gradient(potential.tables, *one.pairs, values * one.scale)
                for one, values in zip(self._configurations, residuals, strict=True)
            ],
            axis=0,
        )
        return total

    def predict(self, parameters: Array) -> list[Array]:
        """Of each configuration the (7 + 3 N,) energy, virial and forces in the order of
        ``derivatives.jacobian``.
        """
        potential = self.potential.with_parameters(parameters)
        found = [energies_forces_virial(potential, one.pairs) for one in self._configurations]
        return [
            np.concatenate([[energies.sum()], virial, forces.ravel()])
            for energies, forces, virial in found
        ]

    def gradients(self, parameters: Array) -> list[Array]:
        """Of each configuration the (N, P) derivatives of its local energies with respect to the
        parameters.
        """
        potential = self.potential.with_parameters(parameters)
        return [
            local_gradients(potential.tables, *one.pairs, 0, len(one.pairs.types))
            for one in self._configurations
        ]


def _squares(residuals: list[Array]) -> float:
    return float(sum(values @ values for values in residuals))


def compare(frames: Frames, predicted: list[Array]) -> Comparison:
    """Labels beside what ``Residuals.predict`` said of the same frames."""
    assert frames.energy is not None and frames.forces is not None and frames.stress is not None
    n_atoms = np.diff(frames.offsets)
    volume = np.abs(np.linalg.det(frames.cell))
    ours = np.array([values[:7] for values in predicted]).reshape(-1, 7)
    forces = (
        np.concatenate([values[7:] for values in predicted]).reshape(-1, 3)
        if predicted
        else np.zeros((0, 3))
    )
    return Comparison(
        energy=np.array([frames.energy, ours[:, 0]]) / n_atoms,
        forces=np.array([frames.forces, forces]),
        stress=np.array([frames.stress, ours[:, 1:] / volume[:, None]]),
    )
