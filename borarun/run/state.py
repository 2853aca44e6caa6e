"""A study seen from outside: what is done, runs, waits and failed. Reads the store and the claims
of the tasks, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from borarun.basics.errors import StoreError
from borarun.records.operations import potential
from borarun.records.operations.dynamics import MolecularDynamics
from borarun.records.places import Places, StoredRecords
from borarun.records.store import Store
from borarun.records.task import Failure, Task
from borarun.run.claim import Watch
from borarun.run.clock import Clock
from borarun.run.control import claim_of as driver_claim
from borarun.run.work import claim_of, progress, running_keys
from borarun.sections.study import Study
from borarun.site import Site, jobs
from borarun.study.plan import Planner
from borarun.subjects.active_learning.stage import Exploration
from borarun.subjects.common.stage import Training
from borarun.subjects.common.verdicts import Verdicts

Condition = Literal["done", "running", "failed", "blocked", "waiting"]


@dataclass(frozen=True)
class TaskState:
    """A task now.

    Attributes
    ----------
    condition : ``failed`` also where it is done and cannot be used;
        ``blocked`` where something that it needs failed, ``waiting`` where it has only not begun
    part : of a running task, how much is done, 0..1; None where its program does not say
    where : process that works on it
    seconds : how long that process has, s
    """

    task: Task
    condition: Condition
    part: float | None = None
    where: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class StageState:
    """A stage now.

    Attributes
    ----------
    tasks : those known by now, and those that will follow at the least
    more : why more may follow; empty where all are known
    """

    name: str
    tasks: tuple[TaskState, ...]
    more: str

    def in_condition(self, condition: Condition) -> list[TaskState]:
        """Its tasks in a condition."""
        return [each for each in self.tasks if each.condition == condition]


@dataclass(frozen=True)
class Failed:
    """A task that failed, why, and the names of those that wait for it."""

    task: Task
    failure: Failure
    waiting: tuple[str, ...]


@dataclass(frozen=True)
class Trained:
    """A finished training: errors over the validation set, in meV/atom, eV/angstrom and kbar."""

    functional: str
    number: int
    n_train: int
    energy_meV_per_atom: float
    forces_eV_per_A: float
    stress_kbar: float


@dataclass(frozen=True)
class Explored:
    """A finished exploration: how it ended and, where before its time, why; and its largest
    extrapolation grade.
    """

    functional: str
    round: int
    vacancies: int
    run: int
    stop: str
    reason: str
    grade_max: float | None


@dataclass(frozen=True)
class State:
    """A study now.

    Attributes
    ----------
    driver : process that runs it, or job that will; empty where none does
    stages : in the order of the science
    failed : tasks that failed and do not run again now, and production runs that cannot be used
    stuck : stages that cannot go on although nothing of them is left to run, with the reason
    left_s : time left at the least, if all of the site works on it, s
    trained, explored : how the potential is made, as far as it is
    """

    driver: str
    stages: tuple[StageState, ...]
    failed: tuple[Failed, ...]
    stuck: tuple[str, ...]
    left_s: float
    trained: tuple[Trained, ...]
    explored: tuple[Explored, ...]

    @property
    def ended(self) -> bool:
        """Whether every task is done, or failed for good."""
        return all(each.condition in ("done", "failed") for each in self.tasks)

    @property
    def tasks(self) -> list[TaskState]:
        """Every task once."""
        return list({each.task.key: each for stage in self.stages for each in stage.tasks}.values())


class Observer:
    """Looks at a study as often as asked. A record is read once, because it never changes; a stage
    is planned anew only when its records change.

    Parameters
    ----------
    site : for the time left
    """

    def __init__(self, study: Study, site: Site, places: Places) -> None:
        self.places = places
        self.store = Store(places.store)
        self._records = StoredRecords(self.store)
        self._known = Planner(study, self._records)
        self._forecast = Planner(study, self._records, forecast=True)
        self._verdicts = Verdicts(study, self.store)
        self._clock = Clock(site)
        self._timed: set[str] = set()
        self._claim = driver_claim(places.study)
        self._driver = Watch(self._claim)

    def look(self) -> State:
        """The study now.

        Raises
        ------
        StoreError
            Where a record is of a newer borarun or may not be read.
        """
        failures = self.store.failures()  # first: a task that succeeds meanwhile counts as done
        known, forecast = self._known.expand(), self._forecast.expand()
        running = running_keys(self.places.work)
        blocked = _blocked(forecast.tasks, failures.keys() - running)
        # A record is looked for once: where there is none, that is a look at the disk.
        done = {
            task.key: (task, record)
            for task in {each.key: each for each in (*known.tasks, *forecast.tasks)}.values()
            if (record := self._records.get(task.key)) is not None
        }
        early = {
            key: failure
            for key, (task, record) in done.items()
            if (failure := self._verdicts.unusable(task, record)) is not None
        }
        states = {
            task.key: TaskState(task, "failed" if task.key in early else "done")
            if task.key in done
            else self._task(task, running, failures, blocked)
            for task in forecast.tasks
        }
        causes = {
            **{key: failures[key] for key in failures.keys() - done.keys() - running},
            **early,
        }
        trained, explored = self._learning(forecast.tasks)
        return State(
            driver=self._driven_by(),
            stages=tuple(
                StageState(
                    name,
                    tuple(
                        states[key] for key in dict.fromkeys(task.key for task in expansion.tasks)
                    ),
                    expansion.waiting,
                )
                for name, expansion in forecast.stages.items()
            ),
            failed=tuple(
                Failed(
                    task,
                    causes[task.key],
                    tuple(other.name for other in known.tasks if task.key in other.needs),
                )
                for task in known.tasks
                if task.key in causes
            ),
            stuck=tuple(known.stuck),
            left_s=self._left_s(states.values(), done.keys()),
            trained=trained,
            explored=explored,
        )

    def _driven_by(self) -> str:
        if self._driver.alive():
            return str(self._claim.holder() or "")
        waiting = jobs.noted(self.places.study, jobs.DRIVERS)
        return f"job {waiting[-1].id}, which waits in the queue" if waiting else ""

    def _task(
        self, task: Task, running: set[str], failures: Mapping[str, Failure], blocked: set[str]
    ) -> TaskState:
        """Of a task that has no record."""
        key, work = task.key, self.places.work
        if key in running:
            claim = claim_of(work, key)
            return TaskState(
                task, "running", progress(work, key), str(claim.holder() or ""), claim.seconds()
            )
        return TaskState(
            task, "failed" if key in failures else "blocked" if key in blocked else "waiting"
        )

    def _left_s(self, states: Iterable[TaskState], done: Set[str]) -> float:
        left: list[Task] = []
        running: dict[str, float] = {}
        for state in states:
            task = state.task
            if task.key not in done:
                left.append(task)
                if state.condition == "running":
                    running[task.key] = state.part or 0.0
            elif task.key not in self._timed:
                self._timed.add(task.key)
                with suppress(StoreError):  # set aside meanwhile
                    made = self.store.attributes(task.key).provenance
                    if made.seconds is not None:
                        self._clock.finished(task, made.seconds, made.cores)
        self._clock.expect(left)
        return self._clock.left(running)

    def _learning(self, tasks: Iterable[Task]) -> tuple[tuple[Trained, ...], tuple[Explored, ...]]:
        trained, explored = [], []
        for task in tasks:
            record = self._records.get(task.key)
            about = task.about
            if record is None:
                continue
            if isinstance(about, Training):
                fit = record.facts(potential.Trained)
                trained.append(
                    Trained(about.functional, about.round, fit.n_train, **dict(fit.errors.valid))
                )
            elif isinstance(about, Exploration):
                end = record.facts(MolecularDynamics)
                which = about.functional, about.round, about.vacancies, about.run
                explored.append(Explored(*which, end.stop, end.reason, end.grade_max))
        return tuple(trained), tuple(explored)


def _blocked(tasks: Iterable[Task], failed: set[str]) -> set[str]:
    """Keys of the tasks that need a failed one, or one that is blocked; ``tasks`` in the order of
    work.
    """
    lost = set(failed)
    for task in tasks:
        if task.needs & lost:
            lost.add(task.key)
    return lost - failed
