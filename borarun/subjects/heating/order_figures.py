"""Order against temperature, on the ramps."""

from __future__ import annotations

from functools import partial

from matplotlib.axes import Axes

from borarun.report import style, text
from borarun.report.blocks import Column, Figure, Table, Value
from borarun.subjects.common.holes import BETWEEN_ANIONS
from borarun.subjects.common.results import Results
from borarun.subjects.diffusion.structure.figures import LINES, plural, site_kinds
from borarun.subjects.heating.results import HeatingFound, OrderBranch

_COLORS = {"heating": style.HEATING, "cooling": style.COOLING}


def order(results: Results) -> Figure | None:
    """Lattice, shares of the sites and order of the anions against temperature, side by side, as
    far as the material has them; a row a functional and vacancy count.
    """
    if not results.of(HeatingFound).order:
        return None
    groups: dict[tuple[str, int], list[OrderBranch]] = {}
    for branch in results.of(HeatingFound).order:
        groups.setdefault((branch.functional, branch.vacancies), []).append(branch)
    anions = [each.anion for each in results.of(HeatingFound).order[0].orientations]
    panels = []
    for (functional, vacancies), branches in groups.items():
        where = f"{functional}, {text.count(vacancies, 'vacancy')}"

        def paint_lattice(
            axes: Axes, functional: str = functional, vacancies: int = vacancies, where: str = where
        ) -> None:
            same = [
                ramp
                for ramp in results.of(HeatingFound).branches
                if (ramp.functional, ramp.vacancies) == (functional, vacancies)
            ]
            for ramp in same:
                if ramp.heating_K_per_ps == min(other.heating_K_per_ps for other in same):
                    values = ramp.lattice_A if results.cubic else ramp.volume_A3
                    axes.plot(
                        ramp.temperature_K, values, color=_COLORS[ramp.branch], label=ramp.branch
                    )
            axes.set(
                xlabel="temperature, K",
                ylabel="lattice parameter a, Å" if results.cubic else "volume per formula unit, Å³",
                title=where,
            )
            if axes.lines:
                axes.legend(loc="upper left")

        def paint_share(axes: Axes, branches: list[OrderBranch] = branches) -> None:
            for branch in branches:
                for kind, share in branch.share.items():
                    label = plural(kind) if branch is branches[0] else None
                    axes.plot(
                        branch.temperature_K,
                        share,
                        color=_COLORS[branch.branch],
                        ls=LINES[kind],
                        lw=1.3,
                        label=label,
                    )
            axes.set(
                xlabel="temperature, K",
                ylabel=f"share of {results.mobile}",
                title="sites",
                ylim=(-0.03, 1.03),
            )
            axes.legend(loc="center left", labelcolor=style.INK)

        name = f"{functional}-{vacancies}"
        panels.append(
            style.draw(
                f"order-lattice-{name}",
                f"Lattice against temperature on heating and cooling, {where}.",
                paint_lattice,
                width=3.7,
                height=3.3,
            )
        )
        if any(branch.share for branch in branches):
            panels.append(
                style.draw(
                    f"order-sites-{name}",
                    f"Fraction of {results.mobile} on each kind of site against temperature, "
                    f"{where}.",
                    paint_share,
                    width=3.7,
                    height=3.3,
                )
            )
        for anion in anions:
            of = f"-{anion}" if len(anions) > 1 else ""
            panels.append(
                style.draw(
                    f"order-orientation-{name}{of}",
                    f"Orientational order of the {text.formula(anion)} anions against temperature, "
                    f"{where}."
                    if of
                    else f"Orientational order of the anions against temperature, {where}.",
                    partial(_paint_order, branches=branches, anion=anion),
                    width=3.7,
                    height=3.3,
                )
            )
    kinds = site_kinds([branch.share for branch in results.of(HeatingFound).order])
    found = results.of(HeatingFound).order
    rows: list[list[Value]] = [
        [
            b.functional,
            b.vacancies,
            b.branch,
            float(T),
            *(float(b.share[kind][i]) if kind in b.share else None for kind in kinds),
            *(
                float(values[i]) if values is not None else None
                for o in b.orientations
                for values in (o.memory, o.order, o.polar_order)
            ),
        ]
        for b in found
        for i, T in enumerate(b.temperature_K)
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("branch"),
        Column("temperature", "K"),
        *(Column(f"share of {kind} sites") for kind in kinds),
        *(
            Column(f"{what} of {anion}" if len(anions) > 1 else what)
            for anion in anions
            for what in ("memory", "order", "heads against tails")
        ),
    )
    first = found[0]
    frames = " and ".join(str(n) for n in dict.fromkeys(b.n_frames for b in found))
    counted = "".join(
        f"{o.n_anions} {text.formula(o.anion) + ' ' if len(anions) > 1 else ''}anions, "
        for o in first.orientations
    )
    caption = (
        "Red: heating; blue: cooling; the slowest ramps. Means over the same temperature bins as "
        f"for the lattice; {first.n_atoms} atoms, {counted}{frames} frames per run."
        f"{_of_sites(results, first)}{_of_orientations(first)}"
    )
    return Figure(
        "Order against temperature",
        caption,
        tuple(panels),
        Table("order", "Order against temperature", columns, rows),
    )


def _paint_order(axes: Axes, *, branches: list[OrderBranch], anion: str) -> None:
    drawn = []
    for branch in branches:
        first = branch is branches[0]
        found = next(each for each in branch.orientations if each.anion == anion)
        drawn += [found.order, found.memory]
        axes.plot(
            branch.temperature_K,
            found.order,
            color=_COLORS[branch.branch],
            label="order" if first else None,
        )
        axes.plot(
            branch.temperature_K,
            found.memory,
            color=_COLORS[branch.branch],
            ls=(0, (4, 2)),
            lw=1.2,
            label="memory" if first else None,
        )
        if found.polar_order is not None:
            drawn.append(found.polar_order)
            axes.plot(
                branch.temperature_K,
                found.polar_order,
                color=_COLORS[branch.branch],
                ls=":",
                lw=1.2,
                label="heads against tails" if first else None,
            )
    axes.axhline(0, color=style.MUTED, lw=0.7)
    axes.set(
        xlabel="temperature, K",
        ylabel=f"orientation of {text.formula(anion)}",
        title="orientations",
        ylim=(min(-0.05, *(float(values.min()) - 0.03 for values in drawn)), 1.05),
    )
    axes.legend(loc="best")


def _of_sites(results: Results, branch: OrderBranch) -> str:
    """What a caption says of the sites; nothing where there are none."""
    if not branch.between:
        return ""
    window = "anions" if branch.between == BETWEEN_ANIONS else "them"
    return (
        f" Sites: every {results.mobile} belongs to the nearest hole between "
        f"{branch.between} or to the nearest window (a triangle of {window} between two holes)."
    )


def _of_orientations(branch: OrderBranch) -> str:
    """What a caption says of the orientations; nothing where there are no molecules."""
    if not branch.orientations:
        return ""
    orders = " and ".join(
        f"{o.l} for {text.formula(o.anion)}" if len(branch.orientations) > 1 else str(o.l)
        for o in branch.orientations
    )
    return (
        " Orientations are compared with the cold start of heating. Memory is the mean cosine "
        "between the direction of a vertex and its first direction. Order compares shapes by "
        f"Legendre polynomials of order {orders}: it is 1 for the first orientation and all "
        "equivalent by symmetry, and 0 for random ones. If anions settle in a new orientation on "
        "cooling, order stays low although they no longer rotate. If one vertex differs from the "
        "others, heads against tails is the mean cosine between its direction and its first "
        "direction; order does not distinguish heads from tails."
    )
