"""What a run of molecular dynamics is to do, as its directory says it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

MAX_CANDIDATES = 200
"""Configurations that a run hands on; they are thinned out where it met more."""


@dataclass(frozen=True)
class MdPlan:
    """What ``md.json`` says.

    Attributes
    ----------
    potential : folder of engines with the form of the potential
    numbers : (N,) atomic numbers
    rotation : (3, 3) orthogonal; vectors of LAMMPS times this are those of the start
    steps : of the whole run
    every : steps between two looks
    grade : ``threshold_save``, ``threshold_break``, and ``anion`` and ``mobile`` where tearing is
        watched; or None
    min_distance_A : atoms that come closer have exploded
    max_volume_A3 : so has a cell that grows so large
    hottest_K : highest temperature that the thermostat is set to
    frames : (first step, last step, steps between frames) of each segment
    """

    potential: str
    numbers: Array
    rotation: Array
    steps: int
    every: int
    grade: dict[str, Any] | None
    min_distance_A: float
    max_volume_A3: float
    hottest_K: float
    frames: list[list[int]]

    @classmethod
    def read(cls) -> MdPlan:
        """The plan of this directory."""
        content = json.loads(Path("md.json").read_text())
        names = (
            "steps",
            "every",
            "grade",
            "min_distance_A",
            "max_volume_A3",
            "hottest_K",
            "frames",
        )
        return cls(
            content["potential"],
            np.array(content["numbers"]),
            np.array(content["rotation"]),
            *(content[name] for name in names),
        )
