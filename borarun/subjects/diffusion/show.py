"""Diffusion on the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from borarun.published import RECOMMENDED, Number
from borarun.report import text
from borarun.report.blocks import Block, Card, Note, PageSection
from borarun.report.measured import Measured
from borarun.report.parts import optional, present, why_no_value
from borarun.report.text import beside_ours
from borarun.subjects.common.comparison import (
    Ours,
    compare,
    same_content,
    same_phase,
    same_temperature,
)
from borarun.subjects.common.results import Results
from borarun.subjects.common.unit_cell import DensityMap
from borarun.subjects.diffusion import figures as diffusion_figures
from borarun.subjects.diffusion import tables as diffusion_tables
from borarun.subjects.diffusion.results import DiffusionFound, Transport
from borarun.subjects.diffusion.structure import figures as structure_figures
from borarun.subjects.diffusion.structure import tables as structure_tables
from borarun.subjects.diffusion.structure.show import chapter


def sections(results: Results) -> list[PageSection]:
    gaps = results.missing("diffusion")
    moves = "move" if len(results.ions) > 1 else "moves"
    intro = (
        f"How fast {results.mobile} {moves} at fixed temperature, without and with "
        "vacancies, and the conductivity that follows."
        + (
            " Several elements move: D and its figures are means over all mobile ions, weighted by "
            "their squared charges, from which the conductivity of all of them follows."
            if len(results.ions) > 1
            else ""
        )
    )
    blocks = present(
        gaps,
        ("Mean squared displacement", diffusion_figures.displacement(results)),
        (
            "Ionic conductivity",
            diffusion_figures.conductivity(results)
            if results.of(DiffusionFound).transport
            else None,
        ),
        *optional(diffusion_figures.pristine(results)),
        *optional(diffusion_figures.activation(results)),
        ("Activation energy", diffusion_tables.activation(results)),
        ("Diffusivity and conductivity", diffusion_tables.transport(results)),
        *optional(diffusion_tables.models(results)),
        *optional(diffusion_tables.species(results)),
        ("Convergence", diffusion_figures.convergence(results)),
        ("Framework", diffusion_figures.framework(results)),
    )
    hops, shells = structure_tables.hops(results), structure_tables.shells(results)
    structure = present(
        gaps,
        *_where_sites(results, structure_tables.sites(results)),
        *optional(hops),
        *optional(structure_tables.paths(results)),
        *optional(structure_tables.barriers(results)),
        *optional(structure_figures.distances(results)),
        *_where_sites(results, structure_figures.shares(results), "Sites against time"),
        ("Density", structure_figures.densities(results)),
        ("Radial distribution functions", structure_figures.pairs(results)),
        *optional(shells),
    )
    return [
        PageSection("diffusion", "Diffusion", intro, blocks, gaps),
        chapter(results, structure),
    ]


def _where_sites(
    results: Results, block: Block | None, what: str = ""
) -> list[tuple[str, Block | None]]:
    """A block on sites; where runs are there and have none, a note in place of the first."""
    local = results.of(DiffusionFound).local
    if not local or any(p.sites for p in local):
        return [(what or "Sites", block)]
    note = Note(
        f"{results.mobile} stays away from the holes between the parts of the framework, so no "
        "sites are counted. The density shows where it is."
    )
    return [] if what else [("", note)]


def cards(results: Results) -> list[Card]:
    """How fast the mobile ions are."""
    return [_activation(results), _conductivity(results)]


def _activation(results: Results) -> Card:
    found = [
        line
        for line in results.of(DiffusionFound).arrhenius
        if line.activation_energy_meV is not None
    ]
    if not found:
        why = (
            "too few diffusive temperatures for a fit"
            if results.of(DiffusionFound).arrhenius
            else why_no_value(results.missing("diffusion"))
        )
        return Card(
            "Activation energy",
            text.NOTHING,
            "",
            why,
            beside_ours(results.published.experiment("activation_energy")),
        )
    line = max(
        found,
        key=lambda line: (
            line.functional == results.main_functional,
            line.n_points,
            -line.vacancies,
        ),
    )
    same = [
        c.published
        for c in compare(results)
        if c.ours.value is line.activation_energy_meV and c.published.definition in ("sigma", None)
    ]
    papers = sorted(
        (n for n in same if n.kind == "paper"),
        key=lambda n: (n.functional != line.functional, n.functional != RECOMMENDED),
    )
    beside = beside_ours(*papers[:1], *[n for n in same if n.kind == "experiment"][:1])
    vacancies = (
        f"{text.count(line.vacancies, 'vacancy')} ({text.number(line.mol_percent, 3)} mol %)"
    )
    content = ", ".join(
        filter(None, (line.functional, vacancies, line.phase, f"{line.n_points} temperatures"))
    )
    return Card(
        "Activation energy of σ", text.measured(line.activation_energy_meV), "meV", content, beside
    )


def _conductivity(results: Results) -> Card:
    good = [
        p
        for p in results.of(DiffusionFound).transport
        if p.accepted and p.conductivity_S_cm is not None
    ]
    if not good:
        return Card(
            "Ionic conductivity",
            text.NOTHING,
            "",
            "no run is diffusive"
            if results.of(DiffusionFound).transport
            else why_no_value(results.missing("diffusion")),
            [],
        )
    p = min(
        good,
        key=lambda p: (
            p.functional != results.main_functional,
            abs(p.temperature_K - 500),
            p.vacancies,
        ),
    )
    beside = []
    for kind in ("paper", "experiment"):
        like = [
            n
            for n in results.published.find("conductivity", kind=kind)
            if same_content(p.mol_percent, n) and same_phase(p.phase, n)
        ]
        for n in sorted(like, key=lambda n: abs((n.temperature_K or 0) - p.temperature_K))[:1]:
            beside.append(
                (f"{kind}, {text.kelvin(n.temperature_K or 0)}", f"{text.published(n)} S/cm")
            )
    vacancies = f"{text.count(p.vacancies, 'vacancy')} ({text.number(p.mol_percent, 3)} mol %)"
    content = ", ".join(filter(None, (p.functional, vacancies, p.phase)))
    return Card(
        f"Ionic conductivity at {text.kelvin(p.temperature_K)}",
        text.measured(p.conductivity_S_cm),
        "S/cm",
        content,
        beside,
    )


def densities(results: Results) -> dict[str, DensityMap]:
    """Where the mobile ions are in the unit cell, by what the view is called."""
    return {
        f"{results.mobile} density, {local.functional}, {text.kelvin(local.temperature_K)}, "
        f"{text.count(local.vacancies, 'vacancy')}": local.density
        for local in results.of(DiffusionFound).local
    }


def _our_activation(results: Results, number: Number) -> Iterator[Ours]:
    for line in results.of(DiffusionFound).arrhenius:
        energy = line.energy_meV(number.definition)
        if (
            energy is not None
            and same_content(line.mol_percent, number)
            and same_phase(line.phase, number)
        ):
            yield Ours(line.functional, energy, line.mol_percent, line.phase)


def _our_diffusivity(results: Results, number: Number) -> Iterator[Ours]:
    yield from _moving(results, number, lambda p: p.diffusivity_cm2_s)


def _our_conductivity(results: Results, number: Number) -> Iterator[Ours]:
    """Of runs at the published temperature; without any, of the Arrhenius line there."""
    measured = list(_moving(results, number, lambda p: p.conductivity_S_cm))
    yield from measured
    if number.temperature_K is None:
        return
    near = {ours.functional for ours in measured}
    for line in results.of(DiffusionFound).arrhenius:
        value = line.conductivity_at(number.temperature_K)
        if (
            value is not None
            and line.functional not in near
            and same_content(line.mol_percent, number)
            and same_phase(line.phase, number)
        ):
            low, high = line.line_T_K.min(), line.line_T_K.max()
            far = "" if low <= number.temperature_K <= high else ", extrapolated"
            yield Ours(
                line.functional,
                value,
                line.mol_percent,
                line.phase,
                f"Arrhenius line of {low:g} to {high:g} K{far}",
            )


def _moving(
    results: Results, number: Number, read: Callable[[Transport], Measured | None]
) -> Iterator[Ours]:
    """Runs at the published temperature and vacancy content, in the same phase as far as it is
    known.
    """
    for p in results.of(DiffusionFound).transport:
        value = read(p)
        same = (
            same_temperature(p.temperature_K, number)
            and same_content(p.mol_percent, number)
            and same_phase(p.phase, number)
        )
        if p.accepted and value is not None and same:
            yield Ours(p.functional, value, p.mol_percent, p.phase)


COUNTERPARTS = {
    "activation_energy": _our_activation,
    "diffusivity": _our_diffusivity,
    "conductivity": _our_conductivity,
}
"""What of ours stands beside each published quantity."""
