"""What an engine of potentials leaves: a trained potential, or configurations worth a label."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from borarun.basics.units import EV_PER_A3_IN_KBAR
from borarun.records.operations.base import Array, Facts, FramesItem, TextItem

Values = NDArray[Any]
Range = tuple[float, float]
"""Smallest and largest value."""


class Errors(BaseModel):
    """Root mean squared errors over a set; of forces and stress over their components."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    energy_meV_per_atom: float
    forces_eV_per_A: float
    stress_kbar: float

    @classmethod
    def of(cls, energy: Values, forces: Values, stress: Values) -> Self:
        """Those of a set.

        Parameters
        ----------
        energy, forces, stress : (2, ...) reference and potential; eV per atom, eV/angstrom and
            eV/angstrom^3
        """
        return cls(
            energy_meV_per_atom=1e3 * _rmse(energy),
            forces_eV_per_A=_rmse(forces),
            stress_kbar=EV_PER_A3_IN_KBAR * _rmse(stress),
        )


def _rmse(values: Values) -> float:
    return float(np.sqrt(np.mean((values[1] - values[0]) ** 2)))


class ErrorsOfSets(BaseModel):
    """Errors over the training and the validation set; none over the first where nothing was
    fitted.
    """

    model_config = ConfigDict(frozen=True)

    train: Errors | None = None
    valid: Errors


class Ranges(BaseModel):
    """Smallest and largest label of both sets."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    energy_eV_per_atom: Range
    forces_eV_per_A: Range
    stress_kbar: Range

    @classmethod
    def of(cls, *sets: tuple[Values, Values, Values]) -> Self:
        """Those of some sets, each as ``Errors.of`` takes it."""
        energy, forces, stress = zip(*sets, strict=True)
        return cls(
            energy_eV_per_atom=_range(energy),
            forces_eV_per_A=_range(forces),
            stress_kbar=_range(stress, EV_PER_A3_IN_KBAR),
        )


def _range(sets: tuple[Values, ...], factor: float = 1.0) -> Range:
    labels = [each[0] for each in sets]
    low, high = min(part.min() for part in labels), max(part.max() for part in labels)
    return factor * float(low), factor * float(high)


class Trained(Facts):
    """A potential fitted to labels: `train`. An engine whose potentials leave more, such as a state
    to select from, adds it in a class of its own.
    """

    level: int | None = Field(default=None, description="of a form that has levels")
    n_parameters: int
    n_train: int = Field(description="configurations of the training set")
    n_valid: int = Field(description="configurations of the validation set")
    evaluations: int
    converged: bool | None = None
    errors: ErrorsOfSets
    ranges: Ranges

    POTENTIAL = TextItem("potential", "the potential, as the engine's own file")
    LOSS = Array("loss", "the loss as the fit went on", shape="i", unit="1", dims=("iteration",))
    PARITY_ENERGY = Array(
        "parity/energy",
        "over the validation set: reference, potential",
        shape="2 C",
        unit="eV/atom",
        dims=("source", "energy"),
    )
    PARITY_FORCES = Array(
        "parity/forces",
        "the same, component by component",
        shape="2 f",
        unit="eV/angstrom",
        dims=("source", "forces"),
    )
    PARITY_STRESS = Array(
        "parity/stress",
        "the same, component by component",
        shape="2 s",
        unit="eV/angstrom^3",
        dims=("source", "stress"),
    )


PARITY: dict[Literal["energy", "forces", "stress"], Array] = {
    "energy": Trained.PARITY_ENERGY,
    "forces": Trained.PARITY_FORCES,
    "stress": Trained.PARITY_STRESS,
}


class Selected(Facts):
    """Candidates that the potential should learn: `select`."""

    n_candidates: int
    n_selected: int
    grades: tuple[float, ...] = Field(description="largest of each candidate")

    SELECTED = FramesItem("selected", "the chosen candidates, each with its grade")
