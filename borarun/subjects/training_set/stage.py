"""First training data: labels that the study brings along, configurations that it brings along to
be labelled, short NPT runs with the reference itself, every frame of them labelled; close contacts
and strained bonds where asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import cycle
from typing import Literal

from borarun.records.task import About, Given, Input, Ref, Task
from borarun.sections.study import Study
from borarun.structures.contacts import Contacts
from borarun.structures.structure import Cell
from borarun.subjects.common.stage import (
    Expansion,
    Product,
    Products,
    Records,
    derive_seed,
    plural,
    reference_task,
    start_structure,
)
from borarun.subjects.training_set.section import TrainingSet

NAME = "training_set"


class FirstLabels(About):
    """A task of the first training data."""


class Sampling(FirstLabels):
    """A run of molecular dynamics with the reference."""

    temperature_K: float
    vacancies: int


class Labelling(FirstLabels):
    """A part of the configurations that the study brings along."""

    operation: Literal["label"] = "label"
    part: int


class LabellingAgain(Sampling):
    """A part of the configurations of a run."""

    operation: Literal["label"] = "label"
    part: int


class Touching(FirstLabels):
    """A part of the close contacts and strained bonds."""

    operation: Literal["contacts"] = "contacts"
    part: int


def expand(study: Study, products: Products, records: Records, *, forecast: bool) -> Expansion:
    """Labels of the study's configurations, and one run a functional, temperature and vacancy
    count; products ``labels/FUNCTIONAL`` and,
    learnt whole, ``contacts/FUNCTIONAL``.
    """
    section = study.section(TrainingSet)
    if section is None:
        return Expansion()
    aimd = section.dynamics
    tasks = []
    labels: dict[str, Product] = {}
    for functional in study.functionals:
        text, inputs = start_structure(study, products, functional)
        given = study.labels(functional)
        items: list[Input] = []
        if given:
            items += given.files() if section.hold_out == "runs" else (given,)
        labelling = _labelling(study, functional)
        tasks += labelling
        items += [Ref(task.key, "labels") for task in labelling]
        # ordered models take turns, so that they cost no more than one structure
        turns = cycle(start_structure(study, products, functional, each) for each in study.starts)
        for temperature in aimd.temperatures_K if section.runs_dynamics(functional) else ():
            for vacancies in aimd.vacancies:
                own_text, own_inputs = next(turns)
                seed = derive_seed(study.seed, NAME, functional, temperature, vacancies)
                task = reference_task(
                    study,
                    {
                        "operation": "aimd",
                        "functional": functional,
                        "cell": Cell(
                            text=own_text,
                            supercell=aimd.supercell,
                            mobile=study.material.vacancy_ion,
                            vacancies=vacancies,
                            seed=seed,
                        ),
                        "temperature_K": temperature,
                        "time_ps": aimd.time_ps,
                        "timestep_fs": aimd.timestep_fs,
                        "sample_every_fs": aimd.sample_every_fs,
                        "friction_per_ps": aimd.friction_per_ps,
                        "seed": seed,
                    },
                    inputs=own_inputs,
                    stage=NAME,
                    label=f"{functional}, {temperature:g} K, {plural(vacancies, 'vacancy')}",
                    about=Sampling(
                        functional=functional, temperature_K=temperature, vacancies=vacancies
                    ),
                    n_atoms=study.n_atoms(aimd.supercell),
                )
                tasks.append(task)
                if aimd.is_labelled_again(study.reference):
                    again = _again(study, functional, task)
                    tasks += again
                    items += [Ref(each.key, "labels", run=task.key) for each in again]
                else:
                    items.append(Ref(task.key, "labels"))
        labels[f"labels/{functional}"] = tuple(items)
        touching = _contacts(study, functional, text, inputs)
        tasks += touching
        labels[f"contacts/{functional}"] = tuple(Ref(task.key, "labels") for task in touching)
    return Expansion(tuple(tasks), labels)


def _labelling(study: Study, functional: str) -> list[Task]:
    """Tasks that label the configurations which the study brings along, without those whose labels
    it brings along too.

    A task has configurations that follow each other in the file, so that it stays the same when
    more are added at the end.
    """
    frames = study.configurations(functional)
    size = study.reference.labels_per_task
    batches = [
        frames.take(range(first, min(first + size, len(frames))))
        for first in range(0, len(frames), size)
    ]
    return [
        reference_task(
            study,
            {"operation": "label", "functional": functional},
            inputs={"frames": Given(batch)},
            stage=NAME,
            label=f"{functional}, configurations {part + 1} of {len(batches)}",
            about=Labelling(functional=functional, part=part),
            n_atoms=len(batch.numbers),
        )
        for part, batch in enumerate(batches)
    ]


def _again(study: Study, functional: str, dynamics: Task) -> list[Task]:
    """Tasks that label the configurations of a run with the settings of all other labels."""
    section = study.section(TrainingSet)
    assert section is not None
    aimd = section.dynamics
    parts = math.ceil(aimd.n_samples / study.reference.labels_per_task)
    return [
        reference_task(
            study,
            {"operation": "label", "functional": functional, "part": (part, parts)},
            inputs={"frames": Ref(dynamics.key, "labels")},
            stage=NAME,
            label=f"{dynamics.label}, labels {part + 1} of {parts}",
            about=LabellingAgain(**dict(dynamics.about), part=part),
            n_atoms=study.n_atoms(aimd.supercell) * math.ceil(aimd.n_samples / parts),
        )
        for part in range(parts)
    ]


def _contacts(
    study: Study, functional: str, text: str, inputs: Mapping[str, Product]
) -> list[Task]:
    """Tasks that make and label close contacts and strained bonds of the cell."""
    section = study.section(TrainingSet)
    assert section is not None
    number = section.contacts + section.strained_bonds
    parts = math.ceil(number / study.reference.labels_per_task)
    what = " and ".join(
        kind
        for kind, count in (
            ("close contacts", section.contacts),
            ("strained bonds", section.strained_bonds),
        )
        if count
    )
    return [
        reference_task(
            study,
            {
                "operation": "label",
                "functional": functional,
                "part": (part, parts),
                "cell": Cell(text=text, supercell=section.dynamics.supercell),
                "contacts": Contacts(
                    number=section.contacts,
                    strained=section.strained_bonds,
                    anion=" ".join(study.material.anions),
                    mobile=" ".join(study.material.ions),
                    seed=derive_seed(study.seed, NAME, functional, "contacts"),
                ),
            },
            inputs=inputs,
            stage=NAME,
            label=f"{functional}, {what} {part + 1} of {parts}",
            about=Touching(functional=functional, part=part),
            n_atoms=study.n_atoms(section.dynamics.supercell) * math.ceil(number / parts),
        )
        for part in range(parts)
    ]
