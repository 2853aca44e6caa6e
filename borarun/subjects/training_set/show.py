"""The training set on the page."""

from __future__ import annotations

from borarun.report.blocks import PageSection
from borarun.report.parts import optional, present
from borarun.report.results import Results
from borarun.subjects.potential.show import chapter
from borarun.subjects.training_set.tables import stand_ins


def sections(results: Results) -> list[PageSection]:
    """The engine that labels, where it stands in for DFT."""
    gaps = results.missing("training_set")
    return [chapter(present(gaps, *optional(stand_ins(results))), gaps)]
