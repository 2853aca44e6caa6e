"""Figures of the mobile ions: mean squared displacement, conductivity against 1000/T, the framework
that must stand still.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike

from borarun.published import Published
from borarun.report import style, text
from borarun.report.blocks import Column, Figure, Table, Value
from borarun.report.measured import Measured
from borarun.subjects.common.results import Results
from borarun.subjects.diffusion.results import (
    ArrheniusLine,
    DiffusionFound,
    FrameworkMotion,
    Transport,
)

Group = tuple[str, int]

_CLOSER = 0.4
"""Our points are drawn once more alone where they take less than this part of the axis that
published ones need.
"""


def grouped(points: tuple[Transport, ...]) -> dict[Group, list[Transport]]:
    """Points by functional and vacancy count, each in the order of temperature."""
    groups: dict[Group, list[Transport]] = {}
    for point in sorted(points, key=lambda p: (p.functional, p.vacancies, p.temperature_K)):
        groups.setdefault((point.functional, point.vacancies), []).append(point)
    return groups


def displacement(results: Results) -> Figure | None:
    """Log-log MSD against lag, a panel a functional and vacancy count."""
    points = results.of(DiffusionFound).transport
    if not points:
        return None
    colors = style.by_temperature(p.temperature_K for p in points)
    lowest = min(float(p.msd_A2[1:].min()) for p in points)
    highest = max(float(p.msd_A2[1:].max()) for p in points)
    panels = []
    for (functional, vacancies), group in grouped(points).items():

        def paint(
            axes: Axes,
            group: list[Transport] = group,
            title: str = f"{functional}, {text.count(vacancies, 'vacancy')}",
        ) -> None:
            for p in group:
                color = colors[p.temperature_K]
                axes.plot(
                    p.lag_ps[1:],
                    p.msd_A2[1:],
                    label=text.kelvin(p.temperature_K),
                    color=color,
                    lw=1.4,
                    ls="-" if p.accepted else (0, (3, 1.5)),
                )
                if p.fit_window_ps[1] > p.fit_window_ps[0]:
                    inside = (p.lag_ps >= p.fit_window_ps[0]) & (p.lag_ps <= p.fit_window_ps[1])
                    axes.plot(
                        p.lag_ps[inside],
                        p.msd_A2[inside],
                        color=color,
                        lw=4.5,
                        alpha=0.35,
                        solid_capstyle="butt",
                    )
            style.logarithmic(axes, "xy")
            axes.set(xlabel="lag, ps", ylabel=f"{results.mobile} MSD, Å²", title=title)
            axes.set_ylim(lowest / 1.5, highest * 1.5)
            lags = group[0].lag_ps[1:]
            _slope_guide(axes, (float(lags[0]), float(lags[-1])), (lowest, highest))
            style.label_ends(
                axes,
                [
                    (float(p.msd_A2[-1]), text.kelvin(p.temperature_K), colors[p.temperature_K])
                    for p in group
                ],
            )

        alt = (
            f"Mean squared displacement of {results.mobile} against lag, {functional}, "
            f"{text.count(vacancies, 'vacancy')}."
        )
        panels.append(style.draw(f"msd-{functional}-{vacancies}", alt, paint))
    rows: list[list[Value]] = [
        [p.functional, p.vacancies, p.temperature_K, float(lag), float(mobile)]
        for p in points
        for lag, mobile in zip(p.lag_ps, p.msd_A2, strict=True)
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("lag", "ps"),
        Column(f"MSD {results.mobile}", "A^2"),
    )
    origins = text.span(sorted({p.n_origins for p in points}), "{:d}")
    interval = text.span(sorted({p.interval_fs for p in points}), "{:g}")
    windows = sorted({p.fit_window_ps for p in points if p.fit_window_ps[1] > p.fit_window_ps[0]})
    window = (
        " or ".join(dict.fromkeys(f"{low:.3g} to {high:.3g} ps" for low, high in windows))
        or "no lags: all runs are too short"
    )
    caption = (
        f"Mean squared displacement of {results.mobile} over all time origins ({origins} "
        f"frames every {interval} fs), unwrapped in scaled coordinates, after subtracting "
        f"the drift of the framework. {_lengths(points)} Thick: the times that give D, "
        f"{window}. Dashed: runs that are not used in fits. Grey: slope 1, as for "
        "diffusion."
    )
    return Figure(
        "Mean squared displacement",
        caption,
        tuple(panels),
        Table("msd", "Mean squared displacement", columns, rows),
    )


def _slope_guide(axes: Axes, lags: tuple[float, float], msd: tuple[float, float]) -> None:
    """A straight line of slope 1 across the upper left of the panel."""
    start = np.sqrt(lags[0] * lags[1]) / 3
    x = np.array([start, start * 8])
    y = msd[1] / 12 * np.array([1.0, 8.0])
    axes.plot(x, y, color=style.MUTED, lw=1.0)
    axes.annotate(
        "slope 1",
        (x[0], y[0]),
        xytext=(-4, 2),
        textcoords="offset points",
        color=style.MUTED,
        fontsize=8.5,
        ha="right",
    )


def _lengths(points: tuple[Transport, ...]) -> str:
    times = sorted({p.time_ps for p in points})
    runs = sorted({p.n_runs for p in points})
    length = (
        text.duration(times[0])
        if len(times) == 1
        else f"{text.duration(times[0])} to {text.duration(times[-1])}"
    )
    seeds = (
        f"{runs[0]} independent run{'s' if runs[0] != 1 else ''}"
        if len(runs) == 1
        else f"{runs[0]} to {runs[-1]} independent runs"
    )
    used = [seed for p in points for seed in p.seeds]
    which = (
        ""
        if not used
        else f" (seed {used[0]})"
        if len(set(used)) == 1
        else f" ({len(set(used))} seeds, in the table of runs below)"
    )
    return (
        f"{seeds} of {length} at each temperature{which}, "
        f"{points[0].n_atoms + points[0].vacancies} atoms before vacancies."
    )


def framework(results: Results) -> Figure | None:
    """MSD of each part of the framework: flat where only the mobile ions move."""
    points = results.of(DiffusionFound).transport
    if not points:
        return None
    colors = style.by_temperature(p.temperature_K for p in points)
    names = list(dict.fromkeys(part.name for p in points for part in p.framework))
    still = [p for p in points if p.diffusivity_cm2_s is not None] or list(points)
    top = max(float(part.msd_A2.max()) for p in still for part in p.framework)
    gone = [p for p in points if max(part.msd_A2.max() for part in p.framework) > 1.15 * top]
    panels = []
    for (functional, vacancies), group in grouped(points).items():
        for name in names:

            def paint(
                axes: Axes,
                group: list[Transport] = group,
                title: str = f"{functional}, {text.count(vacancies, 'vacancy')}",
                name: str = name,
            ) -> None:
                ends = []
                for p in group:
                    part = _part(p, name)
                    axes.plot(
                        part.lag_ps,
                        part.msd_A2,
                        label=text.kelvin(p.temperature_K),
                        color=colors[p.temperature_K],
                        lw=1.4,
                    )
                    ends.append(
                        (
                            min(float(part.msd_A2[-1]), 1.1 * top),
                            text.kelvin(p.temperature_K),
                            colors[p.temperature_K],
                        )
                    )
                axes.set(xlabel="lag, ps", ylabel=f"MSD of {text.formula(name)}, Å²", title=title)
                axes.set_ylim(0, top * 1.15 or 1.0)
                style.label_ends(axes, ends)

            alt = (
                f"Mean squared displacement of {text.formula(name)} against lag, {functional}, "
                f"{text.count(vacancies, 'vacancy')}."
            )
            of = f"-{name}" if len(names) > 1 else ""
            panels.append(
                style.draw(f"framework-{functional}-{vacancies}{of}", alt, paint, height=3.3)
            )
    rows: list[list[Value]] = [
        [p.functional, p.vacancies, p.temperature_K, part.name, float(lag), float(rest)]
        for p in points
        for part in p.framework
        for lag, rest in zip(part.lag_ps, part.msd_A2, strict=True)
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("of"),
        Column("lag", "ps"),
        Column("MSD", "A^2"),
    )
    where = ", ".join(
        f"{p.functional} at {text.kelvin(p.temperature_K)} with "
        f"{text.count(p.vacancies, 'vacancy')}"
        for p in gone
    )
    left = (
        " Lines that leave the panel are runs with a broken or drifting framework, which give "
        f"no conductivity: {where}."
        if gone
        else ""
    )
    what = [
        *(["the centres of mass of the anions over all time origins"] if results.anions else []),
        *(
            ["framework atoms outside of anions" if results.anions else "the framework's atoms"]
            if any(name.endswith(" atoms") for name in names)
            else []
        ),
    ]
    averaged = (
        " Positions of atoms are averaged over a hundredth of the run."
        if any(name.endswith(" atoms") for name in names)
        else ""
    )
    caption = (
        f"Mean squared displacement of {' and of '.join(what)}, on a linear scale.{averaged} It "
        "becomes constant when the framework only vibrates. A run whose line keeps rising gives "
        f"no conductivity.{left}"
    )
    return Figure(
        "Motion of the framework",
        caption,
        tuple(panels),
        Table("framework_msd", "Motion of the framework", columns, rows),
    )


def _part(point: Transport, name: str) -> FrameworkMotion:
    return next(part for part in point.framework if part.name == name)


def convergence(results: Results) -> Figure | None:
    """D from the first parts of each run, a panel a functional and vacancy count."""
    points = [
        p
        for p in results.of(DiffusionFound).transport
        if any(part is not None for part in p.part_cm2_s)
    ]
    if not points:
        return None
    colors = style.by_temperature(p.temperature_K for p in points)
    panels = []
    for (functional, vacancies), group in grouped(tuple(points)).items():

        def paint(
            axes: Axes,
            group: list[Transport] = group,
            title: str = f"{functional}, {text.count(vacancies, 'vacancy')}",
        ) -> None:
            ends = []
            for p in group:
                found = [
                    (time, part)
                    for time, part in zip(p.part_ps, p.part_cm2_s, strict=True)
                    if part is not None
                ]
                times, values = [time for time, _ in found], [1e6 * part.value for _, part in found]
                bars = [
                    [1e6 * (part.value - part.low) for _, part in found],
                    [1e6 * (part.high - part.value) for _, part in found],
                ]
                color, ls = colors[p.temperature_K], "-" if p.accepted else (0, (3, 1.5))
                axes.errorbar(
                    times,
                    values,
                    yerr=bars,
                    color=color,
                    marker="o",
                    ms=4,
                    lw=1.2,
                    ls=ls,
                    capsize=2,
                )
                if found:
                    ends.append((values[-1], text.kelvin(p.temperature_K), color))
            axes.axhline(0, color=style.MUTED, lw=0.8)
            last = [end[0] for end in ends]  # of short runs it may be negative
            highest = max(map(abs, last), default=1.0)
            axes.set_ylim(min([-0.5 * highest, *(1.2 * value for value in last)]), 2.5 * highest)
            axes.set(xlabel="time used, ps", ylabel="D, 10⁻⁶ cm²/s", title=title)
            style.label_ends(axes, ends)

        alt = (
            f"Diffusivity from the first parts of each run against their length, {functional}, "
            f"{text.count(vacancies, 'vacancy')}."
        )
        panels.append(style.draw(f"convergence-{functional}-{vacancies}", alt, paint, height=3.3))
    rows: list[list[Value]] = [
        [p.functional, p.vacancies, p.temperature_K, float(time), part]
        for p in points
        for time, part in zip(p.part_ps, p.part_cm2_s, strict=True)
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("time used", "ps"),
        Column("D", "cm²/s"),
    )
    caption = (
        f"D of {results.mobile} and its 95 % interval from the first 20, 40, 60, 80 and 100 % of "
        "each run. A run is long enough when the value no longer drifts and the interval narrows "
        "as the inverse square root of the time. Dashed: runs that are not diffusive. Bars may "
        "extend beyond the panel; the table has the full values."
    )
    return Figure(
        "Convergence of the diffusivity",
        caption,
        tuple(panels),
        Table("convergence", "Convergence of the diffusivity", columns, rows),
    )


def conductivity(results: Results) -> Figure | None:
    """sigma against 1000/T, a panel a functional, a colour a vacancy count."""
    drawn = [
        p
        for p in results.of(DiffusionFound).transport
        if p.conductivity_S_cm is not None and p.conductivity_S_cm.high > 0
    ]
    if not drawn:
        return None
    counts = sorted({p.vacancies for p in results.of(DiffusionFound).transport})
    colors = style.by_vacancies(counts)
    panels = []
    for functional in dict.fromkeys(p.functional for p in drawn):
        points = [p for p in drawn if p.functional == functional]
        lines = [
            line for line in results.of(DiffusionFound).arrhenius if line.functional == functional
        ]

        def paint(
            axes: Axes,
            points: list[Transport] = points,
            lines: list[ArrheniusLine] = lines,
            title: str = functional,
            alone: bool = False,
        ) -> None:
            ends = [
                p.conductivity_S_cm.low if p.conductivity_S_cm.low > 0 else p.conductivity_S_cm.high
                for p in points
                if p.conductivity_S_cm
            ]
            style.logarithmic(axes, "y")
            for vacancies in counts:
                color, marker = colors[vacancies], style.marker(vacancies, counts)
                axes.plot(
                    [], [], marker, color=color, label=text.count(vacancies, "vacancy"), ls="none"
                )
                for p in (p for p in points if p.vacancies == vacancies):
                    assert p.conductivity_S_cm is not None
                    _point(axes, p.temperature_K, p.conductivity_S_cm, color, marker, p.accepted)
            for line in lines:
                if len(line.line_T_K):
                    axes.plot(
                        1000 / line.line_T_K,
                        line.line_S_cm,
                        "-",
                        color=colors[line.vacancies],
                        lw=1.4,
                    )
                    axes.fill_between(
                        1000 / line.line_T_K,
                        line.line_low_S_cm,
                        line.line_high_S_cm,
                        color=colors[line.vacancies],
                        alpha=0.12,
                        lw=0,
                    )
            if not alone:
                for line in lines:
                    _towards_published(axes, line, results.published, colors[line.vacancies])
                _published(axes, results.published)
            axes.set(
                xlabel="1000 K / T",
                ylabel="ionic conductivity, S/cm",
                title=f"{title}, closer" if alone else title,
            )
            axes.set_ylim(bottom=min(min(ends) / (1.5 if alone else 6), axes.get_ylim()[0]))
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2)
            _kelvin_above(axes)

        alt = (
            f"Ionic conductivity against inverse temperature, {functional}, one colour "
            "and marker for each number of vacancies, with Arrhenius lines."
        )
        panels.append(style.draw(f"conductivity-{functional}", alt, paint, width=5.6, height=5.2))
        ours, theirs = (
            [1000 / (p.temperature_K or 1) for p in found]
            for found in (points, results.published.find("conductivity"))
        )
        if theirs and np.ptp(ours) < _CLOSER * np.ptp([*ours, *theirs]):
            closer = f"Detail of the previous figure, without published values, {functional}."
            panels.append(
                style.draw(
                    f"conductivity-closer-{functional}",
                    closer,
                    partial(paint, alone=True),
                    width=5.6,
                    height=5.2,
                )
            )
    rows: list[list[Value]] = [
        [
            p.functional,
            p.vacancies,
            p.temperature_K,
            1000 / p.temperature_K,
            p.conductivity_S_cm,
            p.collective_S_cm,
            p.accepted,
            p.reason,
        ]
        for p in results.of(DiffusionFound).transport
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
    left_out = not all(p.accepted for p in results.of(DiffusionFound).transport)
    caption = (
        "Tracer conductivity by the Nernst-Einstein relation with Haven ratio 1; "
        "bars are 95 % intervals, an arrow marks the upper end of an interval "
        "that reaches zero. Lines: weighted fit of ln σ against 1/T to the filled "
        "points, separately for each phase where heating found a transition, with its 95 "
        "% band. "
    )
    if any(n.kind == "experiment" for n in results.published.find("conductivity")):
        caption += (
            "Stars: measured conductivities; the list of sources has their DOI. Dotted: the lines "
            "extrapolated to the coldest of them. "
        )
    caption += (
        "Hollow points are not used in the fit: "
        f"{_reasons(results.of(DiffusionFound).transport)}; the table below gives each "
        "reason in full."
        if left_out
        else ""
    )
    return Figure(
        "Ionic conductivity",
        caption,
        tuple(panels),
        Table("conductivity", "Ionic conductivity", columns, rows),
    )


def pristine(results: Results) -> Figure | None:
    """D against 1000/T without vacancies, all functionals in one panel; where there are several, or
    one whose diffusivity is published.
    """
    drawn = [
        p
        for p in results.of(DiffusionFound).transport
        if p.vacancies == 0 and p.diffusivity_cm2_s is not None and p.diffusivity_cm2_s.high > 0
    ]
    names = list(dict.fromkeys(p.functional for p in drawn))
    published = results.published.find("diffusivity", vacancies=0)
    if not drawn or (len(names) < 2 and not any(n.functional in names for n in published)):
        return None

    def paint(axes: Axes) -> None:
        style.logarithmic(axes, "y")
        for index, functional in enumerate(names):
            color, marker = style.by_functional(functional), "osD^v"[index % 5]
            axes.plot([], [], marker, color=color, label=functional, ls="none")
            for p in (p for p in drawn if p.functional == functional):
                assert p.diffusivity_cm2_s is not None
                _point(axes, p.temperature_K, p.diffusivity_cm2_s, color, marker, p.accepted)
        for n, marker in zip(published, "DPX*d<>" * len(published), strict=False):
            color = style.by_functional(n.functional) if n.functional in names else style.PAPER
            label = f"{results.published.sources[n.source].short}, {n.functional}"
            first = label not in axes.get_legend_handles_labels()[1]
            axes.plot(
                [1000 / (n.temperature_K or 1)],
                [n.number],
                marker,
                ms=7,
                mfc="white",
                color=color,
                ls="none",
                label=label if first else None,
            )
        axes.set(xlabel="1000 K / T", ylabel=f"D of {results.mobile}, cm²/s", title="no vacancies")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2)
        _kelvin_above(axes)

    panel = style.draw(
        "diffusivity-pristine",
        f"Diffusivity of {results.mobile} without vacancies against 1/T.",
        paint,
        width=5.6,
        height=5.2,
    )
    rows: list[list[Value]] = [
        [
            p.functional,
            p.temperature_K,
            1000 / p.temperature_K,
            p.diffusivity_cm2_s,
            p.phase,
            p.accepted,
            p.reason,
        ]
        for p in drawn
    ]
    columns = (
        Column("functional"),
        Column("temperature", "K"),
        Column("1000/T", "1/K"),
        Column("D", "cm2/s"),
        Column("phase"),
        Column("in the fit"),
        Column("why not"),
    )
    caption = (
        "Tracer diffusivities of the crystal without vacancies, 95 % intervals from time blocks; "
        "hollow points are not used in fits, an arrow marks the upper end of an interval that "
        "reaches zero. Published values are those of the disordered phase, some from ab initio "
        "molecular dynamics (AIMD)."
    )
    title = "Diffusivity without vacancies"
    return Figure(title, caption, (panel,), Table("diffusivity_pristine", title, columns, rows))


def activation(results: Results) -> Figure | None:
    """Activation energy against the content of vacancies, where there are several contents."""
    lines = [
        line
        for line in results.of(DiffusionFound).arrhenius
        if line.activation_energy_meV is not None
    ]
    if len({line.vacancies for line in lines}) < 2:
        return None
    groups: dict[tuple[str, str], list[ArrheniusLine]] = {}
    for line in lines:
        groups.setdefault((line.functional, line.phase), []).append(line)

    def paint(axes: Axes) -> None:
        for index, ((functional, phase), group) in enumerate(groups.items()):
            color, values = (
                style.by_functional(functional),
                [line.activation_energy_meV for line in group],
            )
            x, y = [line.mol_percent for line in group], [value.value for value in values if value]
            bars = [
                [value.value - value.low for value in values if value],
                [value.high - value.value for value in values if value],
            ]
            face = "white" if phase == "disordered phase" else color
            label = ", ".join(filter(None, (text.OURS, functional, phase)))
            axes.errorbar(
                x,
                y,
                yerr=bars,
                fmt="osD^v"[index % 5],
                color=color,
                mfc=face,
                capsize=3,
                lw=1.2,
                ms=6,
                label=label,
            )
        for phase, marker in (("ordered", "D"), ("disordered", "d")):
            paper = [
                n
                for n in results.published.find("activation_energy", kind="paper", phase=phase)
                if n.mol_percent is not None and n.definition in ("sigma", None)
            ]
            paper = [n for n in paper if n.functional in {n.functional for n in paper[:1]}]
            if paper:
                label = f"paper, {paper[0].functional}, {phase} phase"
                axes.plot(
                    [n.mol_percent or 0.0 for n in paper],
                    [n.number for n in paper],
                    marker,
                    ms=6,
                    mfc="white",
                    color=style.PAPER,
                    ls="none",
                    label=label,
                )
        for n in results.published.find("activation_energy", kind="experiment")[:1]:
            axes.axhline(
                n.number,
                color=style.EXPERIMENT,
                lw=0.9,
                ls=(0, (4, 3)),
                label=f"experiment, {results.published.sources[n.source].short}",
            )
        axes.set(xlabel="vacancies per formula unit, mol %", ylabel="activation energy of σ, meV")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15))

    panel = style.draw(
        "activation-energy",
        "Activation energy of the conductivity against vacancy content.",
        paint,
        width=5.6,
        height=4.8,
    )
    rows: list[list[Value]] = [
        [
            line.functional,
            line.phase,
            line.vacancies,
            line.mol_percent,
            line.activation_energy_meV,
            line.energy_of_sigma_T_meV,
            line.energy_of_D_meV,
            line.n_points,
        ]
        for line in lines
    ]
    columns = (
        Column("functional"),
        Column("phase"),
        Column("vacancies"),
        Column("content", "mol %"),
        Column("of σ", "meV"),
        Column("of σT", "meV"),
        Column("of D", "meV"),
        Column("points"),
    )
    caption = (
        "Activation energies of σ, from the lines of the previous figure, with 95 % intervals; "
        "the table also has those of σT and D. Hollow points: our values for the disordered "
        "phase."
    )
    if results.published.find("activation_energy", kind="paper"):
        caption += " For comparison: published values."
    title = "Activation energy against vacancy content"
    return Figure(
        title, caption, (panel,), Table("activation_against_vacancies", title, columns, rows)
    )


def _kelvin_above(axes: Axes) -> None:
    """Temperatures on the upper edge of a panel over 1000/T."""
    top = axes.secondary_xaxis("top", functions=(_invert, _invert))
    ticks = [T for T in (1000, 800, 600, 500, 400, 350, 300, 250, 200) if _within(axes, 1000 / T)]
    top.set_xticks(
        ticks if len(ticks) > 2 else [T for T in range(200, 2001, 50) if _within(axes, 1000 / T)]
    )
    top.xaxis.set_major_formatter(FuncFormatter(lambda T, _: f"{T:.0f} K"))
    top.tick_params(labelsize=8.5, length=2)


def _reasons(points: Sequence[Transport]) -> str:
    """Why points are left out, each kind of reason with how often: ``too few hops (3)``."""
    kinds = Counter(p.reason.split(":")[0] for p in points if not p.accepted)
    return ", ".join(f"{kind} ({n})" for kind, n in kinds.items())


def _point(
    axes: Axes, temperature_K: float, sigma: Measured, color: str, marker: str, filled: bool
) -> None:
    """A point with its interval, or its upper limit where the interval reaches zero."""
    x, limit = 1000 / temperature_K, sigma.low <= 0
    y = sigma.high if limit else sigma.value
    bars = None if limit else [[y - sigma.low], [sigma.high - y]]
    face = color if filled else "white"
    axes.errorbar(
        [x], [y], yerr=bars, fmt=marker, color=color, mfc=face, capsize=3, lw=1.2, ms=6.5, zorder=3
    )
    if limit:
        arrow = {"arrowstyle": "->", "color": color, "lw": 1.2}
        axes.annotate(
            "",
            (x, y),
            xytext=(0, -22),
            textcoords="offset points",
            arrowprops={**arrow, "arrowstyle": "<-"},
        )


EXTRAPOLATED_POINTS = 30
"""Of the dotted part of a line."""


def _towards_published(axes: Axes, line: ArrheniusLine, published: Published, color: str) -> None:
    """A line, dotted, and its band from its coldest point to the coldest measured conductivity."""
    measured = published.find("conductivity", kind="experiment")
    coldest = min((n.temperature_K for n in measured if n.temperature_K), default=np.inf)
    if line.fit is not None and coldest < (edge := line.line_T_K.min()):
        temperatures_K = 1 / np.linspace(1 / edge, 1 / coldest, EXTRAPOLATED_POINTS)
        value, low, high = line.fit.at(temperatures_K)
        axes.plot(1000 / temperatures_K, value, ":", color=color, lw=1.2)
        axes.fill_between(1000 / temperatures_K, low, high, color=color, alpha=0.07, lw=0)


def _published(axes: Axes, published: Published) -> None:
    """Published conductivities: diamonds with their vacancy content (paper), stars (experiment)."""
    for kind, marker, color, size in (
        ("paper", "D", style.PAPER, 6.0),
        ("experiment", "*", style.EXPERIMENT, 12.0),
    ):
        for index, p in enumerate(published.find("conductivity", kind=kind)):
            assert p.temperature_K is not None
            name = f"paper, {p.functional}, mol % beside" if kind == "paper" else "experiment"
            face, where = "white" if kind == "paper" else color, (1000 / p.temperature_K, p.number)
            bars = (
                [[p.number - p.low], [p.high - p.number]]
                if p.low is not None and p.high is not None
                else None
            )
            label = name if index == 0 else None
            axes.errorbar(
                [where[0]],
                [where[1]],
                yerr=bars,
                fmt=marker,
                color=color,
                mfc=face,
                ms=size,
                ls="none",
                capsize=2,
                lw=1.0,
                label=label,
            )
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
