"""Figures of the lattice against temperature."""

from __future__ import annotations

from matplotlib.axes import Axes

from borarun.report import style, text
from borarun.report.blocks import Column, Figure, Table, Value
from borarun.report.measured import Array
from borarun.subjects.common.results import Results
from borarun.subjects.heating.results import HeatingFound, RampBranch, Transition

_COLORS = {"heating": style.HEATING, "cooling": style.COOLING}
_MARKERS = {"heating": "o", "cooling": "s"}

_SLOWEST, _FADING = 1.0, 0.55
"""Opacity of the slowest ramps, and its ratio from one rate to the next faster one."""


def lattice(results: Results) -> Figure | None:
    """a(T), or V(T) where the cell is not cubic, on heating and cooling; one panel a functional and
    vacancy count.
    """
    if not results.of(HeatingFound).branches:
        return None
    groups: dict[tuple[str, int], list[RampBranch]] = {}
    for branch in results.of(HeatingFound).branches:
        groups.setdefault((branch.functional, branch.vacancies), []).append(branch)
    panels = []
    for (functional, vacancies), branches in groups.items():

        def paint(
            axes: Axes,
            branches: list[RampBranch] = branches,
            title: str = f"{functional}, {text.count(vacancies, 'vacancy')}",
        ) -> None:
            rates = sorted({branch.heating_K_per_ps for branch in branches})
            for branch in branches:
                alpha = _SLOWEST * _FADING ** rates.index(branch.heating_K_per_ps)
                color, (values, errors) = _COLORS[branch.branch], _drawn(results, branch)
                label = f"{branch.branch}, {text.number(branch.rate_K_per_ps, 3)} K/ps"
                axes.plot(
                    branch.temperature_K,
                    values,
                    marker=_MARKERS[branch.branch],
                    ms=3.8,
                    ls="none",
                    color=color,
                    alpha=alpha,
                    label=label if branch.run == 0 else None,
                )
                axes.fill_between(
                    branch.temperature_K,
                    values - 1.96 * errors,
                    values + 1.96 * errors,
                    color=color,
                    alpha=0.15 * alpha,
                    lw=0,
                )
                axes.plot(
                    branch.fit_temperature_K,
                    _fitted(results, branch),
                    color=color,
                    lw=1.2,
                    alpha=alpha,
                )
                if branch.half_height_K is not None:
                    axes.axvline(
                        branch.half_height_K.value, color=color, lw=1.0, ls=(0, (4, 3)), alpha=alpha
                    )
                    axes.axvspan(
                        branch.half_height_K.low,
                        branch.half_height_K.high,
                        color=color,
                        alpha=0.08 * alpha,
                        lw=0,
                    )
            _beside(axes, results)
            axes.set(xlabel="temperature, K", ylabel=_axis(results), title=title)
            axes.legend(loc="upper left")

        alt = (
            f"Lattice of {results.formula} against temperature on heating and cooling, "
            f"{functional}, {text.count(vacancies, 'vacancy')}."
        )
        panels.append(
            style.draw(f"lattice-{functional}-{vacancies}", alt, paint, width=5.6, height=4.1)
        )
    rows: list[list[Value]] = [
        [
            branch.functional,
            branch.vacancies,
            branch.branch,
            branch.rate_K_per_ps,
            *(float(value) for value in values),
        ]
        for branch in results.of(HeatingFound).branches
        for values in zip(
            branch.temperature_K,
            branch.lattice_A,
            branch.error_A,
            branch.volume_A3,
            branch.volume_error_A3,
            *branch.edges_A.T,
            strict=True,
        )
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("branch"),
        Column("rate", "K/ps"),
        Column("temperature", "K"),
        Column("lattice parameter", "A"),
        Column("standard error", "A"),
        Column("volume per formula unit", "A^3"),
        Column("standard error of the volume", "A^3"),
        *(Column(name, "A") for name in "abc"),
    )
    first = results.of(HeatingFound).branches[0]
    repeats = " × ".join(str(n) for n in results.supercell)
    what = (
        "The lattice parameter is the cube root of the volume per unit cell"
        if results.cubic
        else "The cell is not cubic: its volume is drawn"
    )
    seeds = ", ".join(sorted({str(b.seed) for b in results.of(HeatingFound).branches}))
    caption = (
        f"Molecular dynamics at constant pressure, {first.n_atoms} atoms ({repeats} "
        f"cells), {_runs(results)} per branch, seed {seeds}. {what}. Points are means "
        "over bins of the thermostat's set temperature, bands their 95 % range. Lines: a "
        "step between two curved baselines, fitted to the frames; a cubic polynomial "
        "where a step fits no better. Vertical dashed lines mark the half-height "
        "temperature of a step, with its 95 % bootstrap interval. "
    )
    if len({branch.heating_K_per_ps for branch in results.of(HeatingFound).branches}) > 1:
        caption += "Faster ramps have paler colours."
    return Figure(
        "Lattice against temperature",
        caption,
        tuple(panels),
        Table("lattice", "Lattice against temperature", columns, rows),
    )


def _drawn(results: Results, branch: RampBranch) -> tuple[Array, Array]:
    """The quantity that tells a cell's size, a or V, and its standard error."""
    return (
        (branch.lattice_A, branch.error_A)
        if results.cubic
        else (branch.volume_A3, branch.volume_error_A3)
    )


def _fitted(results: Results, branch: RampBranch) -> Array:
    """The fitted curve of the same quantity; of a volume it is the cube of the lattice
    parameter's.
    """
    return branch.fit_lattice_A if results.cubic else branch.fit_lattice_A**3 / results.units_a_cell


def _axis(results: Results) -> str:
    return "lattice parameter a, Å" if results.cubic else "volume per formula unit, Å³"


def functionals(results: Results) -> Figure | None:
    """All functionals in one panel, where there are several: heating and cooling at the fewest
    vacancies and the slowest rate of each.
    """
    found: dict[str, list[RampBranch]] = {}
    for functional in dict.fromkeys(
        branch.functional for branch in results.of(HeatingFound).branches
    ):
        same = [
            branch
            for branch in results.of(HeatingFound).branches
            if branch.functional == functional
        ]
        least = min((branch.vacancies, branch.heating_K_per_ps) for branch in same)
        found[functional] = [
            branch for branch in same if (branch.vacancies, branch.heating_K_per_ps) == least
        ]
    if len(found) < 2:
        return None

    def paint(axes: Axes) -> None:
        for functional, branches in found.items():
            color = style.by_functional(functional)
            for branch in branches:
                heated, values = branch.branch == "heating", _drawn(results, branch)[0]
                label = f"{functional}, {branch.branch}"
                face = color if heated else "white"
                axes.plot(
                    branch.temperature_K,
                    values,
                    marker=_MARKERS[branch.branch],
                    ms=3.6,
                    mfc=face,
                    ls="none",
                    color=color,
                    label=label,
                )
                axes.plot(
                    branch.fit_temperature_K,
                    _fitted(results, branch),
                    color=color,
                    lw=1.2,
                    ls="-" if heated else (0, (4, 2)),
                )
                if branch.half_height_K is not None:
                    axes.axvline(
                        branch.half_height_K.value,
                        color=color,
                        lw=0.9,
                        ls=(0, (4, 3)) if heated else (0, (1, 2)),
                    )
        _beside(axes, results)
        axes.set(xlabel="temperature, K", ylabel=_axis(results), title="all functionals")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2)

    panel = style.draw(
        "lattice-functionals",
        f"Lattice of {results.formula} against temperature with each functional.",
        paint,
        width=5.6,
        height=5.0,
    )
    transitions = {
        (t.functional, t.vacancies, t.heating_K_per_ps): t
        for t in results.of(HeatingFound).transitions
    }
    rows: list[list[Value]] = []
    for functional, branches in found.items():
        first = branches[0]
        t = transitions.get((functional, first.vacancies, first.heating_K_per_ps))
        rates = ", ".join(text.number(branch.rate_K_per_ps, 3) for branch in branches)
        heated, cooled, mean = (
            (t.heated_K, t.cooled_K, t.temperature_K) if t is not None else (None, None, None)
        )
        rows.append([functional, first.vacancies, rates, heated, cooled, mean])
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("rates", "K/ps"),
        Column("heating", "K"),
        Column("cooling", "K"),
        Column("transition temperature", "K"),
    )
    caption = (
        "The same runs as in the figures above; each functional has its own training set and "
        "potential. Filled: heating; hollow: cooling; lines as above. Vertical lines: half "
        "height on heating (dashed) and cooling (dotted). All potentials have the same level and "
        "all cells the same size: only the functional differs, and with it the training "
        "configurations."
    )
    return Figure(
        "Functionals beside each other",
        caption,
        (panel,),
        Table("functionals", "Functionals beside each other", columns, rows),
    )


def edges(results: Results) -> Figure | None:
    """The three lattice parameters against temperature on heating, where the cell is not cubic: one
    panel a functional and vacancy count, slowest rate.
    """
    slowest: dict[tuple[str, int], RampBranch] = {}
    for branch in results.of(HeatingFound).branches:
        before = slowest.get((branch.functional, branch.vacancies))
        if branch.branch == "heating" and (
            before is None or branch.heating_K_per_ps < before.heating_K_per_ps
        ):
            slowest[branch.functional, branch.vacancies] = branch
    if results.cubic or not slowest:
        return None
    panels = []
    for (functional, vacancies), branch in slowest.items():

        def paint(
            axes: Axes,
            branch: RampBranch = branch,
            title: str = f"{functional}, {text.count(vacancies, 'vacancy')}",
        ) -> None:
            for name, marker, values in zip("abc", "osD", branch.edges_A.T, strict=True):
                axes.plot(
                    branch.temperature_K, values, "-", marker=marker, ms=3.6, lw=1.2, label=name
                )
            axes.set(xlabel="temperature, K", ylabel="lattice parameters, Å", title=title)
            axes.legend()

        alt = (
            f"Lattice parameters a, b and c of {results.formula} against temperature on heating, "
            f"{functional}, {text.count(vacancies, 'vacancy')}."
        )
        panels.append(
            style.draw(f"edges-{functional}-{vacancies}", alt, paint, width=5.0, height=3.8)
        )
    rows: list[list[Value]] = [
        [functional, vacancies, branch.heating_K_per_ps, float(T), *(float(edge) for edge in own)]
        for (functional, vacancies), branch in slowest.items()
        for T, own in zip(branch.temperature_K, branch.edges_A, strict=True)
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("rate", "K/ps"),
        Column("temperature", "K"),
        *(Column(name, "A") for name in "abc"),
    )
    caption = (
        "Lengths of the unit cell's vectors on heating, in the same bins of temperature. "
        "With cell: isotropic their ratios are fixed. Otherwise they become equal in a "
        "cubic phase, or take the ratios of another setting of its cell."
    )
    return Figure(
        "Cell edges against temperature",
        caption,
        tuple(panels),
        Table("edges", "Cell edges against temperature", columns, rows),
    )


def hysteresis(results: Results) -> Figure | None:
    """Half-height temperatures against the rate of heating, one panel a functional and vacancy
    count, where there are several rates.
    """
    groups: dict[tuple[str, int], list[Transition]] = {}
    for t in results.of(HeatingFound).transitions:
        if t.heated_K is not None or t.cooled_K is not None:
            groups.setdefault((t.functional, t.vacancies), []).append(t)
    groups = {
        key: sorted(found, key=lambda t: t.order) for key, found in groups.items() if len(found) > 1
    }
    if not groups:
        return None
    panels = []
    for (functional, vacancies), found in groups.items():

        def paint(
            axes: Axes,
            found: list[Transition] = found,
            title: str = f"{functional}, {text.count(vacancies, 'vacancy')}",
        ) -> None:
            axes.set_xscale("log")
            for branch in ("heating", "cooling"):
                halves = [
                    (t.heating_K_per_ps, half)
                    for t in found
                    if (half := t.heated_K if branch == "heating" else t.cooled_K) is not None
                ]
                axes.errorbar(
                    [rate for rate, _ in halves],
                    [half.value for _, half in halves],
                    yerr=[
                        [half.value - half.low for _, half in halves],
                        [half.high - half.value for _, half in halves],
                    ],
                    fmt=f"-{_MARKERS[branch]}",
                    color=_COLORS[branch],
                    ms=5,
                    lw=1.2,
                    capsize=2,
                    label=branch,
                )
            axes.set_xticks(
                [t.heating_K_per_ps for t in found],
                [text.number(t.heating_K_per_ps, 3) for t in found],
            )
            axes.minorticks_off()
            axes.set(
                xlabel="heating rate, K/ps", ylabel="temperature at half height, K", title=title
            )
            axes.legend()

        alt = (
            f"Half-height temperatures on heating and cooling against the rate, {functional}, "
            f"{text.count(vacancies, 'vacancy')}."
        )
        panels.append(
            style.draw(f"hysteresis-{functional}-{vacancies}", alt, paint, width=4.4, height=3.6)
        )
    rows: list[list[Value]] = [
        [t.functional, t.vacancies, t.heating_K_per_ps, t.heated_K, t.cooled_K, t.hysteresis_K]
        for found in groups.values()
        for t in found
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("heating rate", "K/ps"),
        Column("heating", "K"),
        Column("cooling", "K"),
        Column("hysteresis", "K"),
    )
    caption = (
        "Bars are 95 % intervals of the mean over the runs; a single run may transform "
        "earlier or later than others. The gap narrows as ramps become slower, and the "
        "equilibrium lies within it; there is no extrapolation to zero rate. All other "
        "parts of this report use the slowest ramps."
    )
    return Figure(
        "Hysteresis against rate",
        caption,
        tuple(panels),
        Table("hysteresis", "Hysteresis against rate", columns, rows),
    )


def _beside(axes: Axes, results: Results) -> None:
    """Published lattice parameters, or volumes."""
    quantity = "lattice_parameter" if results.cubic else "volume"
    experiment = results.published.find(quantity, kind="experiment")
    if experiment:
        axes.plot(
            [p.temperature_K or 0.0 for p in experiment],
            [p.number for p in experiment],
            "*",
            ms=11,
            color=style.EXPERIMENT,
            label="experiment",
            ls="none",
        )
    paper = results.published.find(quantity, kind="paper")
    if paper:
        axes.errorbar(
            [p.temperature_K or 0.0 for p in paper],
            [p.number for p in paper],
            yerr=[p.half_width or 0.0 for p in paper],
            fmt="D",
            mfc="white",
            ms=5.5,
            capsize=2,
            color=style.PAPER,
            label=f"paper, {paper[0].functional}",
        )


def _runs(results: Results) -> str:
    return text.count(1 + max(branch.run for branch in results.of(HeatingFound).branches), "run")
