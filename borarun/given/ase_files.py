"""Trajectories of ASE (``.traj``), read frame by frame by ASE itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from borarun.given.frame import Frame, Opened, Told, wrong

FORMAT = "ASE trajectory"
MARK = b"- of Ulm"
"""First bytes of such a file."""


def open_ase(file: Path, told: Told) -> Opened:
    """A trajectory that ASE wrote.

    Raises
    ------
    StudyError
        Where it is damaged.
    """
    return Opened(FORMAT, "frame", False, _frames(file))


def _frames(file: Path) -> Iterator[Frame]:
    from ase.io.trajectory import TrajectoryReader

    try:
        reader = TrajectoryReader(file)
        n_frames = len(reader)
    except Exception as error:  # ASE raises what its parts raise
        raise wrong(file, f"is damaged ({str(error)[:100]}).") from error
    with reader:
        for index in range(n_frames):
            try:
                atoms = reader[index]
            except Exception as error:
                raise wrong(
                    file, f"frame {index + 1} is damaged ({str(error)[:100]}). Cut it off."
                ) from error
            cell = np.asarray(atoms.cell.array)
            if not atoms.pbc.all() or not abs(np.linalg.det(cell)) > 0:
                raise wrong(file, f"frame {index + 1} has no cell, or is not periodic. Cut it off.")
            scaled = atoms.positions @ np.linalg.inv(cell)
            yield Frame(index + 1, index, atoms.numbers, cell, scaled)
