"""The driver: starts every task whose inputs exist, and expands the plan again as records
arrive.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NoReturn, Protocol

from borarun.basics.causes import Cause
from borarun.basics.errors import BusyError, DamagedError, StoreError, TimeUpError
from borarun.basics.job_time import seconds_left
from borarun.basics.printable import on_one_line
from borarun.records.places import Places, StoredRecords
from borarun.records.store import Store
from borarun.records.task import Failure, Record, Task
from borarun.run.board import Board
from borarun.run.claim import SILENCE_S
from borarun.run.control import STOP, claim_of
from borarun.run.interrupts import asked, shielded
from borarun.run.retries import Tries
from borarun.run.workers import Workers, WorkersLostError, failure_of
from borarun.sections.study import Study
from borarun.site import Site, jobs
from borarun.study.plan import Plan, Planner

log = logging.getLogger(__name__)

TICK_S = 0.5
MOST_AT_ONCE = 100

RESTARTS = "BORARUN_RESTARTS"
"""Environment variable that counts how often this command has begun again."""

MAX_RESTARTS = 5


def begin_again() -> NoReturn:
    """Start this command anew in the same process: what is done is in the store, and Parsl cannot
    mend a lost interchange.
    """
    count = int(os.environ.get(RESTARTS, "0")) + 1
    if count > MAX_RESTARTS:
        print(
            f"It died {count} times: is the machine short of memory? Finished work is "
            "kept. Run the same command again to continue.",
            file=sys.stderr,
        )
        sys.stderr.flush()
        os._exit(1)  # an orderly end would wait for the dead interchange
    print("Beginning again.", file=sys.stderr, flush=True)
    os.environ[RESTARTS] = str(count)
    os.execv(sys.executable, [sys.executable, "-m", "borarun", *sys.argv[1:]])


class Listener(Protocol):
    """Whoever shows the run to people."""

    def planned(self, plan: Plan, forecast: Plan, done: set[str]) -> None:
        """The plan has been expanded: what is known, what will follow at the least, and the keys
        with a record.
        """

    def started(self, task: Task) -> None:
        """A task was handed to a worker."""

    def finished(self, task: Task, failure: Failure | None, seconds: float) -> None:
        """A task ended."""

    def again(self, task: Task, why: str, pause_s: float) -> None:
        """A task starts again, after a pause."""

    def told(self, text: str) -> None:
        """Something is waited for."""

    def tick(self) -> None:
        """Time passes."""


@dataclass
class Outcome:
    """How a run of the driver ended.

    Attributes
    ----------
    done : tasks that succeeded in this run
    failed : tasks that failed, with the reason
    recorded : tasks of the study that have a record, each with it
    blocked : known tasks that could not start, because what they need failed
    stuck : stages that cannot go on, with the reason
    """

    done: list[Task] = field(default_factory=list)
    failed: list[tuple[Task, Failure]] = field(default_factory=list)
    recorded: list[tuple[Task, Record]] = field(default_factory=list)
    blocked: list[Task] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every task has a record."""
        return not (self.failed or self.blocked or self.stuck)


@contextmanager
def sole_driver(place: Path, say: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold the study: one driver at a time. A dead one cannot hold it; what it left in queues is
    ended.

    Parameters
    ----------
    place : folder of the study
    say : told what is waited for

    Raises
    ------
    BusyError
        When another driver holds it, or its jobs cannot be ended.
    """
    claim = claim_of(place)
    before = claim.beat()
    said = False
    while not claim.take():
        holder = claim.holder()
        if holder is not None and (holder.is_here or claim.beat() != before):
            raise BusyError(
                f"{place.name}: this study is being run by {holder}. Watch it with `borarun "
                "status`, stop it with `borarun stop` or there with Ctrl-C."
            )
        if not said:
            say(
                f"{place.name} was being run by {holder}; looking whether it still is (at "
                f"most {SILENCE_S:.0f} s)."
            )
            said = True
        time.sleep(1.0)
    try:
        (place / STOP).unlink(missing_ok=True)
        if troubles := jobs.cancel(place):
            raise BusyError(
                "\n".join(
                    [
                        f"{place.name}: jobs of a driver that died could not be ended, and "
                        "may still work on it.",
                        *troubles,
                    ]
                )
                + f"\nEnd them by hand and remove {place / jobs.WORKERS}."
            )
        yield
    finally:
        claim.release()


def drive(study: Study, site: Site, places: Places, listener: Listener) -> Outcome:
    """Run a study until nothing of it can go on. What is in the store is not run again.

    Raises
    ------
    KeyboardInterrupt
        After everything started has been ended in order; also when another process asked for it.
    TimeUpError
        When this process runs in a job that comes to its end, after everything started has been
        ended in order.
    WorkersLostError
        When no answer of a worker can reach this process any more; see ``begin_again``.
    """
    store = Store(places.store)

    def set_aside(error: DamagedError) -> None:
        log.warning("%s", error)
        store.set_aside(error.key)

    records = StoredRecords(store, set_aside)
    planner, forecast = Planner(study, records), _Forecast(study, records)
    outcome = Outcome()
    failed: dict[str, Failure] = {}
    tries: dict[str, Tries] = {}
    resting: dict[str, float] = {}
    running: dict[Future[Failure | None], tuple[Task, float]] = {}
    ended: SimpleQueue[Future[Failure | None]] = SimpleQueue()
    told: SimpleQueue[str] = SimpleQueue()
    workers = Workers(places, site, told.put)
    passed = Counter[str]()
    plan, done, board, to_tell = Plan({}), set[str](), Board((), set(), set(), site, passed), False
    free = {name: executor.slots for name, executor in site.executors.items()}
    try:
        while True:
            expanded = planner.expand()
            if expanded is not plan:
                plan, to_tell = expanded, True
                done = {task.key for task in plan.tasks if task.key in done or task.key in records}
                board = Board(
                    plan.tasks,
                    done,
                    {task.key for task, _ in running.values()} | failed.keys() | resting.keys(),
                    site,
                    passed,
                )
            if to_tell and forecast.may:
                listener.planned(plan, forecast.plan(), set(done))
                to_tell = False
            for key in [key for key, until in resting.items() if until <= time.monotonic()]:
                del resting[key]
                board.again(key)
            for task in board.start(free):
                executor, slots = board.slots(task)
                free[executor] -= slots
                with shielded():  # a torn Parsl cannot be ended in order
                    future = workers.submit(task, site.program(task.engine))
                running[future] = (task, time.monotonic())
                future.add_done_callback(ended.put)
                listener.started(task)
            if not running and not resting:
                break
            for future in _ended(
                ended, min([TICK_S, *(until - time.monotonic() for until in resting.values())])
            ):
                task, since = running.pop(future)
                executor, slots = board.slots(task)
                free[executor] += slots
                failure = _failure(future)
                if failure is None or task.key in store:  # a record counts, whatever its worker met
                    failure = None
                    outcome.done.append(task)
                    done.add(task.key)
                    board.finished(task.key)
                else:
                    log.warning(
                        "%s: %s: %s", task.name, failure.cause, on_one_line(failure.message)
                    )
                    if lost := records.lost(
                        task.needs
                    ):  # it may have found a damaged record, which is gone now
                        done -= lost
                        plan = Plan({})
                    pause = tries.setdefault(task.key, Tries()).pause_s(
                        failure, site.retries.limit, site.retries.pause_s
                    )
                    if pause is not None:
                        resting[task.key] = time.monotonic() + pause
                        listener.again(task, failure.message, pause)
                        continue
                    failed[task.key] = failure
                    outcome.failed.append((task, failure))
                    if failure.cause is Cause.WORKER_LOST:  # nobody else could store it
                        store.write_failure(task, failure)
                listener.finished(
                    task,
                    failure,
                    _seconds(store, task) if failure is None else time.monotonic() - since,
                )
            if asked() or (places.study / STOP).exists():
                raise KeyboardInterrupt
            if seconds_left() <= 0:
                raise TimeUpError("the job of this driver comes to its end.")
            with suppress(Empty):
                while True:
                    listener.told(told.get_nowait())
            if workers.lost:  # asked last: who ends this process may have ended those around it
                raise WorkersLostError("The process between driver and workers died.")
            listener.tick()
    finally:
        workers.stop()
    outcome.blocked = [
        task for task in plan.tasks if task.key not in done and task.key not in failed
    ]
    outcome.recorded = [(task, records[task.key]) for task in plan.tasks if task.key in done]
    outcome.stuck = plan.stuck
    return outcome


def _seconds(store: Store, task: Task) -> float:
    """How long a task ran, without the time that its job waited in a queue; 0 where its record was
    set aside meanwhile, or is another group's.
    """
    with suppress(StoreError):
        return store.attributes(task.key).provenance.seconds or 0.0
    return 0.0


def _ended(
    queue: SimpleQueue[Future[Failure | None]], seconds: float
) -> Iterator[Future[Failure | None]]:
    """The tasks that have ended, after at most so long; some at a time, so that other things get
    their turn.
    """
    with suppress(Empty):
        yield queue.get(timeout=max(seconds, 0.0))
        for _ in range(MOST_AT_ONCE):
            yield queue.get_nowait()


class _Forecast:
    """What will follow at the least, for people: made anew no more often than leaves the driver
    most of its time.
    """

    def __init__(self, study: Study, records: StoredRecords) -> None:
        self._planner = Planner(study, records, forecast=True)
        self._next = 0.0

    @property
    def may(self) -> bool:
        """Whether it is time for another one."""
        return time.monotonic() >= self._next

    def plan(self) -> Plan:
        """The forecast by now."""
        began = time.monotonic()
        plan = self._planner.expand()
        ended = time.monotonic()
        self._next = ended + 20 * (ended - began)
        return plan


def _failure(future: Future[Failure | None]) -> Failure | None:
    """Why a task did not succeed; also where there is no answer of the task itself, because its
    worker was lost.
    """
    error = future.exception()
    return future.result() if error is None else failure_of(error)
