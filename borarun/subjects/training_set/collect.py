"""The engine that labels, where it stands in for DFT, and labels by their vacancies."""

from __future__ import annotations

from borarun.engines.bundled import engine as bundled
from borarun.sections.study import Study
from borarun.subjects.common.results import Results
from borarun.subjects.common.source import Source
from borarun.subjects.training_set.results import StandIn, TrainingSetFound
from borarun.subjects.training_set.vacancies import labelled_vacancies


def collect(study: Study, source: Source, results: Results) -> TrainingSetFound:
    """What the reference engine says of itself, and what it labelled."""
    return TrainingSetFound(stand_ins(study), labelled_vacancies(study, source))


def stand_ins(study: Study) -> tuple[StandIn, ...]:
    """What the bundled reference says of itself."""
    if study.reference.engine != bundled.NAME:
        return ()
    made = []
    for functional in study.functionals:
        if functional in bundled.POTENTIALS:
            record = bundled.record(functional)
            errors = record.errors.valid
            made.append(
                StandIn(
                    functional=functional,
                    statement=record.statement,
                    level=record.level,
                    n_train=record.n_train,
                    n_valid=record.n_valid,
                    energy_meV_per_atom=errors.energy_meV_per_atom,
                    forces_eV_per_A=errors.forces_eV_per_A,
                    stress_kbar=errors.stress_kbar,
                    lattice_300K_A=record.lattice_parameter_300K_A,
                )
            )
    return tuple(made)
