"""Results and records for tests, made through the classes that engines use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms

from borarun.records.frames import Frames
from borarun.records.operations.base import Array, Facts, FramesItem, Quantity, TextItem, quantities
from borarun.records.operations.dynamics import MolecularDynamics
from borarun.records.task import Record, Result, Task


class Anything(Facts, extra="allow"):
    """Whatever facts a test likes."""


def anything(
    facts: Mapping[str, Any] = {},
    texts: Mapping[str, str] = {},
    arrays: Mapping[str, Quantity] = {},
    frames: Mapping[str, Frames] = {},
) -> Result:
    """A result of no operation, which declares just what it holds: for tests of what does not ask
    what a record holds.
    """
    items = [
        *(TextItem(name, "") for name in texts),
        *(FramesItem(name, "") for name in frames),
        *(
            Array(
                name,
                "",
                dtype=str(np.asarray(each.values).dtype),
                shape=" ".join(f"{name}.{axis}" for axis in each.dims),
                unit=each.unit,
                dims=each.dims,
            )
            for name, each in arrays.items()
        ),
    ]
    kind = type("Made", (Anything,), {f"ITEM_{n}": item for n, item in enumerate(items)})
    return Result(kind(**facts), dict(texts), dict(arrays), dict(frames))


def ran(**facts: Any) -> MolecularDynamics:
    """Facts of a whole run without grades, but for those that are given."""
    usual = {
        "stop": "completed",
        "reason": "",
        "steps": 1000,
        "time_fs": 1000.0,
        "n_frames": 20,
        "n_candidates": 0,
        "grade_max": None,
        "min_distance_A": 1.1,
        "segments": ("heat",),
    }
    return MolecularDynamics.model_validate({**usual, **facts})


def dynamics(
    atoms: Atoms,
    positions: np.ndarray,
    cell: np.ndarray,
    step: np.ndarray,
    segment: np.ndarray,
    *,
    temperature_K: np.ndarray | float = 300.0,
    grades: tuple[np.ndarray, np.ndarray] = (np.zeros(0, np.int64), np.zeros(0)),
    candidates: Frames | None = None,
    **facts: Any,
) -> Result:
    """A run of molecular dynamics, one step a femtosecond.

    Parameters
    ----------
    positions, cell : (N, 3, F) and (F, 3, 3) angstrom
    step, segment : (F,)
    grades : steps of the looks, and the grade at each
    facts : those that are not as of a whole run without grades
    """
    last = Frames.of([Atoms(atoms.numbers, positions[:, :, -1], cell=cell[-1], pbc=True)])
    candidates = last.take([]) if candidates is None else candidates
    told = {"steps": int(step[-1]), "time_fs": float(step[-1]), "n_frames": len(step), **facts}
    arrays = {
        MolecularDynamics.STEP: step,
        MolecularDynamics.SEGMENT: segment.astype(np.int32),
        MolecularDynamics.CELL: cell,
        MolecularDynamics.POSITIONS: positions,
        MolecularDynamics.NUMBERS: atoms.numbers.astype(np.int32),
        MolecularDynamics.TEMPERATURE: np.broadcast_to(temperature_K, len(step)).astype(float),
        MolecularDynamics.POTENTIAL_ENERGY: np.full(len(step), -5.2 * len(atoms)),
        MolecularDynamics.PRESSURE: np.zeros(len(step)),
        MolecularDynamics.VOLUME: np.linalg.det(cell),
        MolecularDynamics.GRADE_STEP: grades[0],
        MolecularDynamics.GRADE_VALUE: grades[1],
    }
    return Result(
        ran(**{"n_candidates": len(candidates), **told}),
        arrays=quantities(arrays),
        frames={MolecularDynamics.CANDIDATES: candidates, MolecularDynamics.LAST: last},
    )


def record_of(task: Task, facts: Facts) -> Record:
    """What a store would give of a task with these facts."""
    return Record(task.key, task.engine, task.stage, task.label, facts.stored())
