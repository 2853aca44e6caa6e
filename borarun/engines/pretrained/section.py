"""What a study says of a pretrained potential."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, create_model

from borarun.engines.networks.families import Family
from borarun.engines.reference import base as reference


class Keys(BaseModel):
    """What a study says of a model, and what is part of the settings of its tasks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        max_length=200,
        description="Name of a model that the package contains, or of a file in the folder that "
        "the site file names.",
    )
    model_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="SHA-256 hash that the file must have, as `sha256sum FILE` prints it. Needed "
        "for a file.",
    )
    approximates: Literal["PBE", "PBEsol", "r2SCAN"] | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="The functional that the model of a file was trained on. Needed for a file.",
    )


class PretrainedReference(Keys, reference.ReferenceSection):
    """What a study says of a pretrained potential as its reference."""

    engine: str
    labels_per_task: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=25, description="Number of configurations that one task labels."
    )


def section(family: Family) -> type[PretrainedReference]:
    """The model of ``reference:`` for a family."""
    known = ", ".join(f"`{name}` ({what})" for name, what in family.models.items())
    inside = f"The package contains {known}." if known else "The package contains no model."
    model = create_model(
        f"{family.title}Reference",
        __base__=PretrainedReference,
        __module__=__name__,
        __doc__=f"{family.title}, a pretrained neural network, with or without D3(BJ) dispersion "
        f"(`PBE-D3`). It is not DFT. {inside} Needs `pip install "
        f"'borarun[{family.name}]'`. See docs/pretrained.md.",
        engine=(
            cast(Any, Literal[family.name]),
            Field(description=f"{family.title}, a pretrained neural network."),
        ),
    )
    model.STAND_IN = (
        f"the pretrained neural network {family.title}, which replaces DFT with {{functionals}}"
    )
    return model
