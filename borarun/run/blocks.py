"""Jobs of a batch system that run workers, as Parsl wants them. What is asked of the batch system,
and how its answers are read, is in ``borarun.site.batch_systems``.

A job that is missing in one answer has not ended, an answer that cannot be read changes nothing,
and an end is final. A refusal that may pass is waited for.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from parsl.jobs.states import JobState, JobStatus
from parsl.launchers import MpiExecLauncher, SimpleLauncher, SrunLauncher
from parsl.providers.base import ExecutionProvider

from borarun.site import jobs
from borarun.site.batch_systems import Batch
from borarun.site.batch_systems.base import Phase, Standing

log = logging.getLogger(__name__)

ABSENT_ANSWERS = 3
"""Answers of the batch system in a row in which a job must be missing before it is taken for ended.
"""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 10.0, 600.0
"""How long to wait after a refusal: at first, and at most. Each pause is twice the one before."""

MAX_UNKNOWN_REFUSALS = 5
"""Refusals in a row of which nothing tells whether they may pass."""

STATES: dict[Phase, JobState] = {
    "waiting": JobState.PENDING,
    "running": JobState.RUNNING,
    "done": JobState.COMPLETED,
    "failed": JobState.FAILED,
    "timeout": JobState.TIMEOUT,
    "cancelled": JobState.CANCELLED,
}
LAUNCHERS = {"srun": SrunLauncher, "mpiexec": MpiExecLauncher}

Say = Callable[[str], None]


class Blocks(ExecutionProvider):
    """The jobs of one executor.

    Parameters
    ----------
    system : the batch system
    label : of the executor
    directory : folder of the study, where jobs are written down
    say : told what is waited for
    clock : seconds, for tests

    Attributes
    ----------
    refused : why no job of this executor will ever be taken; None while one may be
    """

    def __init__(
        self,
        system: Batch,
        label: str,
        directory: Path,
        say: Say,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.system = system
        self._label, self._directory, self._say, self._clock = label, directory, say, clock
        self.nodes_per_block = system.nodes_per_block
        self.init_blocks, self.min_blocks = system.init_blocks, system.min_blocks
        self.max_blocks = system.max_blocks
        self.parallelism, self.cores_per_node = system.parallelism, system.cores_per_node
        self.mem_per_node: int | None = getattr(system, "mem_per_node", None)
        self.launcher = SimpleLauncher()  # for Parsl's MPIExecutor, which wants no other
        self.script_dir: str | None = None
        self.resources: dict[object, dict[str, Any]] = {}
        self.refused: jobs.RefusedError | None = None
        self._absent: dict[str, int] = {}
        self._refusals, self._unknown, self._again = 0, 0, 0.0

    @property
    def label(self) -> str:
        """Name of the executor."""
        return self._label

    @property
    def status_polling_interval(self) -> int:
        """Seconds between two questions."""
        return self.system.status_polling_interval

    def limit(self) -> None:
        """Set how many jobs Parsl may have now: no more than there are, while a refusal is waited
        for.
        """
        active = [each for each in self.resources.values() if not each["status"].terminal]
        free = self._clock() >= self._again and self.refused is None
        self.max_blocks = self.system.max_blocks if free else len(active)

    def submit(self, command: str, tasks_per_node: int, job_name: str = "block") -> str:
        """Put a job into the queue.

        Parameters
        ----------
        command : starts a pool of workers on one node

        Raises
        ------
        RefusedError
            Where the batch system does not take it, now or ever.
        """
        if self.refused is not None:
            raise self.refused
        assert self.script_dir is not None, "Parsl says where scripts go before it asks for jobs"
        folder = Path(self.script_dir).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        name = self.system.name_of(f"{self._directory.name}-{self._label}")
        script, output = folder / name, str(folder / f"{name}.out")
        script.write_text(self._script(command, tasks_per_node, name, Path(output)))
        try:
            job = jobs.submit(
                self.system,
                self._directory,
                name,
                script,
                executor=self._label,
            )
        except jobs.RefusedError as error:
            self._was_refused(error)
            raise
        self._refusals, self._unknown = 0, 0
        self.resources[job] = {
            "job_id": job,
            "status": JobStatus(JobState.PENDING, stdout_path=output),
            "output": output,
        }
        return job

    def _script(self, command: str, tasks_per_node: int, name: str, output: Path) -> str:
        several = self.nodes_per_block > 1 and self.system.mpi_launcher is None
        launcher = LAUNCHERS[self.system.LAUNCHER]() if several else SimpleLauncher()
        body = launcher(command, tasks_per_node, self.nodes_per_block, str(self.script_dir))
        sizes = [f"export PARSL_CORES={self.cores_per_node}", f"export JOBNAME={name}"]
        if self.mem_per_node is not None:
            sizes.append(f"export PARSL_MEMORY_GB={self.mem_per_node}")
        return self.system.script("\n".join([*sizes, "", body]), self.system.walltime_s, output)

    def _was_refused(self, error: jobs.RefusedError) -> None:
        self._unknown += error.kind == "unknown"
        if error.kind == "stays" or self._unknown >= MAX_UNKNOWN_REFUSALS:
            self.refused = error
            return
        pause = min(FIRST_PAUSE_S * 2.0**self._refusals, LONGEST_PAUSE_S)
        self._refusals += 1
        self._again = self._clock() + pause
        self.limit()
        self._say(
            f"executor {self._label}: the batch system does not take a job now ({error}). "
            f"Next try in {pause:.0f} s."
        )

    def status(self, job_ids: Sequence[Any]) -> list[JobStatus]:
        """Ask the batch system where jobs stand."""
        open_ = [job for job in job_ids if not self.resources[job]["status"].terminal]
        if open_:
            for job, standing in self.system.look(open_, jobs.asked(self.system)).items():
                self.settle(job, standing)
        return [self.resources[job]["status"] for job in job_ids]

    def settle(self, job: str, standing: Standing) -> None:
        """Take in one answer."""
        resource = self.resources[job]
        if resource["status"].terminal or standing.phase == "unknown":
            return
        if standing.phase != "absent":
            self._absent[job] = 0
            state = STATES[standing.phase]
        else:
            self._absent[job] = self._absent.get(job, 0) + 1
            if self._absent[job] < ABSENT_ANSWERS:
                return
            state = JobState.COMPLETED
        resource["status"] = JobStatus(state, stdout_path=resource["output"])

    def cancel(self, job_ids: Sequence[Any]) -> list[bool]:
        """End jobs; of each, whether it has been asked to end."""
        done = []
        for job in job_ids:
            command = self.system.cancel(job)
            reply = jobs.asked(self.system)(command)
            ok = reply.code == 0 or jobs.had_ended(command, reply)
            if ok:
                self.resources[job]["status"] = JobStatus(JobState.CANCELLED)
            else:
                log.warning("job %s could not be cancelled: %s", job, reply.said)
            done.append(ok)
        return done
