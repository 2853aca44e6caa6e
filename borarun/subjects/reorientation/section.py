"""The study's section on the rotation of the anions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from borarun.messages import Section


class Reorientation(Section):
    """Rotation of the anions, from the runs of `diffusion`."""

    anions: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3, description="How many anions are drawn as series of theta and phi."
    )
