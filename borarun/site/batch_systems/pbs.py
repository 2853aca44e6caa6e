"""What PBS Pro, OpenPBS and Torque have in common: qsub, qdel, and the text of ``qstat -f``.

Source: qsub(1B), qstat(1B), qdel(1B), qselect(1B) of OpenPBS and of Torque; refusals: OpenPBS's
``pbs_messages.c``.
"""

from __future__ import annotations

import re
import shlex
from abc import abstractmethod
from collections.abc import Collection
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from borarun.site.batch_systems.base import Ask, Batch, Phase, Reply, Standing, clock

STATES: dict[str, Phase] = {
    "Q": "waiting",
    "H": "waiting",
    "T": "waiting",
    "W": "waiting",
    "S": "waiting",
    "U": "waiting",
    "M": "waiting",
    "R": "running",
    "E": "running",
    "B": "running",
    "C": "done",
    "F": "done",
    "X": "done",
}
"""qstat's states; source: qstat(1B). A suspended job, or one that was moved to another server, will
run.
"""

KILLED = (265, 271)
"""Exit status of a job that was killed or deleted: 256 and the signal; seen on a real OpenPBS."""


class PBS(Batch):
    """Jobs that qsub submits."""

    MARK: ClassVar[str] = "#PBS"
    JOB_VARIABLE: ClassVar[str] = "PBS_JOBID"
    JOB_VARIABLES: ClassVar[tuple[str, ...]] = ("PBS_",)
    CLIENT_VARIABLES: ClassVar[tuple[str, ...]] = (
        "PBS_CONF_FILE",
        "PBS_CONF_PATH",
        "PBS_DEFAULT",
        "PBS_SERVER",
        "PBS_EXEC",
        "PBS_HOME",
        "PBS_PRIMARY",
        "PBS_SECONDARY",
    )
    LAUNCHER: ClassVar[Literal["srun", "mpiexec"]] = "mpiexec"
    NAME_LENGTH: ClassVar[int] = 15
    PASSES: ClassVar[re.Pattern[str]] = re.compile(
        r"not enabled|shutting down|is going down|Connection (?:refused|timed out|reset)|"
        r"[Cc]annot connect|[Cc]ould not connect|No route to host|would exceed|Maximum number of "
        r"jobs|Premature end|End of File|[Pp]rotocol|pbs_iff|[Bb]usy|[Tt]ry again|[Tt]emporarily|"
        r"Expired credential|cannot allocate memory|System error|Operation now in progress",
        re.IGNORECASE,
    )
    STAYS: ClassVar[re.Pattern[str]] = re.compile(
        r"unknown queue|unknown resource|illegal|invalid (?:account|option|resource|project)|"
        r"unauthorized|exceeds|violates queue|denied|bad uid|usage:|invalid option|no such file|"
        r"not authorized|unknown/illegal|cannot open",
        re.IGNORECASE,
    )
    SILENT: ClassVar[bool] = False
    """Whether qstat may say nothing at all of a job that it does not know."""

    WALLTIME: ClassVar[int]
    """Exit status of a job that reached its walltime."""

    queue: str | None = Field(default=None, description="`qsub -q`.")
    account: str | None = Field(default=None, description="`qsub -A`.")

    @abstractmethod
    def size(self) -> str:
        """The directive for nodes and cores."""

    @abstractmethod
    def question(self, job: str, ask: Ask) -> tuple[Reply, dict[str, dict[str, Any]]]:
        """Ask for a job: the answer, and job -> attribute -> value of what could be read."""

    def directives(self, seconds: float, output: Path) -> list[str]:
        """See ``Batch``."""
        where = [f"-q {self.queue}"] if self.queue else []
        where += [f"-A {self.account}"] if self.account else []
        return [
            "-S /bin/bash",
            "-m n",
            "-j oe",
            f"-o {output}",
            f"-l walltime={clock(seconds)}",
            self.size(),
            *where,
        ]

    def replaces(self, lines: str, option: str) -> bool:
        """A selection of nodes, or a walltime, takes the place of borarun's."""
        found = re.match(r"-l (select|nodes|walltime)=|-([qAmj]) ", option)
        if found is None:
            return False
        key = rf"-l\s+{found[1]}=" if found[1] else rf"-{found[2]}\b"
        return bool(re.search(rf"^#PBS\s+{key}", lines, re.MULTILINE))

    def submit(self, script: Path, name: str, after: str | None = None) -> list[str]:
        """See ``Batch``."""
        waits = ["-W", f"depend=afterany:{after}"] if after else []
        return ["qsub", "-N", name, *waits, str(script)]

    def look(self, jobs: Collection[str], ask: Ask) -> dict[str, Standing]:
        """See ``Batch``. One question a job: asked for several, OpenPBS answers for the first alone
        (openpbs#2672).
        """
        return {job: self._single(job, ask) for job in jobs}

    def _single(self, job: str, ask: Ask) -> Standing:
        reply, known = self.question(job, ask)
        about = next((about for told, about in known.items() if self.is_same(job, told)), None)
        if about is not None and (standing := self._standing(about)):
            return standing
        ended = re.search(
            r"(unknown job(?: id)?(?: error)?|job has finished)", reply.said, re.IGNORECASE
        )
        if ended and any(self.is_same(job, word) for word in reply.said.split()):
            finished = ended[1].lower() == "job has finished"
            return Standing("done" if finished else "absent")
        if self.SILENT and reply.code == 0 and not reply.said:
            return Standing("absent")
        return Standing("unknown", reply.said[-200:])

    def _standing(self, about: dict[str, Any]) -> Standing | None:
        state, comment = str(about.get("job_state", "")), str(about.get("comment", ""))
        phase = STATES.get(state)
        if phase is None:
            return None
        said = f"{state} ({comment})" if comment else state
        return Standing(self._end(about) if phase == "done" else phase, said)

    def _end(self, about: dict[str, Any]) -> Phase:
        code = about.get("Exit_status", about.get("exit_status"))
        if code is None:  # deleted while it was queued
            return "cancelled"
        try:
            status = int(code)
        except (TypeError, ValueError, OverflowError):
            return "done"
        if status == self.WALLTIME:
            return "timeout"
        return "cancelled" if status in KILLED else "done" if status == 0 else "failed"

    def is_same(self, job: str, other: str) -> bool:
        """Whether two ids mean one job: one number, and servers of which one may be named without
        its domain.
        """
        (number, _, server), (told, _, host) = job.partition("."), other.partition(".")
        return (
            number == told
            and number != ""
            and (
                not server
                or not host
                or server == host
                or server.startswith(f"{host}.")
                or host.startswith(f"{server}.")
            )
        )

    def cancel(self, job: str) -> list[str]:
        """See ``Batch``."""
        return ["qdel", job]

    def cancel_named(self, name: str) -> list[str]:
        """See ``Batch``. Slurm's commands in the manner of Torque lack qselect."""
        quoted = shlex.quote(name)
        return [
            "bash",
            "-c",
            f"command -v qselect > /dev/null || exit 0; set -o pipefail; qselect -N {quoted} | "
            "xargs -r qdel",
        ]

    def find(self, name: str, ask: Ask) -> str | None:
        """See ``Batch``."""
        reply = ask(["qselect", "-N", name])
        return self.named(name, reply, ask) if reply.code == 0 else None

    def named(self, name: str, reply: Reply, ask: Ask) -> str | None:
        """The job that qselect printed, if it has this name."""
        job = self.job_of(reply)
        if not job:
            return None if reply.text.strip() else ""
        about = self.question(job, ask)[1].get(job)
        return None if about is None else job if about.get("Job_Name") == name else ""


def records(text: str) -> dict[str, dict[str, Any]]:
    """Job -> attribute -> value, from the text of ``qstat -f``, in which long values go on after a
    tab.
    """
    found = dict[str, dict[str, Any]]()
    about: dict[str, Any] = {}
    for line in re.sub(r"\n\t(?=\S)(?![\w.]+ = )", "", text).splitlines():
        if title := re.fullmatch(r"Job Id:\s*(\S+)\s*", line):
            about = found.setdefault(title[1], {})
        elif value := re.fullmatch(r"\s+([\w.]+) = (.*)", line):
            about[value[1]] = value[2].strip()
    return found
