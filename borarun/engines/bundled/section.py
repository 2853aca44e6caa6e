"""What a study says of the bundled potential."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from borarun.engines.reference import base as reference


class BundledReference(reference.ReferenceSection):
    """The potential that ships with borarun. It replaces DFT in examples; it is not DFT.
    Needs nothing else installed.
    """

    STAND_IN: ClassVar[str] = (
        "the potential that ships with borarun, which was fitted to the neural network "
        "SevenNet-0 and replaces {functionals}"
    )

    engine: Literal["bundled"] = Field(
        description="The potential that ships with borarun. It replaces DFT in examples; it "
        "is not DFT."
    )
    labels_per_task: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=100, description="Number of configurations that one task labels."
    )
