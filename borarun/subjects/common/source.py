"""The study's finished tasks, and what is known of those that are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeVar, cast

from borarun.basics.causes import Cause
from borarun.basics.errors import StoreError
from borarun.records.store import Store
from borarun.records.task import About, Failure, Found, Record, Task
from borarun.report.checks import Check
from borarun.report.provenance import Gap
from borarun.subjects.common.verdicts import broken, ended_early

Kind = TypeVar("Kind", bound=About, covariant=True)


@dataclass(frozen=True)
class Done(Generic[Kind]):
    """A finished task with its record, and what it is about."""

    task: Task
    record: Record
    about: Kind

    @property
    def key(self) -> str:
        """Key of its record."""
        return self.task.key

    def facts(self, kind: type[Found]) -> Found:
        """The facts of its record, as those of an operation.

        Raises
        ------
        DamagedError
            Where they are not.
        """
        return self.record.facts(kind)


class Source:
    """The tasks of a study, their records read once.

    Parameters
    ----------
    tasks : every task of the study that is known by now
    store : its records
    lost : what is wrong with records that turned out to be damaged, by key
    whole : whether production runs that ended early are left out

    Attributes
    ----------
    done : tasks that succeeded, in the plan's order
    checks : of the runs that were read so far
    gaps : one for each task that did not, with the reason
    verdicts : why finished production runs cannot be used, None where they can, by key
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        store: Store,
        lost: Mapping[str, str] = MappingProxyType({}),
        *,
        whole: bool = False,
    ) -> None:
        self.store = store
        self.checks: list[Check] = []
        self.verdicts: dict[str, Failure | None] = {}
        tasks = list({task.key: task for task in tasks}.values())
        records: dict[str, Record | None] = {}
        damaged = dict(lost)
        for task in tasks:
            try:
                records[task.key] = None if task.key in lost else store.record(task.key)
            except StoreError as error:
                records[task.key] = None
                damaged[task.key] = str(error)
        names = {task.key: task.name for task in tasks}
        early = {
            task.key: failure
            for task in tasks
            if whole
            and (record := records[task.key]) is not None
            and (failure := ended_early(task, record)) is not None
        }
        self.done = [
            Done(task, record, task.about)
            for task in tasks
            if (record := records[task.key]) is not None and record.done and task.key not in early
        ]
        self.gaps = [
            Gap(task.stage, task.label, True, damaged[task.key])
            if task.key in damaged
            else _failed(task, early[task.key])
            if task.key in early
            else _gap(task, records, names)
            for task in tasks
            if (record := records[task.key]) is None or not record.done or task.key in early
        ]

    def of(self, kind: type[Kind]) -> list[Done[Kind]]:
        """Finished tasks of a kind, by the class of what they are about."""
        return [cast(Done[Kind], done) for done in self.done if isinstance(done.about, kind)]

    def checked(self, done: Done[About], check: Check) -> bool:
        """Keep the check of a run; whether its framework held."""
        self.checks.append(check)
        self._judge(done, None if check.intact else broken(check.verdict))
        return check.intact

    def unusable(self, done: Done[About], reason: str, remedy: str = "") -> None:
        """Note a finished task whose record cannot be used; the first reason given is kept."""
        self._judge(done, Failure(Cause.FAILED, f"{reason}.", remedy))

    def _judge(self, done: Done[About], failure: Failure | None) -> None:
        if self.verdicts.get(done.key) is not None:
            return
        self.verdicts[done.key] = failure
        if failure is not None:
            self.gaps.append(_failed(done.task, failure))


def _failed(task: Task, failure: Failure) -> Gap:
    return Gap(task.stage, task.label, True, failure.message, failure.remedy, failure.evidence)


def _gap(task: Task, records: Mapping[str, Record | None], names: Mapping[str, str]) -> Gap:
    record = records[task.key]
    if record is not None and record.failure is not None:
        return _failed(task, record.failure)
    for key in sorted(task.needs):
        needed = records.get(key)
        if needed is not None and needed.failure is not None:
            return Gap(
                task.stage,
                task.label,
                False,
                f"not run, because it needs {names.get(key, key)}, which failed.",
            )
        if needed is None and key in names:
            return Gap(task.stage, task.label, False, f"not run yet; it waits for {names[key]}.")
    return Gap(task.stage, task.label, False, "not run yet.")
