"""What every reader gives, and what a reader is told that its file does not say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from borarun.basics.errors import Problem, StudyError

Array = NDArray[Any]

Tick = Literal["frame", "step", "fs"]
"""What a frame's ``tick`` counts: frames, steps of molecular dynamics, or femtoseconds."""


@dataclass(frozen=True)
class Frame:
    """One frame of a trajectory.

    Attributes
    ----------
    number : its place in the file, from 1
    tick : when it is, by what ``Opened.tick`` says
    numbers : (N,) int, atomic numbers, in the same order in each frame
    cell : (3, 3) angstrom, rows are vectors
    scaled : (N, 3) positions in units of the cell, from its corner
    """

    number: int
    tick: float
    numbers: Array
    cell: Array
    scaled: Array


@dataclass(frozen=True)
class Opened:
    """A file whose frames are about to be read.

    Attributes
    ----------
    format : name of its format, for people
    tick : what its frames are counted by
    unwrapped : whether an ion that leaves the cell keeps its place outside; otherwise it comes in
        again at the other side, or may do so
    frames : its frames, in the order of the file
    remarks : what was passed over; complete when all frames were read
    """

    format: str
    tick: Tick
    unwrapped: bool
    frames: Iterator[Frame]
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Told:
    """What a file may not say.

    Attributes
    ----------
    elements : of the atom types of a LAMMPS dump, in their order
    units : LAMMPS's ``units`` of the run
    topology : file with the elements of an xtc
    """

    elements: tuple[str, ...] = ()
    units: str = ""
    topology: Path | None = None


Reader = Callable[[Path, Told], Opened]


def wrong(file: Path, message: str) -> StudyError:
    """What is wrong with a trajectory."""
    return StudyError(Problem(str(file), 0, "", message))
