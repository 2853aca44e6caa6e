"""The training set on the page."""

from __future__ import annotations

from borarun.report.blocks import PageSection
from borarun.report.parts import optional, present
from borarun.subjects.common.results import Results
from borarun.subjects.potential.show import chapter
from borarun.subjects.training_set.tables import stand_ins, vacancies


def sections(results: Results) -> list[PageSection]:
    """The engine that labels, where it stands in for DFT, and labels by vacancies."""
    gaps = results.missing("training_set")
    blocks = present(gaps, *optional(stand_ins(results)), *optional(vacancies(results)))
    return [chapter(results, blocks, gaps)]
