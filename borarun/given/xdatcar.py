"""XDATCAR of VASP: positions in units of the cell, which is there once or before each frame.

An own reader, because ASE's and pymatgen's keep an object for every frame in memory.

Source: VASP wiki, XDATCAR and NBLOCK.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols

from borarun.given.frame import Array, Frame, Opened, Told, wrong
from borarun.given.lines import NUMBER
from borarun.given.rows import mapped, rows_of
from borarun.structures.files.text import element

FORMAT = "XDATCAR"
MARK = b"configuration="
"""In the line above the positions of a frame."""

KINDS = np.full(3, NUMBER, np.int64)
LONGEST_HEADER = 4096
LINE_B = 48


def open_xdatcar(file: Path, told: Told) -> Opened:
    """An XDATCAR.

    Raises
    ------
    StudyError
        Where its header is none, or does not name the elements.
    """
    text = mapped(file)
    first = _cell_before(file, text, 0, told, None)
    remarks: list[str] = []
    return Opened(FORMAT, "frame", False, _frames(file, text, first, told, remarks), remarks)


@dataclass(frozen=True)
class _Crystal:
    """What the header says; ``lines`` is where the line above the next positions begins."""

    numbers: Array
    cell: Array
    lines: int


def _cell_before(
    file: Path, text: mmap.mmap, at: int, told: Told, before: _Crystal | None
) -> _Crystal:
    """The crystal of the frame that begins at a place: that before, where there is no header."""
    mark = text.find(MARK, at)
    begin = text.rfind(b"\n", at, mark) + 1 if mark >= 0 else -1
    begin = max(begin, at)
    header = text[at:begin].decode(errors="replace").splitlines() if mark >= 0 else []
    header = [line for line in header if line.strip()] if before else header
    if before is not None and not header:
        return _Crystal(before.numbers, before.cell, begin)
    if mark < 0 or not 6 <= len(header) <= 7 or begin - at > LONGEST_HEADER:
        where = "begins" if before is None else "has a frame that begins"
        raise wrong(
            file, f"{where} with no header of an XDATCAR: title, scale, cell, elements, counts."
        )
    if not text[begin:mark].strip().lower().startswith(b"direct"):
        raise wrong(file, "has Cartesian positions. Direct ones are read, as VASP writes them.")
    try:
        scale = float(header[1])
        cell = np.array([[float(word) for word in line.split()] for line in header[2:5]])
        if cell.shape != (3, 3):
            raise ValueError("three numbers a line make a cell")
        volume = abs(float(np.linalg.det(cell)))
        cell = cell * (scale if scale > 0 else (-scale / volume) ** (1 / 3))
        counts = [int(word) for word in header[-1].split()]
        symbols = [element(word.split("_")[0].split("/")[0]) for word in header[5].split()]
    except (ValueError, ZeroDivisionError) as error:
        if len(header) == 6 and not told.elements:
            raise wrong(
                file,
                "does not name its elements. Give --elements in the order of the POSCAR, as in "
                "--elements Li,B,H (key: elements).",
            ) from error
        if len(header) != 6:
            raise wrong(file, f"its header is unreadable ({error}).") from error
        symbols = list(told.elements)
    if len(symbols) != len(counts):
        raise wrong(file, f"names {len(symbols)} elements and {len(counts)} counts of atoms.")
    numbers = np.repeat([chemical_symbols.index(symbol) for symbol in symbols], counts)
    return _Crystal(numbers.astype(np.int32), cell, begin)


def _frames(
    file: Path, text: mmap.mmap, first: _Crystal, told: Told, remarks: list[str]
) -> Iterator[Frame]:
    at, number, size = 0, 0, LINE_B * len(first.numbers)
    crystal: _Crystal | None = None
    while text.find(MARK, at) >= 0:
        number += 1
        crystal = _cell_before(file, text, at, told, crystal)
        begin = text.find(b"\n", crystal.lines) + 1
        n_atoms = len(crystal.numbers)
        rows, end, values, _ = rows_of(text, begin or len(text), n_atoms, KINDS, size)
        if rows < n_atoms:
            if text.find(b"\n", end) >= 0 and text.find(MARK, end) >= 0:
                line = text[end : text.find(b"\n", end)].decode(errors="replace")[:80]
                raise wrong(
                    file,
                    f"frame {number}, atom line {rows + 1}: is not three numbers (got {line!r}). "
                    "Cut the file before this frame.",
                )
            remarks.append("the last frame is cut short and left out")
            return
        size = (end - begin) * 9 // 8 + 100
        yield Frame(number, number, crystal.numbers, crystal.cell, values)
        at = end
