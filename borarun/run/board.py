"""Which tasks can start: those whose inputs exist, the costliest first, as far as there is room for
them.

A task that may use more cores has as large a part of the free ones as its work is of all work that
can start now: one run alone, which all else waits for, has all of them; of many each has one.

A small task may pass a large one for which there is no room, so that nothing stands idle. But an
executor that always has small tasks would never have room for a large one, such as the training
that a branch of the study waits for: one that was passed ``PATIENCE`` times keeps what becomes free
for itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count

from borarun.records.task import Task
from borarun.site import Site

PATIENCE = 4

Entry = tuple[float, int, Task]
"""A task that can start: its cost, negative, and a number that tells equal ones apart."""


class Board:
    """The tasks of a plan and where they stand. What happens to a task costs a time that does not
    depend on how many there are.

    Parameters
    ----------
    tasks : of the plan
    done : keys of those with a record
    held : keys of those that must not start: running, failed, or resting until ``again``
    passed : how often smaller tasks have passed a task, by its key; counted on, so that the board
        of a plan that has grown goes on from it
    """

    def __init__(
        self,
        tasks: Iterable[Task],
        done: set[str],
        held: set[str],
        site: Site,
        passed: Counter[str],
    ) -> None:
        self._site = site
        self._held = held
        self._passed = passed
        self._number = count()
        self._tasks, self._most = dict[str, Task](), dict[str, int]()
        for task in tasks:
            self._tasks[task.key] = site.on(task)
            self._most[task.key] = site.widest(task).cores
        self._waiting = dict.fromkeys(site.executors, 0.0)  # core seconds of what could start
        self._missing = {
            key: set(task.needs - done) for key, task in self._tasks.items() if key not in done
        }
        self._followers: dict[str, list[str]] = {}
        self._ready: dict[tuple[str, int], list[Entry]] = {}
        for key, missing in self._missing.items():
            for needed in missing:
                self._followers.setdefault(needed, []).append(key)
            self._offer(key)

    def finished(self, key: str) -> None:
        """A task has a record: what waited for nothing else can start."""
        for follower in self._followers.pop(key, ()):
            self._missing[follower].discard(key)
            self._offer(follower)

    def again(self, key: str) -> None:
        """A task that rested has done so for long enough."""
        self._held.discard(key)
        self._offer(key)

    def start(self, free: Mapping[str, int]) -> Iterator[Task]:
        """Take the tasks that can start now.

        Parameters
        ----------
        free : free slots of each executor
        """
        free = dict(free)
        while fitting := [
            place
            for place, bucket in self._ready.items()
            if bucket and place[1] <= free[place[0]] and not self._must_wait(place)
        ]:
            place = min(fitting, key=lambda place: self._ready[place][0])
            executor = place[0]
            self._passed.update(
                task.key for other, task in self._larger(place) if other[1] > free[executor]
            )
            task = self._wide(heappop(self._ready[place])[2], executor, free[executor])
            self._waiting[executor] -= task.cost.core_seconds
            free[executor] -= self.slots(task)[1]
            yield task

    def slots(self, task: Task) -> tuple[str, int]:
        """The executor of a task, and how many of its slots the task takes."""
        executor = self._site.executor_of(task)
        return executor, self._site.executors[executor].takes(task.cores)

    def _wide(self, task: Task, executor: str, free: int) -> Task:
        """The task with its part of the free cores, where it can use them: as large a part as its
        work is of all the work that could start now. One alone has all of them.
        """
        most, waiting = self._most[task.key], self._waiting[executor]
        if most <= task.cores or waiting <= 0.0:
            return task
        part = int(free * task.cost.core_seconds / waiting + 1e-6)
        return replace(task, cores=max(task.cores, min(most, free, part)))

    def _larger(self, place: tuple[str, int]) -> Iterator[tuple[tuple[str, int], Task]]:
        """The next one of each kind of tasks that could start on the same executor but for the
        room, and take more of it.
        """
        return (
            (other, bucket[0][2])
            for other, bucket in self._ready.items()
            if bucket and other[0] == place[0] and other[1] > place[1]
        )

    def _must_wait(self, place: tuple[str, int]) -> bool:
        return any(self._passed[task.key] >= PATIENCE for _, task in self._larger(place))

    def _offer(self, key: str) -> None:
        """Let a task start as soon as there is room, if nothing else keeps it."""
        if not self._missing[key] and key not in self._held:
            task = self._tasks[key]
            self._waiting[self.slots(task)[0]] += task.cost.core_seconds
            heappush(
                self._ready.setdefault(self.slots(task), []),
                (-task.cost.core_seconds, next(self._number), task),
            )
