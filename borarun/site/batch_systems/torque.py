"""Torque."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from borarun.site.batch_systems.base import Ask, Reply
from borarun.site.batch_systems.pbs import PBS, records


class Torque(PBS):
    """Jobs of Torque, or of anything that understands its qsub, qstat and qdel."""

    TITLE: ClassVar[str] = "Torque"
    SILENT: ClassVar[bool] = True  # as Slurm's qstat does
    WALLTIME: ClassVar[int] = -11  # JOB_EXEC_OVERLIMIT_WT of Torque's pbs_job.h

    provider: Literal["torque"] = Field(description="`torque`: jobs of Torque.")

    def size(self) -> str:
        """See ``PBS``."""
        gpus = f":gpus={self.available_accelerators}" if self.available_accelerators else ""
        return f"-l nodes={self.nodes_per_block}:ppn={self.cores_per_node}{gpus}"

    def question(self, job: str, ask: Ask) -> tuple[Reply, dict[str, dict[str, Any]]]:
        """See ``PBS``. The table that qstat prints without ``-f`` cuts ids short."""
        reply = ask(["qstat", "-f", job])
        return reply, records(reply.text)

    def find(self, name: str, ask: Ask) -> str | None:
        """See ``Batch``. Slurm's commands in the manner of Torque lack qselect."""
        reply = ask(["qselect", "-N", name])
        if reply.code != 127:
            return self.named(name, reply, ask) if reply.code == 0 else None
        reply = ask(["qstat", "-f"])
        named = (job for job, about in records(reply.text).items() if about.get("Job_Name") == name)
        return next(named, "") if reply.code == 0 else None
