"""Batch systems, a class in a file each. Another one is a file and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from borarun.site.batch_systems.base import Batch
from borarun.site.batch_systems.pbspro import PBSPro
from borarun.site.batch_systems.slurm import Slurm
from borarun.site.batch_systems.torque import Torque

BATCH_SYSTEMS: tuple[type[Batch], ...] = (Slurm, PBSPro, Torque)
BatchSystem = Annotated[Slurm | PBSPro | Torque, Field(discriminator="provider")]

__all__ = ["BATCH_SYSTEMS", "Batch", "BatchSystem", "PBSPro", "Slurm", "Torque", "outside"]

MPI_VARIABLES = ("PMI", "OMPI_", "PRTE_", "MPI_LOCAL", "I_MPI_HYDRA", "HYDRA_", "PALS_")
"""How the names of variables begin that a launcher of MPI programs gives its processes."""


def outside(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without what the job, or the launcher, under which this process runs has put
    into it: commands of the batch system would take sizes of the next job from there.
    """
    kept = {name for system in BATCH_SYSTEMS for name in system.CLIENT_VARIABLES}
    dropped = tuple(prefix for system in BATCH_SYSTEMS for prefix in system.JOB_VARIABLES)
    return {
        name: value
        for name, value in environment.items()
        if name in kept or not name.startswith(dropped + MPI_VARIABLES)
    }
