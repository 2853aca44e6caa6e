"""Potentials and what they learnt from, as files of the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from borarun.engines.potential.training import TrainingSettings, split
from borarun.engines.registry import ENGINES, potential_engine
from borarun.records.store import Store
from borarun.records.task import Task
from borarun.report.blocks import File
from borarun.report.text import file_name
from borarun.subjects.common.stage import Training


def export(done: Sequence[Task], store: Store) -> dict[str, File]:
    """The last potential of each functional, and the configurations that it learnt from and was
    judged by.
    """
    found: dict[str, File] = {}
    for task in _last_trainings(done):
        found |= _training(task, store)
    return found


def _last_trainings(done: Sequence[Task]) -> list[Task]:
    """The last training of each functional; production runs with its potential."""
    trained = [(task.about, task) for task in done if isinstance(task.about, Training)]
    trained.sort(key=lambda one: one[0].round)
    return list({about.functional: task for about, task in trained}.values())


def _training(task: Task, store: Store) -> dict[str, File]:
    """The potential that a training gave, and what it learnt from and was judged by."""
    functional = task.about.functional
    name = file_name(functional)
    settings = cast(TrainingSettings, ENGINES[task.engine].Settings(**task.settings))
    parts = dict(zip(("train", "valid"), split(store.inputs(task), settings), strict=True))
    told = {
        "train": f"{len(parts['train'])} configurations, {functional}, learnt",
        "valid": f"{len(parts['valid'])} configurations, {functional}, held out of the fit, to "
        "judge it",
    }
    found: dict[str, File] = {}
    for file in potential_engine(task.engine).exported(
        store.text(task.key, "potential"),
        lambda item: store.array(task.key, item).tobytes() if store.has(task.key, item) else None,
        parts,
    ):
        if file.name:
            path = f"{file.folder}/{name}/{file.name}.{file.suffix}"
            found[path] = File(file.content, f"{told[file.name]}; {file.about}")
        else:
            path = f"{file.folder}/{name}.{file.suffix}"
            found[path] = File(file.content, f"{file.about}, {functional}")
    for part, frames in parts.items():
        found[f"training_sets/{name}/{part}.extxyz"] = File(
            frames.to_extxyz().encode(),
            f"{told[part]}; extended XYZ: eV, eV/angstrom, eV/angstrom^3",
        )
    return found
