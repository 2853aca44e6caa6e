"""The reference engine and the making of the potential, from the records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from borarun.analysis.deviations import Deviations, deviations
from borarun.basics.units import EV_PER_A3_IN_KBAR, FS_PER_PS
from borarun.engines.lammps import engine as lammps
from borarun.records.operations import potential as operations
from borarun.records.operations.base import Item
from borarun.records.operations.dynamics import MolecularDynamics
from borarun.records.operations.potential import PARITY, Selected, Trained
from borarun.records.operations.reference import Labelled
from borarun.records.task import About
from borarun.report.measured import Array
from borarun.report.thinning import drawn, peaks
from borarun.sections.study import Study
from borarun.subjects.active_learning import stage as rounds
from borarun.subjects.common import stage
from borarun.subjects.common.results import Results
from borarun.subjects.common.source import Done, Source
from borarun.subjects.potential.results import (
    Errors,
    Exploration,
    Learning,
    Parity,
    PotentialFound,
    Round,
    Training,
)
from borarun.subjects.training_set.section import TrainingSet
from borarun.subjects.training_set.stage import FirstLabels, Sampling, Touching

Kind = TypeVar("Kind", rounds.Exploration, rounds.Selection, rounds.Labelling)


def collect(study: Study, source: Source, results: Results) -> PotentialFound:
    """How the potential of each functional came to be."""
    return PotentialFound(
        tuple(learning(study, source, functional) for functional in study.functionals)
    )


def learning(study: Study, source: Source, functional: str) -> Learning:
    """How the potential of a functional came to be, as far as it did."""
    trained = [d for d in source.of(stage.Training) if d.about.functional == functional]
    trained.sort(key=lambda d: d.about.round)
    trainings = tuple(_training(d) for d in trained)
    numbers = sorted(
        {d.about.round for d in source.of(rounds.Exploration) if d.about.functional == functional}
    )
    by_number = {training.number: training for training in trainings}
    given = study.labels(functional)
    n_given = len(given.frames) if given else 0
    section = study.section(TrainingSet)
    labelled_again = section is not None and section.dynamics.is_labelled_again(study.reference)
    first = [
        d
        for d in source.of(FirstLabels)
        if d.about.functional == functional and not (labelled_again and type(d.about) is Sampling)
    ]
    return Learning(
        functional=functional,
        n_given=n_given,
        n_initial=n_given + sum(d.facts(Labelled).n_labels for d in first),
        n_pushed=sum(d.facts(Labelled).n_labels for d in first if isinstance(d.about, Touching)),
        trainings=trainings,
        rounds=tuple(_round(source, functional, number, by_number) for number in numbers),
        parity=_parity(source, trained[-1]) if trained else None,
        deviations=_deviations(source, trained[-1]) if trained else {},
    )


def _training(done: Done[stage.Training]) -> Training:
    facts = done.facts(Trained)
    return Training(
        functional=done.about.functional,
        number=done.about.round,
        n_train=facts.n_train,
        n_valid=facts.n_valid,
        level=facts.level,
        n_parameters=facts.n_parameters,
        evaluations=facts.evaluations,
        train=_errors(facts.errors.train) if facts.errors.train else None,
        valid=_errors(facts.errors.valid),
        ranges=dict(facts.ranges),
    )


def _errors(found: operations.Errors) -> Errors:
    return Errors(found.energy_meV_per_atom, found.forces_eV_per_A, found.stress_kbar)


def _round(
    source: Source, functional: str, number: int, trainings: Mapping[int, Training]
) -> Round:
    def of(kind: type[Kind]) -> list[Done[Kind]]:
        """Tasks of the round."""
        found = source.of(kind)
        return [d for d in found if (d.about.functional, d.about.round) == (functional, number)]

    selected, labelled = of(rounds.Selection), of(rounds.Labelling)
    explorations = tuple(exploration(source, d) for d in of(rounds.Exploration))
    before, after = trainings.get(number), trainings.get(number + 1)
    return Round(
        functional=functional,
        round=number,
        explorations=explorations,
        n_candidates=sum(run.n_candidates for run in explorations),
        n_selected=sum(d.facts(Selected).n_selected for d in selected) if selected else None,
        n_labelled=sum(d.facts(Labelled).n_labels for d in labelled) if labelled else None,
        before=before.valid if before else None,
        after=after.valid if after else None,
    )


def exploration(source: Source, done: Done[rounds.Exploration]) -> Exploration:
    """A finished exploration with its grades against time."""
    settings, facts = lammps.Settings.of(done.task), done.facts(MolecularDynamics)
    assert settings.grade is not None
    steps, values = (
        source.store.array(done.key, MolecularDynamics.GRADE_STEP),
        source.store.array(done.key, MolecularDynamics.GRADE_VALUE),
    )
    time_ps, grade = peaks(steps * settings.timestep_fs / FS_PER_PS, values)
    return Exploration(
        functional=done.about.functional,
        round=done.about.round,
        vacancies=done.about.vacancies,
        run=done.about.run,
        stop=facts.stop,
        reason=facts.reason,
        time_ps=facts.time_fs / FS_PER_PS,
        planned_ps=sum(segment.time_ps for segment in settings.segments),
        grade_max=facts.grade_max,
        n_candidates=facts.n_candidates,
        grade_time_ps=time_ps,
        grade=grade,
        threshold_save=settings.grade.threshold_save,
        threshold_break=settings.grade.threshold_break,
    )


def _parity(source: Source, done: Done[About]) -> Parity:
    points = {name: _parity_points(source, done, array) for name, array in PARITY.items()}
    return Parity(
        done.about.functional,
        points["energy"],
        points["forces"],
        points["stress"] * EV_PER_A3_IN_KBAR,
    )


_PARITY: dict[str, Item] = {str(name): item for name, item in PARITY.items()}


def _deviations(source: Source, done: Done[About]) -> dict[str, Deviations]:
    """In the report's units."""
    found = {}
    for name, shape, factor in (
        ("energy", (2, -1), 1e3),
        ("forces", (2, -1, 3), 1.0),
        ("stress", (2, -1, 6), EV_PER_A3_IN_KBAR),
    ):
        values = source.store.array(done.key, _PARITY[name]).reshape(shape)
        if values.shape[1]:
            found[name] = deviations(*(factor * values))
    return found


def _parity_points(source: Source, done: Done[About], array: Item) -> Array:
    """(2, n) in the record's units, as many as are drawn."""
    values = source.store.array(done.key, array)
    return values[:, drawn(values.shape[1])]
