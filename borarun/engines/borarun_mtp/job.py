"""What the programs that fit and select are told."""

from __future__ import annotations

from borarun.engines.job import Job


class FitJob(Job):
    """A fit; ``Settings`` explains the names."""

    operation: str
    seed: int
    level: int
    cutoff_A: float
    radial_basis_size: int
    energy_weight: float
    force_weight: float
    stress_weight: float
    max_evaluations: int
    starts: int


class SelectJob(Job):
    """A selection."""

    operation: str
    max_selected: int
