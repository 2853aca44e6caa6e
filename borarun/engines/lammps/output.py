"""Readers of what a LAMMPS run leaves: the text dump, tables of one line a step, candidates.

A run that was killed and went on may have written a step twice, or half a line: one line and one
frame a step are kept, the last. What an ended run must have and has not is a ParseError.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from borarun.basics.causes import Cause
from borarun.basics.errors import EngineError, ParseError
from borarun.engines.lammps.output_lines import BEFORE, BEHIND, read_frame
from borarun.records.frames import Frames

Array = NDArray[Any]

FRAME = b"ITEM: TIMESTEP\n"
COLUMNS = b"id type x y z ix iy iz"
HEADER_BYTES = 1024
USUAL_LINE, LONGEST_LINE = 64, 400
"""Bytes; a frame whose lines were longer on average than the second is none."""

WINDOW_B = 2**20
"""So much of a dump is in memory at a time: it stays in the processor's cache."""

BUFFER_B = 1_000_000
"""Frames are gathered in so much memory before they are put where atoms follow each other: a frame
alone would touch a page of memory for every number.
"""

_NOT_FINITE = re.compile(rb"(?i)\b(nan|inf)")


def read_dump(file: Path, n_atoms: int, steps: Array, rotation: Array) -> tuple[Array, Array]:
    """Cells and unwrapped positions of a text dump with the columns ``id type x y z ix iy iz``,
    sorted by id. A run may still be writing it.

    Parameters
    ----------
    file : the dump
    n_atoms : N
    steps : (F,) int, increasing; the steps wanted. Others are passed over
    rotation : (3, 3) orthogonal; vectors of the dump times this are the vectors returned

    Returns
    -------
    (F, 3, 3) cell, angstrom, rows are vectors; (N, 3, F) float32 positions from the corner of the
    cell, angstrom

    Raises
    ------
    ParseError
        Where a wanted frame is missing or cut short, or the dump has other columns.
    EngineError
        Where an atom of a wanted frame has no number for a place, or is there twice.

    Source: LAMMPS manual, dump; Howto_triclinic for the bounds of a tilted cell.
    """
    cell = np.zeros((len(steps), 3, 3))
    positions = np.zeros((n_atoms, 3, len(steps)), np.float32)
    found = np.zeros(len(steps), bool)
    if not len(steps):
        return cell, positions
    place = {int(step): index for index, step in enumerate(steps)}
    buffer = np.empty((max(BUFFER_B // (12 * n_atoms), 1), 3, n_atoms), np.float32)
    gathered: list[int] = []
    turn, box = np.ascontiguousarray(rotation, np.float64), np.empty((3, 3))

    def put() -> None:
        for run in np.split(
            np.arange(len(gathered)), np.flatnonzero(np.diff(gathered) != 1) + 1
        ):  # of a frame that is there twice, the last counts
            begin = gathered[run[0]]
            positions[:, :, begin : begin + len(run)] = buffer[run[0] : run[-1] + 1].T
        gathered.clear()

    try:
        with file.open("rb", buffering=0) as handle:
            window = _Window(handle)
            size = HEADER_BYTES + USUAL_LINE * n_atoms
            at = window.find(FRAME, BEFORE)
            while at >= 0:
                at = window.hold(at, size)
                step, tilted, bounds, lines = _header(file, window, at, n_atoms)
                index, end = place.get(step), 0
                if index is not None:
                    out = buffer[len(gathered)]
                    while not (
                        end := read_frame(
                            window.bytes,
                            at + bounds,
                            tilted,
                            at + lines,
                            window.filled,
                            turn,
                            box,
                            out,
                        )
                    ):
                        if window.ended or size > HEADER_BYTES + LONGEST_LINE * n_atoms:
                            break
                        size *= 2
                        at = window.hold(at, size)
                    if end:
                        cell[index] = box
                        found[index] = True
                        gathered.append(index)
                        size = HEADER_BYTES + (end - at) * 9 // 8
                if len(gathered) == len(buffer):
                    put()
                at = window.find(FRAME, max(end, at + 1))
    except FileNotFoundError as error:
        raise ParseError(file, "is missing") from error
    if gathered:
        put()
    if not found.all():
        raise _diagnosis(file, int(steps[~found][0]), n_atoms)
    return cell, positions


def _diagnosis(file: Path, step: int, n_atoms: int) -> EngineError:
    """Why the frame of a step is none: it says which atom has no number, for a run that exploded
    explodes again.
    """
    if file.stat().st_size == 0:
        return ParseError(file, f"is empty: the frame of step {step} is missing")
    with file.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as text:
        at = text.rfind(FRAME + b"%d\n" % step)
        if at < 0:
            return ParseError(file, f"the frame of step {step} is missing")
        head = text[at : at + HEADER_BYTES].partition(b"ITEM: ATOMS")
        begin = at + len(head[0]) + len(head[1])
        begin = text.find(b"\n", begin) + 1
        end = text.find(FRAME, begin)
        rows = text[begin : end if end >= 0 else len(text)][: n_atoms * LONGEST_LINE].splitlines()
    bounds = head[0].partition(b"ITEM: BOX BOUNDS")[2].split(b"\n")[1:4]
    if any(not _are_numbers(line.split()) for line in bounds):
        return _exploded(file, step, f"its cell is not a number (got {_shown(bounds)})")
    columns = len(COLUMNS.split())
    seen: dict[bytes, int] = {}
    for number, row in enumerate(rows[:n_atoms], 1):
        words = row.split()
        if words and not _are_numbers(words[2:5]) and _NOT_FINITE.search(b" ".join(words[2:5])):
            atom = words[0].decode(errors="replace")
            return _exploded(
                file,
                step,
                f"atom {atom} has a position that is not a number (got {_shown(words[2:5])})",
            )
        if len(words) != columns and number < len(rows):
            return EngineError(
                f"{file.name}: the frame of step {step}: line {number} has {len(words)} columns "
                f"instead of {columns}, {COLUMNS.decode()}.",
                remedy="Render the deck anew, without a change of its dump, and submit again.",
            )
        if len(words) == columns and words[0] in seen:
            return EngineError(
                f"{file.name}: the frame of step {step}: atom {words[0].decode(errors='replace')} "
                f"is in lines {seen[words[0]]} and {number}, and another is lacking.",
                remedy="Two programs wrote to this file, or the disk is damaged. Delete the task's "
                "directory and submit again.",
            )
        if words:
            seen[words[0]] = number
    return ParseError(file, f"the frame of step {step} is cut short")


def _exploded(file: Path, step: int, what: str) -> EngineError:
    return EngineError(
        f"{file.name}: the frame of step {step}: {what}. The run exploded.",
        remedy="Another try gives the same. Use a shorter time step, a lower temperature, or "
        "a potential trained on such configurations (active_learning).",
        cause=Cause.EXPLODED,
    )


def _are_numbers(words: Sequence[bytes]) -> bool:
    try:
        return bool(np.isfinite([float(word) for word in words]).all())
    except ValueError:
        return False


def _shown(words: Sequence[bytes]) -> str:
    return b" ".join(words).decode(errors="replace")[:80]


class _Window:
    """The part of a file that is in memory; it only moves on.

    Parameters
    ----------
    handle : of the file, at its beginning

    Attributes
    ----------
    text, bytes : what is in memory, as a text and as an array of it
    filled : where in it what was read ends; there is a zero byte
    offset : place in the file of its first byte
    ended : whether the file has no more
    """

    def __init__(self, handle: FileIO) -> None:
        self._handle = handle
        self.offset, self.filled, self.ended = -BEFORE, BEFORE, False
        self._room(WINDOW_B)

    def hold(self, at: int, size: int) -> int:
        """Have so many bytes from a place on in memory, or all that there are: where the place is
        then.
        """
        if self.filled - at >= size or self.ended:
            return at
        kept, old = self.filled - at + BEFORE, memoryview(self.text)
        if 4 * size > len(self.text):  # else most of what is read would be moved again and again
            self._room(4 * size)
        with memoryview(self.text) as room:
            room[:kept] = old[at - BEFORE : self.filled]
            self.offset, self.filled = self.offset + at - BEFORE, kept
            while self.filled < len(room) - BEHIND and not self.ended:
                read = self._handle.readinto(room[self.filled : len(room) - BEHIND])
                self.filled, self.ended = self.filled + read, not read
        self.text[self.filled] = 0
        return BEFORE

    def find(self, words: bytes, at: int) -> int:
        """The next place of some bytes; -1 where there is none."""
        while (found := self.text.find(words, at, self.filled)) < 0 and not self.ended:
            at = self.hold(max(at, self.filled - len(words) + 1), len(words))
        return found

    def _room(self, size: int) -> None:
        self.text = bytearray(BEFORE + size + BEHIND)
        self.bytes = np.frombuffer(self.text, np.uint8)


def _header(file: Path, window: _Window, at: int, n_atoms: int) -> tuple[int, bool, int, int]:
    """Of the frame at a place: step, whether it is tilted, and how far on its bounds and its first
    atom are; step -1 where it has no whole header.
    """
    lines = window.text[at : min(at + HEADER_BYTES, window.filled)].split(b"\n", 9)
    nothing = (-1, False, 0, 0)
    if len(lines) < 10:
        return nothing
    if lines[8].split() != [b"ITEM:", b"ATOMS", *COLUMNS.split()] or not lines[4].startswith(
        b"ITEM: BOX BOUNDS"
    ):
        if any(
            line.startswith(b"ITEM: TIMESTEP") for line in lines[1:]
        ):  # half a header before the next frame
            return nothing
        raise ParseError(
            file, f"has other columns than {COLUMNS.decode()} (at byte {window.offset + at})"
        )
    if not (lines[1].strip().isdigit() and lines[3].strip().isdigit()):
        return nothing
    if int(lines[3]) != n_atoms:
        raise ParseError(
            file,
            f"{int(lines[3])} atoms in a frame, {n_atoms} in the run (at byte "
            f"{window.offset + at})",
        )
    lengths = [len(line) + 1 for line in lines[:9]]
    return int(lines[1]), b" xy xz yz " in lines[4], sum(lengths[:5]), sum(lengths)


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
        raise ParseError(file, "is missing or unreadable")
    absent = [int(step) for step in steps if int(step) not in rows]
    if absent:
        raise ParseError(file, f"the line of step {absent[0]} is missing or cut short")
    kept = sorted(rows) if extra else [int(step) for step in steps]
    return np.array([rows[step] for step in kept])


def read_table_so_far(file: Path, n_columns: int) -> Array:
    """(F, n_columns): the whole lines of a table that is still being written, by increasing step;
    none where it is not there yet.
    """
    rows = _rows(file, n_columns) or {}
    return np.array([rows[step] for step in sorted(rows)]).reshape(-1, n_columns)


def _rows(file: Path, n_columns: int) -> dict[int, list[float]] | None:
    """Lines of numbers by their first, a step; of two of one step the later. None where there is no
    such text.
    """
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
        raise ParseError(file, f"is missing, cut short or damaged ({error})") from error
    if len(frames) != n_candidates or not text.endswith("\n") or frames.grade is None:
        raise ParseError(
            file, f"holds {len(frames)} complete configurations instead of {n_candidates}"
        )
    return Frames(
        frames.offsets,
        frames.numbers,
        frames.positions @ rotation,
        frames.cell @ rotation,
        grade=frames.grade,
    )
