"""Active learning on the page."""

from __future__ import annotations

from borarun.report.blocks import PageSection
from borarun.report.parts import present
from borarun.subjects.common.results import Results
from borarun.subjects.potential import figures as potential_figures
from borarun.subjects.potential import tables as potential_tables
from borarun.subjects.potential.results import PotentialFound
from borarun.subjects.potential.show import chapter


def sections(results: Results) -> list[PageSection]:
    """What each round explored, labelled and changed."""
    gaps = results.missing("active_learning")
    learning = results.of(PotentialFound).learning
    blocks = present(
        gaps,
        ("Ledger of active learning", potential_tables.ledger(results)),
        ("Extrapolation grades", potential_figures.grades(learning)),
    )
    return [chapter(results, blocks, gaps)]
