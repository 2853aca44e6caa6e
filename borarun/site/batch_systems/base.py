"""What borarun asks of a batch system. Each one is a class in a file beside this one: its
directives, commands, states and variables. Pure: whoever calls gives ``ask``, which runs a command.
"""

from __future__ import annotations

import re
import secrets
import shlex
from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from borarun.basics.job_time import JOB_BEGAN, JOB_ENDS
from borarun.site.batch_systems.keys import Keys

Phase = Literal["waiting", "running", "done", "failed", "timeout", "cancelled", "absent", "unknown"]
ENDED = ("done", "failed", "timeout", "cancelled")

JOB = re.compile(r"\d+[\w.\[\]-]*(;\S+)?")
"""A job as ``sbatch --parsable`` or ``qsub`` prints it; Slurm adds the cluster after ``;``."""


@dataclass(frozen=True)
class Reply:
    """What a command of a batch system answered.

    Attributes
    ----------
    code : its exit code
    text, errors : what it printed to standard output and to standard error
    late : whether it was ended because it took too long
    """

    code: int
    text: str = ""
    errors: str = ""
    late: bool = False

    @property
    def said(self) -> str:
        """All that it printed."""
        return f"{self.errors}{self.text}".strip()


Ask = Callable[[list[str]], Reply]


@dataclass(frozen=True)
class Standing:
    """Where a job stands.

    Attributes
    ----------
    phase : ``absent`` where the batch system says that it does not know the job, ``unknown`` where
        it gave no readable answer
    said : its own words
    """

    phase: Phase
    said: str = ""

    @property
    def ended(self) -> bool:
        """Whether the batch system says that the job has ended."""
        return self.phase in ENDED

    @property
    def gone(self) -> bool:
        """Whether it has ended, or is not known any more."""
        return self.ended or self.phase == "absent"


class Batch(Keys):
    """A batch system: the keys of its section in the site file, and how one talks to it."""

    TITLE: ClassVar[str]
    """Its name, for people."""

    MARK: ClassVar[str]
    """What lines of a job's script that are for the batch system begin with."""

    JOB_VARIABLE: ClassVar[str]
    """Environment variable that holds the job's id in each of its jobs."""

    JOB_VARIABLES: ClassVar[tuple[str, ...]]
    """How the names of variables begin that a job has and that its commands listen to."""

    CLIENT_VARIABLES: ClassVar[tuple[str, ...]]
    """Those of them that say where the batch system is; its commands need them."""

    LAUNCHER: ClassVar[Literal["srun", "mpiexec"]]
    """Starts the pool of workers on each node of a job of several nodes."""

    NAME_LENGTH: ClassVar[int]
    """The longest name of a job."""

    PASSES: ClassVar[re.Pattern[str]]
    STAYS: ClassVar[re.Pattern[str]]
    """Refusals that may pass by themselves, and those that cannot."""

    @abstractmethod
    def directives(self, seconds: float, output: Path) -> list[str]:
        """What a job asks for, one option each, without ``MARK``.

        Parameters
        ----------
        seconds : length of the job
        output : file for all that the job prints
        """

    @abstractmethod
    def submit(self, script: Path, name: str, after: str | None = None) -> list[str]:
        """The command that puts a script into the queue under a name; its last line says which job
        it is. The job waits until the job ``after`` has ended, in whatever way.
        """

    @abstractmethod
    def look(self, jobs: Collection[str], ask: Ask) -> dict[str, Standing]:
        """Where jobs stand."""

    @abstractmethod
    def cancel(self, job: str) -> list[str]:
        """The command that ends a job."""

    @abstractmethod
    def cancel_named(self, name: str) -> list[str]:
        """The command that ends the jobs of this name."""

    @abstractmethod
    def find(self, name: str, ask: Ask) -> str | None:
        """The job of this name; empty where there is none, None where there is no answer."""

    def own_job(self, environment: Mapping[str, str]) -> str | None:
        """The job that this process runs in, if any."""
        return environment.get(self.JOB_VARIABLE)

    def is_same(self, job: str, other: str) -> bool:
        """Whether two ids mean one job."""
        return job == other

    def job_of(self, reply: Reply) -> str:
        """The job that a submission printed; empty where it printed none."""
        lines = reply.text.strip().splitlines() if reply.code == 0 else []
        return lines[-1].strip() if lines and JOB.fullmatch(lines[-1].strip()) else ""

    def refusal(self, reply: Reply) -> Literal["passes", "stays", "unknown"]:
        """Whether a submission that was refused may be taken later."""
        if reply.late or self.PASSES.search(reply.said):
            return "passes"
        return "stays" if reply.code == 127 or self.STAYS.search(reply.said) else "unknown"

    def name_of(self, words: str) -> str:
        """A name that no other job has: words for people, and a token."""
        token = secrets.token_hex(3)
        head = re.sub(r"[^A-Za-z0-9_.-]", "-", words)[: self.NAME_LENGTH - len(token) - 1]
        return f"{head if head[:1].isalpha() else f'b{head[1:]}'}-{token}"

    def header(self, seconds: float, output: Path) -> str:
        """The head of a script: what the job asks for. Lines of ``scheduler_options`` take the
        place of borarun's own that say the same.
        """
        own = [
            option
            for option in self.directives(seconds, output)
            if not self.replaces(self.scheduler_options, option)
        ]
        lines = [f"{self.MARK} {option}" for option in own]
        return "\n".join([*lines, *([more] if (more := self.scheduler_options.strip()) else [])])

    def replaces(self, lines: str, option: str) -> bool:
        """Whether lines of the site file say what an option of borarun's says."""
        return False

    def script(self, body: str, seconds: float, output: Path) -> str:
        """The script of a job.

        Parameters
        ----------
        body : shell commands
        seconds : length that is asked for
        output : file for all that the job prints
        """
        return f"#!/bin/bash\n{self.header(seconds, output)}\n\n{self.beginning()}\n{body}\n"

    def beginning(self) -> str:
        """Shell commands that every job begins with: by its own node's clock, when it began and
        until when programs may run.
        """
        until = round(self.walltime_s - self.walltime_margin_s)
        return (
            f"export {JOB_BEGAN}=$(date +%s)\nexport {JOB_ENDS}=$(({JOB_BEGAN} + "
            f"{until}))\n{self.worker_init}"
        )


def one_command(command: list[str], directory: Path, says: Path | None = None) -> str:
    """The body of a job that runs one command on its first node.

    Parameters
    ----------
    directory : where the command runs
    says : file that what the command prints is added to at once; without it the batch system keeps
        that, PBS until the end
    """
    to = f" >> {shlex.quote(str(says))} 2>&1" if says else ""
    return f"cd {shlex.quote(str(directory))}\n\nexec {shlex.join(command)}{to}"


def clock(seconds: float) -> str:
    """HH:MM:SS."""
    whole = round(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
