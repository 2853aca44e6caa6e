"""Heating and cooling on the page."""

from __future__ import annotations

from collections.abc import Iterator

from borarun.published import RECOMMENDED, Number
from borarun.report import text
from borarun.report.blocks import Block, Card, Note, PageSection
from borarun.report.parts import optional, present, why_no_value
from borarun.report.text import beside_ours
from borarun.subjects.common.comparison import (
    SAME_TEMPERATURE_K,
    Ours,
)
from borarun.subjects.common.results import Results
from borarun.subjects.diffusion.structure.show import chapter
from borarun.subjects.heating import figures as heating_figures
from borarun.subjects.heating import order_figures
from borarun.subjects.heating import tables as heating_tables
from borarun.subjects.heating.results import FEWEST_ATOMS, ROOM_K, HeatingFound, Transition
from borarun.subjects.training_set.results import TrainingSetFound


def sections(results: Results) -> list[PageSection]:
    gaps = results.missing("heating")
    intro = (
        "Temperature ramps up and down. An order-disorder transition is a step in the lattice "
        "parameter, with hysteresis between the two."
    )
    statements: list[tuple[str, Block | None]] = [
        (
            "",
            Note(
                f"{t.functional}, {text.count(t.vacancies, 'vacancy')}{_rate(results, t)}: "
                f"{t.statement}",
                "good" if t.temperature_K else "plain",
            ),
        )
        for t in results.of(HeatingFound).transitions
    ]
    blocks = present(
        gaps,
        ("Lattice against temperature", heating_figures.lattice(results)),
        *optional(heating_figures.functionals(results)),
        *optional(heating_figures.edges(results)),
        *statements,
        ("Transition temperatures", heating_tables.transitions(results)),
        *optional(heating_tables.held(results)),
        *optional(heating_tables.latent_heat(results)),
        *optional(heating_figures.hysteresis(results)),
        ("Lattice parameters" if results.cubic else "Volumes", heating_tables.lattice(results)),
    )
    return [
        PageSection("heating", "Heating and cooling", intro, blocks, gaps),
        chapter(
            results, present(gaps, ("Order against temperature", order_figures.order(results)))
        ),
    ]


def _rate(results: Results, transition: Transition) -> str:
    """At which rate, where there are several."""
    several = len({t.heating_K_per_ps for t in results.of(HeatingFound).transitions}) > 1
    return f", heated at {text.number(transition.heating_K_per_ps, 3)} K/ps" if several else ""


def cards(results: Results) -> list[Card]:
    """The lattice and its transition."""
    return [_lattice(results), _transition(results)]


def _lattice(results: Results) -> Card:
    """The lattice parameter, or the volume of a cell that is not cubic."""
    functional = results.main_functional
    quantity, title, unit = "volume", "Volume at 300 K", "Å³ per formula unit"
    if results.cubic:
        quantity, title, unit = "lattice_parameter", "Lattice parameter at 300 K", "Å"
    found = [
        p
        for p in results.of(HeatingFound).lattice
        if p.temperature_K == ROOM_K and p.functional == functional
    ]

    def near(kind: str) -> Iterator[Number]:
        yield from (
            n
            for n in results.published.find(quantity, kind=kind)
            if abs((n.temperature_K or 0) - ROOM_K) <= SAME_TEMPERATURE_K
        )

    papers = sorted(
        near("paper"), key=lambda n: (n.functional != functional, n.functional != RECOMMENDED)
    )
    beside = beside_ours(
        *papers[:1], *list(near("experiment"))[:1], unit="Å" if results.cubic else "Å³"
    )
    if results.cubic:
        own = [
            ("reference engine itself", f"{s.lattice_300K_A:.3f} Å")
            for s in results.of(TrainingSetFound).stand_ins
            if s.functional == functional and s.lattice_300K_A
        ]
        beside = [*own, *beside]
    if not found:
        return Card(title, text.NOTHING, "", why_no_value(results.missing("heating")), beside)
    p = min(found, key=lambda p: p.vacancies)
    value = p.lattice_A if results.cubic else p.volume_A3
    return Card(
        title,
        text.measured(value),
        unit,
        f"{functional}, {text.count(p.vacancies, 'vacancy')}",
        beside,
    )


def _transition(results: Results) -> Card:
    functional = results.main_functional
    found = [t for t in results.of(HeatingFound).transitions if t.functional == functional]
    beside = beside_ours(
        results.published.paper("transition_temperature", functional),
        results.published.experiment("transition_temperature"),
    )
    if not found:
        why = why_no_value(results.missing("heating"))
        return Card("Transition temperature", text.NOTHING, "", why, beside)
    t = min(found, key=lambda t: t.order)
    where = f"{functional}, {text.count(t.vacancies, 'vacancy')}"
    if t.temperature_K is None and (bound := t.heated_K or t.cooled_K) is not None:
        below = bound is t.heated_K
        value = text.kelvin(round(bound.high if below else bound.low))
        seen = "heating" if below else "cooling"
        return Card(
            "Transition temperature",
            f"{'below' if below else 'above'} {value}",
            "",
            f"a bound: only {seen} shows the step; {where}",
            beside,
        )
    if t.temperature_K is None:
        reached = max(
            (b.reached_K for b in results.of(HeatingFound).branches if b.functional == functional),
            default=0.0,
        )
        return Card(
            "Transition temperature",
            "none",
            "",
            f"no step in the lattice up to {text.kelvin(round(reached))}; {where}"
            if results.n_atoms >= FEWEST_ATOMS
            else f"a cell of {text.count(results.n_atoms, 'atom')} is too small for one; {where}",
            beside,
        )
    runs = f"{text.count(t.n_runs, 'run')} each way, " if t.n_runs > 1 else ""
    return Card("Transition temperature", text.measured(t.temperature_K), "K", runs + where, beside)


def _our_lattice(results: Results, number: Number) -> Iterator[Ours]:
    found = [p for p in results.of(HeatingFound).lattice if p.temperature_K == number.temperature_K]
    for functional in dict.fromkeys(p.functional for p in found):
        p = min((p for p in found if p.functional == functional), key=lambda p: p.vacancies)
        yield Ours(
            functional, p.lattice_A if number.quantity == "lattice_parameter" else p.volume_A3
        )


def _our_transition(results: Results, number: Number) -> Iterator[Ours]:
    yield from (
        Ours(t.functional, t.temperature_K)
        for t in _slowest(results)
        if t.temperature_K is not None
    )


def _volume_step(results: Results, number: Number) -> Iterator[Ours]:
    yield from (
        Ours(t.functional, t.volume_step_percent)
        for t in _slowest(results)
        if t.volume_step_percent is not None
    )


def _slowest(results: Results) -> Iterator[Transition]:
    """Of each functional the transition with the fewest vacancies at the slowest rate."""
    for functional in dict.fromkeys(t.functional for t in results.of(HeatingFound).transitions):
        yield min(
            (t for t in results.of(HeatingFound).transitions if t.functional == functional),
            key=lambda t: t.order,
        )


COUNTERPARTS = {
    "lattice_parameter": _our_lattice,
    "volume": _our_lattice,
    "transition_temperature": _our_transition,
    "transition_volume_step_percent": _volume_step,
}
"""What of ours stands beside each published quantity."""
