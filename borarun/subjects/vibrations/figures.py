"""Figure of the vibrational densities of states, beside those of the phonons."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from scipy.ndimage import gaussian_filter1d

from borarun.basics.units import PER_CM_IN_MEV
from borarun.report import style, text
from borarun.report.blocks import Column, Figure, Table, Value
from borarun.report.measured import Array
from borarun.subjects.common.results import Results
from borarun.subjects.phonons.figures import blocks
from borarun.subjects.phonons.results import PhononsFound, PhononsOfPhase
from borarun.subjects.vibrations.results import Vibrations, VibrationsFound

_FWHM = 2.3548
"""Full width at half maximum of a Gaussian of unit standard deviation."""


EMPTY = 0.02
"""Density of states, in parts of its largest value, that the tails of lines and the anharmonic
background reach between the vibrations.
"""

MARGIN_MEV = 6.0
"""Room beside a panel's vibrations."""


def densities(results: Results) -> Figure | None:
    """One panel a functional, vacancy count and range of frequency: the temperatures one above the
    other, the phonons below.
    """
    if not results.of(VibrationsFound).vibrations:
        return None
    groups: dict[tuple[str, int], list[Vibrations]] = {}
    for one in results.of(VibrationsFound).vibrations:
        groups.setdefault((one.functional, one.vacancies), []).append(one)
    colors = style.by_temperature(
        one.temperature_K for one in results.of(VibrationsFound).vibrations
    )
    panels = []
    for (functional, vacancies), group in groups.items():
        where = f"{functional}, {text.count(vacancies, 'vacancy')}"
        cold = next(
            (
                p
                for p in results.of(PhononsFound).phonons
                if (p.functional, p.phase) == (functional, results.phase)
            ),
            None,
        )
        lines = [
            (one.frequency_meV, one.dos, text.kelvin(one.temperature_K), colors[one.temperature_K])
            for one in group
        ]
        if cold is not None:
            lines.append(
                (cold.frequency_meV, as_coarse(cold, group[0].resolution_meV), "phonons", style.INK)
            )
        for number, (start, end) in enumerate(
            blocks([(x, y) for x, y, _, _ in lines], empty=EMPTY)
        ):
            low, high = max(start - MARGIN_MEV, 0.0), end + MARGIN_MEV

            def paint(
                axes: Axes,
                lines: list[tuple[Array, Array, str, str]] = lines,
                low: float = low,
                high: float = high,
                where: str = where,
            ) -> None:
                inside = [(x >= low) & (x <= high) for x, _, _, _ in lines]
                step = 1.15 * max(
                    float(y[part].max())
                    for (_, y, _, _), part in zip(lines, inside, strict=True)
                    if part.any()
                )
                ends: list[tuple[float, str, str]] = []
                for level, ((x, y, name, color), part) in enumerate(
                    zip(lines, inside, strict=True)
                ):
                    base = (len(lines) - 1 - level) * step
                    axes.fill_between(x[part], base, base + y[part], color=color, alpha=0.15, lw=0)
                    axes.plot(x[part], base + y[part], color=color, lw=1.1)
                    ends.append((base + 0.3 * step, name, color))
                axes.set(
                    xlabel="energy, meV",
                    ylabel="states per meV and formula unit",
                    title=where,
                    xlim=(low, high),
                    ylim=(0, len(lines) * step),
                )
                style.label_ends(axes, ends)

            alt = f"Vibrational density of states from {low:.0f} to {high:.0f} meV, {where}."
            panels.append(
                style.draw(
                    f"vdos-{functional}-{vacancies}-{number + 1}",
                    alt,
                    paint,
                    height=2.0 + 0.9 * len(lines),
                )
            )
    elements = list(
        dict.fromkeys(
            element for one in results.of(VibrationsFound).vibrations for element in one.projected
        )
    )
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("energy", "meV"),
        Column("wavenumber", "cm^-1"),
        Column("total", "1/meV/f.u."),
        *(Column(element, "1/meV/f.u.") for element in elements),
    )
    rows: list[list[Value]] = [
        [
            one.functional,
            one.vacancies,
            one.temperature_K,
            float(x),
            float(x / PER_CM_IN_MEV),
            float(one.dos[index]),
            *(float(one.projected[element][index]) for element in elements),
        ]
        for one in results.of(VibrationsFound).vibrations
        for index, x in enumerate(one.frequency_meV)
    ]
    first = results.of(VibrationsFound).vibrations[0]
    beside = (
        " The phonons of the relaxed structure, harmonic and at 0 K, are shown below, broadened "
        "to the same width."
        if results.of(PhononsFound).phonons
        else ""
    )
    caption = (
        f"Power spectrum of the velocities of all {first.n_atoms} atoms, weighted by mass, three "
        f"states per atom: {first.n_frames} frames {first.interval_fs:g} fs apart, "
        f"{text.count(first.n_windows, 'window')} of time (Hann, overlapping by half), a sharp "
        f"line {text.number(first.resolution_meV, 2)} meV wide. Velocities are differences of "
        "positions; the damping by these differences is corrected. Classical motion at constant "
        f"pressure.{beside} The CSV file has the share of each element."
    )
    return Figure(
        "Vibrational density of states",
        caption,
        tuple(panels),
        Table("vdos", "Vibrational density of states", columns, rows),
    )


def as_coarse(cold: PhononsOfPhase, width_meV: float) -> Array:
    """The phonons' density of states with lines as wide as those of the dynamics, full width at
    half maximum.
    """
    more = np.sqrt(max((width_meV / _FWHM) ** 2 - cold.width_meV**2, 0.0))
    step = float(np.mean(np.diff(cold.frequency_meV)))
    return np.asarray(gaussian_filter1d(cold.dos, more / step)) if more > 0 else cold.dos
