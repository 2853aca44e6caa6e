"""What a study says of a moment tensor potential that MLIP-3 trains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from borarun.engines.moment_tensor.section import MomentTensorSection
from borarun.engines.potential.base import Finding


class Keys(BaseModel):
    """What a study says of fit and selection, and what is part of their settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    iteration_limit: Annotated[int, Field(ge=0, le=1_000_000_000)] = Field(
        default=1000,
        description="Iterations (BFGS) that one fit may take; 0 leaves the potential as it is.",
    )
    al_mode: Literal["cfg", "nbh"] = Field(
        default="nbh",
        description="Active learning by whole configurations (`cfg`, what MLIP-3 does unasked; "
        "needs more labels than the potential has parameters) or by neighbourhoods "
        "(`nbh`); chosen by borarun, whose own grades are of neighbourhoods.",
    )
    cut_radius_A: Annotated[float, Field(ge=2, le=30)] | None = Field(
        default=None,
        description="With `nbh`: label not whole candidates but the worst neighbourhood of each, "
        "cut out this far around its centre, angstrom. For cells too large to label.",
    )


class Mlip3Potential(Keys, MomentTensorSection):
    """The moment tensor potential (MTP) and its fit by MLIP-3. Needs its program `mlp`."""

    SELECTION: ClassVar[str] = "almtp"

    engine: Literal["mlip-3"] = Field(description="Trained and selected for by MLIP-3.")

    def findings(self) -> Iterator[Finding]:
        """What is impossible in it."""
        yield from super().findings()
        if self.cut_radius_A and self.al_mode == "cfg":
            yield (
                "cut_radius_A",
                f"needs al_mode nbh, which grades neighbourhoods (got {self.cut_radius_A:g} "
                "with al_mode cfg).",
            )

    def selecting(self) -> dict[str, Any]:
        """What of it is part of the settings of a selection."""
        return self.model_dump(include={"al_mode", "cut_radius_A"})
