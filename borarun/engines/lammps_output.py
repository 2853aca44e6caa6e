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
LONGEST_LINE = 400
"""Bytes; a frame whose lines were longer on average is none."""

ONE = np.uint64(1)
"""Places in a text are counted without sign: compiled code then need not look for negative ones."""

MOST_DIGITS = 18
"""Digits that an integer of 64 bits holds for certain; a double has sixteen."""

TENS = 10.0 ** np.arange(23)
"""Powers of ten that a double holds exactly."""

BUFFER_B = 4_000_000
"""Frames are gathered in so much memory before they are put where atoms follow each other: a frame alone would touch a page of memory for every number."""

AGAIN = "Submit again: it is done anew."


def read_dump(file: Path, n_atoms: int, steps: Array, rotation: Array, *, growing: bool = False) -> tuple[Array, Array]:
    """Cells and unwrapped positions of a text dump with the columns ``id type x y z ix iy iz``, sorted by id.

    Parameters
    ----------
    file : the dump
    n_atoms : N
    steps : (F,) int, increasing; the steps wanted. Others are passed over
    rotation : (3, 3) orthogonal; vectors of the dump times this are the vectors returned
    growing : whether a run still writes it. It is copied to memory then: a run that goes on from a restart cuts it, and a file that is cut while it is
        mapped ends whoever reads it

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
            text = handle.read() if growing else mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
    except (FileNotFoundError, ValueError) as error:
        raise ParseError(file, "is missing or empty", remedy=AGAIN) from error
    bytes_ = np.frombuffer(text, np.uint8)
    buffer = np.empty((max(BUFFER_B // (12 * n_atoms), 1), n_atoms, 3), np.float32)
    gathered: list[int] = []
    page = np.empty(48 * n_atoms + 1, np.uint8)

    def put() -> None:
        ordered = np.argsort(gathered, kind="stable")  # of a frame that is there twice, the last counts
        for part in np.split(ordered, np.flatnonzero(np.diff(np.array(gathered)[ordered]) != 1) + 1):
            begin = gathered[part[0]]
            positions[:, :, begin : begin + len(part)] = np.moveaxis(buffer[part], 0, 2)
        gathered.clear()

    at = text.find(FRAME)
    while at >= 0:
        step, origin, box, start = _header(file, text, at, n_atoms)
        index = place.get(step)
        end = 0
        if index is not None:
            images = box @ rotation
            end, page = _frame(bytes_, start, n_atoms, (origin, images, rotation), buffer[len(gathered)], page)
            if end:
                cell[index] = images
                found[index] = True
                gathered.append(index)
        if len(gathered) == len(buffer):
            put()
        at = text.find(FRAME, max(end, at + 1))
    if gathered:
        put()
    if not found.all():
        raise ParseError(file, f"the frame of step {steps[~found][0]} is missing or cut short", remedy=AGAIN)
    return cell, positions


def _frame(text: Array, start: int, n_atoms: int, box: tuple[Array, Array, Array], out: Array, page: Array) -> tuple[int, Array]:
    """Read the frame whose atoms begin at a byte: where it ends, 0 where it is not whole, and a page that the next one fits in, too."""
    while True:
        here = min(len(page) - 1, len(text) - start)
        page[:here] = text[start : start + here]
        page[here] = 0
        if end := _atoms(page[: here + 1], n_atoms, *box, out):
            return start + end, page
        if here < len(page) - 1 or here > LONGEST_LINE * n_atoms:
            return 0, page
        page = np.empty(2 * len(page), np.uint8)


def _header(file: Path, text: mmap.mmap | bytes, at: int, n_atoms: int) -> tuple[int, Array, Array, int]:
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
    return int(lines[1]), bounds[:, 0].copy(), box, at + len(b"\n".join(lines[:9])) + 1


@njit(cache=True)
def _atoms(text: Array, n_atoms: int, origin: Array, images: Array, rotation: Array, out: Array) -> int:
    """Read the lines of one frame into out (N, 3): where they end, or 0 where they end early or hold what is no number.

    Parameters
    ----------
    text : (n,) uint8, from the first line on; the last byte is zero, which ends every number and every line
    origin : (3,) corner of the cell
    images : (3, 3) what an image flag along each vector of the cell adds to a position, rotated as ``rotation`` does it
    """
    at: Any = np.uint64(0)
    for atom in range(n_atoms):
        number, at = _integer(text, at)
        if number != atom + 1:
            return 0
        _, at = _integer(text, at)
        x, at = _real(text, at)
        y, at = _real(text, at)
        z, at = _real(text, at)
        i, at = _integer(text, at)
        j, at = _integer(text, at)
        k, at = _integer(text, at)
        while text[at] == 32:
            at += ONE
        if text[at] != 10:
            return 0
        at += ONE
        x, y, z = x - origin[0], y - origin[1], z - origin[2]
        for axis in range(3):
            value = x * rotation[0, axis] + y * rotation[1, axis] + z * rotation[2, axis]
            out[atom, axis] = value + (i * images[0, axis] + j * images[1, axis] + k * images[2, axis])
    return int(np.int64(at))


@njit(cache=True)
def _digits(text: Array, at: Any, value: Any) -> Any:
    """A whole number that begins as ``value`` and goes on with the digits from a byte on, and where they end."""
    digit = np.uint8(text[at] - 48)
    while digit < 10:
        value = 10 * value + digit
        at += ONE
        digit = np.uint8(text[at] - 48)
    return value, at


@njit(cache=True)
def _integer(text: Array, at: Any) -> Any:
    """A whole number behind spaces, and where it ends: before a space or the end of the line. Where there is none, that is the end of the text."""
    while text[at] == 32:
        at += ONE
    minus = text[at] == 45
    if minus:
        at += ONE
    begun = at
    value, at = _digits(text, at, 0)
    if at == begun or (text[at] != 32 and text[at] != 10):
        return 0, np.uint64(len(text) - 1)
    return -value if minus else value, at


@njit(cache=True)
def _real(text: Array, at: Any) -> Any:
    """The same of a number with a fraction or an exponent. Its digits are taken as one whole number where that is exact, and divided once."""
    while text[at] == 32:
        at += ONE
    minus = text[at] == 45
    if minus:
        at += ONE
    begun = at
    value, at = _digits(text, at, 0)
    digits: Any = np.int64(at - begun)
    shift: Any = 0
    if text[at] == 46:
        at += ONE
        point = at
        value, at = _digits(text, at, value)
        shift = -np.int64(at - point)
        digits -= shift
    if digits == 0:
        return 0.0, np.uint64(len(text) - 1)
    found = float(value)
    if digits > MOST_DIGITS:
        found = _long(text, begun)
    if text[at] == 101 or text[at] == 69:
        at += ONE
        down = text[at] == 45
        if down or text[at] == 43:
            at += ONE
        exponent: Any = 0
        digit = np.uint8(text[at] - 48)
        while digit < 10:
            exponent = min(10 * exponent + digit, 1000)
            at += ONE
            digit = np.uint8(text[at] - 48)
        shift += -exponent if down else exponent
    if text[at] != 32 and text[at] != 10:
        return 0.0, np.uint64(len(text) - 1)
    found = found / TENS[-shift] if -len(TENS) < shift <= 0 else found * 10.0**shift
    return -found if minus else found, at


@njit(cache=True)
def _long(text: Array, at: Any) -> float:
    """Digits with or without a point, as one number."""
    value = 0.0
    while text[at] == 46 or np.uint8(text[at] - 48) < 10:
        if text[at] != 46:
            value = 10.0 * value + (text[at] - 48)
        at += ONE
    return value


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
    rows = _rows(file, n_columns)
    if rows is None:
        raise ParseError(file, "is missing or no text", remedy=AGAIN)
    absent = [int(step) for step in steps if int(step) not in rows]
    if absent:
        raise ParseError(file, f"the line of step {absent[0]} is missing or cut short", remedy=AGAIN)
    kept = sorted(rows) if extra else [int(step) for step in steps]
    return np.array([rows[step] for step in kept])


def read_table_so_far(file: Path, n_columns: int) -> Array:
    """(F, n_columns): the whole lines of a table that is still being written, by increasing step; none where it is not there yet."""
    rows = _rows(file, n_columns) or {}
    return np.array([rows[step] for step in sorted(rows)]).reshape(-1, n_columns)


def _rows(file: Path, n_columns: int) -> dict[int, list[float]] | None:
    """Lines of numbers by their first, a step; of two of one step the later. None where there is no such text."""
    try:
        lines = file.read_text().split("\n")[:-1]  # what no newline ends was not written whole
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    rows: dict[int, list[float]] = {}
    for line in lines:
        words = line.split()
        try:
            if len(words) == n_columns:
                rows[int(words[0])] = [float(word) for word in words]
        except ValueError:
            continue
    return rows


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
