"""Diffusivity, conductivity and activation energy, beside the published ones."""

from __future__ import annotations

from borarun.analysis.diffusion import ESTIMATOR
from borarun.report import text
from borarun.report.blocks import Column, Table, Value
from borarun.subjects.common.results import Results
from borarun.subjects.diffusion.results import DiffusionFound


def transport(results: Results) -> Table | None:
    """Diffusivity and conductivity of every run."""
    if not results.of(DiffusionFound).transport:
        return None
    rows: list[list[Value]] = [
        [
            p.functional,
            p.vacancies,
            p.temperature_K,
            f"{p.n_runs} × {text.duration(p.time_ps)}",
            ", ".join(filter(None, ("yes", p.phase))) if p.accepted else f"no: {p.reason}",
            p.diffusivity_cm2_s,
            p.regression_cm2_s,
            p.conductivity_S_cm,
            p.collective_S_cm,
            p.haven,
        ]
        for p in results.of(DiffusionFound).transport
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("runs"),
        Column("in the fit"),
        Column("D", "cm²/s"),
        Column("D by regression", "cm²/s"),
        Column("σ, tracer", "S/cm"),
        Column("σ, collective", "S/cm"),
        Column("Haven ratio"),
    )
    caption = (
        f"D from the whole run, with its 95 % interval (estimator: {ESTIMATOR}; older reports "
        "gave the slope of the mean squared displacement at short lags, which is too high if "
        "ions jump back). D by regression is an independent check: generalised least squares "
        "through the mean squared displacement. Its interval is valid only if the ions move "
        f"independently. {_disagreement(results)} The tracer conductivity neglects correlations "
        "between ions (Haven ratio 1); the collective one uses the total "
        "displacement of all mobile ions. Their ratio is the Haven ratio."
    ) + _averaged(results)
    return Table("transport", "Diffusivity and conductivity", columns, rows, caption)


def _averaged(results: Results) -> str:
    """Over how many ordered models, where the structure is disordered."""
    counts = sorted({len(p.models) for p in results.of(DiffusionFound).transport} - {0})
    if not counts:
        return ""
    many = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return (
        f" The structure is disordered: D and the conductivities are means over {many} ordered "
        "models, all with the same weight, and their intervals contain the scatter between the "
        "models."
    )


def models(results: Results) -> Table | None:
    """Diffusivity and conductivity of each ordered model of a disordered structure."""
    rows: list[list[Value]] = [
        [
            p.functional,
            p.vacancies,
            p.temperature_K,
            each.model,
            str(each.n_runs),
            each.diffusivity_cm2_s,
            each.conductivity_S_cm,
        ]
        for p in results.of(DiffusionFound).transport
        for each in p.models
    ]
    if not rows:
        return None
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("model"),
        Column("runs"),
        Column("D", "cm²/s"),
        Column("σ, tracer", "S/cm"),
    )
    caption = (
        "Each ordered model of the disordered structure by itself, with the interval of its own "
        "runs. Where models differ by more than their intervals, the order of the ions that do not "
        "move matters: more models make the mean more certain, longer runs do not."
    )
    return Table("models", "Diffusivity of each ordered model", columns, rows, caption)


def species(results: Results) -> Table | None:
    """Each mobile element, and what pairs of them add to the conductivity."""
    points = [p for p in results.of(DiffusionFound).transport if p.species]
    if not points:
        return None
    ions = [each.ion for each in points[0].species]
    pairs = [(each.one, each.other) for each in points[0].matrix]
    rows: list[list[Value]] = [
        [
            p.functional,
            p.vacancies,
            p.temperature_K,
            *(each.diffusivity_cm2_s for each in p.species),
            *(each.conductivity_S_cm for each in p.species),
            *(each.conductivity_S_cm for each in p.matrix),
            p.collective_S_cm,
        ]
        for p in points
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        *(Column(f"D of {ion}", "cm²/s") for ion in ions),
        *(Column(f"σ of {ion}, tracer", "S/cm") for ion in ions),
        *(Column(f"σ, {one} with {other}", "S/cm") for one, other in pairs),
        Column("σ, collective", "S/cm"),
    )
    charges = text.listed([f"{each.charge:+d} of {each.ion}" for each in points[0].species])
    caption = (
        f"Each mobile element by itself, with its charge ({text.minus(charges)}). The last columns "
        "are the transport matrix (Onsager): what the displacements of one element, and of two "
        "together, add to the collective conductivity. The term of two different elements counts "
        "twice in the sum. It is positive where they move together, negative where they move "
        "apart, and zero where each moves by itself."
    )
    return Table("species", "Diffusivity of each mobile element", columns, rows, caption)


def _disagreement(results: Results) -> str:
    """Where the two opinions on D are farther apart than both their intervals together."""
    pairs = [
        (p, p.diffusivity_cm2_s, p.regression_cm2_s)
        for p in results.of(DiffusionFound).transport
        if p.accepted
    ]
    apart = [
        p
        for p, one, other in pairs
        if one is not None
        and other is not None
        and abs(one.value - other.value) > one.half_width + other.half_width
    ]
    where = ", ".join(
        f"{p.functional} at {text.kelvin(p.temperature_K)} with "
        f"{text.count(p.vacancies, 'vacancy')}"
        for p in apart
    )
    return (
        f"The two values differ by more than both intervals for {where}: a longer run is needed."
        if apart
        else "The two agree within their intervals."
    )


def activation(results: Results) -> Table | None:
    """Activation energies against vacancy content, beside the paper's Table 3."""
    if not results.of(DiffusionFound).arrhenius:
        return None
    rows: list[list[Value]] = [
        [
            f"{text.OURS}, {line.functional}",
            line.vacancies,
            line.mol_percent,
            line.site_percent,
            line.activation_energy_meV,
            line.energy_of_sigma_T_meV,
            line.energy_of_D_meV,
            str(line.n_points),
            line.chi2_reduced,
            line.statement,
        ]
        for line in results.of(DiffusionFound).arrhenius
    ]
    for p in results.published.find("activation_energy"):
        who = f"paper, {p.functional}" if p.kind == "paper" else "experiment"
        sites = p.mol_percent / results.mobile_per_formula if p.mol_percent is not None else None
        rows.append(
            [
                who,
                p.vacancies,
                p.mol_percent,
                sites,
                *(
                    p.number if (p.definition or "sigma") == of_what else None
                    for of_what in ("sigma", "sigma*T", "D")
                ),
                "",
                None,
                ("" if p.definition else "the source does not say which activation energy; ")
                + f"{results.published.sources[p.source].short}, {p.place}",
            ]
        )
    columns = (
        Column("source"),
        Column("vacancies in the cell"),
        Column("per formula unit", "mol %", 3),
        Column(f"per {results.mobile} site", "%", 3),
        Column("of σ", "meV", 3),
        Column("of σT", "meV", 3),
        Column("of D", "meV", 3),
        Column("points"),
        Column("reduced χ²", "", 2),
        Column("remark"),
    )
    caption = (
        "Activation energies of σ, of σT and of D: weighted fits of their logarithms against "
        "1/T; 95 % intervals, widened by √χ² if the points scatter more than their errors "
        "explain. Those of D and of σT are larger by about k_B T, 43 meV at 500 K: compare only "
        "energies of the same kind. Points with too few hops and uncertain points are weighted "
        "by their number of independent hops."
    )
    if results.published.cell_atoms not in (None, results.n_atoms):
        caption += (
            f" Our cell has {results.n_atoms} atoms, the paper's "
            f"{results.published.cell_atoms}: the same number of vacancies is a different "
            "concentration, so compare the columns in per cent."
        )
    return Table("activation_energy", "Activation energy", columns, rows, caption)
