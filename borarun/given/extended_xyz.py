"""Extended XYZ, frame by frame: the first with all care, the others by the same columns.

Source: the format of ASE's ``ase.io.extxyz``.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from borarun.basics.errors import StudyError
from borarun.given.frame import Array, Frame, Opened, Tick, Told, wrong
from borarun.given.lines import NUMBER, SKIPPED, WORD
from borarun.given.rows import mapped, rows_of
from borarun.structures.files.extended_xyz import (
    Configuration,
    configurations,
    not_periodic,
    read_comment,
)
from borarun.structures.files.text import count

FORMAT = "extended XYZ"

TIMES_FS = {"Time": 1.0, "time_fs": 1.0, "time_ps": 1000.0}
"""Keys of the comment line that hold the time in a known unit, fs; ``Time`` is GPUMD's."""

LINE_B = 120


def open_extended_xyz(file: Path, told: Told) -> Opened:
    """An extended XYZ file.

    Raises
    ------
    StudyError
        Where it is none, or its first frame is no crystal.
    """
    text = mapped(file)
    first = _first(file, text)
    key = next((key for key in TIMES_FS if key in first.info), "")
    tick: Tick = "fs" if key else "frame"
    remarks: list[str] = []
    return Opened(FORMAT, tick, False, _frames(file, text, first, key, remarks), remarks)


@dataclass(frozen=True)
class _Head:
    n_atoms: int
    comment: str
    lines: int


def _head(text: mmap.mmap, at: int) -> _Head | None:
    """Number of atoms and comment of the frame at a place; None where they are not whole."""
    end = text.find(b"\n", at)
    stop = text.find(b"\n", end + 1)
    if end < 0 or stop < 0:
        return None
    n_atoms = count(text[at:end].decode(errors="replace").strip())
    return _Head(n_atoms, text[end + 1 : stop].decode(errors="replace"), stop + 1)


def _first(file: Path, text: mmap.mmap) -> Configuration:
    """The first frame, as the reader of structures has it."""
    try:
        head = _head(text, 0)
        if head is None:
            raise wrong(file, "ends before its first frame does. Check the file.")
        end = head.lines
        for _ in range(head.n_atoms):
            end = text.find(b"\n", end) + 1
            if not end:
                raise wrong(file, "ends before its first frame does. Check the file.")
        first = next(configurations(text[:end].decode(errors="replace")))
    except ValueError as error:
        raise wrong(file, f"is no extended XYZ: {error}.") from error
    except StudyError as error:
        if error.problems[0].file == str(file):
            raise
        raise wrong(file, f"frame 1: {error.problems[0].message}") from error
    if first.cell is None:
        raise wrong(
            file,
            "has no cell (no Lattice in the comment line), and volume and unwrapping need one. "
            'Write Lattice="ax ay az bx by bz cx cy cz" into it.',
        )
    if not all(first.periodic):
        raise wrong(file, not_periodic(first.periodic))
    return first


def _frames(
    file: Path, text: mmap.mmap, first: Configuration, key: str, remarks: list[str]
) -> Iterator[Frame]:
    at, number, size = 0, 0, LINE_B * len(first.numbers)
    known: dict[bytes, Array] = {}  # atomic numbers, by the words that stand for them
    while at < len(text):
        number += 1
        try:
            head = _head(text, at)
        except ValueError as error:
            if not text[at:].strip():
                break
            raise wrong(
                file,
                f"frame {number}: {error}. The file is damaged: cut it before this frame.",
            ) from error
        if head is None:
            if text[at:].strip():
                remarks.append("the last frame is cut short and left out")
            break
        try:
            said = read_comment(head.comment)
        except ValueError as error:
            raise wrong(file, f"frame {number}: {error}") from error
        if said.cell is None or not all(said.periodic):
            raise wrong(file, f"frame {number} has no cell, or is not periodic. Cut it off.")
        kinds, numbered = _kinds(said.properties)
        rows, end, values, words = rows_of(text, head.lines, head.n_atoms, kinds, size)
        if rows < head.n_atoms:
            if text.find(b"\n", end) >= 0:
                line = text[end : text.find(b"\n", end)].decode(errors="replace")[:80]
                raise wrong(
                    file,
                    f"frame {number}, atom line {rows + 1}: does not fit Properties, or is not a "
                    f"number (got {line!r}). Cut the file before this frame.",
                )
            remarks.append("the last frame is cut short and left out")
            break
        size = (end - head.lines) * 9 // 8 + 100
        if (when := said.info.get(key)) is not None and not isinstance(
            when, int | float | np.number
        ):
            raise wrong(file, f"frame {number}: {key} is not a number (got {str(when)[:40]!r}).")
        if key and when is None:
            raise wrong(file, f"frame {number} does not say its {key}, as the first does.")
        names = words if words.size else values[:, numbered.index("Z")]
        numbers = known.get(word := names.tobytes())
        if numbers is None:
            numbers = known[word] = _numbers(file, text, at, end, number)
        begin = numbered.index("pos")
        yield Frame(
            number,
            float(when) * TIMES_FS[key] if when is not None else number,
            numbers,
            said.cell,
            values[:, begin : begin + 3] @ np.linalg.inv(said.cell),
        )
        at = end


def _numbers(file: Path, text: mmap.mmap, at: int, end: int, number: int) -> Array:
    """Atomic numbers of a frame, as the reader of structures has them."""
    try:
        return next(configurations(text[at:end].decode(errors="replace"))).numbers
    except StudyError as error:
        raise wrong(file, f"frame {number}: {error.problems[0].message}") from error


def _kinds(properties: list[tuple[str, str, int]]) -> tuple[Array, list[str]]:
    """What each column is read as, and the names of those that are read as numbers."""
    kinds, numbered = [], []
    has_species = any(name == "species" for name, _, _ in properties)
    for name, _, size in properties:
        wanted = name == "pos" or (name == "Z" and not has_species)
        kinds += [NUMBER if wanted else WORD if name == "species" else SKIPPED] * size
        numbered += [name] * size if wanted else []
    return np.array(kinds, np.int64), numbered
