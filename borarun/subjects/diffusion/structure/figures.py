"""Figures of structure: order on ramps, shares of sites, pairs, and where the mobile ions are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from borarun.analysis.occupancy import SETTLE_FS
from borarun.analysis.rdf import STEP_A
from borarun.analysis.sites import OCTAHEDRAL, OTHER, TETRAHEDRAL, WINDOW
from borarun.report import style, text
from borarun.report.blocks import Column, Figure, Table, Value
from borarun.report.measured import Array
from borarun.subjects.common.results import Results
from borarun.subjects.common.unit_cell import DensityMap
from borarun.subjects.diffusion.results import DiffusionFound
from borarun.subjects.diffusion.structure.results import LocalStructure

LINES = {
    TETRAHEDRAL: "-",
    WINDOW: (0, (4, 2)),
    OCTAHEDRAL: (0, (1, 1.4)),
    OTHER: (0, (6, 2, 1, 2)),
}
_MARKS = {TETRAHEDRAL: "D", WINDOW: "^", OCTAHEDRAL: "s", OTHER: "x"}
_IN_PLANE_A = 0.3
"""Sites and anions nearer to the plane of a section than this are marked in it, angstrom."""


def plural(kind: str) -> str:
    """A kind of site as it stands in a legend."""
    return "windows" if kind == WINDOW else kind


def shares(results: Results) -> Figure | None:
    """Share of the ions on tetrahedral sites against time: one panel a functional and vacancy
    count, one line for each temperature.
    """
    local = [p for p in results.of(DiffusionFound).local if p.sites]
    if not local:
        return None
    colors = style.by_temperature(p.temperature_K for p in local)
    panels = []
    for (functional, vacancies), group in _grouped(local).items():
        where = f"{functional}, {text.count(vacancies, 'vacancy')}"

        def paint(axes: Axes, group: list[LocalStructure] = group, where: str = where) -> None:
            for p in group:
                axes.plot(
                    p.share_time_ps,
                    p.share_series.get(TETRAHEDRAL, np.zeros(len(p.share_time_ps))),
                    label=text.kelvin(p.temperature_K),
                    color=colors[p.temperature_K],
                    lw=1.1,
                )
            axes.set(
                xlabel="time, ps",
                ylabel=f"fraction of {results.mobile} on tetrahedral sites",
                title=where,
            )
            axes.set_ylim(-0.03, max(0.5, axes.get_ylim()[1]))
            ends = [
                (p.share[TETRAHEDRAL].value, text.kelvin(p.temperature_K), colors[p.temperature_K])
                for p in group
                if TETRAHEDRAL in p.share
            ]
            style.label_ends(axes, ends)

        alt = (
            f"Fraction of {results.mobile} on tetrahedral sites against time, {where}, "
            "one line for each temperature."
        )
        panels.append(style.draw(f"sites-{functional}-{vacancies}", alt, paint, height=3.1))
    kinds = site_kinds([p.share_series for p in local])
    rows: list[list[Value]] = [
        [
            p.functional,
            p.vacancies,
            p.temperature_K,
            float(t),
            *(float(p.share_series[kind][i]) if kind in p.share_series else None for kind in kinds),
        ]
        for p in local
        for i, t in enumerate(p.share_time_ps)
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("time", "ps"),
        *(Column(f"share of {kind} sites") for kind in kinds),
    )
    first = local[0]
    caption = (
        f"Means over {len(first.share_time_ps)} blocks of time of the first run at each "
        "temperature; labels are at the mean of all runs. An ion counts as on a site if this "
        f"site was the nearest one for at least {SETTLE_FS:g} fs without interruption (one frame, "
        "if frames are farther apart). The CSV file has the other kinds of site."
    )
    return Figure(
        "Tetrahedral sites against time",
        caption,
        tuple(panels),
        Table("site_shares", "Tetrahedral sites against time", columns, rows),
    )


def distances(results: Results) -> Figure | None:
    """Distances that ions have come after a tenth of a run, a panel a functional and vacancy count,
    a line a temperature.
    """
    local = results.of(DiffusionFound).local
    if not local:
        return None
    colors = style.by_temperature(p.temperature_K for p in local)
    panels = []
    for (functional, vacancies), group in _grouped(local).items():
        where = f"{functional}, {text.count(vacancies, 'vacancy')}"

        def paint(axes: Axes, group: list[LocalStructure] = group, where: str = where) -> None:
            for p in group:
                axes.plot(
                    p.came_A,
                    p.came_density,
                    label=f"{text.kelvin(p.temperature_K)}, {text.duration(p.came_ps)}",
                    color=colors[p.temperature_K],
                    lw=1.1,
                )
            style.logarithmic(axes, "y")
            axes.set(xlabel="distance come, Å", ylabel="density, 1/Å", title=where)
            axes.set_ylim(1e-4, 10)
            axes.legend(loc="upper right")

        alt = (
            f"Distribution of the distances that {results.mobile} moved, {where}, one line "
            "for each temperature."
        )
        panels.append(style.draw(f"distances-{functional}-{vacancies}", alt, paint, height=3.1))
    rows: list[list[Value]] = [
        [p.functional, p.vacancies, p.temperature_K, p.came_ps, float(r), float(density)]
        for p in local
        for r, density in zip(p.came_A, p.came_density, strict=True)
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("after", "ps"),
        Column("distance", "Å"),
        Column("density", "1/Å"),
    )
    caption = (
        "Self part of the van Hove function, 4πr²G(r, t), after a tenth of each run: "
        "ions that stay on their sites give the peak at the left, single hops a second "
        "peak at the distance of the sites. Liquid-like motion gives one broad peak."
    )
    title = "Distances moved by the ions"
    return Figure(title, caption, tuple(panels), Table("distances", title, columns, rows))


def pairs(results: Results) -> Figure | None:
    """g(r) of each pair at all temperatures, at the fewest vacancies of each functional."""
    if not results.of(DiffusionFound).local:
        return None
    colors = style.by_temperature(p.temperature_K for p in results.of(DiffusionFound).local)
    panels = []
    for functional, group in _fewest(results.of(DiffusionFound).local).items():
        where = f"{functional}, {text.count(group[0].vacancies, 'vacancy')}"
        for index, pair in enumerate(group[0].pairs):
            if not any(p.pairs[index].g.any() for p in group):
                continue  # its nearest neighbours are out of reach in so small a cell

            def paint(
                axes: Axes,
                index: int = index,
                group: list[LocalStructure] = group,
                title: str = f"{text.formula(pair.name)}, {where}",
            ) -> None:
                ends = []
                for p in group:
                    one = p.pairs[index]
                    axes.plot(
                        one.r_A,
                        one.g,
                        label=text.kelvin(p.temperature_K),
                        color=colors[p.temperature_K],
                        lw=1.2,
                    )
                    ends.append(
                        (
                            float(one.g[-5:].mean()),
                            text.kelvin(p.temperature_K),
                            colors[p.temperature_K],
                        )
                    )
                axes.axhline(1, color=style.MUTED, lw=0.7, ls=(0, (4, 3)))
                axes.set(
                    xlabel="r, Å",
                    ylabel="g(r)",
                    title=title,
                    xlim=(0, float(group[0].pairs[index].r_A[-1])),
                )
                axes.set_ylim(bottom=0)
                style.label_ends(axes, ends)

            alt = (
                f"Radial distribution function of {pair.name}, {where}, one line for each "
                "temperature."
            )
            panels.append(
                style.draw(
                    f"rdf-{functional}-{pair.name.replace('–', '-')}",
                    alt,
                    paint,
                    width=4.4,
                    height=3.2,
                )
            )
    rows: list[list[Value]] = [
        [p.functional, p.vacancies, p.temperature_K, pair.name, float(r), float(g), float(n)]
        for p in results.of(DiffusionFound).local
        for pair in p.pairs
        for r, g, n in zip(pair.r_A, pair.g, pair.coordination, strict=True)
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("pair"),
        Column("r", "A"),
        Column("g"),
        Column("neighbours nearer than the bin's end"),
    )
    first = results.of(DiffusionFound).local[0]
    reach = max(float(p.r_A[-1]) for p in first.pairs)
    hidden = [text.formula(pair.name) for pair in first.pairs if not pair.g.any()]
    caption = (
        "g(r) is the density of the second species at distance r from one of the first, divided "
        f"by its mean density. Pairs are counted in the cell of each frame: {first.n_pair_frames} "
        f"frames of {first.n_atoms} atoms, bins of {STEP_A:g} Å, up to half the smallest width of "
        f"the cell ({reach:.1f} Å), the limit of the minimum image convention."
        + (" The position of an anion is its centre of mass." if results.anions else "")
        + (
            f" No {text.listed(hidden)} distance is within this range: a larger supercell "
            "is needed."
            if hidden
            else ""
        )
    )
    return Figure(
        "Radial distribution functions",
        caption,
        tuple(panels),
        Table("rdf", "Radial distribution functions", columns, rows),
    )


def densities(results: Results) -> Figure | None:
    """Projection and section of the mobile ions' density, coldest and hottest run, at the fewest
    vacancies of each functional.
    """
    if not results.of(DiffusionFound).local:
        return None
    panels = []
    rows: list[list[Value]] = []
    for functional, group in _fewest(results.of(DiffusionFound).local).items():
        ends = list({p.temperature_K: p for p in (group[0], group[-1])}.values())
        for name in ("projection", "section"):
            maps = [getattr(p.density, name) for p in ends]
            top = max(float(values.max()) for values in maps)
            for p, values in zip(ends, maps, strict=True):
                where = (
                    f"{functional}, {text.count(p.vacancies, 'vacancy')}, "
                    f"{text.kelvin(p.temperature_K)}"
                )

                def paint(
                    axes: Axes,
                    p: LocalStructure = p,
                    values: Array = values,
                    top: float = top,
                    name: str = name,
                    where: str = where,
                ) -> None:
                    _map(axes, p.density, values, name, top, where)

                alt = f"Density of {results.mobile} in the unit cell, {name}, {where}."
                panels.append(
                    style.draw(
                        f"density-{name}-{functional}-{p.temperature_K:g}",
                        alt,
                        paint,
                        width=4.9,
                        height=4.0 if name == "projection" else 3.5,
                    )
                )
                rows += [
                    [functional, p.vacancies, p.temperature_K, name, i, j, float(value)]
                    for i, line in enumerate(values)
                    for j, value in enumerate(line)
                ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("map"),
        Column("pixel along the first axis"),
        Column("pixel along the second axis"),
        Column("density", "1/A^2 in a projection, 1/A^3 in a section"),
    )
    first = _fewest(results.of(DiffusionFound).local)[
        results.of(DiffusionFound).local[0].functional
    ][0]
    caption = (
        f"All {first.n_frames} frames of {first.n_atoms} atoms, folded into the mean unit cell "
        f"with {_corner(first.density)} at its corner ({first.density.total:.3g} {results.mobile} "
        f"in it), on a grid of {first.density.voxel_A:.2f} Å, smoothed by a Gaussian of "
        f"{first.density.smoothed_A:g} Å. Projection along c; section: the plane that a + b and c "
        f"span.{_key(first)} Maps of one kind share one scale. No "
        "symmetry is imposed: differences between equivalent sites show incomplete sampling."
    )
    return Figure(
        f"Density of {results.mobile}",
        caption,
        tuple(panels),
        Table("density", f"Density of {results.mobile}", columns, rows),
    )


def _corner(density: DensityMap) -> str:
    return "an anion" if density.mark == "anion" else "an atom of the framework"


def _key(local: LocalStructure) -> str:
    """What the marks in a map mean; nothing where there are none."""
    if not local.density.mark:
        return ""
    points = "centres of anions" if local.density.mark == "anion" else local.between
    return (
        f" Circles are {points}, diamonds tetrahedral sites, triangles windows, squares "
        "octahedral sites, in or near the plane."
    )


def _map(axes: Axes, density: DensityMap, values: Array, name: str, top: float, where: str) -> None:
    a, b, c = density.cell
    across, up = (a, b) if name == "projection" else (a + b, c)
    flat = _flat(across, up)
    corners = (
        np.stack(
            np.meshgrid(*(np.linspace(0, 1, n + 1) for n in values.shape), indexing="ij"), axis=2
        )
        @ flat
    )
    mesh = axes.pcolormesh(
        corners[..., 0], corners[..., 1], values, cmap="magma_r", vmin=0, vmax=top, rasterized=True
    )
    for kind, scaled in density.sites.items():
        if name == "projection":
            if kind != density.mark:
                continue
            drawn = scaled[:, :2]
        else:
            away = (scaled[:, 0] - scaled[:, 1] + 0.5) % 1 - 0.5
            drawn = scaled[np.abs(away) * np.linalg.norm(a - b) / 2 < _IN_PLANE_A][:, [0, 2]]
        x, y = (_with_edges(drawn) @ flat).T
        axes.plot(
            x,
            y,
            _MARKS.get(kind, "o"),
            mfc="none",
            mec=style.INK,
            mew=0.9,
            ms=9 if kind == density.mark else 5,
            ls="none",
            clip_on=False,
        )
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.set(
        xlabel="along a, Å" if name == "projection" else "along a + b, Å",
        ylabel="along b, Å" if name == "projection" else "along c, Å",
        xlim=(corners[..., 0].min(), corners[..., 0].max()),
        ylim=(corners[..., 1].min(), corners[..., 1].max()),
    )
    axes.set_title(where, pad=12.0)  # above the circles on the edge
    axes.figure.colorbar(mesh, ax=axes, label="Å⁻²" if name == "projection" else "Å⁻³", shrink=0.85)


def _flat(across: Array, up: Array) -> Array:
    """(2, 2): two vectors laid into a plane, the first along x."""
    length = float(np.linalg.norm(across))
    x = float(up @ across) / length
    return np.array([[length, 0.0], [x, float(abs(up @ up - x**2)) ** 0.5]])


def _with_edges(scaled: Array) -> Array:
    """Points on an edge, or nearly, drawn at both ends of it."""
    copies = np.concatenate(
        [
            scaled + np.array(shift)
            for shift in ((0, 0), (0, 1), (1, 0), (1, 1), (0, -1), (-1, 0), (-1, -1))
        ]
    )
    return np.asarray(copies[((copies >= -0.02) & (copies <= 1.02)).all(axis=1)])


def site_kinds(found: Iterable[Mapping[str, Array]]) -> list[str]:
    return list(dict.fromkeys(kind for one in found for kind in one))


def _grouped(points: Sequence[LocalStructure]) -> dict[tuple[str, int], list[LocalStructure]]:
    groups: dict[tuple[str, int], list[LocalStructure]] = {}
    for point in points:
        groups.setdefault((point.functional, point.vacancies), []).append(point)
    return groups


def _fewest(points: Sequence[LocalStructure]) -> dict[str, list[LocalStructure]]:
    """The runs with the fewest vacancies of each functional, by temperature."""
    groups = _grouped(points)
    least = {
        functional: min(n for name, n in groups if name == functional) for functional, _ in groups
    }
    return {functional: groups[functional, n] for functional, n in least.items()}
