"""Relaxed structures on the page."""

from __future__ import annotations

from collections.abc import Iterator

from borarun.published import Number
from borarun.report import text
from borarun.report.blocks import Block, Note, PageSection
from borarun.report.parts import present
from borarun.subjects.common.comparison import Ours
from borarun.subjects.common.results import Results
from borarun.subjects.relax import tables as relax_tables
from borarun.subjects.relax.results import RelaxFound


def sections(results: Results) -> list[PageSection]:
    gaps = results.missing("relax")
    intro = (
        f"The structures at the start: each phase of {text.formula(results.formula)}, "
        "relaxed with each functional."
    )
    return [
        PageSection(
            "relaxation",
            "Relaxed structures",
            intro,
            present(gaps, *_wrong_orders(results), ("Relaxed cells", relax_tables.cells(results))),
            gaps,
        )
    ]


def _wrong_orders(results: Results) -> list[tuple[str, Block | None]]:
    """A note for each functional that puts another phase below the one that is measured to be
    stable.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for cell in results.of(RelaxFound).cells:
        if cell.below:
            found.setdefault((cell.functional, cell.below), []).append(cell.phase)
    statement = (
        "{} gives the wrong order of phases: it puts {} below {}, which is stable in experiments."
    )
    return [
        ("", Note(statement.format(functional, text.listed(phases), stable), "warning"))
        for (functional, stable), phases in found.items()
    ]


def _ordered_lattice(results: Results, number: Number) -> Iterator[Ours]:
    if results.cubic:
        yield from (
            Ours(cell.functional, cell.lattice_A[0])
            for cell in results.of(RelaxFound).cells
            if cell.phase == results.phase
        )


COUNTERPARTS = {"ordered_lattice_parameter": _ordered_lattice}
"""What of ours stands beside each published quantity."""
