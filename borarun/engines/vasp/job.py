"""What the program that watches over VASP is told, and what it notes of each run."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from borarun.engines.job import Job
from borarun.records.operations.reference import Correction, Potcar


class VaspTask(Job):
    """A task.

    Attributes
    ----------
    potcars : path of each element's POTCAR, in the order of the POSCAR
    vdw_kernel : path of VASP's kernel, where one is needed
    charge : of the cell, elementary charges
    settled_steps : a relaxation that takes so few steps is at its end
    steps : of molecular dynamics
    walltime_margin_s : before the wall, when VASP is stopped
    """

    operation: str
    potcars: tuple[str, ...]
    vdw_kernel: str | None
    charge: float
    settled_steps: int
    steps: int
    walltime_margin_s: float


class Noted(BaseModel):
    """What the program notes of one run of VASP in ``run.json``."""

    model_config = ConfigDict(frozen=True)

    steps: int
    stopped: bool
    potcars: dict[str, Potcar]
    vdw_kernel_sha256: str | None = None
    corrections: tuple[Correction, ...]
