"""Deflection and full rotations of the anions, beside the published ones."""

from __future__ import annotations

from math import isfinite

from borarun.analysis.order import ORDERED, TURNING, UNDECIDED
from borarun.report import text
from borarun.report.blocks import Column, Table, Value
from borarun.subjects.common.results import Results
from borarun.subjects.reorientation.results import ReorientationFound, Rotation


def rotations(results: Results) -> Table | None:
    """Largest deflections and full rotations."""
    if not results.of(ReorientationFound).rotation:
        return None
    several = len(results.anions) > 1
    rows: list[list[Value]] = [
        [
            f"{text.OURS}, {p.functional}",
            *([text.formula(p.anion)] if several else []),
            p.vacancies,
            p.temperature_K,
            text.duration(p.time_ps),
            p.deflection_deg,
            p.deflection_99_deg,
            p.rms_deflection_deg,
            f"{text.number(p.full_rotations_per_anion_ns, 3)} ({p.full_rotations} in all)"
            if p.full_rotations
            else "none",
            _decay(p),
            p.nmr_ps,
            1e3 * p.quasi_elastic_meV if p.quasi_elastic_meV is not None else None,
            p.order,
            p.polar_order,
            p.reorientations,
            p.disorder,
        ]
        for p in sorted(
            results.of(ReorientationFound).rotation,
            key=lambda p: (
                results.anions.index(p.anion),
                p.functional,
                p.vacancies,
                p.temperature_K,
            ),
        )
    ]
    for p in (
        *results.published.find("largest_deflection"),
        *results.published.find("full_rotations"),
    ):
        turning = p.quantity == "full_rotations"
        row: list[Value] = [
            f"paper, {p.functional}",
            *([""] if several else []),
            p.vacancies,
            p.temperature_K,
            "1 ns",
            None if turning else p.number,
            None,
            None,
            f"{text.number(p.low)}–{text.number(p.high)}" if turning else "none",
            p.place,
            None,
            None,
            None,
            None,
            None,
            "",
        ]
        rows.append(row)
    columns = (
        Column("source"),
        *([Column("anion")] if several else []),
        Column("vacancies"),
        Column("temperature", "K"),
        Column("length"),
        Column("largest deflection", "°", 3),
        Column("99 % below", "°", 3),
        Column("rms deflection", "°", 3),
        Column("full rotations per anion and ns"),
        Column("decay of ξ"),
        Column("NMR correlation time", "ps", 2),
        Column("quasi-elastic half width", "µeV", 2),
        Column("order", "", 2),
        Column("heads against tails", "", 2),
        Column("reorientations per anion", "", 2),
        Column("orientations"),
    )
    caption = (
        "Deflection of a vertex from its own mean direction over the run; the largest grows with "
        "the cell and the length of the run, the 99 % quantile does not. Full rotations are "
        "complete turns per anion and ns. If an anion rotates freely, its mean direction has no "
        "meaning: a large deflection then indicates rotation. The interval of a decay time is a "
        "jackknife over anions. The NMR correlation time is the 1/e decay time of the second "
        "Legendre polynomial; the half width of the quasi-elastic line is ħ divided by the decay "
        "time of ξ. Order, of directions averaged over 3 ps: 1 if anions are oriented as in the "
        "relaxed crystal or equivalent by symmetry, 0 for random orientations. Heads against "
        "tails: the same for the one vertex that differs from the others, which the order does "
        "not distinguish; 1 if it points as in the relaxed crystal, 0 if heads and tails are "
        "mixed. Reorientations per anion: how often an anion changed its orientation, on "
        f"average. Anions with an order below {ORDERED:g} are disordered: dynamic with "
        f"{TURNING:g} reorientation per anion or more, static with fewer, within the length of "
        f"this run. Mixed: the order is within {UNDECIDED:g} of this limit, or its interval "
        "contains the limit, so no phase can be assigned."
    )
    return Table("rotation", "Deflection and full rotations", columns, rows, caption)


def _decay(p: Rotation) -> str:
    if p.relaxation_ps is None:
        return p.relaxation
    interval = (
        f" ({text.duration(p.relaxation_ps.low)} to {text.duration(p.relaxation_ps.high)})"
        if isfinite(p.relaxation_ps.low)
        else ""
    )
    return f"1/e after {text.duration(p.relaxation_ps.value)}{interval}"
