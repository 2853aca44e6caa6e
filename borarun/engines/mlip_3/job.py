"""What the program around MLIP-3 is told."""

from __future__ import annotations

from typing import Literal

from borarun.engines.job import Job


class Mlip3Job(Job):
    """Which of its jobs it is."""

    operation: Literal["train", "select"]


class TrainJob(Mlip3Job):
    """A fit; ``Settings`` explains the names."""

    energy_weight: float
    force_weight: float
    stress_weight: float
    iteration_limit: int
    al_mode: str


class SelectJob(Mlip3Job):
    """A selection."""

    cut_radius_A: float | None
