"""Tables of the training set."""

from __future__ import annotations

from borarun.report.blocks import Column, Table, Value
from borarun.report.results import Results
from borarun.subjects.training_set.results import TrainingSetFound


def stand_ins(results: Results) -> Table | None:
    """The reference engine that stands in for DFT, in its own words."""
    found = results.of(TrainingSetFound).stand_ins
    if not found:
        return None
    rows: list[list[Value]] = [
        [
            s.functional,
            s.level,
            s.n_train,
            s.n_valid,
            s.energy_meV_per_atom,
            s.forces_eV_per_A,
            s.stress_kbar,
            s.lattice_300K_A,
        ]
        for s in found
    ]
    columns = (
        Column("functional"),
        Column("MTP level"),
        Column("fitted configurations"),
        Column("held out"),
        Column("energy error", "meV/atom", 3),
        Column("force error", "eV/Å", 3),
        Column("stress error", "kbar", 3),
        Column("a at 300 K", "Å", 4),
    )
    caption = (
        f"{' '.join(dict.fromkeys(s.statement for s in found))} Errors are root mean "
        "squares on held-out configurations."
    )
    return Table("reference", "Reference engine", columns, rows, caption)
