"""Jobs that a driver has put into the queue of a batch system, on disk, so that none outlives its driver unnoticed.

One JSON object a line: ``executor``, ``id``, ``cancel`` (the command that ends it). The file is removed when the driver has ended them all itself.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

TIMEOUT_S = 60.0
NAME = "jobs.jsonl"


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


def note(directory: Path, job: Job) -> None:
    """Write down a job that was submitted just now."""
    with (directory / NAME).open("a") as file:
        file.write(json.dumps(asdict(job)) + "\n")
        file.flush()
        os.fsync(file.fileno())


def noted(directory: Path) -> list[Job]:
    """The jobs of a driver that did not end them, as far as is known."""
    try:
        lines = (directory / NAME).read_text().splitlines()
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


def forget(directory: Path) -> None:
    """All jobs have ended."""
    (directory / NAME).unlink(missing_ok=True)


def cancel(directory: Path) -> list[str]:
    """End the jobs that a dead driver left; what could not be ended, in words. One that has ended already is no matter."""
    troubles = []
    for job in noted(directory):
        try:
            done = subprocess.run(job.cancel, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            troubles.append(f"job {job.id}: {' '.join(job.cancel)}: {error}")
            continue
        said = (done.stderr or done.stdout).strip()
        if done.returncode and not any(word in said.lower() for word in ("invalid job id", "unknown job", "has finished", "already completed")):
            troubles.append(f"job {job.id}: {' '.join(job.cancel)}: {said or f'exit code {done.returncode}'}")
    if not troubles:
        forget(directory)
    return troubles
