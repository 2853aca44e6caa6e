"""How long a study will take at the least: by the estimates of its tasks, where each would run, and how true the estimates of finished tasks were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop

from borarun.site import Site
from borarun.task import Task


@dataclass(frozen=True)
class Load:
    """What a task asks of a site.

    Attributes
    ----------
    executor : where it runs
    seconds : how long it takes, s
    busy : for how long that keeps all of the executor busy, s
    """

    executor: str
    seconds: float
    busy: float


def load(task: Task, site: Site) -> Load:
    """What a task asks of a site, by its estimate."""
    placed, name = site.on(task), site.executor_of(task)
    executor = site.executors[name]
    seconds = task.cost.core_seconds * site.program(task.engine).cost_factor / placed.cores
    return Load(name, seconds, seconds * executor.takes(placed.cores) / executor.slots)


class Clock:
    """Time left of a run. What happens to a task costs a time that does not depend on how many there are."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._open: dict[str, Load] = {}
        self._busy: dict[str, float] = {}
        self._longest: list[tuple[float, str]] = []
        self._estimated = 0.0
        self._taken = 0.0

    def expect(self, tasks: Iterable[Task]) -> None:
        """What is to be done from now on."""
        self._open = {task.key: load(task, self._site) for task in tasks}
        self._busy = dict.fromkeys(self._site.executors, 0.0)
        for each in self._open.values():
            self._busy[each.executor] += each.busy
        self._longest = [(-each.seconds, key) for key, each in self._open.items()]
        heapify(self._longest)

    def finished(self, task: Task, seconds: float) -> None:
        """Learn from a task that is done, and expect it no longer."""
        known = self._open.pop(task.key, None)
        if known is not None:
            self._busy[known.executor] -= known.busy
        self._estimated += (known or load(task, self._site)).seconds
        self._taken += seconds

    def left(self, running: Mapping[str, float] = {}) -> float:
        """Seconds left at the least.

        Parameters
        ----------
        running : of the tasks that run, the part that is done, 0..1
        """
        return self.limit(running)[0]

    def limit(self, running: Mapping[str, float] = {}) -> tuple[float, str]:
        """Seconds left at the least, and the executor that is busy for so long; empty where one task alone takes it."""
        busy = self._busy.copy()
        longest = 0.0
        for key, part in running.items():
            if (known := self._open.get(key)) is not None:
                busy[known.executor] -= part * known.busy
                longest = max(longest, (1 - part) * known.seconds)
        while self._longest and (self._longest[0][1] not in self._open or self._longest[0][1] in running):
            heappop(self._longest)
        if self._longest:
            longest = max(longest, -self._longest[0][0])
        name = max(busy, key=busy.__getitem__, default="")
        ratio = self._taken / self._estimated if self._estimated > 0 else 1.0
        return (ratio * busy[name], name) if name and busy[name] > longest else (ratio * longest, "")
