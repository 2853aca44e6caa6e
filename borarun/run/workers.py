"""Workers, on this machine and in jobs of batch systems, through Parsl. This file and ``blocks.py``
are the only ones that import it.
"""

from __future__ import annotations

import multiprocessing
import os
import shlex
import signal
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import parsl
import psutil
from parsl.config import Config
from parsl.executors import HighThroughputExecutor, MPIExecutor
from parsl.executors.errors import BadStateException
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD
from parsl.jobs.states import JobState, JobStatus
from parsl.providers import LocalProvider

from borarun.basics.causes import Cause, cause_of_error
from borarun.basics.errors import BorarunError
from borarun.basics.file import close
from borarun.basics.tether import end_with_parent
from borarun.engines.base import Program
from borarun.records.places import Places
from borarun.records.task import Failure, Task
from borarun.run.blocks import Blocks, Say
from borarun.run.claim import Holder
from borarun.run.interrupts import listening, shielded, unheard_by_children
from borarun.run.work import perform
from borarun.site import Site, jobs
from borarun.site.batch_systems import Batch
from borarun.site.executors import Executor, Local

HTEX = "parsl.executors.high_throughput"


class WorkersLostError(BorarunError):
    """An interchange, through which all answers of workers come, has died."""


CLOSING_S = 3.0
"""What Parsl gets to end once an interchange is gone."""


def _clean_up_parsl() -> None:
    with suppress(Exception):  # of a dead interchange, which is what ``stop`` is there for
        parsl.dfk().cleanup()


def do(
    task: Task,
    program: Program,
    store: Path,
    work: Path,
    driver: Holder,
    parsl_resource_specification: dict[str, int] | None = None,
) -> Failure | None:
    """``perform`` in a worker that ends with its pool; with the nodes that the task needs as Parsl
    wants to be told of them.
    """
    if pool := multiprocessing.parent_process():
        end_with_parent(pool.pid or 0)
    try:
        with listening():  # to the batch system, as a rule
            return perform(task, program, store, work, driver)
    # the task is given back, so that whoever goes on with it need not wait until it is clear that
    # this worker is gone
    except KeyboardInterrupt:
        os._exit(128 + signal.SIGTERM)


def failure_of(error: BaseException) -> Failure:
    """What it means that a task has no answer of its own."""
    if isinstance(error, ManagerLost | WorkerLost):
        cause = Cause.WORKER_LOST
        return Failure(cause, f"the worker, its node or its job was lost ({error})", cause.remedy)
    if isinstance(error, BadStateException):
        return Failure(
            Cause.BAD_SETUP,
            str(error),
            "Fix the executor in the site file: `borarun doctor` checks it.",
        )
    if (cause := cause_of_error(error)).may_pass:  # its claim could not be written
        return Failure(cause, f"a worker could not begin: {error}", cause.remedy)
    return Failure(Cause.BUG, f"{type(error).__name__}: {error}", Cause.BUG.remedy)


class Workers:
    """The workers of a site; started when the first task needs them, so that a finished study
    starts none.

    Parameters
    ----------
    places : of the study
    say : told what is waited for, from a thread of Parsl's
    """

    def __init__(self, places: Places, site: Site, say: Say = lambda _: None) -> None:
        self._places = places
        self._say = say
        self._site = site
        self._executors: dict[str, HighThroughputExecutor] = {}
        self._apps: dict[str, Any] = {}
        self._driver = Holder.here()

    @property
    def lost(self) -> bool:
        """Whether an interchange, through which answers come, has died: then they never will."""
        processes = [executor.interchange_proc for executor in self._executors.values()]
        return any(process is not None and process.poll() is not None for process in processes)

    def submit(self, task: Task, program: Program) -> Future[Failure | None]:
        """Hand a task to a worker."""
        if not self._executors:
            self._start()
        label = self._site.executor_of(task)
        resources = {}
        executor = self._site.executors[label]
        if isinstance(executor, Batch) and executor.mpi_launcher:
            resources = {
                "num_nodes": executor.nodes_per_task,
                "ranks_per_node": executor.ranks_per_node(task.cores, program.threads),
            }
        future: Future[Failure | None] = self._apps[label](
            task,
            program,
            self._places.store,
            self._places.work,
            self._driver,
            parsl_resource_specification=resources,
        )
        return future

    def _start(self) -> None:
        try:
            self._executors = {
                label: started_by(executor, label, self._places.study, self._say)
                for label, executor in self._site.executors.items()
            }
            # The keys by which driver and workers know each other are here: whoever reads them can
            # have workers run anything.
            private = self._places.study / "parsl"
            close(private)
            config = Config(
                executors=list(self._executors.values()),
                run_dir=str(private),
                initialize_logging=False,
                strategy="simple",
                max_idletime=max(
                    (e.max_idletime for e in self._site.executors.values() if isinstance(e, Batch)),
                    default=120.0,
                ),
                retries=0,
            )
            with unheard_by_children():
                parsl.load(config)
            self._apps = {
                label: parsl.python_app(do, executors=[label]) for label in self._executors
            }
        except Exception as error:
            if self.lost:
                raise WorkersLostError(
                    "The process between driver and workers died as it started."
                ) from error
            raise

    def stop(self) -> None:
        """End all workers and jobs; a program that one of them watches is killed with it."""
        if not self._executors:
            return
        with shielded():
            # Parsl's own clean-up asks the interchange, and waits for the answer of a dead one for
            # ever; what it could not begin it cannot end.
            if not (self._apps and not self.lost and self._clean_up()):
                for process in psutil.Process().children(recursive=True):
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
            jobs.cancel(self._places.study)
            self._executors, self._apps = {}, {}

    def _clean_up(self) -> bool:
        """Have Parsl end everything, as long as it has somebody to ask; whether it did."""
        thread = threading.Thread(target=_clean_up_parsl, daemon=True)
        thread.start()
        while thread.is_alive() and not self.lost:
            thread.join(0.1)
        # Parsl ends the interchanges last, if they did not end otherwise.
        thread.join(CLOSING_S)
        if thread.is_alive():
            return False
        parsl.clear()
        return True


# The interchange has no way of its own to notice a killed driver.
_INTERCHANGE = [
    sys.executable,
    "-m",
    "borarun.basics.tether",
    str(os.getpid()),
    sys.executable,
    "-m",
    f"{HTEX}.interchange",
]


def _launch_command(tether: str) -> str:
    """How a pool of workers starts: by module and not by script name, so that nothing needs to be
    on PATH.
    """
    python = shlex.quote(sys.executable)
    return DEFAULT_LAUNCH_CMD.replace(
        "process_worker_pool.py",
        f"{python} -m borarun.basics.tether {tether.format(python=python)}"
        f"{HTEX}.process_worker_pool",
    )


def started_by(
    executor: Executor, label: str, directory: Path, say: Say = lambda _: None
) -> HighThroughputExecutor:
    """The executor of Parsl for one of a site.

    Parameters
    ----------
    directory : where its jobs are noted
    say : told what is waited for
    """
    return (
        _local(label, executor)
        if isinstance(executor, Local)
        else _batch(label, executor, directory, say)
    )


def _local(label: str, executor: Local) -> HighThroughputExecutor:
    return HighThroughputExecutor(
        label=label,
        # A pool that begins when the interchange is already dead waits for it for ever, so it
        # watches the driver itself.
        launch_cmd=_launch_command(f"--beside {os.getpid()} "),
        interchange_launch_cmd=_INTERCHANGE,
        address="127.0.0.1",
        max_workers_per_node=executor.slots,
        heartbeat_period=2,
        heartbeat_threshold=10,
        encrypted=True,  # every user of this machine can connect to its loopback
        provider=LocalProvider(init_blocks=1, min_blocks=1, max_blocks=1),
    )


def _batch(label: str, executor: Batch, directory: Path, say: Say) -> HighThroughputExecutor:
    shared: dict[str, Any] = {
        "label": label,
        "provider": Blocks(executor, label, directory, say),
        # A pool that is killed leaves workers behind, which would hold their tasks; one that is
        # asked to end lets them give theirs back.
        "launch_cmd": _launch_command("--around {python} -m borarun.basics.tether --after "),
        "address": executor.address,
        "worker_port_range": executor.worker_port_range,
        "heartbeat_period": executor.heartbeat_period,
        "heartbeat_threshold": executor.heartbeat_threshold,
        "drain_period": round(executor.walltime_s - 2 * executor.walltime_margin_s),
        "encrypted": executor.encrypted,
        "block_error_handler": partial(_give_up, label),
    }
    made: HighThroughputExecutor
    if executor.mpi_launcher:
        made = MPIExecutor(
            **shared,
            mpi_launcher=executor.mpi_launcher,
            max_workers_per_block=executor.max_workers_per_block,
        )
        made.interchange_launch_cmd = (
            _INTERCHANGE  # not as an argument, of which MPIExecutor says that it is one word
        )
        return made
    return HighThroughputExecutor(
        **shared,
        interchange_launch_cmd=_INTERCHANGE,
        max_workers_per_node=executor.workers_per_node,
        cores_per_worker=executor.cores_per_worker,
        mem_per_worker=executor.mem_per_worker,
        available_accelerators=executor.available_accelerators,
    )


MAX_FAILED_STARTS = 5
"""Jobs in a row that may fail before any worker in them says a word."""


def _give_up(label: str, executor: Any, status: dict[str, JobStatus]) -> None:
    """End an executor whose jobs are refused for good, or fail one after another before any of them
    connected: something is wrong with the site file.
    """
    executor.provider.limit()
    if (refused := executor.provider.refused) is not None:
        executor.set_bad_state_and_fail_all(
            BorarunError(f"executor {label}: the batch system does not take its jobs ({refused})")
        )
        return
    status = {block: each for block, each in status.items() if block in executor.blocks_to_job_id}
    if executor.connected_blocks():
        return
    failed = [each for each in status.values() if each.state in (JobState.FAILED, JobState.MISSING)]
    if len(failed) >= MAX_FAILED_STARTS and len(failed) == len(
        [each for each in status.values() if each.terminal]
    ):
        waiting = [
            job
            for block, job in executor.blocks_to_job_id.items()
            if block in status and not status[block].terminal
        ]
        if waiting:
            executor.provider.cancel(waiting)
        last = failed[-1]
        said = "\n".join(
            text for text in (last.message, last.stderr_summary, last.stdout_summary) if text
        )
        executor.set_bad_state_and_fail_all(
            BorarunError(
                f"{len(failed)} jobs of executor {label} failed before a worker connected; "
                f"the last said:\n{said}"
            )
        )
