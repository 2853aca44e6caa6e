"""What the program of displacements and phonons is told."""

from __future__ import annotations

from typing import Literal

from borarun.engines.job import Job


class DisplaceJob(Job):
    """All that the displacements depend on; ``phonopy.Settings`` explains the names."""

    operation: Literal["displace", "phonons"]
    supercell: tuple[int, int, int]
    displacement_A: float
    symmetry_A: float


class PhononsJob(DisplaceJob):
    """What the phonons depend on beside the displacements and their forces."""

    mesh: tuple[int, int, int]
    width_THz: float
    path: str
    imaginary_THz: float
    temperatures_K: tuple[float, ...]
