"""What an engine of potentials leaves: a trained potential, or configurations worth a label."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from borarun.operations.base import Array, Facts, FramesItem, TextItem

Range = tuple[float, float]
"""Smallest and largest value."""


class Errors(BaseModel):
    """Root mean squared errors over a set; of forces and stress over their components."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    energy_meV_per_atom: float
    forces_eV_per_A: float
    stress_kbar: float


class ErrorsOfSets(BaseModel):
    """Errors over the training and the validation set."""

    model_config = ConfigDict(frozen=True)

    train: Errors
    valid: Errors


class Ranges(BaseModel):
    """Smallest and largest label of both sets."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    energy_eV_per_atom: Range
    forces_eV_per_A: Range
    stress_kbar: Range


class Trained(Facts):
    """A potential fitted to labels: `train`."""

    level: int | None = Field(default=None, description="of a moment tensor potential")
    n_parameters: int
    n_train: int = Field(description="configurations of the training set")
    n_valid: int = Field(description="configurations of the validation set")
    evaluations: int
    converged: bool | None = None
    errors: ErrorsOfSets
    ranges: Ranges

    POTENTIAL = TextItem("potential", "the potential, as a .mtp file")
    ACTIVE_SET = Array(
        "active_set",
        "rows of the active set",
        optional=True,
        shape="P P",
        unit="1",
        dims=("neighbourhood", "parameter"),
    )
    ALMTP = Array(
        "almtp",
        "bytes of the .almtp file with its selection state; of MLIP-3",
        optional=True,
        dtype="uint8",
        shape="b",
        unit="1",
        dims=("byte",),
    )
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
