"""What a run of molecular dynamics is to do, as its directory says it."""

from __future__ import annotations

import json
from math import inf
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator

from borarun.engines.job import Job

FILE = "md.json"

MAX_CANDIDATES = 200
"""Configurations that a run hands on; they are thinned out where it met more."""

Array = Annotated[
    NDArray[Any], PlainValidator(np.array), PlainSerializer(lambda values: values.tolist())
]


class Watched(Job):
    """What is made of extrapolation grades: ``deck.Grade`` explains the names."""

    threshold_save: float
    threshold_break: float
    anion: str = ""
    mobile: str = ""


class MdPlan(Job):
    """What ``md.json`` says.

    Attributes
    ----------
    potential : folder of engines with the form of the potential
    numbers : (N,) atomic numbers
    rotation : (3, 3) orthogonal; vectors of LAMMPS times this are those of the start
    steps : of the whole run
    frames : (first step, last step, steps between frames) of each segment
    every : steps between two looks
    grade : None where no grade is watched
    min_distance_A : atoms that come closer have exploded
    max_volume_A3 : so has a cell that grows so large
    hottest_K : highest temperature that the thermostat is set to
    """

    NAME: ClassVar[str] = FILE

    potential: str
    numbers: Array
    rotation: Array
    steps: int
    frames: list[list[int]]
    every: int
    grade: Watched | None
    min_distance_A: float
    max_volume_A3: float = inf
    hottest_K: float

    def text(self) -> str:
        """Content of the file, without a line for each number."""
        return json.dumps(self.model_dump(mode="json"))
