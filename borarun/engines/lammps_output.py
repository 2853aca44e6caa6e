"""Readers of what a LAMMPS run leaves: the text dump, tables of one line a step, candidates.

A run that was killed and went on may have written a step twice, or half a line: one line and one frame a step are kept, the last.
What an ended run must have and has not is a ParseError.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from borarun.errors import ParseError
from borarun.frames import Frames

Array = NDArray[Any]

FRAME = b"ITEM: TIMESTEP\n"
COLUMNS = b"id type x y z ix iy iz"
HEADER_BYTES = 1024
AGAIN = "Delete the directory of the task and start it again."


def read_dump(file: Path, n_atoms: int, steps: Array, rotation: Array) -> tuple[Array, Array]:
    """Cells and unwrapped positions of a text dump with the columns ``id type x y z ix iy iz``, sorted by id.

    Parameters
    ----------
    file : the dump
    n_atoms : N
    steps : (F,) int, increasing; the steps wanted. Others are passed over
    rotation : (3, 3) orthogonal; vectors of the dump times this are the vectors returned

    Returns
    -------
    (F, 3, 3) cell, angstrom, rows are vectors; (N, 3, F) float32 positions from the corner of the cell, angstrom

    Raises
    ------
    ParseError
        Where a wanted frame is missing or cut short, or the dump has other columns.

    Source: LAMMPS manual, dump; Howto_triclinic for the bounds of a tilted cell.
    """
    cell = np.zeros((len(steps), 3, 3))
    positions = np.zeros((n_atoms, 3, len(steps)), np.float32)
    found = np.zeros(len(steps), bool)
    if not len(steps):
        return cell, positions
    place = {int(step): index for index, step in enumerate(steps)}
    try:
        with file.open("rb") as handle:
            text = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
    except (FileNotFoundError, ValueError) as error:
        raise ParseError(file, "is missing or empty", remedy=AGAIN) from error
    bytes_ = np.frombuffer(text, np.uint8)
    at = text.find(FRAME)
    while at >= 0:
        step, origin, box, start = _header(file, text, at, n_atoms)
        index = place.get(step)
        end = _atoms(bytes_, start, n_atoms, origin, box, rotation, positions[:, :, index]) if index is not None else 0
        if end and index is not None:
            cell[index] = box @ rotation
            found[index] = True
        at = text.find(FRAME, max(end, at + 1))
    if not found.all():
        raise ParseError(file, f"the frame of step {steps[~found][0]} is missing or cut short", remedy=AGAIN)
    return cell, positions


def _header(file: Path, text: mmap.mmap, at: int, n_atoms: int) -> tuple[int, Array, Array, int]:
    """Step, origin, cell and place of the first atom of the frame at a byte; step -1 where it has no whole header."""
    lines = text[at : at + HEADER_BYTES].split(b"\n", 9)
    nothing = (-1, np.zeros(3), np.zeros((3, 3)), 0)
    if len(lines) < 10:
        return nothing
    if not lines[8].startswith(b"ITEM: ATOMS " + COLUMNS) or not lines[4].startswith(b"ITEM: BOX BOUNDS"):
        if any(line.startswith(b"ITEM: TIMESTEP") for line in lines[1:]):  # half a header before the next frame
            return nothing
        raise ParseError(file, f"has other columns than {COLUMNS.decode()} (at byte {at})")
    if int(lines[3]) != n_atoms:
        raise ParseError(file, f"{int(lines[3])} atoms in a frame, {n_atoms} in the run (at byte {at})")
    bounds = np.array([[float(word) for word in line.split()] for line in lines[5:8]])
    if b" xy xz yz " in lines[4]:
        xy, xz, yz = bounds[:, 2]
        bounds[0, 0] -= min(0.0, xy, xz, xy + xz)
        bounds[0, 1] -= max(0.0, xy, xz, xy + xz)
        bounds[1, 0] -= min(0.0, yz)
        bounds[1, 1] -= max(0.0, yz)
    else:
        xy = xz = yz = 0.0
    x, y, z = bounds[:, 1] - bounds[:, 0]
    box = np.array([[x, 0.0, 0.0], [xy, y, 0.0], [xz, yz, z]])
    return int(lines[1]), bounds[:, 0].copy(), box, at + sum(len(line) + 1 for line in lines[:9])


@njit(cache=True)
def _atoms(text: Array, at: int, n_atoms: int, origin: Array, box: Array, rotation: Array, out: Array) -> int:
    """Read the lines of one frame into out (N, 3): where they end, or 0 where they end early or hold what is no number."""
    row = np.empty(8)
    size = len(text)
    for atom in range(n_atoms):
        for column in range(8):
            while at < size and text[at] == 32:
                at += 1
            sign = 1.0
            if at < size and text[at] == 45:
                sign = -1.0
                at += 1
            value, scale, digits, exponent, minus = 0.0, 1.0, 0, 0, False
            fraction = False
            while at < size:
                c = text[at]
                if 48 <= c <= 57:
                    value = 10.0 * value + (c - 48)
                    digits += 1
                    if fraction:
                        scale *= 10.0
                elif c == 46 and not fraction:
                    fraction = True
                else:
                    break
                at += 1
            if digits == 0:
                return 0
            if at < size and (text[at] == 101 or text[at] == 69):
                at += 1
                if at < size and (text[at] == 45 or text[at] == 43):
                    minus = text[at] == 45
                    at += 1
                while at < size and 48 <= text[at] <= 57:
                    exponent = 10 * exponent + (text[at] - 48)
                    at += 1
            value = sign * value / scale
            row[column] = value * 10.0 ** (-exponent if minus else exponent) if exponent else value
            if at >= size or (text[at] != 32 and text[at] != 10):
                return 0
        while at < size and text[at] == 32:
            at += 1
        if at >= size or text[at] != 10 or row[0] != atom + 1:
            return 0
        at += 1
        for axis in range(3):
            value = 0.0
            for a in range(3):
                unwrapped = row[2 + a] - origin[a]
                for b in range(3):
                    unwrapped += row[5 + b] * box[b, a]
                value += unwrapped * rotation[a, axis]
            out[atom, axis] = value
    return at


def read_table(file: Path, n_columns: int, steps: Array, *, extra: bool = False) -> Array:
    """Lines of numbers whose first is a step.

    Parameters
    ----------
    file : the table
    n_columns : numbers a line
    steps : (F,) int, increasing; the steps that must be there
    extra : whether lines of other steps up to the last wanted one are kept too

    Returns
    -------
    (F or more, n_columns), by increasing step

    Raises
    ------
    ParseError
        Where a wanted line is missing or cut short.
    """
    if not len(steps):
        return np.zeros((0, n_columns))
    try:
        lines = file.read_text().split("\n")[:-1]  # what no newline ends was not written whole
    except (FileNotFoundError, UnicodeDecodeError):
        raise ParseError(file, "is missing or no text", remedy=AGAIN) from None
    rows: dict[int, list[float]] = {}
    for line in lines:
        words = line.split()
        try:
            if len(words) == n_columns:
                rows[int(words[0])] = [float(word) for word in words]
        except ValueError:
            continue
    absent = [int(step) for step in steps if int(step) not in rows]
    if absent:
        raise ParseError(file, f"the line of step {absent[0]} is missing or cut short", remedy=AGAIN)
    kept = sorted(rows) if extra else [int(step) for step in steps]
    return np.array([rows[step] for step in kept])


def read_candidates(file: Path, n_candidates: int, rotation: Array) -> Frames:
    """Configurations that the program kept, turned back.

    Parameters
    ----------
    file : extended XYZ
    n_candidates : how many there must be
    rotation : (3, 3) orthogonal; vectors of the file times this are the vectors returned

    Raises
    ------
    ParseError
        Where there are more or fewer.
    """
    if not n_candidates:
        return Frames.of([])
    try:
        text = file.read_text()
        frames = Frames.from_extxyz(text)
    except Exception as error:  # ASE raises all kinds of errors on text that is cut short
        raise ParseError(file, f"is missing, cut short or damaged ({error})", remedy=AGAIN) from error
    if len(frames) != n_candidates or not text.endswith("\n") or frames.grade is None:
        raise ParseError(file, f"holds {len(frames)} whole configurations instead of {n_candidates}", remedy=AGAIN)
    return Frames(frames.offsets, frames.numbers, frames.positions @ rotation, frames.cell @ rotation, grade=frames.grade)
