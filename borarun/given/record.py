"""A trajectory as a task that is done: its record is that of borarun's own molecular dynamics."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from borarun.given.gathered import Gathered
from borarun.records.frames import Frames
from borarun.records.operations.base import quantities
from borarun.records.operations.dynamics import MolecularDynamics as Run
from borarun.records.task import About, Result, Task
from borarun.subjects.common.results import GIVEN

ENGINE = GIVEN
"""Stands where a record names the engine that made it."""

FORMAT = "1"
"""Raised where the same file comes to give another record."""

SEGMENT = "produce"
"""The one part of a trajectory, called as that of borarun's own runs."""

BLOCK_B = 2**24


@dataclass(frozen=True)
class File:
    """What tells a file from all others.

    Attributes
    ----------
    name : without folders
    size_B, sha256 : of its content
    """

    name: str
    size_B: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> File:
        """The file at a path."""
        digest, size = hashlib.sha256(), 0
        with path.open("rb") as handle:
            while block := handle.read(BLOCK_B):
                digest.update(block)
                size += len(block)
        return cls(path.name, size, digest.hexdigest())


def task_of(
    file: File,
    run: Gathered,
    reading: Mapping[str, JsonValue],
    *,
    stage: str,
    label: str,
    about: About,
) -> Task:
    """The task that a trajectory is the result of.

    Parameters
    ----------
    reading : all that it was read by, as JSON values
    """
    return Task(
        engine=ENGINE,
        settings={
            "sha256": file.sha256,
            "reading": dict(reading),
            "timestep_fs": run.interval_fs,
        },
        version=FORMAT,
        stage=stage,
        label=label,
        about=about,
    )


def result_of(run: Gathered, order: np.ndarray) -> Result:
    """A trajectory as molecular dynamics leaves it; a step is the time between two frames.

    Parameters
    ----------
    order : (N,) int, the atoms in the order in which they are stored
    """
    n_frames = len(run.cell)
    positions = run.positions[order]
    last = Frames(
        np.array([0, len(order)]),
        run.numbers[order],
        positions[:, :, -1].astype(float),
        run.cell[-1:],
    )
    facts = Run(
        program=run.format,
        stop="completed",
        steps=n_frames - 1,
        time_fs=(n_frames - 1) * run.interval_fs,
        n_frames=n_frames,
        n_candidates=0,
        grade_max=None,
        segments=(SEGMENT,),
    )
    return Result(
        facts=facts,
        arrays=quantities(
            {
                Run.STEP: np.arange(n_frames),
                Run.SEGMENT: np.zeros(n_frames, np.int32),
                Run.CELL: run.cell,
                Run.POSITIONS: positions,
                Run.NUMBERS: run.numbers[order],
                Run.VOLUME: np.abs(np.linalg.det(run.cell)),
                Run.GRADE_STEP: np.zeros(0, np.int64),
                Run.GRADE_VALUE: np.zeros(0),
            }
        ),
        frames={Run.CANDIDATES: Frames.of([]), Run.LAST: last},
    )
