"""The study's section on the rotation of the anions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from borarun.input.messages import Section
from borarun.input.renamed import Renamed
from borarun.sections.dynamics import Finding, Phases
from borarun.sections.study import Study


class Reorientation(Section):
    """Rotation of the anions, from the runs of `diffusion`."""

    plotted_anions: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3,
        description="Number of anions whose angles theta and phi are plotted against time.",
    )

    reoriented_deg: Annotated[float, Field(gt=0, lt=180)] = Field(
        default=60.0,
        description="An anion that has turned by more than this angle has reoriented, degrees. "
        "Choose less than its smallest symmetric turn: 72 in B12H12, 120 in PS4, 180 in NH2.",
    )


def _turning(study: Study, section: Reorientation, phases: Phases) -> Iterator[Finding]:
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
