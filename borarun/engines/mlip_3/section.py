"""What a study says of a moment tensor potential that MLIP-3 trains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from borarun.engines.moment_tensor.section import MomentTensorSection
from borarun.engines.potential.base import Finding


class Keys(BaseModel):
    """What a study says of fit and selection, and what is part of their settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    iteration_limit: Annotated[int, Field(ge=0, le=1_000_000_000)] = Field(
        default=1000,
        description="Largest number of BFGS iterations in one fit; 0 leaves the potential as "
        "it is.",
    )
    al_mode: Literal["cfg", "nbh"] = Field(
        default="nbh",
        description="Active learning by neighbourhoods (`nbh`, as in borarun-mtp) or by "
        "whole configurations (`cfg`, the default of MLIP-3; it needs more "
        "labels than the potential has parameters). The default is borarun's "
        "choice.",
    )
    cut_radius_A: Annotated[float, Field(ge=2, le=30)] | None = Field(
        default=None,
        description="With `nbh`: label only the worst neighbourhood of each candidate, cut "
        "out with this radius, angstrom. For cells that are too large to label.",
    )


class Mlip3Potential(Keys, MomentTensorSection):
    """The moment tensor potential (MTP) and its fit by MLIP-3. Needs its program `mlp`."""

    SELECTION: ClassVar[str] = "almtp"
    OF_SELECTIONS: ClassVar[frozenset[str]] = frozenset({"al_mode", "cut_radius_A"})

    engine: Literal["mlip-3"] = Field(
        description="MLIP-3 trains the potential and selects configurations."
    )

    def findings(self) -> Iterator[Finding]:
        """What is impossible in it."""
        yield from super().findings()
        if self.cut_radius_A and self.al_mode == "cfg":
            yield (
                "cut_radius_A",
                f"is only for al_mode nbh (got {self.cut_radius_A:g} with al_mode cfg). Remove it, "
                "or set al_mode: nbh.",
            )
