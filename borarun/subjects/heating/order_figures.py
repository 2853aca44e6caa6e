"""Order against temperature, on the ramps."""

from __future__ import annotations

from matplotlib.axes import Axes

from borarun.report import style, text
from borarun.report.blocks import Column, Figure, Table, Value
from borarun.report.results import Results
from borarun.subjects.diffusion.structure.figures import LINES, plural, site_kinds
from borarun.subjects.heating.results import HeatingFound, OrderBranch

_COLORS = {"heating": style.HEATING, "cooling": style.COOLING}


def order(results: Results) -> Figure | None:
    """Lattice, shares of the sites and order of the anions against temperature, side by side; a row
    a functional and vacancy count.
    """
    if not results.of(HeatingFound).order:
        return None
    groups: dict[tuple[str, int], list[OrderBranch]] = {}
    for branch in results.of(HeatingFound).order:
        groups.setdefault((branch.functional, branch.vacancies), []).append(branch)
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

        def paint_order(axes: Axes, branches: list[OrderBranch] = branches) -> None:
            for branch in branches:
                first = branch is branches[0]
                axes.plot(
                    branch.temperature_K,
                    branch.order,
                    color=_COLORS[branch.branch],
                    label="order" if first else None,
                )
                axes.plot(
                    branch.temperature_K,
                    branch.memory,
                    color=_COLORS[branch.branch],
                    ls=(0, (4, 2)),
                    lw=1.2,
                    label="memory" if first else None,
                )
                if branch.polar_order is not None:
                    axes.plot(
                        branch.temperature_K,
                        branch.polar_order,
                        color=_COLORS[branch.branch],
                        ls=":",
                        lw=1.2,
                        label="heads against tails" if first else None,
                    )
            axes.axhline(0, color=style.MUTED, lw=0.7)
            drawn = [v for b in branches for v in (b.order, b.memory, b.polar_order)]
            low = min(-0.05, *(float(v.min()) - 0.03 for v in drawn if v is not None))
            axes.set(
                xlabel="temperature, K",
                ylabel=f"orientation of {text.formula(results.anion)}",
                title="orientations",
                ylim=(low, 1.05),
            )
            axes.legend(loc="best")

        name = f"{functional}-{vacancies}"
        panels += [
            style.draw(
                f"order-lattice-{name}",
                f"Lattice against temperature on heating and cooling, {where}.",
                paint_lattice,
                width=3.7,
                height=3.3,
            ),
            style.draw(
                f"order-sites-{name}",
                f"Fraction of {results.mobile} on each kind of site against temperature, {where}.",
                paint_share,
                width=3.7,
                height=3.3,
            ),
            style.draw(
                f"order-orientation-{name}",
                f"Orientational order of the anions against temperature, {where}.",
                paint_order,
                width=3.7,
                height=3.3,
            ),
        ]
    kinds = site_kinds([branch.share for branch in results.of(HeatingFound).order])
    rows: list[list[Value]] = [
        [
            b.functional,
            b.vacancies,
            b.branch,
            float(T),
            *(float(b.share[kind][i]) if kind in b.share else None for kind in kinds),
            float(m),
            float(o),
            float(b.polar_order[i]) if b.polar_order is not None else None,
        ]
        for b in results.of(HeatingFound).order
        for i, (T, m, o) in enumerate(zip(b.temperature_K, b.memory, b.order, strict=True))
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("branch"),
        Column("temperature", "K"),
        *(Column(f"share of {kind} sites") for kind in kinds),
        Column("memory"),
        Column("order"),
        Column("heads against tails"),
    )
    first = results.of(HeatingFound).order[0]
    frames = " and ".join(
        str(n) for n in dict.fromkeys(b.n_frames for b in results.of(HeatingFound).order)
    )
    caption = (
        "Red: heating; blue: cooling; the slowest ramps. Means over the same temperature bins as "
        f"for the lattice; {first.n_atoms} atoms, {first.n_anions} anions, {frames} frames per "
        f"run. Sites: every {results.mobile} belongs to the nearest hole between the anions' mean "
        "centres or to the nearest window (a triangle of anions between two holes). Orientations "
        "are compared with the cold start of heating. Memory is the mean cosine between the "
        "direction of a vertex and its first direction. Order compares shapes by Legendre "
        f"polynomials of order {first.l}: it is 1 for the first orientation and all equivalent by "
        "symmetry, and 0 for random ones. If anions settle in a new orientation on cooling, "
        "order stays low although they no longer rotate. If one vertex differs from the others, "
        "heads against tails is the mean cosine between its direction and its first direction; "
        "order does not distinguish heads from tails."
    )
    return Figure(
        "Order against temperature",
        caption,
        tuple(panels),
        Table("order", "Order against temperature", columns, rows),
    )
