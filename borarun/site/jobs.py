"""Jobs that a driver has put into the queue of a batch system, on disk, so that none outlives its
driver unnoticed.

One JSON object a line: ``executor``, ``id``, ``cancel`` (the command that ends it), ``name``. A job
is written down by its name before it is submitted, and again with its id; a later line of the same
name counts. A file is removed when all its jobs have been ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from borarun.basics.errors import BorarunError
from borarun.site.batch_systems import Batch, outside
from borarun.site.batch_systems.base import Ask, Reply

TIMEOUT_S = 60.0
HAD_ENDED = (
    "invalid job id",
    "unknown job",
    "has finished",
    "already completed",
    "already completing",
    "request invalid for state of job",
)
"""What scancel and qdel say of a job that has ended or is ending."""

CANCEL_PAUSES_S = (0.0, 1.0, 3.0)
"""How long to wait before each try to end jobs."""

WORKERS = "jobs.jsonl"
DRIVERS = "driver-jobs.jsonl"
"""Names of the files: jobs that do tasks; jobs of drivers that have not begun."""


@dataclass(frozen=True)
class Job:
    """A job of a batch system.

    Attributes
    ----------
    executor : of the site, that it belongs to
    id : as the batch system calls it; empty where the batch system has not said whether it took it
    cancel : command that ends it; empty where the batch system did not take it
    name : that no other job has; empty in files of older versions
    """

    executor: str
    id: str
    cancel: tuple[str, ...]
    name: str = ""


class RefusedError(BorarunError):
    """A batch system did not take a job.

    Attributes
    ----------
    kind : ``passes`` where it may take it later, ``stays`` where it never will
    """

    def __init__(self, command: list[str], reply: Reply, kind: str) -> None:
        super().__init__(f"{' '.join(command)}: {reply.said[-500:] or 'no answer'}")
        self.kind = kind


def submit(
    system: Batch,
    folder: Path,
    name: str,
    script: Path,
    *,
    executor: str,
    after: str | None = None,
    file: str = WORKERS,
) -> str:
    """Put a job into the queue and write it down.

    Parameters
    ----------
    folder : where it is written down
    name : of the job, from ``Batch.name_of``
    script : of the job
    after : job that it waits for

    Returns
    -------
    The job.

    Raises
    ------
    RefusedError
        Where the batch system does not take it.
    """
    ask = asked(system)
    command = system.submit(script, name, after)
    note(folder, Job(executor, "", tuple(system.cancel_named(name)), name), file)
    reply = ask(command)
    job = system.job_of(reply)
    kind = system.refusal(reply)
    if not job and kind != "stays":
        # An answer that is late or unreadable does not mean that the job is not there.
        found = system.find(name, ask)
        job = found or ""
    if job:
        note(folder, Job(executor, job, tuple(system.cancel(job)), name), file)
        return job
    if reply.code and not reply.late and kind == "stays":
        note(folder, Job(executor, "", (), name), file)
    raise RefusedError(command, reply, kind)


def note(directory: Path, job: Job, name: str = WORKERS) -> None:
    """Write down a job that was submitted just now."""
    with (directory / name).open("a") as file:
        file.write(json.dumps(asdict(job)) + "\n")
        file.flush()
        os.fsync(file.fileno())


def noted(directory: Path, name: str = WORKERS) -> list[Job]:
    """The jobs of a driver that did not end them, as far as is known."""
    try:
        lines = (directory / name).read_text().splitlines()
    except FileNotFoundError:
        return []
    found = dict[str, Job]()
    for line in lines:
        try:
            entry = json.loads(line)
            job = Job(entry["executor"], entry["id"], tuple(entry["cancel"]), entry.get("name", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # cut short by what killed the driver
        found[job.name or f"job {job.id}"] = job
    return [job for job in found.values() if job.cancel]


def forget(directory: Path, name: str = WORKERS) -> None:
    """All jobs have ended."""
    (directory / name).unlink(missing_ok=True)


def cancel(directory: Path, name: str = WORKERS) -> list[str]:
    """End the jobs that a dead driver left; what could not be ended, in words. One that has ended
    already is no matter; a batch system that does not answer is asked again.
    """
    left = {job: Reply(1) for job in noted(directory, name)}
    for pause in CANCEL_PAUSES_S:
        time.sleep(pause if left else 0.0)
        replies = {job: run(list(job.cancel)) for job in left}
        left = {
            job: reply
            for job, reply in replies.items()
            if reply.code and not had_ended(list(job.cancel), reply)
        }
        if all(reply.code == 127 for reply in left.values()):  # there is no such command
            break
    if not left:
        forget(directory, name)
    return [
        f"job {job.id or job.name}: {' '.join(job.cancel)}: "
        f"{reply.said or f'exit code {reply.code}'}"
        for job, reply in left.items()
    ]


def had_ended(command: list[str], reply: Reply) -> bool:
    """Whether a command that failed only says that there is nothing to end, or that the job is
    ending. Slurm's qdel says nothing at all then, and prints any other trouble.
    """
    if command[0] == "qdel" and not reply.said:
        return True
    return any(word in reply.said.lower() for word in HAD_ENDED)


def asked(system: Batch) -> Ask:
    """Runs commands of a batch system, for as long as its section of the site file lets them."""
    return partial(run, timeout_s=system.cmd_timeout)


def run(command: list[str], timeout_s: float = TIMEOUT_S) -> Reply:
    """What a command of a batch system answers. It knows nothing of the job that this process runs
    in, and does not get the signals of this process's terminal.
    """
    try:
        process = subprocess.Popen(
            command,
            env=outside(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError:
        return Reply(127, errors=f"{command[0]} is not found on this machine")
    except OSError as error:
        return Reply(1, errors=str(error))
    try:
        text, errors = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        _end(process)
        return Reply(1, errors=f"{command[0]} did not answer within {timeout_s:g} s", late=True)
    except BaseException:
        _end(process)
        raise
    return Reply(process.returncode, text, errors)


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
