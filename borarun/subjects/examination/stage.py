"""Examination: frames of production runs, which no fit has seen, are labelled by the reference and
evaluated with the final potential and its committee.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from borarun.engines.examination.engine import Settings as ExaminationSettings
from borarun.engines.potential.base import PotentialSection
from borarun.records.operations.dynamics import MolecularDynamics, snapshot
from borarun.records.task import About, Ref, Task, items_of, ref_of
from borarun.sections.study import Study
from borarun.subjects.common.stage import (
    Expansion,
    HeldRun,
    Products,
    Records,
    Trajectory,
    derive_seed,
    held_runs,
    held_trajectory,
    make_task,
    plural,
    production_starts,
    reference_task,
)
from borarun.subjects.examination.section import EXAMINED, Examination

NAME = "examination"


class ExaminationRun(HeldRun):
    """A run from which configurations are taken."""


class Labelling(About):
    """Labels of configurations of one run."""

    operation: Literal["label"] = "label"
    part: int


class Examining(About):
    """The comparison; where each of its configurations is from.

    Attributes
    ----------
    temperatures_K, vacancies : of each
    directions : ``heating``, ``cooling``, or empty at constant temperature
    """

    operation: Literal["examine"] = "examine"
    temperatures_K: tuple[float, ...]
    vacancies: tuple[int, ...]
    directions: tuple[str, ...]


def expand(study: Study, products: Products, records: Records, *, forecast: bool) -> Expansion:
    """Runs of its own where the study asks for them, labels of the chosen frames, and one
    examination a functional.
    """
    section = study.section(Examination)
    if section is None:
        return Expansion()
    tasks: list[Task] = []
    for functional, text, inputs in production_starts(study, products):
        trajectories = []
        if section.runs is None:
            for source in EXAMINED:
                items = items_of(products.get(f"trajectories/{source}/{functional}", ()))
                trajectories += [item for item in items if isinstance(item, Trajectory)]
        else:
            for run, about in held_runs(
                study, section.runs, (functional, text, inputs), stage=NAME, kind=ExaminationRun
            ):
                tasks.append(run)
                trajectories.append(
                    held_trajectory(study, section.runs, run, about.temperature_K, about.vacancies)
                )
        seed = derive_seed(study.seed, NAME, functional)
        asked = [
            (trajectory, parts)
            for trajectory, parts in chosen(trajectories, section.frames, seed)
            if _can_be_examined(records, trajectory)
        ]
        labelling = [
            _labelling(study, functional, trajectory, parts) for trajectory, parts in asked
        ]
        tasks += [task for each in labelling for task, _ in each]
        judged = [
            (trajectory, task, parts)
            for (trajectory, _), each in zip(asked, labelling, strict=True)
            for task, parts in each
            if task.key not in records or records[task.key].done
        ]
        if judged:
            tasks.append(_examining(study, products, functional, judged))
    return Expansion(tuple(tasks))


def _can_be_examined(records: Records, trajectory: Trajectory) -> bool:
    """Whether a run is still to come, or ran to its end."""
    record = records.get(trajectory.key)
    if record is None:
        return True
    return record.done and not record.facts(MolecularDynamics).cut_short


def chosen(
    trajectories: Sequence[Trajectory], frames: int, seed: int
) -> Iterator[tuple[Trajectory, tuple[float, ...]]]:
    """Runs, and after which parts of each a frame is taken.

    Each vacancy count gets as many frames as another, to within one; so does each direction of the
    ramps and constant temperature; within these, frames are spread evenly over the runs in the
    order of their temperatures, and over each run. Which frame it is within its share of a run is
    drawn.
    """
    groups: dict[tuple[int, str], list[Trajectory]] = {}
    for each in sorted(
        trajectories, key=lambda each: (each.vacancies, each.direction, each.from_K)
    ):
        groups.setdefault((each.vacancies, each.direction), []).append(each)
    by_vacancies = Counter(vacancies for vacancies, _ in groups)
    counts = _shares(frames, list(by_vacancies))
    draw = random.Random(seed)
    for vacancies, count in counts.items():
        own = [group for (number, _), group in groups.items() if number == vacancies]
        for group, share in zip(own, _shares(count, list(range(len(own)))).values(), strict=True):
            places = Counter(
                min(int((index + 0.5) * len(group) / share), len(group) - 1)
                for index in range(share)
            )
            for place, many in sorted(places.items()):
                parts = tuple((index + draw.random()) / many for index in range(many))
                yield group[place], parts


def _shares(count: int, names: Sequence[int]) -> dict[int, int]:
    """``count`` divided among names as evenly as it goes, the first ones getting more."""
    least, more = divmod(count, len(names)) if names else (0, 0)
    return {name: least + (place < more) for place, name in enumerate(names)}


def _labelling(
    study: Study, functional: str, trajectory: Trajectory, parts: tuple[float, ...]
) -> list[tuple[Task, tuple[float, ...]]]:
    """Tasks that label frames of a run, and the parts after which each takes them."""
    size = study.reference.labels_per_task
    batches = [parts[first : first + size] for first in range(0, len(parts), size)]
    return [
        (
            reference_task(
                study,
                {"operation": "label", "functional": functional},
                inputs={
                    "frames": tuple(
                        Ref(trajectory.key, snapshot(trajectory.item, part)) for part in batch
                    )
                },
                stage=NAME,
                label=f"{trajectory.name}, labels"
                + (f" {number + 1} of {len(batches)}" if len(batches) > 1 else ""),
                about=Labelling(functional=functional, part=number),
                n_atoms=study.n_atoms(trajectory.supercell) * len(batch),
            ),
            batch,
        )
        for number, batch in enumerate(batches)
    ]


def _examining(
    study: Study,
    products: Products,
    functional: str,
    judged: Sequence[tuple[Trajectory, Task, tuple[float, ...]]],
) -> Task:
    potential = study.section(PotentialSection)
    assert potential is not None
    members = items_of(products.get(f"committee/{functional}", ()))
    final = ref_of(products[f"final_potential/{functional}"])
    frames = [(trajectory, part) for trajectory, _, parts in judged for part in parts]
    return make_task(
        "examination",
        ExaminationSettings(potential=potential.FORM),
        inputs={
            "labels": tuple(Ref(task.key, "labels") for _, task, _ in judged),
            "potentials": (final, *members),
        },
        stage=NAME,
        label=f"{functional}, {plural(len(frames), 'configuration')}",
        about=Examining(
            functional=functional,
            temperatures_K=tuple(each.temperature_K(part) for each, part in frames),
            vacancies=tuple(each.vacancies for each, _ in frames),
            directions=tuple(each.direction for each, _ in frames),
        ),
        n_atoms=sum(study.n_atoms(each.supercell) for each, _ in frames) * (1 + len(members)),
    )
