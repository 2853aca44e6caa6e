"""The driver: starts every task whose inputs exist, and expands the plan again as records arrive. The only file that imports parsl."""

from __future__ import annotations

import fcntl
import logging
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Protocol

import parsl
import psutil
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD
from parsl.providers import LocalProvider

from borarun.engines.base import Program
from borarun.errors import BorarunError, BusyError
from borarun.places import Places, StoredRecords
from borarun.plan import Plan, expand
from borarun.site import Site
from borarun.store import Store
from borarun.study import Study
from borarun.task import Failure, Task
from borarun.work import Driver, perform

log = logging.getLogger(__name__)

_perform = parsl.python_app(perform)

HTEX = "parsl.executors.high_throughput"

TICK_S = 0.5
MAX_ATTEMPTS = 4
"""How often a task is started when its worker, not the task itself, keeps getting lost."""


RESTARTS = "BORARUN_RESTARTS"
"""Environment variable that counts how often this command has begun again."""

MAX_RESTARTS = 5


class WorkersLostError(BorarunError):
    """The interchange, through which all answers of workers come, has died."""


def begin_again() -> NoReturn:
    """Start this command anew in the same process: what is done is in the store, and Parsl cannot mend a lost interchange."""
    count = int(os.environ.get(RESTARTS, "0")) + 1
    if count > MAX_RESTARTS:
        print(f"It died {count} times: is the machine short of memory? What is finished is kept: run the same command to go on.", file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)  # an orderly end would wait for the dead interchange
    print("Beginning again.", file=sys.stderr, flush=True)
    os.environ[RESTARTS] = str(count)
    os.execv(sys.executable, [sys.executable, "-m", "borarun", *sys.argv[1:]])


class Listener(Protocol):
    """Whoever shows the run to people."""

    def planned(self, plan: Plan, forecast: Plan, done: set[str]) -> None:
        """The plan has been expanded: what is known, what will follow at the least, and the keys with a record."""

    def started(self, task: Task) -> None:
        """A task was handed to a worker."""

    def finished(self, task: Task, failure: Failure | None, seconds: float) -> None:
        """A task ended."""

    def lost(self, task: Task, why: str) -> None:
        """A worker was lost with its task, which starts again."""

    def tick(self) -> None:
        """Time passes."""


@dataclass
class Outcome:
    """How a run of the driver ended.

    Attributes
    ----------
    done : tasks that succeeded in this run
    failed : tasks that failed, with the reason
    blocked : known tasks that could not start, because what they need failed
    stuck : stages that cannot go on, with the reason
    """

    done: list[Task] = field(default_factory=list)
    failed: list[tuple[Task, Failure]] = field(default_factory=list)
    blocked: list[Task] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the study is complete."""
        return not (self.failed or self.blocked or self.stuck)


@contextmanager
def sole_driver(place: Path) -> Iterator[None]:
    """Hold the study: one driver at a time. The lock ends with the process, however it ends.

    Raises
    ------
    BusyError
        When another driver holds it.
    """
    place.mkdir(parents=True, exist_ok=True)
    with (place / "driver.lock").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            holder = handle.read().strip() or "another process"
            raise BusyError(f"{place.name}: this study is being run by {holder}. Watch it with `borarun status`, or stop it there with Ctrl-C.") from None
        handle.truncate(0)
        driver = Driver.here()
        handle.write(f"process {driver.pid} on {driver.host}")
        handle.flush()
        yield


def drive(study: Study, site: Site, places: Places, listener: Listener) -> Outcome:
    """Run a study until nothing of it can go on. What is in the store is not run again.

    Raises
    ------
    KeyboardInterrupt
        After everything started has been ended in order.
    WorkersLostError
        When no answer of a worker can reach this process any more; see ``begin_again``.
    """
    store = Store(places.store)
    records = StoredRecords(store)
    cores = site.cores
    outcome = Outcome()
    failed: dict[str, Failure] = {}
    attempts: dict[str, int] = {}
    running: dict[Future[Failure | None], tuple[Task, float]] = {}
    workers = _Workers(places, cores)
    try:
        while True:
            plan = expand(study, records)
            done = {task.key for task in plan.tasks if task.key in records}
            listener.planned(plan, expand(study, records, forecast=True), done)
            busy = {task.key for task, _ in running.values()}
            tasks = [site.on(task) for task in plan.tasks]
            ready = [task for task in tasks if task.key not in done | busy | failed.keys() and task.needs <= done]
            free = cores - sum(min(task.cores, cores) for task, _ in running.values())
            for task in sorted(ready, key=lambda task: -task.cost.core_seconds):
                if min(task.cores, cores) <= free:
                    free -= min(task.cores, cores)
                    attempts[task.key] = attempts.get(task.key, 0) + 1
                    running[workers.submit(task, site.program(task.engine))] = (task, time.monotonic())
                    listener.started(task)
            if not running:
                break
            ended: set[Future[Failure | None]] = set()
            while not ended:
                ended = wait(running, timeout=TICK_S, return_when=FIRST_COMPLETED).done
                if not ended and workers.lost:
                    raise WorkersLostError("The process between driver and workers died.")
                listener.tick()
            for future in ended:
                task, since = running.pop(future)
                error = _worker_error(future)
                if error and attempts[task.key] < MAX_ATTEMPTS:
                    log.warning("%s lost its worker: %s", task.name, error)
                    listener.lost(task, error)
                    continue
                failure = Failure("WorkerLost", error, f"Its files are in {places.work / task.key}.") if error else future.result()
                if failure is None:
                    outcome.done.append(task)
                else:
                    failed[task.key] = failure
                    outcome.failed.append((task, failure))
                listener.finished(task, failure, time.monotonic() - since)
    finally:
        workers.stop()
    outcome.blocked = [task for task in plan.tasks if task.key not in done and task.key not in failed]
    outcome.stuck = plan.stuck
    return outcome


def _worker_error(future: Future[Failure | None]) -> str:
    """Why the future has no answer of the task itself; empty when it has one."""
    error = future.exception()
    return f"{type(error).__name__}: {error}" if error is not None else ""


class _Workers:
    """Parsl's workers; started when the first task needs them, so that a finished study starts none."""

    def __init__(self, places: Places, cores: int) -> None:
        self._places = places
        self._cores = cores
        self._executor: HighThroughputExecutor | None = None
        self._driver = Driver.here()

    @property
    def lost(self) -> bool:
        """Whether the interchange, through which all answers come, has died: then none ever will."""
        process = self._executor.interchange_proc if self._executor is not None else None
        return process is not None and process.poll() is not None

    def submit(self, task: Task, program: Program) -> Future[Failure | None]:
        """Hand a task to a worker."""
        if self._executor is None:
            self._start()
        future: Future[Failure | None] = _perform(task, program, self._places.store, self._places.work, self._driver)
        return future

    def _start(self) -> None:
        # Workers inherit an ignored SIGINT: Ctrl-C in the terminal reaches the driver alone, which then ends them in order.
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._executor = HighThroughputExecutor(
                label="local",
                # By module and not by script name: nothing needs to be on PATH. The interchange has no way of its own to notice a killed driver.
                # A pool that begins when the interchange is already dead waits for it for ever, so it watches the driver itself.
                launch_cmd=DEFAULT_LAUNCH_CMD.replace(
                    "process_worker_pool.py", f"{shlex.quote(sys.executable)} -m borarun.tether --beside {os.getpid()} {HTEX}.process_worker_pool"
                ),
                interchange_launch_cmd=[sys.executable, "-m", "borarun.tether", str(os.getpid()), sys.executable, "-m", f"{HTEX}.interchange"],
                address="127.0.0.1",
                max_workers_per_node=self._cores,
                heartbeat_period=2,
                heartbeat_threshold=10,
                encrypted=False,  # everything stays on the loopback of this machine
                provider=LocalProvider(init_blocks=1, min_blocks=1, max_blocks=1),
            )
            parsl.load(
                Config(
                    executors=[self._executor],
                    run_dir=str(self._places.study / "parsl"),
                    initialize_logging=False,
                    strategy="simple",
                    retries=0,
                )
            )
        except Exception as error:
            if self.lost:
                raise WorkersLostError("The process between driver and workers died as it started.") from error
            raise
        finally:
            signal.signal(signal.SIGINT, handler)

    def stop(self) -> None:
        """End all workers; a program that one of them watches is killed with it."""
        if self._executor is None:
            return
        if self.lost:  # Parsl's own clean-up would ask the dead interchange, and wait for ever
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            return
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            parsl.dfk().cleanup()
            parsl.clear()
        finally:
            self._executor = None
            signal.signal(signal.SIGINT, handler)
