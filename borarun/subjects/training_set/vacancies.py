"""Labels by the number of vacancies in their cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from borarun.analysis.vacancy_energy import vacancy_energy
from borarun.engines.reference.charge import ChargeKeys, vacancies
from borarun.records.frames import Frames
from borarun.report.measured import Measured
from borarun.sections.study import Study
from borarun.structures.structure import composition
from borarun.subjects.common import stage
from borarun.subjects.common.source import Done, Source
from borarun.subjects.training_set.results import LabelledVacancies


def labelled_vacancies(study: Study, source: Source) -> tuple[LabelledVacancies, ...]:
    """For each functional whose last potential learnt from cells with different numbers of
    vacancies, how many labels each has; only of an engine that knows charges.
    """
    if not isinstance(study.reference, ChargeKeys):
        return ()
    in_turn = sorted(source.of(stage.Training), key=lambda done: done.about.round)
    last = {done.about.functional: done for done in in_turn}
    found = (_of(study, study.reference, source, last[name]) for name in sorted(last))
    return tuple(each for each in found if each is not None)


def _of(
    study: Study, keys: ChargeKeys, source: Source, done: Done[stage.Training]
) -> LabelledVacancies | None:
    formula, ion = study.material.formula, study.material.vacancy_ion
    others = composition(formula)
    del others[ion]
    units, missing, energies = [], [], []
    for frames in _labels(source, done):
        assert frames.energy is not None
        for atoms, energy in zip(frames, frames.energy.tolist(), strict=True):
            held = Counter(atoms.get_chemical_symbols())
            count = vacancies(held, formula, ion)
            if count is None:  # another stoichiometry, e.g. an ion too many
                continue
            missing.append(count)
            units.append((len(atoms) - held[ion]) / others.total())
            energies.append(energy)
    counts = Counter(missing)
    if len(counts) < 2:
        return None
    energy = vacancy_energy(np.array(units), np.array(missing), np.array(energies))
    return LabelledVacancies(
        functional=done.about.functional,
        charge_per_vacancy=keys.charge_per_vacancy,
        charge=keys.charge,
        n_labels=dict(sorted(counts.items())),
        energy_eV=None if energy is None else Measured(energy.value, energy.low, energy.high),
    )


def _labels(source: Source, done: Done[stage.Training]) -> Iterator[Frames]:
    """What a training learnt from and was judged by."""
    for name, content in source.store.inputs(done.task).items():
        if name in ("labels", "selected"):
            yield from (each for each in content if isinstance(each, Frames))
