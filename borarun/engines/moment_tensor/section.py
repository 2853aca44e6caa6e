"""What a study says of a moment tensor potential, whoever trains it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from borarun.engines.moment_tensor.cost import step_microseconds
from borarun.engines.potential.base import Finding, PotentialSection


class Keys(BaseModel):
    """Shape of the potential and weights of the fit: said by the study, and part of the settings of
    training and selection.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: Literal[6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28] = Field(
        default=20, description="Level of the MTP: higher is more accurate and slower."
    )
    cutoff_A: Annotated[float, Field(ge=2, le=15)] = Field(
        default=5.0, description="Cutoff radius, angstrom."
    )
    radial_basis_size: Annotated[int, Field(ge=2, le=30)] = Field(
        default=8, description="Number of radial basis functions."
    )
    energy_weight: Annotated[float, Field(ge=0)] = Field(
        default=1.0, description="Weight of energies in the fit, as in MLIP-3."
    )
    force_weight: Annotated[float, Field(ge=0)] = Field(
        default=0.01, description="Weight of forces in the fit, as in MLIP-3."
    )
    stress_weight: Annotated[float, Field(ge=0)] = Field(
        default=0.001, description="Weight of stresses in the fit, as in MLIP-3."
    )


class MomentTensorSection(Keys, PotentialSection):
    """A moment tensor potential (MTP)."""

    FORM: ClassVar[str] = "moment_tensor"
    UNCERTAINTY: ClassVar[str] = "active_set"
    LARGER: ClassVar[str] = "level"
    KIND: ClassVar[str] = "moment tensor potential"

    @property
    def cutoff(self) -> tuple[str, float]:
        """The key that holds the cutoff radius, and its value in angstrom."""
        return "cutoff_A", self.cutoff_A

    @property
    def title(self) -> str:
        """What kind of potential it is, in words."""
        return f"{self.KIND} of level {self.level}"

    @property
    def atom_step_us(self) -> float:
        """Core time of a step of molecular dynamics for each atom, in microseconds."""
        return step_microseconds(self.level)

    def findings(self) -> Iterator[Finding]:
        """What is impossible in it."""
        if self.energy_weight == self.force_weight == self.stress_weight == 0:
            yield "energy_weight", "at least one of the three weights must be more than 0."
