"""Slurm. Source: sbatch(1), squeue(1), scancel(1); refusals: ``slurm_errno.c``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from borarun.site.batch_systems.base import Ask, Batch, Phase, Standing, clock
from borarun.site.batch_systems.keys import Count

STATES: dict[str, Phase] = {
    "PENDING": "waiting",
    "CONFIGURING": "waiting",
    "REQUEUED": "waiting",
    "REQUEUE_FED": "waiting",
    "REQUEUE_HOLD": "waiting",
    "RESV_DEL_HOLD": "waiting",
    "SPECIAL_EXIT": "waiting",
    "POWER_UP_NODE": "waiting",
    "SUSPENDED": "waiting",
    "STOPPED": "waiting",
    "RUNNING": "running",
    "COMPLETING": "running",
    "RESIZING": "running",
    "SIGNALING": "running",
    "STAGE_OUT": "running",
    "COMPLETED": "done",
    "CANCELLED": "cancelled",
    "PREEMPTED": "cancelled",
    "REVOKED": "cancelled",
    "TIMEOUT": "timeout",
    "DEADLINE": "timeout",
    "FAILED": "failed",
    "BOOT_FAIL": "failed",
    "LAUNCH_FAILED": "failed",
    "NODE_FAIL": "failed",
    "OUT_OF_MEMORY": "failed",
    "RECONFIG_FAIL": "failed",
}
"""squeue's states; source: squeue(1), JOB STATE CODES. A job that is suspended, or that Slurm
queues again, will run.
"""

LINE = re.compile(r"\s*(\d+)\s+([A-Z_]+)(?:\s+(.*))?")
CLUSTER = re.compile(r"\s*CLUSTER: (\S+)\s*")
UNKNOWN_JOB = re.compile(r"invalid job id", re.IGNORECASE)
GPUS = re.compile(r"^#SBATCH\s+(?:--gpus|--gres|-G)", re.MULTILINE)
MEMORY = re.compile(r"^#SBATCH\s+(--mem(?:-per-cpu|-per-gpu)?)\b", re.MULTILINE)
TASKS = re.compile(r"^#SBATCH\s+(?:--ntasks[= ]|-n\b)", re.MULTILINE)


class Slurm(Batch):
    """Jobs of Slurm."""

    TITLE: ClassVar[str] = "Slurm"
    MARK: ClassVar[str] = "#SBATCH"
    JOB_VARIABLE: ClassVar[str] = "SLURM_JOB_ID"
    JOB_VARIABLES: ClassVar[tuple[str, ...]] = (
        "SLURM_",
        "SLURMD_",
        "SBATCH_",
        "SALLOC_",
        "SQUEUE_",
        "SCANCEL_",
        "SRUN_",
    )
    CLIENT_VARIABLES: ClassVar[tuple[str, ...]] = ("SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT")
    LAUNCHER: ClassVar[Literal["srun", "mpiexec"]] = "srun"
    NAME_LENGTH: ClassVar[int] = 80
    PASSES: ClassVar[re.Pattern[str]] = re.compile(
        r"MaxSubmitJob|Socket timed out|[Uu]nable to contact slurm controller|Connection (?:refused"
        r"|timed out|reset)|Zero Bytes were transmitted|[Tt]emporarily|try again|backup controller|"
        r"in standby|Slurm temporarily unable|Partition.*(?:down|inactive)|job submit limit"
    )
    STAYS: ClassVar[re.Pattern[str]] = re.compile(
        r"[Ii]nvalid (?:partition|account|qos|cluster|feature|generic resource|option|job name|"
        r"time|memory|--|gres|node|reservation|dependency)|No cluster|(?:un)?recognized option|"
        r"mutually exclusive|node configuration is not available|time limit is invalid|"
        r"Memory specification can not|[Uu]nable to open file|permission denied|not permitted|"
        r"[Nn]ode count specification|[Mm]ore processors requested|cannot be used together",
    )

    provider: Literal["slurm"] = Field(description="`slurm`: jobs of Slurm.")
    partition: str | None = Field(default=None, description="`#SBATCH --partition`.")
    account: str | None = Field(default=None, description="`#SBATCH --account`.")
    qos: str | None = Field(default=None, description="`#SBATCH --qos`.")
    constraint: str | None = Field(default=None, description="`#SBATCH --constraint`.")
    clusters: str | None = Field(default=None, description="`#SBATCH --clusters`.")
    mem_per_node: Count | None = Field(default=None, description="`#SBATCH --mem`, GB.")
    gpus_per_node: Count | None = Field(default=None, description="`#SBATCH --gpus-per-node`.")
    gres: str | None = Field(default=None, description="`#SBATCH --gres`.")
    exclusive: bool = Field(
        default=True, description="Use whole nodes, not shared with other jobs."
    )

    @model_validator(mode="after")
    def _one_memory(self) -> Self:
        asked = MEMORY.search(self.scheduler_options)
        if self.mem_per_node is not None and asked:
            raise ValueError(
                f"mem_per_node and {asked[1]} of scheduler_options cannot be used "
                f"together in Slurm (got mem_per_node: {self.mem_per_node}). Remove one "
                "of them."
            )
        return self

    def directives(self, seconds: float, output: Path) -> list[str]:
        """See ``Batch``."""
        wanted = {
            "output": output,
            "error": output,
            "time": clock(seconds),
            "nodes": self.nodes_per_block,
            "ntasks-per-node": 1,
            "cpus-per-task": self.cores_per_node,
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "constraint": self.constraint,
            "clusters": self.clusters,
            "gpus-per-node": self._gpus(),
            "gres": self.gres,
            "mem": f"{self.mem_per_node}g" if self.mem_per_node else None,
        }
        return [f"--{key}={value}" for key, value in wanted.items() if value is not None] + (
            ["--exclusive"] if self.exclusive else []
        )

    def _gpus(self) -> int | None:
        asked = self.gpus_per_node or self.gres or GPUS.search(self.scheduler_options)
        return self.gpus_per_node if asked else self.available_accelerators or None

    def replaces(self, lines: str, option: str) -> bool:
        """A count of tasks takes the place of that of tasks a node; an option given twice, of its
        first value.
        """
        key = re.escape(option.split("=")[0])
        same = re.search(rf"^#SBATCH\s+{key}(?:[= \t]|$)", lines, re.MULTILINE)
        return bool(same or (option.startswith("--ntasks-per-node=") and TASKS.search(lines)))

    def submit(self, script: Path, name: str, after: str | None = None) -> list[str]:
        """See ``Batch``; the cluster is part of the script."""
        waits = [f"--dependency=afterany:{after.partition(';')[0]}"] if after else []
        return ["sbatch", "--parsable", f"--job-name={name}", *waits, str(script)]

    def look(self, jobs: Collection[str], ask: Ask) -> dict[str, Standing]:
        """See ``Batch``. One question for all jobs of the user: one job that Slurm has forgotten
        makes a question for several fail. Those that the answer lacks are then asked for one by
        one.
        """
        wanted = [
            "squeue",
            "--states=all",
            "--noheader",
            "--format=%i %T %r",
            *self._clusters(None),
        ]
        reply = ask([*wanted, "--me"])
        if reply.code:
            return dict.fromkeys(jobs, Standing("unknown", reply.said[-200:]))
        found = _standings(reply.text)
        return {job: self._of(job, found) or self._single(job, ask) for job in jobs}

    def _single(self, job: str, ask: Ask) -> Standing:
        reply = ask(
            [
                "squeue",
                "--states=all",
                "--noheader",
                "--format=%i %T %r",
                *self._clusters(job),
                f"--jobs={job.partition(';')[0]}",
            ]
        )
        if reply.code == 0 and (found := self._of(job, _standings(reply.text))):
            return found
        forgotten = UNKNOWN_JOB.search(reply.said) or (
            reply.code == 0 and not CLUSTER.sub("", reply.said).strip()
        )
        return Standing("absent") if forgotten else Standing("unknown", reply.said[-200:])

    def _of(self, job: str, found: Mapping[tuple[str, str], Standing]) -> Standing | None:
        number, _, cluster = job.partition(";")
        return next(
            (
                standing
                for (where, told), standing in found.items()
                if told == number and (not cluster or not where or cluster == where)
            ),
            None,
        )

    def _clusters(self, job: str | None) -> list[str]:
        cluster = (job or "").partition(";")[2] or self.clusters
        return [f"--clusters={cluster}"] if cluster else []

    def cancel(self, job: str) -> list[str]:
        """See ``Batch``."""
        return ["scancel", *self._clusters(job), job.partition(";")[0]]

    def cancel_named(self, name: str) -> list[str]:
        """See ``Batch``."""
        return ["scancel", "--me", f"--name={name}", *self._clusters(None)]

    def find(self, name: str, ask: Ask) -> str | None:
        """See ``Batch``."""
        command = ["squeue", "--me", "--noheader", "--format=%i %T %j", f"--name={name}"]
        reply = ask([*command, *self._clusters(None)])
        if reply.code:
            return None
        named = (job for job, about in _lines(reply.text) if about[1] == name)
        where, number = next(named, ("", ""))
        return f"{number};{where}" if where else number

    def own_job(self, environment: Mapping[str, str]) -> str | None:
        """See ``Batch``."""
        number = environment.get(self.JOB_VARIABLE)
        cluster = environment.get("SLURM_CLUSTER_NAME") if self.clusters else None
        return f"{number};{cluster}" if number and cluster else number

    def is_same(self, job: str, other: str) -> bool:
        """See ``Batch``. One may lack its cluster."""
        (number, _, cluster), (told, _, elsewhere) = job.partition(";"), other.partition(";")
        return number == told and (not cluster or not elsewhere or cluster == elsewhere)


def _standings(text: str) -> dict[tuple[str, str], Standing]:
    """(cluster or "", number) -> where the job stands, from lines of id, state and reason."""
    found = dict[tuple[str, str], Standing]()
    for job, (state, reason) in _lines(text):
        known = reason not in ("", "None", "(null)")
        found[job] = Standing(STATES[state], f"{state} ({reason})" if known else state)
    return found


def _lines(text: str) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """(cluster or "", number), (state, what follows) of each line; lines that are none, and states
    that Slurm does not have, are passed over.
    """
    cluster = ""
    for line in text.splitlines():
        if title := CLUSTER.fullmatch(line):
            cluster = title[1]
        elif (job := LINE.fullmatch(line)) and job[2] in STATES:
            yield (cluster, job[1]), (job[2], (job[3] or "").strip())
