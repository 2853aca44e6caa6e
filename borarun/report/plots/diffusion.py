"""Figures of the mobile ions: mean squared displacement, conductivity against 1000/T, the framework that must stand still."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike

from borarun.published import Published
from borarun.report import style, text
from borarun.report.blocks import Column, Figure, Table, Value
from borarun.report.results import Results
from borarun.report.results.base import Measured
from borarun.report.results.diffusion import ArrheniusLine, Transport

Group = tuple[str, int]


def grouped(points: tuple[Transport, ...]) -> dict[Group, list[Transport]]:
    """Points by functional and vacancy count, each in the order of temperature."""
    groups: dict[Group, list[Transport]] = {}
    for point in sorted(points, key=lambda p: (p.functional, p.vacancies, p.temperature_K)):
        groups.setdefault((point.functional, point.vacancies), []).append(point)
    return groups


def displacement(results: Results) -> Figure | None:
    """Log-log MSD against lag, a panel a functional and vacancy count."""
    points = results.transport
    if not points:
        return None
    colors = style.by_temperature(p.temperature_K for p in points)
    lowest = min(float(p.msd_A2[1:].min()) for p in points)
    highest = max(float(p.msd_A2[1:].max()) for p in points)
    panels = []
    for (functional, vacancies), group in grouped(points).items():

        def paint(axes: Axes, group: list[Transport] = group, title: str = f"{functional}, {text.count(vacancies, 'vacancy')}") -> None:
            for p in group:
                color = colors[p.temperature_K]
                axes.plot(p.lag_ps[1:], p.msd_A2[1:], color=color, lw=1.4, ls="-" if p.accepted else (0, (3, 1.5)))
                if p.fit_window_ps[1] > p.fit_window_ps[0]:
                    inside = (p.lag_ps >= p.fit_window_ps[0]) & (p.lag_ps <= p.fit_window_ps[1])
                    axes.plot(p.lag_ps[inside], p.msd_A2[inside], color=color, lw=4.5, alpha=0.35, solid_capstyle="butt")
            style.logarithmic(axes, "xy")
            axes.set(xlabel="lag, ps", ylabel=f"{results.mobile} MSD, Å²", title=title)
            axes.set_ylim(lowest / 1.5, highest * 1.5)
            lags = group[0].lag_ps[1:]
            _slope_guide(axes, (float(lags[0]), float(lags[-1])), (lowest, highest))
            style.label_ends(axes, [(float(p.msd_A2[-1]), text.kelvin(p.temperature_K), colors[p.temperature_K]) for p in group])

        alt = f"Mean squared displacement of {results.mobile} against lag, {functional}, {text.count(vacancies, 'vacancy')}."
        panels.append(style.draw(f"msd-{functional}-{vacancies}", alt, paint))
    rows: list[list[Value]] = [
        [p.functional, p.vacancies, p.temperature_K, float(lag), float(mobile), float(rest)]
        for p in points
        for lag, mobile, rest in zip(p.lag_ps, p.msd_A2, p.framework_msd_A2, strict=True)
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("lag", "ps"),
        Column(f"MSD {results.mobile}", "A^2"),
        Column("MSD framework", "A^2"),
    )
    first = points[0]
    caption = (
        f"Mean squared displacement of {results.mobile} over all time origins ({first.n_origins} frames every "
        f"{text.number(first.interval_fs, 3)} fs), unwrapped in scaled coordinates, drift of the framework removed. {_lengths(points)} "
        "Thick: the lags between which the slope gives D. Dashed lines: runs that are not diffusive. Grey: slope 1, which diffusion "
        "follows."
    )
    return Figure("Mean squared displacement", caption, tuple(panels), Table("msd", "Mean squared displacement", columns, rows))


def _slope_guide(axes: Axes, lags: tuple[float, float], msd: tuple[float, float]) -> None:
    """A straight line of slope 1 across the upper left of the panel."""
    start = np.sqrt(lags[0] * lags[1]) / 3
    x = np.array([start, start * 8])
    y = msd[1] / 12 * np.array([1.0, 8.0])
    axes.plot(x, y, color=style.MUTED, lw=1.0)
    axes.annotate("slope 1", (x[0], y[0]), xytext=(-4, 2), textcoords="offset points", color=style.MUTED, fontsize=8.5, ha="right")


def _lengths(points: tuple[Transport, ...]) -> str:
    times = sorted({p.time_ps for p in points})
    runs = sorted({p.n_runs for p in points})
    length = text.duration(times[0]) if len(times) == 1 else f"{text.duration(times[0])} to {text.duration(times[-1])}"
    seeds = f"{runs[0]} independent run{'s' if runs[0] != 1 else ''}" if len(runs) == 1 else f"{runs[0]} to {runs[-1]} independent runs"
    return f"{seeds} of {length} at each temperature, {points[0].n_atoms + points[0].vacancies} atoms before vacancies."


def framework(results: Results) -> Figure | None:
    """MSD of the framework atoms: flat where only the mobile ions move."""
    points = results.transport
    if not points:
        return None
    colors = style.by_temperature(p.temperature_K for p in points)
    top = max(float(p.framework_msd_A2.max()) for p in points)
    panels = []
    for (functional, vacancies), group in grouped(points).items():

        def paint(axes: Axes, group: list[Transport] = group, title: str = f"{functional}, {text.count(vacancies, 'vacancy')}") -> None:
            for p in group:
                axes.plot(p.lag_ps, p.framework_msd_A2, color=colors[p.temperature_K], lw=1.4)
            axes.set(xlabel="lag, ps", ylabel="MSD of anion centres, Å²", title=title)
            axes.set_ylim(0, top * 1.15 or 1.0)
            style.label_ends(axes, [(float(p.framework_msd_A2[-1]), text.kelvin(p.temperature_K), colors[p.temperature_K]) for p in group])

        alt = f"Mean squared displacement of the anion centres against lag, {functional}, {text.count(vacancies, 'vacancy')}."
        panels.append(style.draw(f"framework-{functional}-{vacancies}", alt, paint, height=3.3))
    rows: list[list[Value]] = [
        [p.functional, p.vacancies, p.temperature_K, float(lag), float(rest)]
        for p in points
        for lag, rest in zip(p.lag_ps, p.framework_msd_A2, strict=True)
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("lag", "ps"),
        Column("MSD of anion centres", "A^2"),
    )
    return Figure(
        "The framework stands still",
        "Mean squared displacement of the centres of mass of the anions, on a linear scale. It levels off where the framework only "
        "vibrates; a line that keeps rising would forbid a conductivity.",
        tuple(panels),
        Table("framework_msd", "Framework", columns, rows),
    )


def convergence(results: Results) -> Figure | None:
    """D from the first parts of each run, a panel a functional and vacancy count."""
    points = [p for p in results.transport if any(part is not None for part in p.part_cm2_s)]
    if not points:
        return None
    colors = style.by_temperature(p.temperature_K for p in points)
    panels = []
    for (functional, vacancies), group in grouped(tuple(points)).items():

        def paint(axes: Axes, group: list[Transport] = group, title: str = f"{functional}, {text.count(vacancies, 'vacancy')}") -> None:
            ends = []
            for p in group:
                found = [(time, part) for time, part in zip(p.part_ps, p.part_cm2_s, strict=True) if part is not None]
                times, values = [time for time, _ in found], [1e6 * part.value for _, part in found]
                bars = [[1e6 * (part.value - part.low) for _, part in found], [1e6 * (part.high - part.value) for _, part in found]]
                color, ls = colors[p.temperature_K], "-" if p.accepted else (0, (3, 1.5))
                axes.errorbar(times, values, yerr=bars, color=color, marker="o", ms=4, lw=1.2, ls=ls, capsize=2)
                if found:
                    ends.append((values[-1], text.kelvin(p.temperature_K), color))
            axes.axhline(0, color=style.MUTED, lw=0.8)
            last = [end[0] for end in ends]  # of short runs it may be negative
            highest = max(map(abs, last), default=1.0)
            axes.set_ylim(min([-0.5 * highest, *(1.2 * value for value in last)]), 2.5 * highest)
            axes.set(xlabel="time used, ps", ylabel="D, 10⁻⁶ cm²/s", title=title)
            style.label_ends(axes, ends)

        alt = f"Diffusivity from the first parts of each run against their length, {functional}, {text.count(vacancies, 'vacancy')}."
        panels.append(style.draw(f"convergence-{functional}-{vacancies}", alt, paint, height=3.3))
    rows: list[list[Value]] = [
        [p.functional, p.vacancies, p.temperature_K, float(time), part] for p in points for time, part in zip(p.part_ps, p.part_cm2_s, strict=True)
    ]
    columns = (Column("functional"), Column("vacancies"), Column("temperature", "K"), Column("time used", "ps"), Column("D", "cm²/s"))
    caption = (
        f"D of {results.mobile} and its 95 % interval from the first fifth of each run, and from ever more of it. "
        "A run is long enough where the value no longer drifts and the interval narrows as one over the root of the "
        "time. Dashed: runs that are not diffusive. Bars may reach beyond the panel; the table has them whole."
    )
    return Figure("Convergence of the diffusivity", caption, tuple(panels), Table("convergence", "Convergence of the diffusivity", columns, rows))


def conductivity(results: Results) -> Figure | None:
    """sigma against 1000/T, a panel a functional, a colour a vacancy count."""
    drawn = [p for p in results.transport if p.conductivity_S_cm is not None and p.conductivity_S_cm.high > 0]
    if not drawn:
        return None
    counts = sorted({p.vacancies for p in results.transport})
    colors = style.by_vacancies(counts)
    panels = []
    for functional in dict.fromkeys(p.functional for p in drawn):
        points = [p for p in drawn if p.functional == functional]
        lines = [line for line in results.arrhenius if line.functional == functional]

        def paint(axes: Axes, points: list[Transport] = points, lines: list[ArrheniusLine] = lines, functional: str = functional) -> None:
            ends = [p.conductivity_S_cm.low if p.conductivity_S_cm.low > 0 else p.conductivity_S_cm.high for p in points if p.conductivity_S_cm]
            style.logarithmic(axes, "y")
            for vacancies in counts:
                color, marker = colors[vacancies], style.marker(vacancies, counts)
                axes.plot([], [], marker, color=color, label=text.count(vacancies, "vacancy"), ls="none")
                for p in (p for p in points if p.vacancies == vacancies):
                    assert p.conductivity_S_cm is not None
                    _point(axes, p.temperature_K, p.conductivity_S_cm, color, marker, p.accepted)
            for line in lines:
                if len(line.line_T_K):
                    axes.plot(1000 / line.line_T_K, line.line_S_cm, "-", color=colors[line.vacancies], lw=1.4)
            _published(axes, results.published)
            axes.set(xlabel="1000 K / T", ylabel="ionic conductivity, S/cm", title=functional)
            axes.set_ylim(bottom=min(min(ends) / 6, axes.get_ylim()[0]))
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2)
            top = axes.secondary_xaxis("top", functions=(_invert, _invert))
            top.set_xticks([T for T in (1000, 800, 600, 500, 400, 350, 300, 250, 200) if _within(axes, 1000 / T)])
            top.xaxis.set_major_formatter(FuncFormatter(lambda T, _: f"{T:.0f} K"))
            top.tick_params(labelsize=8.5, length=2)

        alt = f"Ionic conductivity against inverse temperature, {functional}, one colour and marker a vacancy count, with Arrhenius lines."
        panels.append(style.draw(f"conductivity-{functional}", alt, paint, width=5.6, height=5.2))
    rows: list[list[Value]] = [
        [p.functional, p.vacancies, p.temperature_K, 1000 / p.temperature_K, p.conductivity_S_cm, p.collective_S_cm, p.accepted, p.reason]
        for p in results.transport
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("1000/T", "1/K"),
        Column("conductivity", "S/cm"),
        Column("collective conductivity", "S/cm"),
        Column("in the fit"),
        Column("why not"),
    )
    left_out = not all(p.accepted for p in results.transport)
    caption = (
        "Tracer conductivity by the Nernst-Einstein relation with Haven ratio 1, as in the paper; bars are 95 % intervals from time "
        "blocks, an arrow hangs from the upper end of an interval that reaches zero. Lines: weighted fit of ln σ over 1/T to the filled "
        "points. "
    )
    caption += f"Hollow points are left out of the fit: {_reasons(results.transport)}; the table below has each reason in full." if left_out else ""
    return Figure("Ionic conductivity", caption, tuple(panels), Table("conductivity", "Ionic conductivity", columns, rows))


def _reasons(points: Sequence[Transport]) -> str:
    """Why points are left out, each kind of reason with how often: ``too few hops (3)``."""
    kinds = Counter(p.reason.split(":")[0] for p in points if not p.accepted)
    return ", ".join(f"{kind} ({n})" for kind, n in kinds.items())


def _point(axes: Axes, temperature_K: float, sigma: Measured, color: str, marker: str, filled: bool) -> None:
    """A point with its interval, or its upper limit where the interval reaches zero."""
    x, limit = 1000 / temperature_K, sigma.low <= 0
    y = sigma.high if limit else sigma.value
    bars = None if limit else [[y - sigma.low], [sigma.high - y]]
    face = color if filled else "white"
    axes.errorbar([x], [y], yerr=bars, fmt=marker, color=color, mfc=face, capsize=3, lw=1.2, ms=6.5, zorder=3)
    if limit:
        arrow = {"arrowstyle": "->", "color": color, "lw": 1.2}
        axes.annotate("", (x, y), xytext=(0, -22), textcoords="offset points", arrowprops={**arrow, "arrowstyle": "<-"})


def _published(axes: Axes, published: Published) -> None:
    """Published conductivities: diamonds with their vacancy content (paper), stars (experiment)."""
    for kind, marker, color, size in (("paper", "D", style.PAPER, 6.0), ("experiment", "*", style.EXPERIMENT, 12.0)):
        for index, p in enumerate(published.find("conductivity", kind=kind)):
            assert p.temperature_K is not None
            name = f"paper, {p.functional}, mol % beside" if kind == "paper" else "experiment"
            face, where = "white" if kind == "paper" else color, (1000 / p.temperature_K, p.number)
            axes.plot(*([x] for x in where), marker, color=color, mfc=face, ms=size, ls="none", label=name if index == 0 else None)
            if p.mol_percent is not None:
                side = -1 if p.temperature_K < 400 else 1  # away from the edge of the panel
                axes.annotate(
                    f"{p.mol_percent:.2g} %",
                    where,
                    xytext=(6 * side, -11),
                    textcoords="offset points",
                    fontsize=8,
                    color=color,
                    ha="right" if side < 0 else "left",
                )


def _invert(x: ArrayLike) -> ArrayLike:
    values = np.asarray(x, float)
    return 1000.0 / np.where(values == 0, np.nan, values)


def _within(axes: Axes, x: float) -> bool:
    low, high = axes.get_xlim()
    return low <= x <= high
