"""The frames of embedded molecular dynamics, in binary: written by the process that has them, read
when they become the record.

``frames.bin`` holds one record after the other, all of one size: the step (int64), the cell (nine
float64, angstrom) and the unwrapped positions (three times N float32, angstrom), little-endian,
counted from the corner of the cell and turned back to the orientation of the start. A record that
was not written whole is the last one, and is cut off.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from borarun.basics.errors import ParseError

Array = NDArray[Any]

NAME = "frames.bin"

DECIMALS = 5
"""Of coordinates, angstrom: as many as LAMMPS's dump has where a site's own LAMMPS runs."""

BLOCK_B = 1_000_000
"""Frames are turned round in so much memory at a time, which stays in the processor's cache."""


def record_of(n_atoms: int) -> np.dtype[Any]:
    """The layout of one frame of so many atoms."""
    return np.dtype([("step", "<i8"), ("cell", "<f8", (3, 3)), ("positions", "<f4", (3, n_atoms))])


class Frames:
    """The frames of a run, as they are written.

    Parameters
    ----------
    file : at whose end is the last frame
    n_atoms : N
    rotation : (3, 3) orthogonal; vectors of LAMMPS times this are those of the start
    sampling : (first step, last step, steps between frames) of each segment
    """

    def __init__(
        self, file: Path, n_atoms: int, rotation: Array, sampling: list[list[int]]
    ) -> None:
        self._frame = np.zeros(1, record_of(n_atoms))
        self._rotation = rotation
        self._sampled = [part for part in sampling if part[2] and part[1] > part[0]]
        self._file = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        size = os.fstat(self._file).st_size
        self._end = size - size % self._frame.nbytes
        steps = _steps(file, n_atoms)
        self._last = int(steps[-1]) if len(steps) else -1

    def asked(self, step: int) -> bool:
        """Whether there is to be a frame of this step."""
        return any(
            first <= step <= last and step % every == 0 for first, last, every in self._sampled
        )

    def keep(
        self, step: int, order: Array, x: Array, images: Array, low: Array, cell: Array
    ) -> None:
        """Write a frame. LAMMPS shows a step again where a run begins: the later one counts.

        Parameters
        ----------
        step : time step
        order : (N,) where each atom of LAMMPS's memory belongs
        x : (N, 3) positions in that order, angstrom
        images : (N, 3) how often each atom left the cell
        low : (3,) corner of the cell, angstrom
        cell : (3, 3) angstrom, rows are vectors
        """
        frame = self._frame[0]
        frame["step"], frame["cell"] = step, cell @ self._rotation
        unwrapped = (np.round(x, DECIMALS) - low + images @ cell) @ self._rotation
        frame["positions"][:, order] = unwrapped.T
        if step == self._last:
            self._end -= self._frame.nbytes
        os.pwrite(self._file, self._frame.tobytes(), self._end)
        self._end += self._frame.nbytes
        self._last = step

    def close(self) -> None:
        """All frames are written."""
        os.close(self._file)


def cut(file: Path, n_atoms: int, step: int) -> set[int]:
    """Cut the frames after a step off, and one that was not written whole; the steps that are
    left.
    """
    if not file.exists():
        return set()
    size = record_of(n_atoms).itemsize
    steps = _steps(file, n_atoms)
    kept = int(np.searchsorted(steps, step, side="right"))
    os.truncate(file, kept * size)
    return set(steps[:kept].tolist())


def read_frames(file: Path, n_atoms: int, steps: Array) -> tuple[Array, Array]:
    """Frames of some steps. A run may still be writing the file.

    Parameters
    ----------
    n_atoms : N
    steps : (F,) int, increasing; the steps wanted. Others are passed over

    Returns
    -------
    (F, 3, 3) cell, angstrom, rows are vectors; (N, 3, F) float32 positions from the corner of the
    cell, angstrom

    Raises
    ------
    ParseError
        Where a wanted frame is missing or cut short, or the frames are not in order.
    """
    cell, positions = np.zeros((len(steps), 3, 3)), np.zeros((n_atoms, 3, len(steps)), np.float32)
    if not len(steps):
        return cell, positions
    try:
        found = _steps(file, n_atoms)
    except FileNotFoundError as error:
        raise ParseError(file, "is missing") from error
    if (np.diff(found) <= 0).any():
        raise ParseError(file, "holds frames that are not in order")
    places = np.searchsorted(found, steps)
    there = places < len(found)
    there[there] = found[places[there]] == steps[there]
    if not there.all():
        raise ParseError(file, f"the frame of step {steps[~there][0]} is missing or cut short")
    frames = np.memmap(file, record_of(n_atoms), "r", shape=(len(found),))
    together = max(BLOCK_B // frames.itemsize, 1)
    for begin in range(0, len(steps), together):
        block = frames[places[begin : begin + together]]
        cell[begin : begin + together] = block["cell"]
        positions[:, :, begin : begin + together] = np.moveaxis(
            block["positions"], (0, 1, 2), (2, 1, 0)
        )
    return cell, positions


def _steps(file: Path, n_atoms: int) -> NDArray[np.int64]:
    """(F,) the step of every whole frame."""
    size = record_of(n_atoms).itemsize
    n_frames = file.stat().st_size // size
    if not n_frames:
        return np.zeros(0, np.int64)
    return np.array(np.memmap(file, record_of(n_atoms), "r", shape=(n_frames,))["step"])
