"""How long a study will take at the least: by the estimates of its tasks, where each would run, and
how true the estimates of finished tasks were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from heapq import heapify, heappop

from borarun.records.task import Task
from borarun.site import Site

BELIEF_S = 30.0
"""What the estimates are worth before any task has ended: as much as tasks of so many seconds that
took just that.
"""


@dataclass(frozen=True)
class Load:
    """What a task asks of a site.

    Attributes
    ----------
    executor : where it runs
    seconds : how long it takes at the least, s
    busy : for how long that keeps all of the executor busy, s
    """

    executor: str
    seconds: float
    busy: float


def load(task: Task, site: Site) -> Load:
    """What a task asks of a site, by its estimate."""
    placed, name = site.on(task), site.executor_of(task)
    executor = site.executors[name]
    busy = _seconds(task, site, placed.cores) * executor.takes(placed.cores) / executor.slots
    return Load(name, _seconds(task, site, site.widest(task).cores), busy)


def _seconds(task: Task, site: Site, cores: int) -> float:
    """How long a task takes on so many cores, by its estimate."""
    return task.cost.core_seconds * site.program(task.engine).cost_factor / cores


@dataclass
class Pace:
    """How long tasks of one kind take, beside their estimates, both in s."""

    estimated: float = 0.0
    taken: float = 0.0

    def ratio(self) -> float:
        """Time taken over time estimated; 1 before any such task has ended, and believed the more
        the longer those were.
        """
        return (self.taken + BELIEF_S) / (self.estimated + BELIEF_S)


def kind_of(task: Task) -> str:
    """Tasks whose estimates are wrong alike: one program at one piece of work."""
    return f"{task.engine} {task.settings.get('operation', '')}"


class Clock:
    """Time left of a run. What happens to a task costs a time that does not depend on how many
    there are.

    Estimates are corrected kind by kind: that trainings take twice their estimate says nothing of
    molecular dynamics, which another program does.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._open: dict[str, tuple[str, Load]] = {}
        self._busy: dict[tuple[str, str], float] = {}
        self._longest: dict[str, list[tuple[float, str]]] = {}
        self._paces: dict[str, Pace] = {}

    def expect(self, tasks: Iterable[Task]) -> None:
        """What is to be done from now on."""
        self._open = {task.key: (kind_of(task), load(task, self._site)) for task in tasks}
        self._busy, self._longest = {}, {}
        for key, (kind, each) in self._open.items():
            self._busy[each.executor, kind] = self._busy.get((each.executor, kind), 0.0) + each.busy
            self._longest.setdefault(kind, []).append((-each.seconds, key))
        for heap in self._longest.values():
            heapify(heap)

    def started(self, task: Task) -> None:
        """Expect a task to take the time that it takes on its cores."""
        if task.key in self._open:
            kind, known = self._open[task.key]
            seconds = _seconds(task, self._site, task.cores)
            self._open[task.key] = (kind, replace(known, seconds=seconds))

    def finished(self, task: Task, seconds: float, cores: int | None = None) -> None:
        """Learn from a task that is done, and expect it no longer.

        Parameters
        ----------
        seconds : that it took
        cores : that it had; those that the site gives to it where this is not known
        """
        kind, known = self._open.pop(task.key, (kind_of(task), None))
        if known is not None:
            self._busy[known.executor, kind] -= known.busy
        pace = self._paces.setdefault(kind, Pace())
        pace.estimated += _seconds(task, self._site, cores or self._site.on(task).cores)
        pace.taken += seconds

    def left(self, running: Mapping[str, float] = {}) -> float:
        """Seconds left at the least.

        Parameters
        ----------
        running : of the tasks that run, the part that is done, 0..1
        """
        return self.limit(running)[0]

    def limit(self, running: Mapping[str, float] = {}) -> tuple[float, str]:
        """Seconds left at the least, and the executor that is busy for that time; empty where one
        task alone takes it.
        """
        ratio = {kind: self._paces.get(kind, Pace()).ratio() for kind in self._longest}
        busy = dict.fromkeys(self._site.executors, 0.0)
        for (executor, kind), seconds in self._busy.items():
            busy[executor] += ratio[kind] * seconds
        longest = 0.0
        for key, part in running.items():
            if key in self._open:
                kind, known = self._open[key]
                busy[known.executor] -= ratio[kind] * part * known.busy
                longest = max(longest, ratio[kind] * (1 - part) * known.seconds)
        for kind, heap in self._longest.items():
            while heap and (heap[0][1] not in self._open or heap[0][1] in running):
                heappop(heap)
            if heap:
                longest = max(longest, ratio[kind] * -heap[0][0])
        name = max(busy, key=busy.__getitem__)
        return (busy[name], name) if busy[name] > longest else (longest, "")
