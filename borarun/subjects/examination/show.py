"""The examination on the page."""

from __future__ import annotations

from borarun.report import text
from borarun.report.blocks import Card, PageSection
from borarun.report.parts import optional, present
from borarun.subjects.common.results import Results
from borarun.subjects.examination import figures, tables
from borarun.subjects.examination.results import ExaminationFound


def sections(results: Results) -> list[PageSection]:
    """How far the potential is from the reference where it was used."""
    gaps = results.missing("examination")
    examined = results.of(ExaminationFound).examined
    blocks = present(
        gaps,
        ("Errors on configurations of production", tables.errors(results)),
        *optional(tables.committee(results)),
        *optional(tables.transitions(results)),
        ("Parity plots", figures.parity(examined)),
        ("Distributions of errors", figures.distributions(examined)),
    )
    intro = (
        "Held-out configurations are like the training set. Here the reference labels "
        "configurations of the runs that the results come from."
    )
    return [PageSection("examination", "Examination of the potential", intro, blocks, gaps)]


def cards(results: Results) -> list[Card]:
    """The error of the forces in production."""
    found = [
        each
        for each in results.of(ExaminationFound).errors
        if (each.group, each.quantity) == ("all", "forces")
    ]
    if not found:
        return []
    main = next((each for each in found if each.functional == results.main_functional), found[0])
    return [
        Card(
            "Force error in production",
            text.number(main.deviations.rmse, 2),
            "eV/Å",
            f"RMSE, {main.functional}, {text.count(main.n_frames, 'configuration')} of production "
            "runs, labelled by the reference",
            [],
            of_method=True,
        )
    ]
