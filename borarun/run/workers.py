"""Workers, on this machine and in jobs of batch systems, through Parsl. The only file that imports
it.

What Parsl's providers say of jobs is mended here where it was seen to be wrong: a job that is
missing in one answer is not taken for ended, an answer that failed changes nothing, and an end is
final.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shlex
import signal
import sys
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import parsl
import psutil
from parsl.config import Config
from parsl.executors import HighThroughputExecutor, MPIExecutor
from parsl.executors.errors import BadStateException
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD
from parsl.jobs.states import JobState, JobStatus
from parsl.launchers import MpiExecLauncher, SimpleLauncher, SrunLauncher
from parsl.launchers.base import Launcher
from parsl.providers import LocalProvider, PBSProProvider, SlurmProvider, TorqueProvider
from parsl.providers.cluster_provider import ClusterProvider

from borarun.engines.base import Program
from borarun.errors import BorarunError
from borarun.places import Places
from borarun.run.claim import Holder
from borarun.run.retries import LOST, may_pass
from borarun.run.work import perform
from borarun.site import Site, jobs
from borarun.site.batch import beginning
from borarun.site.executors import Batch, Executor, Local, PBSPro, Slurm, Torque
from borarun.task import Failure, Task
from borarun.tether import end_with_parent

HTEX = "parsl.executors.high_throughput"

ABSENT_ANSWERS = 3
"""Answers of the batch system in a row in which a job must be missing before it is taken for ended.
"""

SLURM_STATES = {
    "PD": JobState.PENDING,
    "CF": JobState.PENDING,
    "RQ": JobState.PENDING,
    "RH": JobState.PENDING,
    "S": JobState.PENDING,
    "ST": JobState.PENDING,
    "R": JobState.RUNNING,
    "CG": JobState.RUNNING,
    "SO": JobState.RUNNING,
    "CD": JobState.COMPLETED,
    "CA": JobState.CANCELLED,
    "TO": JobState.TIMEOUT,
    "F": JobState.FAILED,
    "BF": JobState.FAILED,
    "NF": JobState.FAILED,
    "OOM": JobState.FAILED,
    "DL": JobState.TIMEOUT,
    "PR": JobState.CANCELLED,
}
"""squeue's short states; source: squeue(1), JOB STATE CODES. What is held or suspended counts as
pending, or Parsl would ask for another job.
"""

PBS_STATES = {
    "Q": JobState.PENDING,
    "H": JobState.PENDING,
    "T": JobState.PENDING,
    "W": JobState.PENDING,
    "S": JobState.PENDING,
    "U": JobState.PENDING,
    "R": JobState.RUNNING,
    "E": JobState.RUNNING,
    "B": JobState.RUNNING,
    "M": JobState.PENDING,
    "C": JobState.COMPLETED,
    "F": JobState.COMPLETED,
    "X": JobState.COMPLETED,
}
"""qstat's states; source: qstat(1B) of OpenPBS and of Torque."""

PBS_WALLTIME, PBS_KILLED = -29, (265, 271)
"""Exit_status of jobs that reached their walltime, and that were killed or deleted; seen on a real
OpenPBS.
"""


class WorkersLostError(BorarunError):
    """An interchange, through which all answers of workers come, has died."""


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
    signal.signal(signal.SIGTERM, _leave)  # of the batch system, as a rule
    try:
        return perform(task, program, store, work, driver)
    # the task is given back, so that whoever goes on with it need not wait until it is clear that
    # this worker is gone
    except _AskedToEnd:
        os._exit(128 + signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


class _AskedToEnd(BaseException):
    """What no part of a task's work takes for a failure of its own."""


def _leave(*_: object) -> None:
    raise _AskedToEnd


def failure_of(error: BaseException) -> Failure:
    """What it means that a task has no answer of its own."""
    if isinstance(error, ManagerLost | WorkerLost):
        return Failure(LOST, f"the worker, its node or its job was lost ({error})", "Submit again.")
    if isinstance(error, BadStateException):
        return Failure(
            "ExecutorError",
            str(error),
            "Mend the executor in the site file: `borarun doctor` checks it.",
        )
    if may_pass(error):  # its claim could not be written
        return Failure(
            type(error).__name__,
            f"a worker could not begin: {error}",
            "Make room or raise the quota, then submit again.",
            passing=True,
        )
    return Failure("bug", f"{type(error).__name__}: {error}", "Please report it.")


def slurm_states(text: str) -> dict[str, JobState]:
    """States of jobs from ``squeue --noheader --format='%i %t'``."""
    pairs = [line.split()[:2] for line in text.splitlines() if len(line.split()) >= 2]
    return {job: SLURM_STATES.get(state, JobState.UNKNOWN) for job, state in pairs}


def pbs_states(text: str) -> dict[str, JobState]:
    """States of jobs from ``qstat -x -f -F json``; empty where it is no JSON."""
    try:
        known = json.loads(text).get("Jobs", {})
    except (ValueError, AttributeError):
        return {}
    return {job: _pbs_state(said) for job, said in known.items()}


def _pbs_state(said: dict[str, Any]) -> JobState:
    state = PBS_STATES.get(said.get("job_state", ""), JobState.UNKNOWN)
    if state != JobState.COMPLETED:
        return state
    code = said.get("Exit_status")
    if code is None:  # deleted while it was queued
        return JobState.CANCELLED
    if code == PBS_WALLTIME:
        return JobState.TIMEOUT
    return (
        JobState.CANCELLED
        if code in PBS_KILLED
        else JobState.COMPLETED
        if code == 0
        else JobState.FAILED
    )


def torque_states(text: str) -> dict[str, JobState]:
    """States of jobs from ``qstat``: a table with the job first and its state fifth."""
    rows = [line.split() for line in text.splitlines()]
    return {
        row[0]: PBS_STATES.get(row[4], JobState.UNKNOWN)
        for row in rows
        if len(row) >= 6 and row[0][0].isdigit()
    }


class _Noted:
    """What borarun adds to a provider of Parsl: its jobs stand on disk, and their states are
    settled with care.
    """

    cancel_command: str

    def prepare(self, directory: Path, label: str, polling_interval: int) -> None:
        """Say where jobs are noted, and how often to ask for them."""
        self._directory, self._executor, self._polling_interval = directory, label, polling_interval
        self._absent: dict[str, int] = {}

    @property
    def status_polling_interval(self) -> int:
        """Seconds between two questions."""
        return self._polling_interval

    def submit(self: Any, command: str, tasks_per_node: int, job_name: str = "borarun") -> Any:
        """Put a job into the queue and note it."""
        job = super().submit(command, tasks_per_node, job_name)  # type: ignore[misc]
        if job:
            jobs.note(self._directory, jobs.Job(self._executor, job, (self.cancel_command, job)))
        return job

    def settle(self: Any, said: dict[str, JobState] | None) -> None:
        """Take in one answer of the batch system; None where it gave none."""
        if said is None:
            return
        for job, resource in self.resources.items():
            if resource["status"].terminal:
                continue
            found = next(
                (
                    state
                    for name, state in said.items()
                    if job == name or job.startswith(name) or name.startswith(f"{job}.")
                ),
                None,
            )
            self._absent[job] = 0 if found is not None else self._absent.get(job, 0) + 1
            if found == JobState.UNKNOWN:
                found = resource["status"].state
            elif found is None:
                found = (
                    JobState.COMPLETED
                    if self._absent[job] >= ABSENT_ANSWERS
                    else resource["status"].state
                )
            resource["status"] = JobStatus(
                found,
                stdout_path=resource.get("job_stdout_path"),
                stderr_path=resource.get("job_stderr_path"),
            )


class _Slurm(_Noted, SlurmProvider):
    cancel_command = "scancel"

    def _status(self: Any) -> None:
        # By user and not by job: one job that Slurm has forgotten makes `squeue --job` fail for
        # all.
        clusters = f" --clusters={self.clusters}" if self.clusters else ""
        code, text, _ = self.execute_wait(
            f"squeue --me --states=all --noheader --format='%i %t'{clusters}"
        )
        self.settle(slurm_states(text) if code == 0 else None)


class _PBSPro(_Noted, PBSProProvider):
    cancel_command = "qdel"

    def _status(self: Any) -> None:
        # One question a job: asked for several with -F json, it answers for the first alone
        # (openpbs#2672).
        said: dict[str, JobState] = {}
        for job in [
            job for job, resource in self.resources.items() if not resource["status"].terminal
        ]:
            code, text, _ = self.execute_wait(f"qstat -x -f -F json {job}")
            if code == 0:
                said |= pbs_states(text)
            elif "Unknown Job Id" not in text:
                return
        self.settle(said)


class _Torque(_Noted, TorqueProvider):
    cancel_command = "qdel"

    def _status(self: Any) -> None:
        code, text, _ = self.execute_wait("qstat")
        self.settle(torque_states(text) if code == 0 else None)


def provider(executor: Batch, label: str, directory: Path) -> ClusterProvider:
    """The provider of Parsl for an executor of a site.

    Parameters
    ----------
    directory : where jobs are noted
    """
    several = executor.nodes_per_block > 1 and executor.mpi_launcher is None
    launcher: Launcher = SimpleLauncher()
    shared: dict[str, Any] = {
        "nodes_per_block": executor.nodes_per_block,
        "init_blocks": executor.init_blocks,
        "min_blocks": executor.min_blocks,
        "max_blocks": executor.max_blocks,
        "parallelism": executor.parallelism,
        "walltime": executor.walltime,
        "scheduler_options": executor.scheduler_options,
        "worker_init": beginning(executor),
        "cmd_timeout": executor.cmd_timeout,
    }
    made: Any
    if isinstance(executor, Slurm):
        if several:
            launcher = SrunLauncher()
        own = executor.model_dump(
            include={
                "partition",
                "account",
                "qos",
                "constraint",
                "clusters",
                "mem_per_node",
                "gpus_per_node",
                "gres",
                "exclusive",
                "cores_per_node",
            }
        )
        made = _Slurm(**shared, **own, launcher=launcher)
    elif isinstance(executor, PBSPro):
        if several:
            launcher = MpiExecLauncher()
        made = cast("Any", _PBSPro)(
            **shared,
            queue=executor.queue,
            account=executor.account,
            select_options=executor.select_options,
            cpus_per_node=executor.cores_per_node,
            launcher=launcher,
        )
    else:
        assert isinstance(executor, Torque)
        if several:
            launcher = MpiExecLauncher()
        made = cast("Any", _Torque)(
            **shared, queue=executor.queue, account=executor.account, launcher=launcher
        )
    made.prepare(directory, label, executor.status_polling_interval)
    provided: ClusterProvider = made
    return provided


class Workers:
    """The workers of a site; started when the first task needs them, so that a finished study
    starts none.

    Parameters
    ----------
    places : of the study
    """

    def __init__(self, places: Places, site: Site) -> None:
        self._places = places
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
        # Workers inherit an ignored SIGINT: Ctrl-C in the terminal reaches the driver alone, which
        # then ends them in order.
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._executors = {
                label: started_by(executor, label, self._places.study)
                for label, executor in self._site.executors.items()
            }
            parsl.load(
                Config(
                    executors=list(self._executors.values()),
                    run_dir=str(self._places.study / "parsl"),
                    initialize_logging=False,
                    strategy="simple",
                    max_idletime=max(
                        (
                            e.max_idletime
                            for e in self._site.executors.values()
                            if isinstance(e, Batch)
                        ),
                        default=120.0,
                    ),
                    retries=0,
                )
            )
            self._apps = {
                label: parsl.python_app(do, executors=[label]) for label in self._executors
            }
        except Exception as error:
            if self.lost:
                raise WorkersLostError(
                    "The process between driver and workers died as it started."
                ) from error
            raise
        finally:
            signal.signal(signal.SIGINT, handler)

    def stop(self) -> None:
        """End all workers and jobs; a program that one of them watches is killed with it."""
        if not self._executors:
            return
        if self.lost:  # Parsl's own clean-up would ask the dead interchange, and wait for ever
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            return
        if not self._apps:  # Parsl could not begin; what it started ends with this process
            return
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            parsl.dfk().cleanup()
            parsl.clear()
            jobs.cancel(self._places.study)
        finally:
            self._executors, self._apps = {}, {}
            signal.signal(signal.SIGINT, handler)


# The interchange has no way of its own to notice a killed driver.
_INTERCHANGE = [
    sys.executable,
    "-m",
    "borarun.tether",
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
        f"{python} -m borarun.tether {tether.format(python=python)}{HTEX}.process_worker_pool",
    )


def started_by(executor: Executor, label: str, directory: Path) -> HighThroughputExecutor:
    """The executor of Parsl for one of a site.

    Parameters
    ----------
    directory : where its jobs are noted
    """
    return (
        _local(label, executor)
        if isinstance(executor, Local)
        else _batch(label, executor, directory)
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
        encrypted=False,  # everything stays on the loopback of this machine
        provider=LocalProvider(init_blocks=1, min_blocks=1, max_blocks=1),
    )


def _batch(label: str, executor: Batch, directory: Path) -> HighThroughputExecutor:
    shared: dict[str, Any] = {
        "label": label,
        "provider": provider(executor, label, directory),
        # A pool that is killed leaves workers behind, which would hold their tasks; one that is
        # asked to end lets them give theirs back.
        "launch_cmd": _launch_command("--around {python} -m borarun.tether --after "),
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
    """End an executor whose jobs fail one after another and of which none ever connected: something
    is wrong with the site file.
    """
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
