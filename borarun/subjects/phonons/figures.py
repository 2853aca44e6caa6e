"""Figures of phonons: densities of states of all functionals beside each other, and band
structures.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from borarun.basics.units import PER_CM_IN_MEV
from borarun.report import style, text
from borarun.report.blocks import Column, Figure, Table, Value
from borarun.report.measured import Array
from borarun.subjects.common.results import Results
from borarun.subjects.phonons.results import PhononsFound, PhononsOfPhase

GAP_MEV = 40.0
"""Frequencies farther apart than this are drawn in panels of their own: between the cage's modes
and the B-H stretches lie 150 meV.
"""

MARGIN_MEV = 3.0
"""Room beside a measured peak."""

EMPTY = 1e-4
"""Density of states, in parts of its largest value, below which there is nothing."""


def by_phase(found: Sequence[PhononsOfPhase]) -> dict[str, list[PhononsOfPhase]]:
    """The phonons of each phase."""
    groups: dict[str, list[PhononsOfPhase]] = {}
    for one in found:
        groups.setdefault(one.phase, []).append(one)
    return groups


def densities(results: Results) -> list[Figure]:
    """One figure a phase: the densities of states of all functionals one above the other, with the
    measured peaks.
    """
    return [
        _density(phase, group, results.of(PhononsFound).measured_peaks_meV)
        for phase, group in by_phase(results.of(PhononsFound).phonons).items()
    ]


def bands(results: Results) -> list[Figure]:
    """One figure a phase: the band structure of each functional."""
    return [
        _bands(phase, group) for phase, group in by_phase(results.of(PhononsFound).phonons).items()
    ]


def blocks(
    curves: Sequence[tuple[Array, Array]], measured: Sequence[float] = (), empty: float = EMPTY
) -> list[tuple[float, float]]:
    """Ranges of frequency, meV, that hold modes of any of the curves or measured peaks, joined
    where less than ``GAP_MEV`` lies between them.

    Parameters
    ----------
    curves : frequency, meV, and density of states of each
    measured : positions of peaks, meV
    empty : density of states, in parts of its curve's largest, below which there is nothing
    """
    margins = [peak + side * MARGIN_MEV for peak in measured for side in (-1, 1)]
    held = np.sort(
        np.concatenate(
            [*(frequency[dos > empty * dos.max()] for frequency, dos in curves), margins]
        )
    )
    breaks = np.flatnonzero(np.diff(held) > GAP_MEV)
    starts, ends = [0, *(breaks + 1).tolist()], [*breaks.tolist(), len(held) - 1]
    return [(float(held[start]), float(held[end])) for start, end in zip(starts, ends, strict=True)]


def _density(phase: str, group: list[PhononsOfPhase], measured: Sequence[float]) -> Figure:
    panels = []
    for number, (low, high) in enumerate(blocks(_curves(group), measured)):

        def paint(axes: Axes, low: float = low, high: float = high) -> None:
            inside = [(one.frequency_meV >= low) & (one.frequency_meV <= high) for one in group]
            step = 1.15 * max(
                float(one.dos[part].max()) for one, part in zip(group, inside, strict=True)
            )
            ends: list[tuple[float, str, str]] = []
            for level, (one, part) in enumerate(zip(group, inside, strict=True)):
                color, base = style.by_functional(one.functional), (len(group) - 1 - level) * step
                axes.fill_between(
                    one.frequency_meV[part],
                    base,
                    base + one.dos[part],
                    color=color,
                    alpha=0.18,
                    lw=0,
                )
                axes.plot(one.frequency_meV[part], base + one.dos[part], color=color, lw=1.2)
                if one.seen is not None:
                    height = float(one.dos[part].max()) / max(float(one.seen[part].max()), 1e-12)
                    axes.plot(
                        one.frequency_meV[part],
                        base + height * one.seen[part],
                        color=color,
                        lw=0.8,
                        ls=":",
                    )
                ends.append((base + 0.3 * step, one.functional, color))
            for peak in measured:
                if low <= peak <= high:
                    axes.axvline(peak, color=style.EXPERIMENT, lw=0.9, ls=(0, (4, 3)))
            axes.set(
                xlabel="energy, meV",
                ylabel="states per meV and formula unit",
                xlim=(low, high),
                ylim=(0, len(group) * step),
            )
            style.label_ends(axes, ends)
            second = axes.secondary_xaxis("top", functions=(_per_cm, _meV))
            second.set_xlabel("wavenumber, cm⁻¹")

        alt = (
            f"Phonon density of states of {phase} from {low:.0f} to {high:.0f} meV with "
            f"{text.listed([one.functional for one in group])}."
        )
        panels.append(
            style.draw(
                f"phonon-dos-{file_name(phase)}-{number + 1}",
                alt,
                paint,
                width=5.6,
                height=2.2 + 1.2 * len(group),
            )
        )
    elements = list(group[0].projected)
    columns = (
        Column("functional"),
        Column("energy", "meV"),
        Column("wavenumber", "cm^-1"),
        Column("total", "1/meV/f.u."),
        Column("neutron-weighted", "1/meV/f.u."),
        *(Column(element, "1/meV/f.u.") for element in elements),
    )
    rows: list[list[Value]] = [
        [
            one.functional,
            float(x),
            float(x / PER_CM_IN_MEV),
            float(one.dos[index]),
            float(one.seen[index]) if one.seen is not None else None,
            *(float(one.projected[element][index]) for element in elements),
        ]
        for one in group
        for index, x in enumerate(one.frequency_meV)
    ]
    first = group[0]
    caption = (
        f"Finite displacements of {first.displacement_A:g} Å in "
        f"{'×'.join(map(str, first.supercell))} cells of the relaxed structure, "
        f"{'×'.join(map(str, first.mesh))} mesh, Gaussians of standard deviation "
        f"{text.number(first.width_meV, 2)} meV. Functionals are stacked on one scale. "
        f"{'Dashed lines are measured peaks. ' if measured else ''}Solid: not weighted. Dotted: "
        "weighted by neutron cross section over mass, scaled to the same height in each panel. "
        "The CSV file has the share of each element."
    )
    title = f"Phonon density of states, {phase}"
    return Figure(
        title, caption, tuple(panels), Table(f"phonon_dos_{file_name(phase)}", title, columns, rows)
    )


def _bands(phase: str, group: list[PhononsOfPhase]) -> Figure:
    (low, high), *above = blocks(_curves(group))
    panels = []
    for one in group:

        def paint(axes: Axes, one: PhononsOfPhase = one) -> None:
            drawn = one.band_meV[:, one.band_meV.min(axis=0) < high]
            axes.plot(one.band_distance, drawn, color=style.by_functional(one.functional), lw=0.6)
            for distance, _ in one.corners:
                axes.axvline(distance, color=style.MUTED, lw=0.7)
            axes.axhline(0, color=style.INK, lw=0.8)
            places = {
                distance: "|".join(name for at, name in one.corners if at == distance)
                for distance, _ in one.corners
            }
            axes.set_xticks(list(places), [name.replace("G", "Γ") for name in places.values()])
            axes.set(
                ylabel="energy, meV",
                title=one.functional,
                xlim=(0, float(one.band_distance[-1])),
                ylim=(low, high),
            )
            axes.grid(axis="x", visible=False)

        alt = f"Phonon band structure of {phase} with {one.functional}."
        panels.append(
            style.draw(
                f"phonon-bands-{file_name(phase)}-{one.functional}",
                alt,
                paint,
                width=5.0,
                height=4.4,
            )
        )
    modes = max(one.band_meV.shape[1] for one in group)
    columns = (
        Column("functional"),
        Column("distance", "1/A"),
        *(Column(f"mode {number + 1}", "meV") for number in range(modes)),
    )
    rows: list[list[Value]] = [
        [one.functional, float(x), *map(float, values)]
        for one in group
        for x, values in zip(one.band_distance, one.band_meV, strict=True)
    ]
    rest = (
        " Modes at "
        f"{text.listed([f'{start:.0f} to {end:.0f} meV' for start, end in above])} are "
        "not shown; the CSV file has them."
        if above
        else ""
    )
    caption = (
        "Corners of the path in the notation of Setyawan and Curtarolo. An imaginary "
        f"frequency is plotted as a negative one.{rest}"
    )
    title = f"Phonon band structure, {phase}"
    return Figure(
        title,
        caption,
        tuple(panels),
        Table(f"phonon_bands_{file_name(phase)}", title, columns, rows),
    )


def _curves(group: Sequence[PhononsOfPhase]) -> list[tuple[Array, Array]]:
    return [(one.frequency_meV, one.dos) for one in group]


def file_name(phase: str) -> str:
    """A phase's name as part of a file's name: ``P2_1/n`` -> ``P2_1-n``."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", phase)


def _per_cm(energy_meV: Any) -> Any:
    return np.asarray(energy_meV) / PER_CM_IN_MEV


def _meV(wavenumber_per_cm: Any) -> Any:
    return np.asarray(wavenumber_per_cm) * PER_CM_IN_MEV
