"""Stages: one module a section of the study, in the order of the science."""

from __future__ import annotations

from borarun.stages import (
    active_learning,
    diffusion,
    heating,
    phonons,
    potential,
    relax,
    training_set,
    vibrations,
)
from borarun.stages.base import Expansion, Products, Records, Stage

STAGES: list[Stage] = [
    relax,
    phonons,
    training_set,
    potential,
    active_learning,
    heating,
    diffusion,
    vibrations,
]
"""Every stage; each may build on the products of those before it. To add one: a module, a line
here, a test.
"""

__all__ = ["STAGES", "Expansion", "Products", "Records", "Stage"]
