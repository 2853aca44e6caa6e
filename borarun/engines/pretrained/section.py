"""What a study says of sevennet."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from borarun.engines.reference import base as reference


class SevenNetReference(reference.ReferenceSection):
    """SevenNet-0, a pretrained graph network (PBE), with or without D3(BJ) dispersion. Needs `pip
    install 'borarun[sevennet]'`.
    """

    engine: Literal["sevennet"] = Field(
        description="SevenNet-0 (PBE), with D3(BJ) dispersion for PBE-D3."
    )
    labels_per_task: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=25, description="Number of configurations that one task labels."
    )
