"""The study's section on the rotation of the anions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from borarun.dynamics import Finding, Phases
from borarun.header import Header
from borarun.messages import Section
from borarun.renamed import Renamed


class Reorientation(Section):
    """Rotation of the anions, from the runs of `diffusion`."""

    plotted_anions: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3,
        description="Number of anions whose angles theta and phi are plotted against time.",
    )


def _turning(study: Header, section: Reorientation, phases: Phases) -> Iterator[Finding]:
    if not study.material.anions:
        yield (
            ("reorientation",),
            "needs molecular anions, which rotate; material.anions names none. Remove this "
            "section, or name the anions.",
        )


CHECKS = (_turning,)
"""What is impossible in the section; see ``study/checks.py``."""

RENAMED = (Renamed(("anions",), "plotted_anions", since="0.1.0"),)
"""Keys that have a new name."""
