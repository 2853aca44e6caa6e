"""Figures of the anions' rotation: autocorrelation and angles against time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from borarun.report import style, text
from borarun.report.blocks import Column, Figure, Table, Value
from borarun.report.measured import Array
from borarun.subjects.common.results import Results
from borarun.subjects.reorientation.results import ReorientationFound, Rotation


@dataclass(frozen=True)
class Shown:
    """One kind of anion, as figures show it.

    Attributes
    ----------
    points : its rotation
    of : `` of PS₄`` where there are several kinds, for titles; else empty
    suffix : the same for names of files, ``-PS4``
    """

    points: tuple[Rotation, ...]
    of: str = ""
    suffix: str = ""


def shown(results: Results) -> list[Shown]:
    """Each kind of anion."""
    points = results.of(ReorientationFound).rotation
    kinds = list(dict.fromkeys(p.anion for p in points))
    if len(kinds) <= 1:
        return [Shown(points)]
    return [
        Shown(tuple(p for p in points if p.anion == kind), f" of {text.formula(kind)}", f"-{kind}")
        for kind in kinds
    ]


def _grouped(points: tuple[Rotation, ...]) -> dict[tuple[str, int], list[Rotation]]:
    groups: dict[tuple[str, int], list[Rotation]] = {}
    for point in sorted(points, key=lambda p: (p.functional, p.vacancies, p.temperature_K)):
        groups.setdefault((point.functional, point.vacancies), []).append(point)
    return groups


def autocorrelation(kind: Shown) -> Figure | None:
    """xi against lag, a panel a functional and vacancy count, a line a temperature."""
    points = kind.points
    if not points:
        return None
    colors = style.by_temperature(p.temperature_K for p in points)
    low = min(0.0, *(float(p.xi.min()) for p in points))
    panels = []
    for (functional, vacancies), group in _grouped(points).items():

        def paint(
            axes: Axes,
            group: list[Rotation] = group,
            title: str = f"{functional}, {text.count(vacancies, 'vacancy')}",
        ) -> None:
            for p in group:
                axes.plot(
                    p.lag_ps[1:],
                    p.xi[1:],
                    label=text.kelvin(p.temperature_K),
                    color=colors[p.temperature_K],
                )
            axes.axhline(np.exp(-1), color=style.MUTED, lw=0.8, ls=(0, (4, 3)))
            style.logarithmic(axes, "x")
            axes.set(xlabel="lag, ps", ylabel="ξ(t)", title=title)
            axes.set_ylim(low - 0.03, 1.05)
            axes.annotate(
                "1/e",
                (0.01, np.exp(-1)),
                xycoords=("axes fraction", "data"),
                xytext=(0, 3),
                textcoords="offset points",
                fontsize=8.5,
                color=style.MUTED,
            )
            style.label_ends(
                axes,
                [
                    (float(p.xi[-1]), text.kelvin(p.temperature_K), colors[p.temperature_K])
                    for p in group
                ],
            )

        alt = (
            f"Angular autocorrelation of the anions against lag, {functional}, "
            f"{text.count(vacancies, 'vacancy')}, one line for each temperature."
        )
        panels.append(
            style.draw(f"autocorrelation-{functional}-{vacancies}{kind.suffix}", alt, paint)
        )
    rows: list[list[Value]] = [
        [p.functional, p.vacancies, p.temperature_K, float(lag), float(xi)]
        for p in points
        for lag, xi in zip(p.lag_ps, p.xi, strict=True)
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("lag", "ps"),
        Column("xi"),
    )
    first = points[0]
    length = text.span(sorted({p.time_ps for p in points}), "{:.3g}")
    caption = (
        "ξ(t) = ⟨r(t)·r(0)⟩ of the unit vectors from an anion's centre of mass to its "
        f"vertices, over all {first.n_anions} anions, {first.n_vertices} vertices each "
        f"and all time origins of runs of {length} ps (seeds in the table of runs), at "
        "lags up to half a run; ξ(0) = 1. An anion that keeps its orientation stays near "
        "1, one that rotates falls to 0."
    )
    return Figure(
        f"Angular autocorrelation{kind.of}",
        caption,
        tuple(panels),
        Table(f"autocorrelation{kind.suffix}", f"Angular autocorrelation{kind.of}", columns, rows),
    )


def deflections(kind: Shown) -> Figure | None:
    """Distribution of the angle between a vertex and its mean direction, a panel a functional and
    vacancy count, a line a temperature.
    """
    points = kind.points
    if not points:
        return None
    colors = style.by_temperature(p.temperature_K for p in points)
    panels = []
    for (functional, vacancies), group in _grouped(points).items():

        def paint(
            axes: Axes,
            group: list[Rotation] = group,
            title: str = f"{functional}, {text.count(vacancies, 'vacancy')}",
        ) -> None:
            for p in group:
                axes.stairs(
                    p.deflection_density,
                    p.deflection_deg_edges,
                    color=colors[p.temperature_K],
                    lw=1.4,
                    label=text.kelvin(p.temperature_K),
                )
            reach = max(p.deflection_deg_edges[1:][p.deflection_density > 0][-1] for p in group)
            axes.set(
                xlabel="deflection from the mean direction, degrees",
                ylabel="share per degree",
                title=title,
                xlim=(0, min(1.1 * reach, 180)),
            )
            axes.set_ylim(bottom=0)
            axes.legend()

        alt = (
            f"Distribution of the deflection of vertices, {functional}, "
            f"{text.count(vacancies, 'vacancy')}, one line for each temperature."
        )
        panels.append(
            style.draw(f"deflection-{functional}-{vacancies}{kind.suffix}", alt, paint, height=3.3)
        )
    rows: list[list[Value]] = [
        [p.functional, p.vacancies, p.temperature_K, float(low), float(high), float(share)]
        for p in points
        for low, high, share in zip(
            p.deflection_deg_edges[:-1],
            p.deflection_deg_edges[1:],
            p.deflection_density,
            strict=True,
        )
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("from", "deg"),
        Column("to", "deg"),
        Column("share per degree", "1/deg"),
    )
    caption = (
        "Deflection of the vertices from their mean directions over the run, all anions, "
        "vertices and frames. Libration is one narrow peak that widens with temperature; a tail "
        "or a second peak at a large angle comes from anions that changed their orientation."
    )
    return Figure(
        f"Deflection of vertices{kind.of}",
        caption,
        tuple(panels),
        Table(f"deflection{kind.suffix}", f"Deflection of vertices{kind.of}", columns, rows),
    )


def by_vacancies(kind: Shown) -> Figure | None:
    """xi and full rotations at one temperature, a line a vacancy count: the highest temperature
    that most vacancy counts have, where several have it.
    """
    panels: list[style.Panel] = []
    rows: list[list[Value]] = []
    for functional in dict.fromkeys(p.functional for p in kind.points):
        own = [p for p in kind.points if p.functional == functional]
        count = Counter(p.temperature_K for p in own)
        temperature_K = max(count, key=lambda T: (count[T], T))
        if count[temperature_K] < 2:
            continue
        group = sorted(
            (p for p in own if p.temperature_K == temperature_K), key=lambda p: p.vacancies
        )
        colors, where = (
            style.by_vacancies(p.vacancies for p in group),
            f"{functional}, {text.kelvin(temperature_K)}",
        )

        def paint_xi(
            axes: Axes,
            group: list[Rotation] = group,
            colors: dict[int, str] = colors,
            where: str = where,
        ) -> None:
            for p in group:
                axes.plot(
                    p.lag_ps[1:],
                    p.xi[1:],
                    color=colors[p.vacancies],
                    label=text.count(p.vacancies, "vacancy"),
                )
            axes.axhline(np.exp(-1), color=style.MUTED, lw=0.8, ls=(0, (4, 3)))
            style.logarithmic(axes, "x")
            axes.set(xlabel="lag, ps", ylabel="ξ(t)", title=where)
            axes.set_ylim(min(0.0, *(float(p.xi.min()) for p in group)) - 0.03, 1.05)
            axes.legend(loc="lower left")

        def paint_turns(
            axes: Axes,
            group: list[Rotation] = group,
            colors: dict[int, str] = colors,
            where: str = where,
        ) -> None:
            for p in group:
                since, so_far = np.concatenate([[0], p.turns_ps]), np.concatenate([[0], p.turns])
                axes.plot(
                    since,
                    so_far,
                    color=colors[p.vacancies],
                    drawstyle="steps-post",
                    label=text.count(p.vacancies, "vacancy"),
                )
            axes.set(xlabel="time, ps", ylabel="full rotations of all anions", title=where)
            axes.set_ylim(-0.03 * max(axes.get_ylim()[1], 1), max(axes.get_ylim()[1], 1))
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
            axes.legend(loc="upper left")

        panels += [
            style.draw(
                f"xi-vacancies-{functional}{kind.suffix}",
                f"Angular autocorrelation at {where}, one line for each number of vacancies.",
                paint_xi,
            ),
            style.draw(
                f"turns-{functional}{kind.suffix}",
                f"Full rotations of all anions against time at {where}, one line for each "
                "number of vacancies.",
                paint_turns,
            ),
        ]
        rows += [
            [
                functional,
                temperature_K,
                p.vacancies,
                p.n_anions,
                p.relaxation_ps,
                p.relaxation,
                p.full_rotations,
                p.full_rotations_per_anion_ns,
            ]
            for p in group
        ]
    if not panels:
        return None
    columns = (
        Column("functional"),
        Column("temperature", "K"),
        Column("vacancies"),
        Column("anions"),
        Column("1/e after", "ps"),
        Column("why not"),
        Column("full rotations"),
        Column("full rotations an anion", "1/ns"),
    )
    caption = (
        "Left: ξ(t) as in the previous figure, for each number of vacancies at one temperature. "
        "Right: number of full rotations of all anions since the beginning of the first run. A "
        "full rotation is counted when the orientation of an anion, averaged over 0.3 ps, has "
        "turned by a net 360°; libration and back rotations are not counted. Temperature: the "
        "highest that was run for most numbers of vacancies."
    )
    return Figure(
        f"Reorientation against vacancies{kind.of}",
        caption,
        tuple(panels),
        Table(
            f"rotation_vacancies{kind.suffix}",
            f"Reorientation against vacancies{kind.of}",
            columns,
            rows,
        ),
    )


def angles(kind: Shown) -> Figure | None:
    """theta and phi of one vertex of some anions against time, at the highest temperature of each
    vacancy count.
    """
    hottest = [group[-1] for group in _grouped(kind.points).values() if group[-1].series]
    if not hottest:
        return None
    panels = []
    for p in hottest:
        where = (
            f"{p.functional}, {text.count(p.vacancies, 'vacancy')}, {text.kelvin(p.temperature_K)}"
        )
        for name, symbol, ends in (("theta", "θ", (0, 180)), ("phi", "φ", (-180, 180))):

            def paint(
                axes: Axes,
                p: Rotation = p,
                name: str = name,
                symbol: str = symbol,
                ends: tuple[int, int] = ends,
                where: str = where,
            ) -> None:
                ends_of_lines = []
                for series in p.series:
                    values = series.theta_deg if name == "theta" else series.phi_deg
                    (line,) = axes.plot(
                        series.time_ps, _broken(values), lw=0.9, label=f"anion {series.anion + 1}"
                    )
                    ends_of_lines.append(
                        (float(values[-1]), f"anion {series.anion + 1}", str(line.get_color()))
                    )
                axes.set(xlabel="time, ps", ylabel=f"{symbol}, degrees", title=where, ylim=ends)
                axes.set_yticks(np.linspace(*ends, 5))
                style.label_ends(axes, ends_of_lines)

            alt = f"Angle {name} of one vertex of {len(p.series)} anions against time, {where}."
            panels.append(
                style.draw(
                    f"{name}-{p.functional}-{p.vacancies}{kind.suffix}", alt, paint, height=3.1
                )
            )
    rows: list[list[Value]] = [
        [
            p.functional,
            p.vacancies,
            p.temperature_K,
            s.anion + 1,
            float(t),
            float(theta),
            float(phi),
        ]
        for p in kind.points
        for s in p.series
        for t, theta, phi in zip(s.time_ps, s.theta_deg, s.phi_deg, strict=True)
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("anion"),
        Column("time", "ps"),
        Column("theta", "deg"),
        Column("phi", "deg"),
    )
    caption = (
        "Spherical angles of the vector from an anion's centre of mass to one of its vertices (θ "
        "from z, φ from x in the xy plane), at the highest temperature for each number of "
        "vacancies. Jumps between ±180° in φ are not plotted. The CSV file has all temperatures."
    )
    return Figure(
        f"Direction of single vertices{kind.of}",
        caption,
        tuple(panels),
        Table(f"angles{kind.suffix}", f"Direction of single vertices{kind.of}", columns, rows),
    )


def _broken(angle_deg: Array) -> Array:
    """The series with a gap where it jumps across the end of its range."""
    broken = np.array(angle_deg, float)
    broken[1:][np.abs(np.diff(angle_deg)) > 180] = np.nan
    return broken
