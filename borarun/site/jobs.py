"""Jobs that a driver has put into the queue of a batch system, on disk, so that none outlives its
driver unnoticed.

One JSON object a line: ``executor``, ``id``, ``cancel`` (the command that ends it). A file is
removed when all its jobs have been ended.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

TIMEOUT_S = 60.0
WORKERS = "jobs.jsonl"
DRIVERS = "driver-jobs.jsonl"
"""Names of the files: jobs that do tasks; jobs of drivers that have not begun."""


@dataclass(frozen=True)
class Job:
    """A job of a batch system.

    Attributes
    ----------
    executor : of the site, that it belongs to
    id : as the batch system calls it
    cancel : command that ends it
    """

    executor: str
    id: str
    cancel: tuple[str, ...]


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
    found = []
    for line in lines:
        try:
            entry = json.loads(line)
            found.append(Job(entry["executor"], entry["id"], tuple(entry["cancel"])))
        except (ValueError, KeyError, TypeError):  # cut short by what killed the driver
            continue
    return found


def forget(directory: Path, name: str = WORKERS) -> None:
    """All jobs have ended."""
    (directory / name).unlink(missing_ok=True)


def cancel(directory: Path, name: str = WORKERS) -> list[str]:
    """End the jobs that a dead driver left; what could not be ended, in words. One that has ended
    already is no matter.
    """
    troubles = []
    for job in noted(directory, name):
        code, text = said(list(job.cancel))
        if code and not _had_ended(job, text):
            troubles.append(
                f"job {job.id}: {' '.join(job.cancel)}: {text.strip() or f'exit code {code}'}"
            )
    if not troubles:
        forget(directory, name)
    return troubles


def _had_ended(job: Job, text: str) -> bool:
    """Whether a command that failed only says that there is nothing to end. Slurm's qdel says
    nothing at all then, and prints any other trouble.
    """
    if job.cancel[0] == "qdel" and not text.strip():
        return True
    return any(
        word in text.lower()
        for word in ("invalid job id", "unknown job", "has finished", "already completed")
    )


def said(command: list[str]) -> tuple[int, str]:
    """Exit code of a command of the batch system, and all that it printed."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        return 127, f"{command[0]} is not found on this machine"
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, done.stdout
