"""Relaxed cells, ours and measured ones."""

from __future__ import annotations

from borarun.report import text
from borarun.report.blocks import Column, Table, Value
from borarun.subjects.common.results import Results
from borarun.subjects.relax.results import RelaxFound


def cells(results: Results) -> Table | None:
    """Relaxed cells, and measured ones."""
    if not results.of(RelaxFound).cells:
        return None
    rows: list[list[Value]] = [
        [
            c.functional,
            c.phase,
            c.space_group,
            *c.lattice_A,
            ", ".join(text.number(angle, 4) for angle in c.angles_deg),
            c.volume_A3 / c.formula_units,
            c.deviation_percent,
            c.energy_eV_per_atom,
            c.relative_meV,
            c.relative_meV_per_atom,
            f"wrong: below {c.below}" if c.below else "",
            c.max_force_eV_per_A,
        ]
        for c in results.of(RelaxFound).cells
    ]
    rows += [
        ["experiment", phase, "", *edges, "", *[None] * 5, "", None]
        for phase, edges in results.of(RelaxFound).measured_cells_A.items()
    ]
    columns = (
        Column("functional"),
        Column("phase"),
        Column("space group"),
        *(Column(name, "Å", 5) for name in "abc"),
        Column("α, β, γ", "°"),
        Column("volume", "Å³/f.u.", 5),
        Column("deviation of a, b, c", "%", 2),
        Column("energy", "eV/atom", 6),
        Column("relative energy", "meV/f.u.", 3),
        Column("relative energy", "meV/atom", 3),
        Column("order of phases"),
        Column("largest force", "eV/Å", 2),
    )
    caption = (
        "Positions and cell relaxed by the reference engine at 0 K, without zero-point "
        "motion. Relative energies are from the first phase. The deviation "
        "is the root mean square over a, b and c from the measured ones."
    )
    return Table("cells", "Relaxed cells", columns, rows, caption)
