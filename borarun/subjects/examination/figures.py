"""Figures of the examination: predicted against reference, and distributions of errors."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from borarun.report import style, text
from borarun.report.blocks import Column, Figure, Table, Value
from borarun.report.measured import Array
from borarun.report.thinning import MOST_DRAWN, drawn
from borarun.subjects.diffusion.arrhenius import DISORDERED_PHASE, ORDERED_PHASE
from borarun.subjects.examination.results import Examined

BINS = 41
OUTSIDE = 0.005
"""Part of the errors that may lie outside of a distribution's axis, at each end."""


def _quantities(part: Examined) -> tuple[tuple[str, str, Array, Array], ...]:
    """Name, unit, (2, n) values in that unit, and (n,) configuration of each."""
    frames = np.arange(part.n_frames)
    return (
        ("energy", "eV/atom", part.energy_eV_per_atom, frames),
        ("forces", "eV/Å", part.forces_eV_per_A, part.force_frame),
        ("stress", "kbar", part.stress_kbar, np.repeat(frames, 6)),
    )


def _colors(part: Examined) -> dict[str, str]:
    cold = style.by_temperature((0.0, 1.0))
    colors = {ORDERED_PHASE: cold[0.0], DISORDERED_PHASE: cold[1.0]}
    return {phase: colors.get(phase, style.MUTED) for phase in dict.fromkeys(part.phase)}


def parity(examined: tuple[Examined, ...]) -> Figure | None:
    """Potential against reference, by phase."""
    panels, rows = [], []
    for part in examined:
        phases, colors = np.array(part.phase), _colors(part)
        for name, unit, values, frame in _quantities(part):
            keep = drawn(values.shape[1])
            shown, phase = values[:, keep], phases[frame[keep]]

            def paint(
                axes: Axes,
                shown: Array = shown,
                phase: Array = phase,
                labels: tuple[str, str, str] = (name, unit, part.functional),
                colors: dict[str, str] = colors,
            ) -> None:
                low, high = style.limits(shown)
                axes.plot([low, high], [low, high], color=style.MUTED, lw=0.9)
                many = shown.shape[1] > 500
                for each, color in colors.items():
                    inside = phase == each
                    axes.plot(
                        shown[0, inside],
                        shown[1, inside],
                        "o",
                        color=color,
                        ms=3.0 if many else 5.0,
                        mew=0,
                        alpha=0.5,
                        rasterized=many,
                        label=each,
                    )
                axes.set(
                    xlim=(low, high),
                    ylim=(low, high),
                    xlabel=f"reference {labels[0]}, {labels[1]}",
                    ylabel=f"potential {labels[0]}, {labels[1]}",
                    title=labels[2],
                    aspect="equal",
                )
                axes.locator_params(nbins=5)
                axes.legend(loc="upper left")

            alt = (
                f"{name.capitalize()} of the potential against the reference on configurations "
                f"of production, {part.functional}."
            )
            panels.append(
                style.draw(f"examined-{name}-{part.functional}", alt, paint, width=4.3, height=4.1)
            )
            rows += _rows(part, name, unit, shown, frame[keep])
    if not panels:
        return None
    columns = (
        Column("functional"),
        Column("quantity"),
        Column("unit"),
        Column("phase"),
        Column("temperature", "K"),
        Column("vacancies"),
        Column("reference"),
        Column("potential"),
    )
    return Figure(
        "Parity on configurations of production",
        "The final potential against its reference on configurations that no fit has seen. "
        f"Force and stress panels show Cartesian components, at most {MOST_DRAWN} chosen at "
        "random. On the grey line both agree.",
        tuple(panels),
        Table("examined_parity", "Parity on configurations of production", columns, rows),
    )


def _rows(part: Examined, name: str, unit: str, shown: Array, frame: Array) -> list[list[Value]]:
    return [
        [
            part.functional,
            name,
            unit,
            part.phase[place],
            float(part.temperature_K[place]),
            int(part.vacancies[place]),
            float(ours[0]),
            float(ours[1]),
        ]
        for place, ours in zip(frame.tolist(), shown.T, strict=True)
    ]


def distributions(examined: tuple[Examined, ...]) -> Figure | None:
    """Distributions of the errors, as in the published Figures S2 to S4."""
    panels = []
    rows: list[list[Value]] = []
    for part in examined:
        for name, unit, values, _ in _quantities(part):
            factor, shown_unit = (1e3, "meV/atom") if name == "energy" else (1.0, unit)
            away = factor * (values[1] - values[0])
            reach = float(np.quantile(np.abs(away), 1 - 2 * OUTSIDE)) or 1.0
            bins = np.linspace(-reach, reach, min(BINS, max(7, len(away) // 3)))
            count, _ = np.histogram(np.clip(away, -reach, reach), bins)
            percent = 100 * count / len(away)
            rmse, mae = float(np.sqrt(np.mean(away**2))), float(np.abs(away).mean())

            def paint(
                axes: Axes,
                bins: Array = bins,
                percent: Array = percent,
                said: tuple[str, str, str, str] = (
                    name,
                    shown_unit,
                    part.functional,
                    f"RMSE {text.number(rmse, 3)}\nMAE {text.number(mae, 3)} {shown_unit}",
                ),
            ) -> None:
                axes.bar(
                    bins[:-1],
                    percent,
                    np.diff(bins),
                    align="edge",
                    color=style.by_functional(said[2]),
                )
                axes.axvline(0.0, color=style.INK, lw=0.9)
                axes.set(
                    xlabel=f"error of {said[0]}, {said[1]}",
                    ylabel="share, %",
                    title=said[2],
                )
                axes.margins(y=0.25)
                axes.annotate(
                    said[3], (0.03, 0.97), xycoords="axes fraction", va="top", fontsize=9.5
                )

            alt = (
                f"Distribution of the errors of {name}, {part.functional}: rms "
                f"{text.number(rmse, 3)}, mean absolute {text.number(mae, 3)} {shown_unit}."
            )
            panels.append(
                style.draw(f"errors-{name}-{part.functional}", alt, paint, width=4.3, height=3.6)
            )
            rows += [
                [part.functional, name, shown_unit, float(low), float(high), float(share)]
                for low, high, share in zip(bins[:-1], bins[1:], percent, strict=True)
            ]
    if not panels:
        return None
    columns = (
        Column("functional"),
        Column("quantity"),
        Column("unit"),
        Column("from"),
        Column("to"),
        Column("share", "%"),
    )
    return Figure(
        "Distributions of errors",
        "Errors of the final potential (potential less reference) on configurations of production, "
        "of components; larger ones are counted in the outermost bars.",
        tuple(panels),
        Table("error_distributions", "Distributions of errors", columns, rows),
    )
