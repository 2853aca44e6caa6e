"""What grows while a study runs: grades of explorations, the lattice on ramps, displacements of
mobile ions.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from borarun.basics.errors import BorarunError
from borarun.records.places import Places
from borarun.records.store import Store
from borarun.records.task import Task
from borarun.run.state import State
from borarun.sections.study import Study
from borarun.subjects import SUBJECTS
from borarun.subjects.common.curves import Curve, Look
from borarun.subjects.common.source import Source


class Drawn:
    """The curves of a study, as often as asked: those of finished runs from memory, those of
    running ones anew.
    """

    def __init__(self, study: Study, places: Places) -> None:
        self._study = study
        self._store, self._work = Store(places.store), places.work
        self._finished: dict[str, Curve | None] = {}

    def look(self, state: State, most_s: float) -> tuple[list[Curve], int]:
        """Curves by now, and how many finished runs are still unread.

        Parameters
        ----------
        most_s : time in which to read runs that have finished; the others come with the next looks
        """
        began = time.monotonic()
        found, missing = [], 0
        for each in state.tasks:
            task, curve = each.task, None
            if not is_drawn(task):
                continue
            if each.condition == "done":
                if task.key not in self._finished and time.monotonic() - began > most_s:
                    missing += 1
                    continue
                if task.key not in self._finished:
                    self._finished[task.key] = of_record(self._study, task, self._store)
                curve = self._finished[task.key]
            elif each.condition == "running":
                curve = of_directory(self._study, task, self._work / task.key)
            if curve is not None and len(curve.x):
                found.append(curve)
        return found, missing


def figures() -> dict[str, Look]:
    """Every figure that a subject draws, by name, in the order of the science."""
    return {
        name: look
        for subject in SUBJECTS
        for name, look in getattr(subject.part("live"), "FIGURES", {}).items()
    }


def is_drawn(task: Task) -> bool:
    """Whether a task has a curve."""
    live = _live(task)
    return live is not None and live.is_drawn(task)


def of_record(study: Study, task: Task, store: Store) -> Curve | None:
    """The curve of a finished run; None where it has too few frames, or its record cannot
    be read.
    """
    live = _live(task)
    source = Source([task], store)
    try:
        return next((live.of_record(study, source, done) for done in source.done), None)
    except BorarunError:  # the report says what is wrong with it
        return None


def of_directory(study: Study, task: Task, directory: Path) -> Curve | None:
    """The curve of a run as far as it has come, from the files that it is writing; None where these
    do not say enough yet.
    """
    curve: Curve | None = _live(task).of_directory(study, task, directory)
    return None if curve is None else replace(curve, growing=True)


def _live(task: Task) -> Any:
    """What the task's subject draws while it runs; None where it draws nothing."""
    return next((subject.part("live") for subject in SUBJECTS if subject.name == task.stage), None)
