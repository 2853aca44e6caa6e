"""The top of the page: key numbers with what is published beside them, and the plain words on what
computed ours.
"""

from __future__ import annotations

from collections.abc import Iterator

from borarun.published import RECOMMENDED, Number
from borarun.report import text
from borarun.report.blocks import Card
from borarun.report.comparison.compare import SAME_TEMPERATURE_K, compare, same_content, same_phase
from borarun.report.results import Results

_STAND_IN = {
    "bundled": "the potential that ships with borarun, which was fitted to the neural network "
    "SevenNet-0 and stands in for {functional}",
    "sevennet": "the pretrained neural network SevenNet-0, which stands in for DFT with "
    "{functional}",
}
ROOM_K = 300.0
_DFT = frozenset({"vasp", "quantum-espresso"})


def warning(results: Results) -> str:
    """Which engine computed our numbers, and what that means beside published ones."""
    functionals = text.listed(list(results.functionals))
    fitted = f"a {results.potential} fitted to " if results.potential else ""
    paper = ""
    if fitted and results.published.training and results.published.cell_atoms:
        ours = (
            f", ours from {results.n_atoms}" if results.sections & {"heating", "diffusion"} else ""
        )
        paper = (
            " The paper's numbers come from potentials of level 20 fitted to DFT (mostly with "
            f"rev-vdW-DF2) and from a cell of {results.published.cell_atoms} atoms{ours}."
        )
    if results.reference in _DFT:
        return f"Computed with {fitted}{results.reference} ({functionals}).{paper}"
    what = _STAND_IN.get(
        results.reference,
        f"the engine {results.reference}, which stands in for DFT with {{functional}}",
    )
    return (
        "These numbers are not DFT. They were computed with "
        f"{fitted}{what.format(functional=functionals)}.{paper}"
    )


def cards(results: Results) -> list[Card]:
    """The key numbers that this study was asked for."""
    made = []
    if "heating" in results.sections:
        made += [_lattice(results), _transition(results)]
    if "diffusion" in results.sections:
        made += [_activation(results), _conductivity(results)]
    if results.rotation or "reorientation" in results.sections:
        made.append(_deflection(results))
    if results.learning:
        made.append(_force_error(results))
    return made


def _beside(*items: Number | None, unit: str = "") -> list[tuple[str, str]]:
    """(who, what) of published numbers; those that are not there are left out."""
    lines = []
    for item in items:
        if item is not None:
            who = f"paper, {item.functional}" if item.kind == "paper" else "experiment"
            lines.append((who, f"{text.published(item)} {unit or item.unit}".replace(" A", " Å")))
    return lines


def _lattice(results: Results) -> Card:
    """The lattice parameter, or the volume of a cell that is not cubic."""
    functional = results.main_functional
    quantity, title, unit = "volume", "Volume at 300 K", "Å³ per formula unit"
    if results.cubic:
        quantity, title, unit = "lattice_parameter", "Lattice parameter at 300 K", "Å"
    found = [p for p in results.lattice if p.temperature_K == ROOM_K and p.functional == functional]

    def near(kind: str) -> Iterator[Number]:
        yield from (
            n
            for n in results.published.find(quantity, kind=kind)
            if abs((n.temperature_K or 0) - ROOM_K) <= SAME_TEMPERATURE_K
        )

    papers = sorted(
        near("paper"), key=lambda n: (n.functional != functional, n.functional != RECOMMENDED)
    )
    beside = _beside(
        *papers[:1], *list(near("experiment"))[:1], unit="Å" if results.cubic else "Å³"
    )
    if results.cubic:
        own = [
            ("reference engine itself", f"{s.lattice_300K_A:.3f} Å")
            for s in results.stand_ins
            if s.functional == functional and s.lattice_300K_A
        ]
        beside = [*own, *beside]
    if not found:
        return Card(title, text.NOTHING, "", "not computed yet", beside)
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
    found = [t for t in results.transitions if t.functional == functional]
    beside = _beside(
        results.published.paper("transition_temperature", functional),
        results.published.experiment("transition_temperature"),
    )
    if not found:
        return Card("Transition temperature", text.NOTHING, "", "not computed yet", beside)
    t = min(found, key=lambda t: t.order)
    where = f"{functional}, {text.count(t.vacancies, 'vacancy')}"
    if t.temperature_K is None:
        reached = max(
            (b.reached_K for b in results.branches if b.functional == functional), default=0.0
        )
        return Card(
            "Transition temperature",
            "none",
            "",
            f"no step in the lattice up to {text.kelvin(round(reached))}; {where}",
            beside,
        )
    alone = (
        "cooling alone, " if t.heated_K is None else "heating alone, " if t.cooled_K is None else ""
    )
    return Card(
        "Transition temperature", text.measured(t.temperature_K), "K", alone + where, beside
    )


def _activation(results: Results) -> Card:
    found = [line for line in results.arrhenius if line.activation_energy_meV is not None]
    if not found:
        why = (
            "too few diffusive temperatures for a fit" if results.arrhenius else "not computed yet"
        )
        return Card(
            "Activation energy",
            text.NOTHING,
            "",
            why,
            _beside(results.published.experiment("activation_energy")),
        )
    line = max(
        found,
        key=lambda line: (
            line.functional == results.main_functional,
            line.n_points,
            -line.vacancies,
        ),
    )
    same = [c.published for c in compare(results) if c.ours.value is line.activation_energy_meV]
    papers = sorted(
        (n for n in same if n.kind == "paper"),
        key=lambda n: (n.functional != line.functional, n.functional != RECOMMENDED),
    )
    beside = _beside(*papers[:1], *[n for n in same if n.kind == "experiment"][:1])
    vacancies = (
        f"{text.count(line.vacancies, 'vacancy')} ({text.number(line.mol_percent, 3)} mol %)"
    )
    content = ", ".join(
        filter(None, (line.functional, vacancies, line.phase, f"{line.n_points} temperatures"))
    )
    return Card(
        "Activation energy", text.measured(line.activation_energy_meV), "meV", content, beside
    )


def _conductivity(results: Results) -> Card:
    good = [p for p in results.transport if p.accepted and p.conductivity_S_cm is not None]
    if not good:
        return Card(
            "Ionic conductivity",
            text.NOTHING,
            "",
            "no run is diffusive" if results.transport else "not computed yet",
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


def _deflection(results: Results) -> Card:
    if not results.rotation:
        return Card("Largest deflection of an anion", text.NOTHING, "", "not computed yet", [])
    p = max(
        results.rotation,
        key=lambda p: (p.functional == results.main_functional, -p.vacancies, p.temperature_K),
    )
    turns = (
        "no full rotation"
        if p.full_rotations == 0
        else f"{text.number(p.full_rotations_per_ns, 3)} full rotations per ns"
    )
    content = (
        f"{text.kelvin(p.temperature_K)}, {p.functional}, {text.count(p.vacancies, 'vacancy')}; "
        f"{turns}"
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


def _force_error(results: Results) -> Card:
    part = next(
        (part for part in results.learning if part.functional == results.main_functional),
        results.learning[0],
    )
    beside = [
        (f"paper, {item.functional}", f"{item.rmse.forces_eV_per_A:g} eV/Å")
        for item in results.published.training
        if item.functional == part.functional
    ]
    if not part.trainings:
        return Card("Force error of the potential", text.NOTHING, "", "not trained yet", beside)
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
    )
