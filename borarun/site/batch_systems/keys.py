"""Keys of the site file that all batch systems share, and the sizes that follow from them. Keys
that Parsl knows have Parsl's names and meanings.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from borarun.basics.units import S_PER_HOUR
from borarun.input.messages import Section

Seconds = Annotated[float, Field(gt=0, le=1e6)]
Count = Annotated[int, Field(gt=0, le=1_000_000)]
CountOrNone = Annotated[int, Field(ge=0, le=1_000_000)]
Ports = Annotated[tuple[int, int], Field(strict=False)]


class Keys(Section):
    """Keys that all batch systems have. A block is one job of the batch system; it runs many
    tasks, one after another and side by side.
    """

    MARK: ClassVar[str]
    """What lines of a job's script that are for the batch system begin with."""

    cores_per_node: Count = Field(description="Number of cores of one node.")
    nodes_per_block: Count = Field(default=1, description="Number of nodes of one batch job.")
    init_blocks: CountOrNone = Field(default=0, description="Number of jobs at the start.")
    min_blocks: CountOrNone = Field(
        default=0, description="Number of jobs to keep, even without waiting tasks."
    )
    max_blocks: Count = Field(default=1, description="Largest number of jobs.")
    parallelism: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0,
        description="How many jobs to start for waiting tasks: from 0 (few) to 1 (as many as "
        "could be used).",
    )
    walltime: str = Field(
        pattern=r"^\d{1,5}:[0-5]\d:[0-5]\d$",
        description="Length of a job, HH:MM:SS. Programs that can restart from files may "
        "take longer.",
    )
    walltime_margin_s: Seconds = Field(
        default=300,
        description="Time before the end of a job when programs stop, to continue in the "
        "next job, s. No new task starts in the last two such intervals.",
    )
    scheduler_options: str = Field(
        default="",
        description="Lines for the head of the job script, e.g. `#SBATCH --mail-type=NONE`.",
    )
    worker_init: str = Field(
        default="", description="Shell commands at the start of each job: modules, environment."
    )
    cmd_timeout: Count = Field(
        default=60, description="Time limit of a command of the batch system, s."
    )
    cores_per_worker: Count = Field(
        default=1,
        description="Number of cores of one task. Tasks that need more run on another "
        "executor, if there is one.",
    )
    mem_per_worker: Annotated[float, Field(gt=0, le=1e6)] | None = Field(
        default=None,
        description="Memory of one task, GB; it may reduce the number of tasks "
        "that run at the same time.",
    )
    available_accelerators: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=0,
        description="Number of GPUs of a node. If set, each task gets its own GPU. Jobs ask for "
        "them unless another key does: Slurm `--gpus-per-node`, PBS Pro `ngpus`, Torque `gpus`.",
    )
    mpi_launcher: Literal["srun", "mpiexec", "aprun"] | None = Field(
        default=None,
        description="For MPI programs on whole nodes: `{launch}` in a program's command is "
        "replaced by this launcher with the nodes of the task.",
    )
    max_workers_per_block: Count = Field(
        default=1,
        description="With `mpi_launcher`: number of MPI programs that run at the same time "
        "in one job and share its nodes.",
    )
    address: str | None = Field(
        default=None,
        description="Address of the submitting machine as seen by the nodes. Default: all "
        "addresses are tried.",
    )
    encrypted: bool = Field(
        default=True,
        description="Encrypt the connection between the submitting machine and the nodes. "
        "Without it, other users of these machines can run commands as you.",
    )
    heartbeat_period: Count = Field(default=30, description="Time between two heartbeats, s.")
    heartbeat_threshold: Count = Field(
        default=120,
        description="Time without heartbeat after which a node, or this machine, counts as "
        "lost, s.",
    )
    worker_port_range: Ports = Field(
        default=(54000, 55000),
        description="Ports on the submitting machine for the connections of its nodes: "
        "lowest and highest.",
    )
    max_idletime: Seconds = Field(
        default=120, description="Time after which an idle job is ended, s."
    )
    status_polling_interval: Count = Field(
        default=60, description="Time between two queries to the batch system, s."
    )

    @property
    def walltime_s(self) -> float:
        """Length of a job, s."""
        hours, minutes, seconds = map(int, self.walltime.split(":"))
        return hours * S_PER_HOUR + minutes * 60 + seconds

    @property
    def workers_per_node(self) -> int:
        """Tasks side by side on one node."""
        return max(1, self.cores_per_node // self.cores_per_worker)

    @property
    def nodes_per_task(self) -> int:
        """Nodes of one MPI program."""
        return max(1, self.nodes_per_block // self.max_workers_per_block)

    def ranks_per_node(self, cores: int, threads: int = 1) -> int:
        """Processes on each node of an MPI program that has so many cores, and so many threads in
        each process.
        """
        return max(1, cores // (self.nodes_per_task * threads))

    def launch(self, cores: int, threads: int = 1) -> list[str]:
        """What ``{launch}`` stands for in a job of this executor: as Parsl composes it, but for the
        names of the nodes.
        """
        nodes = self.nodes_per_task
        each = self.ranks_per_node(cores, threads)
        all_, each_, nodes_ = str(nodes * each), str(each), str(nodes)
        if self.mpi_launcher == "srun":
            return [
                "srun",
                "--ntasks",
                all_,
                "--ntasks-per-node",
                each_,
                "--nodes",
                nodes_,
                *cpus_per_task("srun", threads),
            ]
        return (
            ["aprun", "-n", all_, "-N", each_]
            if self.mpi_launcher == "aprun"
            else ["mpiexec", "-n", all_, "-ppn", each_]
        )

    @property
    def slots(self) -> int:
        """How many tasks can run at once in all jobs together."""
        return self.max_blocks * (
            self.max_workers_per_block
            if self.mpi_launcher
            else self.nodes_per_block * self.workers_per_node
        )

    @property
    def cores_per_task(self) -> int:
        """The most cores that one task can have."""
        return (
            self.nodes_per_task * self.cores_per_node
            if self.mpi_launcher
            else self.cores_per_worker
        )

    def takes(self, cores: int) -> int:
        """How much of ``slots`` a task takes: one."""
        return 1

    @field_validator("scheduler_options")
    @classmethod
    def _lines_for_the_scheduler(cls, value: str) -> str:
        for line in value.splitlines():
            if line.strip() and not line.startswith(f"{cls.MARK} "):
                raise ValueError(
                    f"contains a line that does not begin with `{cls.MARK} `, which the "
                    f"batch system would ignore (got {line!r})"
                )
        return value

    @field_validator("worker_port_range")
    @classmethod
    def _ports(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 1024 <= value[0] < value[1] <= 65535:
            raise ValueError("must be two ports from 1024 to 65535, the lower one first")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if 3 * self.walltime_margin_s > self.walltime_s:
            raise ValueError(
                "walltime_margin_s must be at most a third of the walltime, "
                f"{self.walltime_s / 3:.0f} s (got {self.walltime_margin_s:g})"
            )
        if self.cores_per_worker > self.cores_per_node:
            raise ValueError(
                f"cores_per_worker is more than cores_per_node, {self.cores_per_node} "
                f"(got {self.cores_per_worker}): for tasks on several nodes use "
                "mpi_launcher"
            )
        if self.mpi_launcher and self.available_accelerators:
            raise ValueError(
                "available_accelerators and mpi_launcher cannot be used together: MPI programs "
                f"on whole nodes get all GPUs (got {self.available_accelerators}). Remove one of "
                "them."
            )
        if self.mpi_launcher and self.max_workers_per_block > self.nodes_per_block:
            raise ValueError(
                f"max_workers_per_block is more than nodes_per_block, {self.nodes_per_block} "
                f"(got {self.max_workers_per_block})"
            )
        if self.max_blocks < max(self.min_blocks, self.init_blocks):
            raise ValueError(
                f"max_blocks is less than min_blocks or init_blocks (got {self.max_blocks})"
            )
        return self


def cpus_per_task(launcher: str, threads: int) -> list[str]:
    """Options of srun for processes that have threads; without them it gives each process one
    core. Options of other launchers differ between their makers.
    """
    return ["--cpus-per-task", str(threads)] if launcher == "srun" and threads > 1 else []
