"""Structure on the page: what disorders, on ramps and at constant temperature."""

from __future__ import annotations

from collections.abc import Sequence

from borarun.report import text
from borarun.report.blocks import Block, Section
from borarun.report.results import Results


def chapter(results: Results, blocks: Sequence[Block]) -> Section:
    """The section of the page that all who look at structure share."""
    intro = (
        f"The disorder: which sites {results.mobile} occupies, how the "
        f"{text.formula(results.anion)} anions are oriented, and which neighbours the "
        "atoms have. From the frames of the ramps and of the runs at constant "
        "temperature with intact anions."
    )
    return Section("structure", "Structure", intro, blocks, late=True)
