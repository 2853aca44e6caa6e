"""Figure of the lattice against temperature."""

from __future__ import annotations

from matplotlib.axes import Axes

from borarun.published import Published
from borarun.report import style, text
from borarun.report.blocks import Column, Figure, Table, Value
from borarun.report.results import Results
from borarun.report.results.heating import Branch, Transition

_COLORS = {"heating": style.HEATING, "cooling": style.COOLING}
_MARKERS = {"heating": "o", "cooling": "s"}

_SLOWEST, _FADING = 1.0, 0.55
"""Opacity of the slowest ramps, and its ratio from one rate to the next faster one."""


def lattice(results: Results) -> Figure | None:
    """a(T), or V(T) where the cell is not cubic, on heating and cooling; one panel a functional and vacancy count."""
    if not results.branches:
        return None
    groups: dict[tuple[str, int], list[Branch]] = {}
    for branch in results.branches:
        groups.setdefault((branch.functional, branch.vacancies), []).append(branch)
    panels = []
    for (functional, vacancies), branches in groups.items():

        def paint(axes: Axes, branches: list[Branch] = branches, title: str = f"{functional}, {text.count(vacancies, 'vacancy')}") -> None:
            rates = sorted({branch.heating_K_per_ps for branch in branches})
            for branch in branches:
                alpha = _SLOWEST * _FADING ** rates.index(branch.heating_K_per_ps)
                color, values = _COLORS[branch.branch], branch.lattice_A if results.cubic else branch.volume_A3
                label = f"{branch.branch}, {text.number(branch.rate_K_per_ps, 3)} K/ps"
                axes.plot(branch.temperature_K, values, "-", marker=_MARKERS[branch.branch], ms=3.8, lw=1.3, color=color, alpha=alpha, label=label)
                if results.cubic:
                    axes.fill_between(
                        branch.temperature_K, values - 1.96 * branch.error_A, values + 1.96 * branch.error_A, color=color, alpha=0.15 * alpha, lw=0
                    )
                if branch.half_height_K is not None:
                    axes.axvline(branch.half_height_K.value, color=color, lw=1.0, ls=(0, (4, 3)), alpha=alpha)
                    axes.axvspan(branch.half_height_K.low, branch.half_height_K.high, color=color, alpha=0.08 * alpha, lw=0)
            if results.cubic:
                _beside(axes, results.published)
            axes.set(xlabel="temperature, K", ylabel="lattice parameter a, Å" if results.cubic else "volume per formula unit, Å³", title=title)
            axes.legend(loc="upper left")

        alt = f"Lattice of {results.formula} against temperature on heating and cooling, {functional}, {text.count(vacancies, 'vacancy')}."
        panels.append(style.draw(f"lattice-{functional}-{vacancies}", alt, paint, width=5.6, height=4.1))
    rows: list[list[Value]] = [
        [branch.functional, branch.vacancies, branch.branch, branch.rate_K_per_ps, float(T), float(a), float(error), float(V)]
        for branch in results.branches
        for T, a, error, V in zip(branch.temperature_K, branch.lattice_A, branch.error_A, branch.volume_A3, strict=True)
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
    )
    first = results.branches[0]
    repeats = " × ".join(str(n) for n in results.supercell)
    caption = (
        f"Molecular dynamics at constant pressure, {first.n_atoms} atoms ({repeats} cells), seed "
        f"{', '.join(sorted({str(b.seed) for b in results.branches}))}. The lattice parameter is the cube root of the volume per unit "
        "cell; points are means over bins of the thermostat's set temperature, bands their 95 % range. Vertical dashed lines mark the "
        "half-height temperature of a step, with its bootstrap interval; a branch without such a line has no step. "
    )
    if len({branch.heating_K_per_ps for branch in results.branches}) > 1:
        caption += "The faster the ramps, the paler they are drawn."
    return Figure("Lattice against temperature", caption, tuple(panels), Table("lattice", "Lattice against temperature", columns, rows))


def hysteresis(results: Results) -> Figure | None:
    """Half-height temperatures against the rate of heating, one panel a functional and vacancy count, where there are several rates."""
    groups: dict[tuple[str, int], list[Transition]] = {}
    for t in results.transitions:
        if t.temperature_K is not None:
            groups.setdefault((t.functional, t.vacancies), []).append(t)
    groups = {key: sorted(found, key=lambda t: t.order) for key, found in groups.items() if len(found) > 1}
    if not groups:
        return None
    panels = []
    for (functional, vacancies), found in groups.items():

        def paint(axes: Axes, found: list[Transition] = found, title: str = f"{functional}, {text.count(vacancies, 'vacancy')}") -> None:
            axes.set_xscale("log")
            for branch in ("heating", "cooling"):
                halves = [(t.heating_K_per_ps, half) for t in found if (half := t.heated_K if branch == "heating" else t.cooled_K) is not None]
                axes.errorbar(
                    [rate for rate, _ in halves],
                    [half.value for _, half in halves],
                    yerr=[[half.value - half.low for _, half in halves], [half.high - half.value for _, half in halves]],
                    fmt=f"-{_MARKERS[branch]}",
                    color=_COLORS[branch],
                    ms=5,
                    lw=1.2,
                    capsize=2,
                    label=branch,
                )
            axes.set_xticks([t.heating_K_per_ps for t in found], [text.number(t.heating_K_per_ps, 3) for t in found])
            axes.minorticks_off()
            axes.set(xlabel="heating rate, K/ps", ylabel="temperature at half height, K", title=title)
            axes.legend()

        alt = f"Half-height temperatures on heating and cooling against the rate, {functional}, {text.count(vacancies, 'vacancy')}."
        panels.append(style.draw(f"hysteresis-{functional}-{vacancies}", alt, paint, width=4.4, height=3.6))
    rows: list[list[Value]] = [
        [t.functional, t.vacancies, t.heating_K_per_ps, t.heated_K, t.cooled_K, t.hysteresis_K] for found in groups.values() for t in found
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
        "Bars are 95 % bootstrap intervals of a single run; another run may transform sooner or later. The gap narrows as ramps become slower, and the "
        "equilibrium lies within it; no value at vanishing rate is extrapolated. Elsewhere in this report the slowest ramps count."
    )
    return Figure("Hysteresis against rate", caption, tuple(panels), Table("hysteresis", "Hysteresis against rate", columns, rows))


def _beside(axes: Axes, published: Published) -> None:
    experiment = published.find("lattice_parameter", kind="experiment")
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
    paper = published.find("lattice_parameter", kind="paper")
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
