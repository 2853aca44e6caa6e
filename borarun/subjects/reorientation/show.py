"""Reorientation on the page."""

from __future__ import annotations

from collections.abc import Iterator

from borarun.published import Number
from borarun.report import text
from borarun.report.blocks import Card, PageSection
from borarun.report.parts import optional, present, why_no_value
from borarun.subjects.common.comparison import (
    Ours,
    same_content,
    same_temperature,
)
from borarun.subjects.common.results import Results
from borarun.subjects.diffusion.results import DiffusionFound
from borarun.subjects.reorientation import figures as reorientation_figures
from borarun.subjects.reorientation import tables as reorientation_tables
from borarun.subjects.reorientation.results import ReorientationFound, Rotation


def sections(results: Results) -> list[PageSection]:
    gaps = results.missing("diffusion")
    intro = f"Rotation of the {text.anions(results.anions)} in the same runs."
    kinds = reorientation_figures.shown(results)
    blocks = present(
        gaps,
        *(
            (f"Angular autocorrelation{kind.of}", reorientation_figures.autocorrelation(kind))
            for kind in kinds
        ),
        *(each for kind in kinds for each in optional(reorientation_figures.by_vacancies(kind))),
        ("Deflection and full rotations", reorientation_tables.rotations(results)),
        *(
            (f"Distribution of deflections{kind.of}", reorientation_figures.deflections(kind))
            for kind in kinds
        ),
        *(
            (f"Direction of single vertices{kind.of}", reorientation_figures.angles(kind))
            for kind in kinds
        ),
    )
    return [PageSection("reorientation", "Reorientation of the anions", intro, blocks)]


def cards(results: Results) -> list[Card]:
    """How far the anions turn."""
    return [_deflection(results)]


def _deflection(results: Results) -> Card:
    if not results.of(ReorientationFound).rotation:
        why = why_no_value(results.missing("diffusion"))
        return Card("Largest deflection of an anion", text.NOTHING, "", why, [])
    p = max(
        results.of(ReorientationFound).rotation,
        key=lambda p: (
            p.functional == results.main_functional,
            -p.vacancies,
            p.temperature_K,
            p.deflection_deg,
        ),
    )
    which = f"{text.formula(p.anion)}, " if len(results.anions) > 1 else ""
    turns = (
        "no full rotation"
        if p.full_rotations == 0
        else f"{text.number(p.full_rotations_per_anion_ns, 3)} full rotations per anion and ns"
    )
    content = (
        f"{which}{text.kelvin(p.temperature_K)}, {p.functional}, "
        f"{text.count(p.vacancies, 'vacancy')}; {turns}"
    )
    paper = results.published.find("largest_deflection", temperature_K=700)
    beside = (
        [(f"paper, {paper[0].functional}, 700 K", f"about {text.published(paper[0])}°")]
        if paper
        else []
    )
    return Card(
        "Largest deflection of an anion", text.number(p.deflection_deg, 2), "°", content, beside
    )


def _our_deflection(results: Results, number: Number) -> Iterator[Ours]:
    yield from (Ours(p.functional, p.deflection_deg) for p in _turning(results, number))


def _rotations(results: Results, number: Number) -> Iterator[Ours]:
    yield from (
        Ours(p.functional, p.full_rotations_per_anion_ns) for p in _turning(results, number)
    )


def _turning(results: Results, number: Number) -> Iterator[Rotation]:
    """Reorientation at the published temperature and vacancy content."""
    content = {
        (p.functional, p.temperature_K, p.vacancies): p.mol_percent
        for p in results.of(DiffusionFound).transport
    }
    for p in results.of(ReorientationFound).rotation:
        if same_temperature(p.temperature_K, number) and same_content(
            content[p.functional, p.temperature_K, p.vacancies], number
        ):
            yield p


COUNTERPARTS = {"largest_deflection": _our_deflection, "full_rotations": _rotations}
"""What of ours stands beside each published quantity."""
