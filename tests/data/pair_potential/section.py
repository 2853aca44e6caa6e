"""What a study says of a pair potential."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from borarun.engines.potential.base import PotentialSection


class Keys(BaseModel):
    """Said by the study, and part of the settings of trainings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cutoff_A: float = Field(default=5.0, ge=2, le=15, description="Cutoff radius, angstrom.")
    n_radial: int = Field(default=8, ge=2, le=30, description="Functions of each pair of elements.")


class PairPotential(Keys, PotentialSection):
    """A pair potential, fitted by linear least squares."""

    FORM: ClassVar[str] = "pair"
    KIND: ClassVar[str] = "pair potential"
    UNCERTAINTY: ClassVar[str] = "leverage"
    SELECTION: ClassVar[str] = "leverage"

    engine: Literal["pair"] = Field(description="A pair potential, for a test.")

    @property
    def cutoff(self) -> tuple[str, float]:
        """The key that holds the cutoff radius, and its value in angstrom."""
        return "cutoff_A", self.cutoff_A

    @property
    def title(self) -> str:
        """What kind of potential it is, in words."""
        return "pair potential"

    @property
    def atom_step_us(self) -> float:
        """Core time of a step of molecular dynamics for each atom, in microseconds."""
        return 100.0
