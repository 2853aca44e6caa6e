"""The potential on the page."""

from __future__ import annotations

from collections.abc import Sequence

from borarun.report import text
from borarun.report.blocks import Block, Card, PageSection
from borarun.report.parts import optional, present
from borarun.report.provenance import Gap
from borarun.subjects.common.results import Results
from borarun.subjects.potential import figures as potential_figures
from borarun.subjects.potential import tables as potential_tables
from borarun.subjects.potential.results import PotentialFound


def chapter(results: Results, blocks: Sequence[Block], gaps: Sequence[Gap]) -> PageSection:
    """The section of the page that all who make the potential share."""
    if results.potential and not results.is_fitted:
        intro = (
            f"The potential is a {results.potential}, as it is. Nothing was fitted: results of the "
            "reference engine examine it."
        )
        return PageSection("potential", "Potential", intro, blocks, gaps)
    intro = (
        "The potential is trained on results of the reference engine and explores by molecular "
        "dynamics. The reference labels configurations on which the potential "
        "extrapolates, and the potential is trained again, until a whole round of exploration "
        "stays in the known region."
    )
    return PageSection("potential", "Potential", intro, blocks, gaps)


def sections(results: Results) -> list[PageSection]:
    """How well the potential learnt."""
    gaps = results.missing("potential")
    learning = results.of(PotentialFound).learning
    blocks = present(
        gaps,
        ("Training statistics", potential_tables.training_statistics(results)),
        *optional(potential_tables.errors(results)),
        *(
            [("Learning curve", potential_figures.learning_curve(learning))]
            if results.is_fitted
            else []
        ),
        ("Parity plots", potential_figures.parity(learning)),
    )
    return [chapter(results, blocks, gaps)]


def cards(results: Results) -> list[Card]:
    """The error of the forces."""
    return [_force_error(results)] if results.of(PotentialFound).learning else []


def _force_error(results: Results) -> Card:
    part = next(
        (
            part
            for part in results.of(PotentialFound).learning
            if part.functional == results.main_functional
        ),
        results.of(PotentialFound).learning[0],
    )
    beside = [
        (f"paper, {item.functional}", f"{item.rmse.forces_eV_per_A:g} eV/Å")
        for item in results.published.training
        if item.functional == part.functional
    ]
    if not part.trainings:
        return Card(
            "Force error of the potential",
            text.NOTHING,
            "",
            "not trained yet",
            beside,
            of_method=True,
        )
    final = part.trainings[-1]
    rounds = f"{text.count(len(part.rounds), 'round')} of active learning"
    content = (
        f"RMSE, held out, {part.functional}; {final.n_train + final.n_valid} configurations, "
        f"{rounds}"
    )
    return Card(
        "Force error of the potential",
        text.number(final.valid.forces_eV_per_A, 2),
        "eV/Å",
        content,
        beside,
        of_method=True,
    )
