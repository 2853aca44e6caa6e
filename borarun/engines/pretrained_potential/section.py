"""What a study says of a pretrained network as its potential."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from borarun.engines.networks.families import FAMILIES
from borarun.engines.potential.base import Finding, PotentialSection

INSIDE = {family.name: family for family in FAMILIES if family.models}
"""Families whose package contains a model."""


class Keys(BaseModel):
    """Which network: said by the study, and part of the settings of its examination."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: Literal["sevennet", "chgnet"] = Field(
        description="Package that contains the network: `sevennet` or `chgnet`, which is also the "
        "extra that installs it, `pip install 'borarun[chgnet]'`."
    )
    model: str | None = Field(
        default=None,
        max_length=100,
        description="Name of a model that the package contains. Default: `7net-0` of SevenNet, "
        "`0.3.0` of CHGNet.",
    )
    dispersion: Literal["PBE"] | None = Field(
        default=None,
        description="Functional whose D3(BJ) dispersion is added. Default: none is.",
    )

    @property
    def name(self) -> str:
        """The model."""
        return self.model or INSIDE[self.family].default or ""


class NetworkPotential(Keys, PotentialSection):
    """A pretrained network, which runs molecular dynamics as it is. Nothing is fitted: the training
    set examines it. It is some hundred times slower than a moment tensor potential, and has no
    extrapolation grade. See docs/pretrained.md.
    """

    FORM: ClassVar[str] = "pretrained_potential"
    KIND: ClassVar[str] = "pretrained network"
    IS_FITTED: ClassVar[bool] = False

    engine: Literal["pretrained"] = Field(
        description="A pretrained network runs molecular dynamics as it is."
    )

    @property
    def title(self) -> str:
        """What kind of potential it is, in words."""
        return f"{self.KIND} {INSIDE[self.family].title} {self.name}"

    @property
    def atom_step_us(self) -> float:
        """Core time of a step of molecular dynamics for each atom, in microseconds."""
        return 1e6 * INSIDE[self.family].seconds_per_atom

    def findings(self) -> Iterator[Finding]:
        """A model that the package does not contain."""
        models = INSIDE[self.family].models
        if self.name not in models:
            yield (
                "model",
                f"must be one that {INSIDE[self.family].package} contains: {', '.join(models)} "
                f"(got {self.name}).",
            )
