"""The study's section on the potential, whose keys are those of its engine."""

from __future__ import annotations

from collections.abc import Iterator

from borarun.engines.potential.base import PotentialSection
from borarun.engines.registry import Potential
from borarun.input.renamed import Renamed
from borarun.records.task import FORMER_NAMES
from borarun.sections.dynamics import Finding, Phases, Production, dynamics, smallest_width, start
from borarun.sections.study import Study

__all__ = ["CHECKS", "RENAMED", "Potential", "warnings"]

RENAMED = tuple(
    Renamed(("engine",), now, since="0.1.0", value=former) for former, now in FORMER_NAMES.items()
)
"""Names that have changed."""


def _cutoff(study: Study, potential: PotentialSection, phases: Phases) -> Iterator[Finding]:
    widths = {}
    for place, section in dynamics(study):
        key = ".".join((*map(str, place), "supercell") if section.is_labelled else ("supercell",))
        widths[key] = smallest_width(start(study, phases), section.cell_of(study))
    name, cutoff_A = potential.cutoff
    small = [key for key, width in widths.items() if cutoff_A > width]
    if small:
        yield (
            ("potential", name),
            "must not exceed the smallest width of the smallest cell, "
            f"{min(widths.values()):.2f} A (got {cutoff_A:g}). Use a shorter cutoff, or "
            f"larger cells: {', '.join(small)}.",
        )


def _potential(study: Study, potential: PotentialSection, phases: Phases) -> Iterator[Finding]:
    for key, message in potential.findings():
        yield ("potential", key), message


def warnings(study: Study, potential: PotentialSection, phases: Phases) -> Iterator[str]:
    """What is allowed but worth knowing."""
    repeats = {
        name: runs
        for name, section in study.sections(Production)
        if (runs := getattr(section, "runs", None)) is not None
    }
    if potential.committee and (few := {n: r for n, r in repeats.items() if r == 1}):
        yield (
            f"potential.committee: {' and '.join(few)} has `runs: 1`, which uses the final "
            f"potential alone. Set `runs: {potential.committee + 1}` to use all potentials."
        )
    if study.sections(Production):
        width = smallest_width(phases[study.phase], study.supercell)
        key, cutoff_A = potential.cutoff
        if cutoff_A > width / 2:
            yield (
                f"potential.{key}: {cutoff_A:g} A is more than half the smallest width of "
                f"the supercell, {width:.2f} A: atoms interact with periodic images of "
                "their neighbours, and results depend on the size of the cell. A larger "
                "supercell is safer."
            )


CHECKS = (
    _cutoff,
    _potential,
)
"""What is impossible in the section; see ``study/checks.py``."""
