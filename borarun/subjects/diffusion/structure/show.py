"""Structure on the page: what disorders, on ramps and at constant temperature."""

from __future__ import annotations

from collections.abc import Sequence

from borarun.report import text
from borarun.report.blocks import Block, PageSection
from borarun.subjects.common.results import Results


def chapter(results: Results, blocks: Sequence[Block]) -> PageSection:
    """The section of the page that all who look at structure share."""
    oriented = f" how the {text.anions(results.anions)} are oriented," if results.anions else ""
    intact = "with intact anions" if results.anions else "whose framework holds"
    intro = (
        f"The disorder: which sites {results.mobile} occupies,{oriented} and which neighbours the "
        "atoms have. From the frames of the ramps and of the runs at constant temperature "
        f"{intact}."
    )
    return PageSection("structure", "Structure", intro, blocks, late=True)
