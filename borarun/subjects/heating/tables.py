"""Lattice parameters and transition temperatures, beside the published ones."""

from __future__ import annotations

from borarun.report import text
from borarun.report.blocks import Column, Table, Value
from borarun.subjects.common.results import Results
from borarun.subjects.heating.results import HeatingFound, HeldTransition, Transition


def lattice(results: Results) -> Table | None:
    """Lattice parameters, or volumes where the cell is not cubic, at the temperatures of the
    published ones.
    """
    if not results.of(HeatingFound).lattice:
        return None
    series = list(
        dict.fromkeys((p.functional, p.vacancies) for p in results.of(HeatingFound).lattice)
    )
    temperatures = sorted({p.temperature_K for p in results.of(HeatingFound).lattice})
    quantity, unit = ("lattice_parameter", "Å") if results.cubic else ("volume", "Å³/f.u.")
    papers = results.published.find(quantity, kind="paper")
    rows: list[list[Value]] = []
    for T in temperatures:
        ours = {
            (p.functional, p.vacancies): p.lattice_A if results.cubic else p.volume_A3
            for p in results.of(HeatingFound).lattice
            if p.temperature_K == T
        }
        paper = results.published.paper(quantity, "", temperature_K=T)
        experiment = results.published.experiment(quantity, temperature_K=T)
        rows.append(
            [
                T,
                *(ours.get(key) for key in series),
                text.published(paper),
                text.published(experiment),
            ]
        )
    columns = (
        Column("temperature", "K"),
        *(
            Column(f"{text.OURS}, {functional}, {text.count(n, 'vacancy')}", unit)
            for functional, n in series
        ),
        Column(f"paper, {papers[0].functional}" if papers else "paper", unit),
        Column("experiment", unit),
    )
    caption = (
        "Our values: straight line through the heating branch within 50 K, near a step only "
        "within the same phase; ± is the 95 % interval. Published errors are quoted unchanged."
    )
    name, title = (
        ("lattice_parameters", "Lattice parameters") if results.cubic else ("volumes", "Volumes")
    )
    return Table(name, title, columns, rows, caption)


def transitions(results: Results) -> Table | None:
    """Transition temperatures beside the published ones."""
    if not results.of(HeatingFound).transitions:
        return None
    rows: list[list[Value]] = []
    for t in results.of(HeatingFound).transitions:
        ramps = [
            b
            for b in results.of(HeatingFound).branches
            if (b.functional, b.vacancies, b.heating_K_per_ps, b.run)
            == (t.functional, t.vacancies, t.heating_K_per_ps, 0)
        ]
        rates = ", ".join(text.number(b.rate_K_per_ps, 3) for b in ramps)
        mean: Value = t.temperature_K if t.temperature_K is not None else _bound(t)
        who = f"{text.OURS}, {t.functional}"
        rows.append(
            [
                who,
                str(t.vacancies),
                rates,
                t.n_runs,
                t.heated_K,
                t.cooled_K,
                t.hysteresis_K,
                mean,
                t.volume_step_percent,
                t.statement,
            ]
        )
    steps = {p.source: p.number for p in results.published.find("transition_volume_step_percent")}
    for p in results.published.find("transition_temperature"):
        who = f"paper, {p.functional}" if p.kind == "paper" else "experiment"
        rows.append(
            [
                who,
                "0" if p.kind == "paper" else "",
                "",
                None,
                p.high,
                p.low,
                p.high - p.low if p.high is not None and p.low is not None else None,
                p.number,
                steps.get(p.source),
                p.place,
            ]
        )
    columns = (
        Column("source"),
        Column("vacancies"),
        Column("rates", "K/ps"),
        Column("runs"),
        Column("heating", "K"),
        Column("cooling", "K"),
        Column("hysteresis", "K"),
        Column("transition temperature", "K"),
        Column("volume step", "%", 2),
        Column("remark"),
    )
    return Table(
        "transitions",
        "Transition temperatures",
        columns,
        rows,
        "Half-height temperatures of the step in the lattice, means over the runs. Heating gives "
        "an upper bound and cooling a lower bound of the transition temperature; its 95 % "
        "interval contains the inner 95 % of the hysteresis and the scatter of the runs. Rates "
        "are those of heating and of the cooling after it. The volume step is at half height on "
        "heating, relative to the volume below.",
    )


def latent_heat(results: Results) -> Table | None:
    """How pressure moves the transition, by two ways."""
    found = results.of(HeatingFound).latent_heat
    if not found:
        return None
    rows: list[list[Value]] = [
        [
            each.functional,
            each.vacancies,
            each.heating_K_per_ps,
            each.volume_A3,
            each.enthalpy_meV,
            each.by_heat_K_per_kbar,
            ", ".join(text.number(pressure, 3) for pressure in each.pressures_kbar),
            each.by_pressure_K_per_kbar,
            each.heated_K_per_kbar,
            each.cooled_K_per_kbar,
        ]
        for each in found
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("heating rate", "K/ps", 3),
        Column("volume step", "Å³ per formula unit", 3),
        Column("latent heat", "meV per formula unit", 3),
        Column("dTc/dp by latent heat", "K/kbar", 3),
        Column("pressures", "kbar"),
        Column("dTc/dp by pressure", "K/kbar", 3),
        Column("of heating", "K/kbar", 3),
        Column("of cooling", "K/kbar", 3),
    )
    return Table(
        "latent_heat",
        "Pressure and the transition",
        columns,
        rows,
        "By latent heat: the equation of Clausius and Clapeyron with the steps of volume and "
        "enthalpy in the ramps, means over heating and cooling. By pressure: slopes of the "
        "half-height temperatures of ramps at several pressures. An error of 1 kbar in the "
        "pressure of the reference, or of the potential, moves the transition by dTc/dp.",
    )


def held(results: Results) -> Table | None:
    """Runs at constant temperature that began in either phase."""
    found = results.of(HeatingFound)
    if not found.held:
        return None
    rows: list[list[Value]] = [
        [
            each.functional,
            each.vacancies,
            each.run + 1,
            each.temperature_K,
            each.started,
            each.ended,
            each.share,
        ]
        for each in found.held
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("run"),
        Column("temperature", "K"),
        Column("started"),
        Column("ended"),
        Column("share of the step", "", 2),
    )
    said = [
        f"{each.functional}, {text.count(each.vacancies, 'vacancy')}: {_between(each)}."
        for each in found.held_transitions
    ]
    return Table(
        "held",
        "Runs at constant temperature within the hysteresis",
        columns,
        rows,
        "Each run began with a configuration of a ramp at its temperature. The share of the step "
        "says how far its lattice is from the ordered (0) to the disordered phase (1), mean over "
        f"the second half of the run. {' '.join(said)}",
    )


def _between(found: HeldTransition) -> str:
    """What such runs say of the transition."""
    if found.temperature_K is not None:
        return (
            f"the transition is at {text.measured(found.temperature_K)} K, between the "
            "temperatures at which one phase turned into the other"
        )
    if found.lower_K is not None:
        return f"the transition is above {found.lower_K:.0f} K, where the disordered phase ordered"
    if found.upper_K is not None:
        return f"the transition is below {found.upper_K:.0f} K, where the ordered phase disordered"
    return "no phase turned into the other; longer runs may"


def _bound(transition: Transition) -> str:
    """What is known where a direction shows no step."""
    if transition.heated_K is not None:
        return f"below {transition.heated_K.high:.0f}"
    if transition.cooled_K is not None:
        return f"above {transition.cooled_K.low:.0f}"
    return "none in this range"
