"""Tables of the training set."""

from __future__ import annotations

from borarun.report import text
from borarun.report.blocks import Column, Table, Value
from borarun.subjects.common.results import Results
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
        Column("level of its potential"),
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


def vacancies(results: Results) -> Table | None:
    """Labels by the number of vacancies, and what a vacancy adds to the energy."""
    found = results.of(TrainingSetFound).vacancies
    if not found:
        return None
    rows: list[list[Value]] = [
        [part.functional, count, part.charge + part.charge_per_vacancy * count, n_labels]
        for part in found
        for count, n_labels in part.n_labels.items()
    ]
    columns = (
        Column("functional"),
        Column("vacancies"),
        Column("charge of the cell", "e", 2),
        Column("labels"),
    )
    energies = " ".join(
        f"A vacancy adds {text.measured(part.energy_eV)} eV to the energy of its cell "
        f"({part.functional}, least squares over all labels)."
        for part in found
        if part.energy_eV is not None
    )
    offset = (
        " This contains the offset between cells of different charge, which has no meaning of its "
        "own. The potential holds it in its energy of an ion."
        if energies and any(part.charge_per_vacancy for part in found)
        else ""
    )
    caption = f"Configurations that the last potential learned from or was judged by. {energies}"
    return Table("vacancies", "Labels by vacancies", columns, rows, caption.rstrip() + offset)
