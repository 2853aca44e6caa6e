"""The top of the page: key numbers with what is published beside them, and the plain words on what
computed ours.
"""

from __future__ import annotations

from borarun.report import text
from borarun.report.blocks import Card
from borarun.subjects import SUBJECTS
from borarun.subjects.common.results import GIVEN, Results


def warning(results: Results) -> str:
    """Which engine computed our numbers, and what that means beside published ones."""
    functionals = text.listed(list(results.functionals))
    if results.reference == GIVEN:
        return (
            "These numbers come from trajectories of other programs. borarun only analysed them; "
            "their files are listed under Provenance."
        )
    relation = "fitted to" if results.is_fitted else "as it is, examined by"
    fitted = f"a {results.potential} {relation} " if results.potential else ""
    paper = ""
    if fitted and results.published.training and results.published.cell_atoms:
        ours = f", ours from {results.n_atoms}" if results.produces else ""
        paper = (
            " The paper's numbers come from potentials of level 20 fitted to DFT (mostly with "
            f"rev-vdW-DF2) and from a cell of {results.published.cell_atoms} atoms{ours}."
        )
    if not results.stand_in:
        return f"Computed with {fitted}{results.reference} ({functionals}).{paper}"
    return f"These numbers are not DFT. They were computed with {fitted}{results.stand_in}.{paper}"


def cards(results: Results) -> list[Card]:
    """The key numbers that this study was asked for: of the material, then of the method."""
    made = [
        card
        for subject in SUBJECTS
        if subject.name in results.sections
        for card in getattr(subject.part("show"), "cards", lambda results: [])(results)
    ]
    return sorted(made, key=lambda card: card.of_method)
