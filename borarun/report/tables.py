"""Tables of the page: ours, and beside it what is published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

from borarun.analysis.functionals import PROMINENCE
from borarun.analysis.occupancy import SETTLE_FS
from borarun.analysis.order import ORDERED, TURNING
from borarun.published import Statistics
from borarun.report import text
from borarun.report.blocks import Column, Table, Value
from borarun.report.comparison import SAME_CONTENT, SAME_TEMPERATURE_K, compare
from borarun.report.results import Exploration, Gap, Results, Rotation, Round, Stay, Training
from borarun.units import PER_CM_IN_MEV

OURS = "this study"


def cells(results: Results) -> Table | None:
    """Relaxed cells, and measured ones."""
    if not results.cells:
        return None
    rows: list[list[Value]] = [
        [
            c.functional,
            c.phase,
            c.space_group,
            *c.lattice_A,
            ", ".join(text.number(angle, 4) for angle in c.angles_deg),
            c.volume_A3 / c.formula_units,
            c.deviation_percent,
            c.energy_eV_per_atom,
            c.relative_meV,
            c.relative_meV_per_atom,
            f"wrong: below {c.below}" if c.below else "",
            c.max_force_eV_per_A,
        ]
        for c in results.cells
    ]
    rows += [["experiment", phase, "", *edges, "", *[None] * 5, "", None] for phase, edges in results.measured_cells_A.items()]
    measured = results.published.experiment("ordered_lattice_parameter")
    if measured is not None and "Pa-3" not in results.measured_cells_A:
        rows.append(["experiment", "Pa-3", "Pa-3 (205)", *[measured.number] * 3, "90, 90, 90", measured.number**3 / 4, *[None] * 4, "", None])
    columns = (
        Column("functional"),
        Column("phase"),
        Column("space group"),
        *(Column(name, "Å", 5) for name in "abc"),
        Column("α, β, γ", "°"),
        Column("volume", "Å³/f.u.", 5),
        Column("deviation of a, b, c", "%", 2),
        Column("energy", "eV/atom", 6),
        Column("relative energy", "meV/f.u.", 3),
        Column("relative energy", "meV/atom", 3),
        Column("order of phases"),
        Column("largest force", "eV/Å", 2),
    )
    caption = (
        "Positions and cell relaxed by the reference engine at 0 K, without zero-point motion. Relative energies are from the first phase. The deviation "
        "is the root mean square over a, b and c from the measured ones."
    )
    return Table("cells", "Relaxed cells", columns, rows, caption)


def phonons(results: Results) -> Table | None:
    """What the phonons say of stability and energy."""
    if not results.phonons:
        return None
    temperatures = sorted({T for p in results.phonons for T, _ in p.free_energy_eV})
    rows: list[list[Value]] = [
        [
            p.phase,
            p.functional,
            p.n_displacements,
            p.n_imaginary,
            p.n_q_points,
            p.lowest_meV,
            p.zero_point_eV,
            *(dict(p.free_energy_eV).get(T) for T in temperatures),
            p.acoustic_sum_eV_per_A2,
        ]
        for p in results.phonons
    ]
    columns = (
        Column("phase"),
        Column("functional"),
        Column("displacements"),
        Column("imaginary modes"),
        Column("q points"),
        Column("lowest frequency", "meV", 2),
        Column("zero-point energy", "eV/f.u.", 4),
        *(Column(f"vibrational free energy, {text.kelvin(T)}", "eV/f.u.", 4) for T in temperatures),
        Column("acoustic sum", "eV/Å²", 2),
    )
    caption = (
        "Imaginary modes are counted over the irreducible points of the mesh and left out of the energies. The lowest frequency is that on mesh and path, "
        "negative where imaginary. The acoustic sum is what was left of it before it was set to zero: a measure of noise in the forces."
    )
    return Table("phonons", "Phonons", columns, rows, caption)


def ranking(results: Results) -> Table | None:
    """Functionals by how well their peaks meet the measured ones, the best first."""
    if not results.measured_peaks_meV or not results.phonons:
        return None
    rows: list[list[Value]] = []
    for phase in dict.fromkeys(p.phase for p in results.phonons):
        group = [p for p in results.phonons if p.phase == phase]
        order = sorted(group, key=lambda p: float("inf") if p.match is None else p.match.score)
        for rank, p in enumerate(order, start=1):
            if p.match is None:
                rows.append([phase, None, p.functional, None, None, None, f"only {len(p.peaks_meV)} peaks"])
            else:
                away = p.match.computed - p.match.measured
                worst = int(abs(away).argmax())
                at = f"{text.number(float(away[worst]), 2)} at {text.number(float(p.match.measured[worst]), 4)}"
                rows.append([phase, rank, p.functional, p.match.score, p.match.score / PER_CM_IN_MEV, float(away.mean()), at])
    columns = (
        Column("phase"),
        Column("rank"),
        Column("functional"),
        Column("score", "meV", 3),
        Column("score", "cm⁻¹", 3),
        Column("mean deviation", "meV", 2),
        Column("largest deviation, meV"),
    )
    count = text.count(len(results.measured_peaks_meV), "measured peak")
    caption = (
        f"The score is the root-mean-square difference between {count} and the peaks of the computed density of states: every measured peak is "
        "paired with a computed one of its own so that the sum of squares is least. Smaller is better. A maximum of the density of states is a "
        f"peak when it rises {100 * PROMINENCE:g} % of the tallest above the valleys beside it; computed peaks may be left over, and heights "
        "do not count."
    )
    return Table("functional_ranking", "Ranking of the functionals", columns, rows, caption)


def peaks(results: Results) -> Table | None:
    """Measured peaks and the computed ones paired with them."""
    matched = [p for p in results.phonons if p.match is not None]
    if not matched:
        return None
    rows: list[list[Value]] = [
        [measured, measured / PER_CM_IN_MEV, *(float(p.match.computed[index]) for p in matched if p.match is not None)]
        for index, measured in enumerate(results.measured_peaks_meV)
    ]
    several = len({p.phase for p in matched}) > 1
    names = [f"{p.functional}, {p.phase}" if several else p.functional for p in matched]
    columns = (Column("measured", "meV"), Column("measured", "cm⁻¹"), *(Column(name, "meV") for name in names))
    return Table("phonon_peaks", "Peaks", columns, rows, "Each measured peak and the computed peak that is paired with it.")


def stand_ins(results: Results) -> Table | None:
    """The reference engine that stands in for DFT, in its own words."""
    if not results.stand_ins:
        return None
    rows: list[list[Value]] = [
        [s.functional, s.level, s.n_train, s.n_valid, s.energy_meV_per_atom, s.forces_eV_per_A, s.stress_kbar, s.lattice_300K_A] for s in results.stand_ins
    ]
    columns = (
        Column("functional"),
        Column("MTP level"),
        Column("fitted configurations"),
        Column("held out"),
        Column("energy error", "meV/atom", 3),
        Column("force error", "eV/Å", 3),
        Column("stress error", "kbar", 3),
        Column("a at 300 K", "Å", 4),
    )
    caption = f"{' '.join(dict.fromkeys(s.statement for s in results.stand_ins))} Errors are root mean squares on held-out configurations."
    return Table("reference", "Reference engine", columns, rows, caption)


def training_statistics(results: Results) -> Table | None:
    """Statistics of the final potentials beside the paper's Table 1."""
    finals = [part for part in results.learning if part.trainings]
    if not finals:
        return None
    columns = [Column("statistic")]
    values: list[Mapping[str, str]] = []
    for part in finals:
        columns.append(Column(f"{OURS}, {part.functional}"))
        values.append(_statistics(part.n_initial, part.trainings[-1]))
    for item in results.published.training:
        columns.append(Column(f"paper, {item.functional}"))
        values.append(_published_statistics(item))
    rows = [[name, *(column.get(name, text.NOTHING) for column in values)] for name in values[0]]
    caption = (
        "As in Table 1 of the paper. Its errors are RMSE of MTP level 20 against DFT; ours are RMSE against the reference engine named at "
        f"the top, on held-out configurations unless the row says otherwise.{text.pushed(finals)}"
    )
    return Table("training_statistics", "Training statistics", tuple(columns), rows, caption)


def _statistics(n_initial: int, final: Training) -> dict[str, str]:
    def span(name: str, digits: int) -> str:
        low, high = final.ranges.get(name, (float("nan"), float("nan")))
        return f"{text.number(low, digits)} / {text.number(high, digits)}"

    return {
        "MTP level (parameters)": f"{final.level} ({final.n_parameters})",
        "initial data set": str(n_initial),
        "total data set": f"{final.n_train + final.n_valid} ({final.n_valid} held out)",
        "energy range, eV/atom": span("energy_eV_per_atom", 4),
        "force range, eV/Å": span("forces_eV_per_A", 3),
        "stress range, kbar": span("stress_kbar", 3),
        "energy RMSE, meV/atom": text.number(final.valid.energy_meV_per_atom, 3),
        "force RMSE, eV/Å": text.number(final.valid.forces_eV_per_A, 3),
        "stress RMSE, kbar": text.number(final.valid.stress_kbar, 3),
        "energy RMSE on fitted data, meV/atom": text.number(final.train.energy_meV_per_atom, 3),
        "force RMSE on fitted data, eV/Å": text.number(final.train.forces_eV_per_A, 3),
        "stress RMSE on fitted data, kbar": text.number(final.train.stress_kbar, 3),
    }


def _published_statistics(item: Statistics) -> dict[str, str]:
    return {
        "MTP level (parameters)": str(item.level),
        "initial data set": str(item.n_initial),
        "total data set": str(item.n_total),
        "energy range, eV/atom": " / ".join(text.number(x, 3) for x in item.energy_eV_per_atom),
        "force range, eV/Å": " / ".join(text.number(x, 3) for x in item.forces_eV_per_A),
        "stress range, kbar": " / ".join(text.number(x, 3) for x in item.stress_kbar),
        "energy RMSE, meV/atom": f"{item.rmse.energy_meV_per_atom:g}",
        "force RMSE, eV/Å": f"{item.rmse.forces_eV_per_A:g}",
        "stress RMSE, kbar": f"{item.rmse.stress_kbar:g}",
    }


_STOPS = {
    "completed": "ran to its end",
    "extrapolation": "grade passed the upper threshold",
    "exploded": "exploded (temperature, distance or force out of bounds)",
}


def ledger(results: Results) -> Table | None:
    """Active learning, one row an exploration run; what the round did stands in its first row."""
    rows: list[list[Value]] = []
    for part in results.learning:
        for step in part.rounds:
            for index, run in enumerate(step.explorations or ()):
                rows.append([step.functional, step.round, *_explored(run), *(_learned(step) if index == 0 else [""] * 4)])
    if not rows:
        return None
    columns = (
        Column("functional"),
        Column("round"),
        Column("vacancies"),
        Column("run"),
        Column("why it stopped"),
        Column("after"),
        Column("largest grade", "", 3),
        Column("candidates"),
        Column("selected and labelled"),
        Column("energy error", "meV/atom, before → after"),
        Column("force error", "eV/Å, before → after"),
        Column("stress error", "kbar, before → after"),
    )
    caption = "Errors are on configurations held out of the first training set; what active learning selected is learnt whole."
    return Table("ledger", "Ledger of active learning", columns, rows, caption)


def _explored(run: Exploration) -> list[Value]:
    return [
        run.vacancies,
        run.run,
        _STOPS.get(run.stop, run.stop),
        f"{text.duration(run.time_ps)} of {text.duration(run.planned_ps)}",
        run.grade_max,
        run.n_candidates,
    ]


def _learned(step: Round) -> list[Value]:
    if step.clean:
        return ["none needed: the round stayed clean", "", "", ""]
    if step.n_candidates == 0 and step.explorations:
        return ["nothing to label: an anion came apart", "", "", ""]
    if step.n_selected is None:
        return ["not yet", "", "", ""]
    labelled = f"{step.n_selected} of {step.n_candidates}" + (
        "" if step.n_labelled == step.n_selected else f", {step.n_labelled or 0} of them labelled so far"
    )

    def change(name: str) -> str:
        before = text.number(getattr(step.before, name), 3) if step.before else text.NOTHING
        after = text.number(getattr(step.after, name), 3) if step.after else text.NOTHING
        return f"{before} → {after}"

    return [labelled, change("energy_meV_per_atom"), change("forces_eV_per_A"), change("stress_kbar")]


def lattice(results: Results) -> Table | None:
    """Lattice parameters at the temperatures of the published ones."""
    if not results.lattice:
        return None
    series = list(dict.fromkeys((p.functional, p.vacancies) for p in results.lattice))
    temperatures = sorted({p.temperature_K for p in results.lattice})
    rows: list[list[Value]] = []
    for T in temperatures:
        ours = {(p.functional, p.vacancies): p.lattice_A for p in results.lattice if p.temperature_K == T}
        paper = results.published.paper("lattice_parameter", "", temperature_K=T)
        experiment = results.published.experiment("lattice_parameter", temperature_K=T)
        rows.append([T, *(ours.get(key) for key in series), text.published(paper), text.published(experiment)])
    columns = (
        Column("temperature", "K"),
        *(Column(f"{OURS}, {functional}, {text.count(n, 'vacancy')}", "Å") for functional, n in series),
        Column("paper, rev-vdW-DF2", "Å"),
        Column("experiment", "Å"),
    )
    caption = "Ours: straight line through the heating branch within 50 K, 95 % interval. The paper's errors are as published in its Table 2."
    return Table("lattice_parameters", "Lattice parameters", columns, rows, caption)


def transitions(results: Results) -> Table | None:
    """Transition temperatures beside the published ones."""
    if not results.transitions:
        return None
    rows: list[list[Value]] = []
    for t in results.transitions:
        ramps = [b for b in results.branches if (b.functional, b.vacancies, b.heating_K_per_ps) == (t.functional, t.vacancies, t.heating_K_per_ps)]
        rates = ", ".join(text.number(b.rate_K_per_ps, 3) for b in ramps)
        mean: Value = t.temperature_K if t.temperature_K is not None else "none in this range"
        rows.append([f"{OURS}, {t.functional}", str(t.vacancies), rates, t.heated_K, t.cooled_K, t.hysteresis_K, mean, t.volume_step_percent, t.statement])
    steps = {p.source: p.number for p in results.published.find("transition_volume_step_percent")}
    for p in results.published.find("transition_temperature"):
        who = f"paper, {p.functional}" if p.kind == "paper" else "experiment"
        rows.append(
            [
                who,
                "0" if p.kind == "paper" else "",
                "",
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
        "Half-height temperatures of the step in the lattice; 95 % bootstrap intervals. Rates are those of heating and of the cooling after it; the "
        "volume steps up at half height on heating by this part of the volume below.",
    )


def transport(results: Results) -> Table | None:
    """Diffusivity and conductivity of every run."""
    if not results.transport:
        return None
    rows: list[list[Value]] = [
        [
            p.functional,
            p.vacancies,
            p.temperature_K,
            f"{p.n_runs} × {text.duration(p.time_ps)}",
            p.diffusivity_cm2_s,
            p.regression_cm2_s,
            p.conductivity_S_cm,
            p.collective_S_cm,
            p.haven,
            ", ".join(filter(None, ("yes", p.phase))) if p.accepted else f"no: {p.reason}",
        ]
        for p in results.transport
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("runs"),
        Column("D", "cm²/s"),
        Column("D by regression", "cm²/s"),
        Column("σ, tracer", "S/cm"),
        Column("σ, collective", "S/cm"),
        Column("Haven ratio"),
        Column("in the fit"),
    )
    caption = (
        "D from the whole run with a 95 % interval from the scatter over time blocks (Student t). D by regression is a second opinion, by "
        "generalised least squares through the mean squared displacement; its interval holds for ions that move each for itself only. "
        f"{_disagreement(results)} The tracer conductivity takes every ion "
        "for itself (Haven ratio 1, as in the paper); the collective one follows the displacement of all mobile charge together; their "
        "ratio is the Haven ratio."
    )
    return Table("transport", "Diffusivity and conductivity", columns, rows, caption)


def _disagreement(results: Results) -> str:
    """Where the two opinions on D are farther apart than both their intervals together."""
    pairs = [(p, p.diffusivity_cm2_s, p.regression_cm2_s) for p in results.transport if p.accepted]
    apart = [p for p, one, other in pairs if one is not None and other is not None and abs(one.value - other.value) > one.half_width + other.half_width]
    where = ", ".join(f"{p.functional} at {text.kelvin(p.temperature_K)} with {text.count(p.vacancies, 'vacancy')}" for p in apart)
    return f"The two disagree by more than both intervals for {where}: a longer run is needed." if apart else "The two agree within their intervals."


def activation(results: Results) -> Table | None:
    """Activation energies against vacancy content, beside the paper's Table 3."""
    if not results.arrhenius:
        return None
    rows: list[list[Value]] = [
        [
            f"{OURS}, {line.functional}",
            line.vacancies,
            line.mol_percent,
            line.site_percent,
            line.activation_energy_meV,
            str(line.n_points),
            line.chi2_reduced,
            line.statement,
        ]
        for line in results.arrhenius
    ]
    for p in results.published.find("activation_energy"):
        who = f"paper, {p.functional}" if p.kind == "paper" else "experiment"
        sites = p.mol_percent / results.mobile_per_formula if p.mol_percent is not None else None
        rows.append([who, p.vacancies, p.mol_percent, sites, p.number, "", None, f"{results.published.sources[p.source].short}, {p.place}"])
    columns = (
        Column("source"),
        Column("vacancies in the cell"),
        Column("per formula unit", "mol %", 3),
        Column(f"per {results.mobile} site", "%", 3),
        Column("activation energy", "meV", 3),
        Column("points"),
        Column("reduced χ²", "", 2),
        Column("remark"),
    )
    caption = (
        "Weighted fit of ln σ over 1/T through the points that are in the fit; 95 % interval, widened by √χ² where the points scatter more "
        f"than their errors. Our cell holds {results.n_atoms} atoms, the paper's 2808: the same number of vacancies is a different "
        "content, so compare the columns in per cent."
    )
    return Table("activation_energy", "Activation energy", columns, rows, caption)


def rotations(results: Results) -> Table | None:
    """Largest deflections and full rotations."""
    if not results.rotation:
        return None
    rows: list[list[Value]] = [
        [
            f"{OURS}, {p.functional}",
            p.vacancies,
            p.temperature_K,
            text.duration(p.time_ps),
            p.deflection_deg,
            p.rms_deflection_deg,
            f"{p.full_rotations} ({text.number(p.full_rotations_per_ns, 3)} per ns)" if p.full_rotations else "none",
            _decay(p),
            p.order,
            p.reorientations,
            p.disorder,
        ]
        for p in sorted(results.rotation, key=lambda p: (p.functional, p.vacancies, p.temperature_K))
    ]
    for p in (*results.published.find("largest_deflection"), *results.published.find("full_rotations")):
        turning = p.quantity == "full_rotations"
        row: list[Value] = [
            f"paper, {p.functional}",
            p.vacancies,
            p.temperature_K,
            "1 ns",
            None if turning else p.number,
            None,
            f"{text.number(p.low)}–{text.number(p.high)} per ns" if turning else "none",
            p.place,
            None,
            None,
            "",
        ]
        rows.append(row)
    columns = (
        Column("source"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("length"),
        Column("largest deflection", "°", 3),
        Column("rms deflection", "°", 3),
        Column("full rotations"),
        Column("decay of ξ"),
        Column("order left", "", 2),
        Column("new places an anion", "", 2),
        Column("orientations"),
    )
    caption = (
        "Deflection of a vertex from its own mean direction over the run; full rotations count whole turns of all anions together. The "
        "mean direction means nothing for an anion that turns over: read its deflection as free rotation. The interval of a decay is a "
        "jackknife over anions. Order left, of directions averaged over 3 ps: 1 where anions stand as in the relaxed crystal or turned onto "
        "themselves, 0 where they stand anyhow. New places: how often an anion went over to another orientation, on average. Disorder, where less than "
        f"{ORDERED:g} of the order is left, is dynamic where an anion took {TURNING:g} new place or more, and static where less: within "
        "the length of this run."
    )
    return Table("rotation", "Deflection and full rotations", columns, rows, caption)


def _decay(p: Rotation) -> str:
    if p.relaxation_ps is None:
        return p.relaxation
    interval = f" ({text.duration(p.relaxation_ps.low)} to {text.duration(p.relaxation_ps.high)})" if isfinite(p.relaxation_ps.low) else ""
    return f"1/e after {text.duration(p.relaxation_ps.value)}{interval}"


def comparison(results: Results) -> Table | None:
    """Ours beside every published number that has a counterpart."""
    found = compare(results)
    if not found:
        return None
    rows: list[list[Value]] = []
    for c in found:
        n = c.published
        conditions = [c.ours.functional]
        conditions += [text.kelvin(n.temperature_K)] if n.temperature_K is not None else []
        conditions += [f"{c.ours.mol_percent:.3g} mol %"] if c.ours.mol_percent is not None else []
        quantity = n.quantity.replace("_percent", "").replace("_", " ")
        rows.append(
            [
                f"{quantity}, {_UNIT_NAMES.get(n.unit, n.unit)}",
                ", ".join(conditions),
                c.ours.value,
                text.published(n),
                c.in_intervals,
                c.verdict,
                f"{n.kind}, {n.functional}" if n.functional else n.kind,
                c.deviation,
                c.remark,
                f"{results.published.sources[n.source].short}, {n.place}",
            ]
        )
    columns = (
        Column("quantity"),
        Column("ours"),
        Column("value"),
        Column("published"),
        Column("deviation", "intervals", 2),
        Column("verdict"),
        Column("published by"),
        Column("deviation", "", 3),
        Column("remark"),
        Column("source"),
    )
    outside = sum(c.verdict == "outside" for c in found)
    left = len(results.published.values) - len({c.published.identity for c in found})
    caption = (
        "The combined interval is the root of the sum of squares of half our 95 % interval and half the published one, as far as they exist; "
        f"{outside} of {len(found)} comparisons lie outside it. Intervals hold statistical errors: a deviation of many of them may be the functional's, "
        f"the potential's or the cell's. {text.count(left, 'published value')} without a counterpart here {'is' if left == 1 else 'are'} left out. "
        f"Results are compared at most {SAME_TEMPERATURE_K:g} K and {100 * SAME_CONTENT:g} % of the vacancies (mol %) apart, lattice parameters at the "
        "published temperature."
    )
    return Table("comparison", "Comparison with published values", columns, rows, caption)


_UNIT_NAMES = {"A": "Å", "deg": "°"}


def sites(results: Results) -> Table | None:
    """Shares of the sites, hops and residence times."""
    if not results.local:
        return None
    kinds = list(dict.fromkeys(kind for p in results.local for kind in p.sites))
    rows: list[list[Value]] = []
    for p in results.local:
        stays = {stay.kind: stay for stay in p.stays}
        rows.append(
            [
                p.functional,
                p.vacancies,
                p.temperature_K,
                f"{p.n_runs} × {text.duration(p.time_ps)}",
                *(p.share.get(kind) for kind in kinds),
                str(sum(p.hops.values())),
                p.hops_per_ion_ns,
                *(_stay(stays.get(kind)) for kind in kinds),
            ]
        )
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("runs"),
        *(Column(f"share, {kind}") for kind in kinds),
        Column("hops"),
        Column("hops per ion", "1/ns", 3),
        *(Column(f"stay, {kind}", "ps") for kind in kinds),
    )
    first = results.local[0]
    present = text.listed([f"{n} {kind if kind != 'window' or n == 1 else 'windows'}" for kind, n in first.sites.items()])
    caption = (
        f"Sites follow from the anions' mean centres: {present} in this supercell. Shares have 95 % intervals from ten blocks of time a run. A hop is "
        f"a change of site, windows among them, that lasts {SETTLE_FS:g} fs (or one frame); a stay is the time on sites of a kind over the departures "
        "from there, with the interval of events at random times. Ions that rattle in pairs of sites make many hops and no conductivity."
    )
    return Table("sites", "Sites and residence times", columns, rows, caption)


def hops(results: Results) -> Table | None:
    """Changes of site by the kinds of the two sites."""
    ways = sorted({way for p in results.local for way in p.hops})
    if not ways:
        return None
    rows: list[list[Value]] = [[p.functional, p.vacancies, p.temperature_K, *(p.hops.get(way, 0) for way in ways)] for p in results.local]
    columns = (Column("functional"), Column("vacancies"), Column("temperature", "K"), *(Column(way) for way in ways))
    caption = (
        "Hops in all runs, from one kind of site to another. In equilibrium each way is gone as often as its reverse, within the scatter of counting; "
        "a run that shows otherwise is too short."
    )
    return Table("hops", "Hops between sites", columns, rows, caption)


def _stay(stay: Stay | None) -> Value:
    if stay is None:
        return "never there"
    return stay.mean_ps if stay.mean_ps is not None else f"over {text.number(stay.low_ps, 2)}"


def shells(results: Results) -> Table | None:
    """First shells of neighbours."""
    rows: list[list[Value]] = [
        [p.functional, p.vacancies, p.temperature_K, text.formula(pair.name), pair.peak_A, pair.end_A, pair.first_shell]
        for p in results.local
        for pair in p.pairs
        if pair.first_shell is not None
    ]
    if not rows:
        return None
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("pair"),
        Column("peak of g(r)", "Å", 3),
        Column("end of the shell", "Å", 3),
        Column("neighbours in it", "", 3),
    )
    caption = (
        "Neighbours up to the minimum behind the first peak of g(r). Pairs whose first shell does not end within half the width of the cell are left out."
    )
    return Table("shells", "First shells", columns, rows, caption)


def checks(results: Results) -> Table | None:
    """Whether the framework held in every run."""
    if not results.checks:
        return None
    pairs = list(dict.fromkeys(pair for check in results.checks for pair in check.bonds_A))
    rows: list[list[Value]] = [
        [
            f"{c.stage}, {c.label}",
            *(_bond(c.bonds_A.get(pair)) for pair in pairs),
            c.displacement_A,
            c.unwrap_difference_percent,
            c.grade_max,
            "holds" if c.intact else "broken",
            c.verdict,
        ]
        for c in results.checks
    ]
    columns = (
        Column("run"),
        *(Column(f"{pair}: start, shortest–longest", "Å") for pair in pairs),
        Column("largest net shift of an anion", "Å", 2),
        Column("two unwrappings differ by", "%", 2),
        Column("largest grade", "", 3),
        Column("framework"),
        Column("remark"),
    )
    caption = (
        "Bond lengths within the anions over all frames of each production run; net displacement of anion centres between the first and "
        "the last tenth; largest relative difference in MSD between unwrapping in scaled coordinates and the toroidal scheme; largest "
        "extrapolation grade met."
    )
    return Table("checks", "Checks of every production run", columns, rows, caption)


def _bond(lengths: tuple[float, float, float] | None) -> str:
    return text.NOTHING if lengths is None else f"{lengths[0]:.2f}, {lengths[1]:.2f}–{lengths[2]:.2f}"


def runs(results: Results) -> Table:
    """Every task: engine, version, seed, key."""
    rows: list[list[Value]] = [
        [run.stage, run.label, run.engine, run.version, str(run.seed) if run.seed is not None else "", run.key] for run in results.provenance.runs
    ]
    columns = (Column("stage"), Column("run"), Column("engine"), Column("version"), Column("seed"), Column("key"))
    caption = (
        "The key is the hash of everything that determines the result: engine, version, settings and inputs. "
        "The store holds one file KEY.zarr.zip for each."
    )
    return Table("runs", "Runs", columns, rows, caption)


def failures(gaps: Sequence[Gap]) -> Table | None:
    """What failed and why."""
    rows: list[list[Value]] = [[gap.stage, gap.label, gap.reason, gap.remedy] for gap in gaps if gap.failed]
    columns = (Column("stage"), Column("run"), Column("why"), Column("what to do"))
    return Table("failures", "Failures", columns, rows) if rows else None


def versions(results: Results) -> Table | None:
    """Program versions."""
    if not results.provenance.versions:
        return None
    rows: list[list[Value]] = [[name, version] for name, version in results.provenance.versions.items()]
    return Table("versions", "Versions", (Column("program"), Column("version")), rows)
