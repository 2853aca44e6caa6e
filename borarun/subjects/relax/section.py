"""The study's section on relaxation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, Strict

from borarun.input.messages import Section
from borarun.input.renamed import Renamed
from borarun.sections.dynamics import Finding, Phases, Place, known_phases
from borarun.sections.study import Study
from borarun.sections.values import PhaseName, Positive, PositiveInt


class Relax(Section):
    """Relax each phase with each functional: lattice parameters, energies relative to the first
    phase.
    """

    max_force_eV_per_A: Positive = Field(
        default=0.005,
        description="Largest force after relaxation, along the directions that keep the "
        "space group, eV/angstrom.",
    )
    max_steps: PositiveInt = Field(
        default=500, description="Number of steps after which a relaxation gives up."
    )
    ground_state: PhaseName | None = Field(
        default=None,
        description="The phase that is stable at low temperature in experiments. The report marks "
        "functionals that put another phase below it in energy.",
    )
    measured_lattice_A: dict[
        PhaseName, Annotated[tuple[Positive, Positive, Positive], Strict(False)]
    ] = Field(
        default_factory=dict,
        description="Measured lattice parameters a, b, c of phases, angstrom, to compare with.",
    )


def _phases(study: Study, section: Relax, phases: Phases) -> Iterator[Finding]:
    named: list[tuple[Place, str]] = [
        (("relax", "measured_lattice_A", phase), phase) for phase in section.measured_lattice_A
    ]
    if section.ground_state:
        named.append((("relax", "ground_state"), section.ground_state))
    yield from known_phases(study, named)


CHECKS = (_phases,)
"""What is impossible in the section; see ``study/checks.py``."""

RENAMED = (Renamed(("measured_A",), "measured_lattice_A", since="0.1.0"),)
"""Keys that have a new name."""
