"""Phonons, and the functionals ranked by them."""

from __future__ import annotations

from borarun.analysis.functionals import PROMINENCE
from borarun.basics.units import PER_CM_IN_MEV
from borarun.report import text
from borarun.report.blocks import Column, Table, Value
from borarun.subjects.common.results import Results
from borarun.subjects.phonons.results import PhononsFound


def phonons(results: Results) -> Table | None:
    """What the phonons say of stability and energy."""
    if not results.of(PhononsFound).phonons:
        return None
    temperatures = sorted(
        {T for p in results.of(PhononsFound).phonons for T, _ in p.free_energy_eV}
    )
    rows: list[list[Value]] = [
        [
            p.phase,
            p.functional,
            p.n_displacements,
            p.n_imaginary,
            p.n_q_points,
            p.lowest_meV,
            p.zero_point_eV,
            *(dict(p.free_energy_eV).get(T) for T in temperatures),
            p.acoustic_sum_eV_per_A2,
        ]
        for p in results.of(PhononsFound).phonons
    ]
    columns = (
        Column("phase"),
        Column("functional"),
        Column("displacements"),
        Column("imaginary modes"),
        Column("q points"),
        Column("lowest frequency", "meV", 2),
        Column("zero-point energy", "eV/f.u.", 4),
        *(Column(f"vibrational free energy, {text.kelvin(T)}", "eV/f.u.", 4) for T in temperatures),
        Column("acoustic sum", "eV/Å²", 2),
    )
    caption = (
        "Imaginary modes are counted over the irreducible points of the mesh and not "
        "used in the energies. The lowest frequency is that on mesh and path, negative "
        "if imaginary. The acoustic sum is its value before it was set to zero: a "
        "measure of noise in the forces."
    )
    return Table("phonons", "Phonons", columns, rows, caption)


def ranking(results: Results) -> Table | None:
    """Functionals by how well their peaks meet the measured ones, the best first."""
    if not results.of(PhononsFound).measured_peaks_meV or not results.of(PhononsFound).phonons:
        return None
    rows: list[list[Value]] = []
    for phase in dict.fromkeys(p.phase for p in results.of(PhononsFound).phonons):
        group = [p for p in results.of(PhononsFound).phonons if p.phase == phase]
        order = sorted(group, key=lambda p: float("inf") if p.match is None else p.match.score)
        for rank, p in enumerate(order, start=1):
            if p.match is None:
                rows.append(
                    [
                        phase,
                        None,
                        p.functional,
                        None,
                        None,
                        None,
                        None,
                        f"only {len(p.peaks_meV)} peaks",
                    ]
                )
            else:
                away = p.match.computed - p.match.measured
                worst = int(abs(away).argmax())
                at = (
                    f"{text.number(float(away[worst]), 2)} at "
                    f"{text.number(float(p.match.measured[worst]), 4)}"
                )
                rows.append(
                    [
                        phase,
                        rank,
                        p.functional,
                        p.match.score,
                        p.match.score / PER_CM_IN_MEV,
                        p.seen_match.score if p.seen_match else None,
                        float(away.mean()),
                        at,
                    ]
                )
    columns = (
        Column("phase"),
        Column("rank"),
        Column("functional"),
        Column("score", "meV", 3),
        Column("score", "cm⁻¹", 3),
        Column("neutron-weighted score", "meV", 3),
        Column("mean deviation", "meV", 2),
        Column("largest deviation, meV"),
    )
    count = text.count(len(results.of(PhononsFound).measured_peaks_meV), "measured peak")
    caption = (
        f"The score is the root-mean-square difference between {count} and the peaks of the "
        "computed density of states: every measured peak is paired with a different computed "
        "peak so that the sum of squares is smallest. Smaller is better. A maximum of the "
        f"density of states is a peak when it rises {100 * PROMINENCE:g} % of the tallest above "
        "the valleys beside it; computed peaks may stay unpaired, and heights are not compared. "
        "Neutron-weighted score: the same for the density of states weighted by cross section "
        "over mass, which is nearly all hydrogen."
    )
    return Table("functional_ranking", "Ranking of the functionals", columns, rows, caption)


def peaks(results: Results) -> Table | None:
    """Measured peaks and the computed ones paired with them."""
    matched = [p for p in results.of(PhononsFound).phonons if p.match is not None]
    if not matched:
        return None
    rows: list[list[Value]] = [
        [
            measured,
            measured / PER_CM_IN_MEV,
            *(float(p.match.computed[index]) for p in matched if p.match is not None),
        ]
        for index, measured in enumerate(results.of(PhononsFound).measured_peaks_meV)
    ]
    several = len({p.phase for p in matched}) > 1
    names = [f"{p.functional}, {p.phase}" if several else p.functional for p in matched]
    columns = (
        Column("measured", "meV"),
        Column("measured", "cm⁻¹"),
        *(Column(name, "meV") for name in names),
    )
    return Table(
        "phonon_peaks",
        "Peaks",
        columns,
        rows,
        "Each measured peak and the computed peak that is paired with it.",
    )
