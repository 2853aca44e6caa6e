"""Active learning: explore with the potential, label what it does not know, train again, until a
round stays clean.

A round explores by heating and holding. Frames whose extrapolation grade passes ``threshold_save``
are candidates; a run whose grade passes ``threshold_break`` stops there. D-optimality selects among
the candidates of all runs, the reference labels the selection, and the potential is trained again
from where it was. The round in which every run comes to its end and none leaves a candidate ends
the loop.
"""

from __future__ import annotations

import math
from typing import Literal

from borarun.basics.units import PS_PER_NS
from borarun.engines.lammps import engine as lammps
from borarun.engines.lammps.deck import Grade, Segment
from borarun.engines.potential.base import PotentialSection
from borarun.records.operations.dynamics import MolecularDynamics
from borarun.records.operations.potential import Selected
from borarun.records.task import About, Input, Ref, Task, items_of, ref_of
from borarun.sections.study import Study
from borarun.structures.structure import Cell
from borarun.subjects.active_learning.section import ActiveLearning
from borarun.subjects.common.stage import (
    Expansion,
    Product,
    Products,
    Records,
    derive_seed,
    md_task,
    plural,
    potential_inputs,
    reference_task,
    select_task,
    start_structure,
    train_task,
)

NAME = "active_learning"


class Exploration(About):
    """A run that searches for configurations that the potential does not know."""

    round: int
    operation: Literal["explore"] = "explore"
    vacancies: int
    run: int


class Selection(About):
    """The selection of a round."""

    round: int
    operation: Literal["select"] = "select"


class Labelling(About):
    """A part of the labels of a round."""

    round: int
    operation: Literal["label"] = "label"
    part: int


def expand(study: Study, products: Products, records: Records, *, forecast: bool) -> Expansion:
    """All rounds known so far; products ``final_potential/FUNCTIONAL``.

    Without this section, the first potential is the final one.
    """
    if study.section(PotentialSection) is None:
        return Expansion()
    tasks: list[Task] = []
    found: dict[str, Product] = {}
    waiting: list[str] = []
    stuck: list[str] = []
    for functional in study.functionals:
        loop = _Loop(study, products, records, functional)
        final = loop.run(forecast)
        tasks += loop.tasks
        if final is not None:
            found[f"final_potential/{functional}"] = final
            members = committee(study, functional, loop.labels, loop.selected)
            tasks += members
            if members:
                refs = tuple(Ref(member.key, "potential") for member in members)
                found[f"committee/{functional}"] = refs
        if loop.waiting:
            waiting.append(f"{functional}: {loop.waiting}")
        if loop.stuck:
            stuck.append(f"{functional}: {loop.stuck}")
    return Expansion(tuple(tasks), found, "; ".join(waiting), "; ".join(stuck))


def committee(
    study: Study, functional: str, labels: tuple[Input, ...], selected: tuple[Input, ...]
) -> list[Task]:
    """Trainings of the same data that begin elsewhere and hold out other runs."""
    section = study.section(PotentialSection)
    assert section is not None
    return [
        train_task(
            study,
            functional,
            labels,
            stage=NAME,
            number=number,
            selected=selected,
            member=number + 1,
        )
        for number in range(section.committee)
    ]


class _Loop:
    """The rounds of one functional, replayed from the records."""

    def __init__(self, study: Study, products: Products, records: Records, functional: str) -> None:
        self.study = study
        self.records = records
        self.functional = functional
        self.starts = [start_structure(study, products, functional, each) for each in study.starts]
        self.potential = ref_of(products[f"potential/{functional}"])
        self.labels = items_of(products[f"labels/{functional}"])
        self.selected = items_of(products[f"contacts/{functional}"])
        self.tasks: list[Task] = []
        self.waiting = ""
        self.stuck = ""

    def run(self, forecast: bool) -> Ref | None:
        """Replay the rounds; the final potential, or None where results are still missing."""
        section = self.study.section(ActiveLearning)
        if section is None:
            return self.potential
        for number in range(section.max_rounds):
            explorations = self._explorations(number)
            if not self._finished(explorations, f"round {number} of exploration"):
                return self.potential if forecast else None
            facts = [self.records[task.key].facts(MolecularDynamics) for task in explorations]
            if not any(fact.n_candidates for fact in facts):
                if not any(fact.cut_short for fact in facts):
                    return self.potential
                # an anion came apart and left nothing to learn from; runs of other seeds may
                continue
            retrained = self._learn(
                number,
                [task for task, fact in zip(explorations, facts, strict=True) if fact.n_candidates],
            )
            if retrained is None:
                return self.potential if forecast else None
            if retrained == self.potential:
                return self.potential
            self.potential = retrained
        if not any(fact.cut_short for fact in facts):
            return self.potential
        if not any(fact.n_candidates for fact in facts):
            self.stuck = (
                f"runs of round {number} ended early, and all their new configurations "
                "have broken anions. Lower active_learning.threshold_save, or give the "
                "training set more data. Finished work is kept."
            )
            return None
        potential = self.study.section(PotentialSection)
        larger = f" or potential.{potential.LARGER}" if potential and potential.LARGER else ""
        self.stuck = (
            f"after {section.max_rounds} rounds, runs still leave the known region. Raise "
            f"active_learning.max_rounds{larger}. Finished work is kept."
        )
        return None

    def _explorations(self, number: int) -> list[Task]:
        section = self.study.section(ActiveLearning)
        assert section is not None
        segments = (
            Segment(
                name="heat",
                time_ps=section.heating_ns * PS_PER_NS,
                from_K=section.from_K,
                to_K=section.to_K,
            ),
            Segment(
                name="hold",
                time_ps=section.hold_ns * PS_PER_NS,
                from_K=section.to_K,
                to_K=section.to_K,
            ),
        )
        tasks = []
        for vacancies in section.vacancies:
            # every round explores every ordered model
            for run in range(max(section.runs, len(self.starts))):
                text, start = self.starts[run % len(self.starts)]
                seed = derive_seed(self.study.seed, NAME, self.functional, number, vacancies, run)
                settings = lammps.Settings(
                    cell=Cell(
                        text=text,
                        supercell=section.supercell,
                        mobile=self.study.material.vacancy_ion,
                        vacancies=vacancies,
                        seed=seed,
                    ),
                    segments=segments,
                    timestep_fs=section.timestep_fs,
                    mode=section.cell,
                    seed=seed,
                    grade=Grade(
                        every=section.grade_every_steps,
                        threshold_save=section.threshold_save,
                        threshold_break=section.threshold_break,
                        anion=" ".join(self.study.material.anions),
                        mobile=" ".join(self.study.material.ions),
                    ),
                )
                task = md_task(
                    self.study,
                    settings,
                    inputs={
                        **potential_inputs(self.study, self.potential),
                        **start,
                    },
                    stage=NAME,
                    label=f"{self.functional}, round {number}, exploration with "
                    f"{plural(vacancies, 'vacancy')}, run {run + 1}",
                    about=Exploration(
                        functional=self.functional, round=number, vacancies=vacancies, run=run
                    ),
                    n_atoms=self.study.n_atoms(section.supercell),
                )
                tasks.append(task)
        return tasks

    def _learn(self, number: int, explorations: list[Task]) -> Ref | None:
        """Select, label and train; the new potential, the old one where nothing was worth a label,
        None while results are missing.
        """
        section = self.study.section(ActiveLearning)
        assert section is not None
        select = select_task(
            self.study,
            self.potential,
            tuple(Ref(task.key, "candidates") for task in explorations),
            stage=NAME,
            label=f"{self.functional}, round {number}, selection",
            about=Selection(functional=self.functional, round=number),
        )
        if not self._finished([select], f"selection of round {number}"):
            return None
        selected = self.records[select.key].facts(Selected).n_selected
        if not selected:
            return self.potential
        parts = math.ceil(selected / self.study.reference.labels_per_task)
        labels = [
            reference_task(
                self.study,
                {"operation": "label", "functional": self.functional, "part": (part, parts)},
                inputs={"frames": Ref(select.key, "selected")},
                stage=NAME,
                label=f"{self.functional}, round {number}, labels {part + 1} of {parts}",
                about=Labelling(functional=self.functional, round=number, part=part),
                n_atoms=self.study.n_atoms(section.supercell) * math.ceil(selected / parts),
            )
            for part in range(parts)
        ]
        self.selected = (*self.selected, *(Ref(label.key, "labels") for label in labels))
        train = train_task(
            self.study,
            self.functional,
            self.labels,
            stage=NAME,
            number=number + 1,
            selected=self.selected,
            start=self.potential,
        )
        if not self._finished([*labels, train], f"training after round {number}"):
            return None
        return Ref(train.key, "potential")

    def _finished(self, tasks: list[Task], what: str) -> bool:
        """Add ``tasks`` and say whether all of them succeeded; else note what is waited for."""
        self.tasks += tasks
        if all(task.key in self.records and self.records[task.key].done for task in tasks):
            return True
        self.waiting = f"more tasks may follow from {what}"
        return False
