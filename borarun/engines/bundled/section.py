"""What a study says of the bundled potential."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from borarun.engines.reference import base as reference


class BundledReference(reference.ReferenceSection):
    """The potential that ships with borarun: it stands in for DFT, and is none. Needs nothing else
    installed.
    """

    engine: Literal["bundled"] = Field(
        description="The potential that ships with borarun: it stands in for DFT, and is none."
    )
    labels_per_task: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=100, description="Configurations that one task labels."
    )
