"""What a study says of a moment tensor potential that borarun itself trains."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from borarun.engines.moment_tensor.section import MomentTensorSection


class Keys(BaseModel):
    """What a study says of the fit, and what is part of the settings of trainings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_evaluations: Annotated[int, Field(gt=0, le=1_000_000_000)] = Field(
        default=100,
        description="Largest number of evaluations of the whole training set in one fit.",
    )


class BorarunPotential(Keys, MomentTensorSection):
    """The moment tensor potential (MTP) and its fit by Levenberg and Marquardt's method. Needs
    nothing else installed.
    """

    SELECTION: ClassVar[str] = "active_set"

    engine: Literal["borarun-mtp"] = Field(
        default="borarun-mtp",
        description="borarun itself trains the potential and selects configurations.",
    )
