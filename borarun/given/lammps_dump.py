"""Text dumps of LAMMPS, in any order of columns and of atoms.

A dump that borarun's own reader knows (``id type x y z ix iy iz``, sorted by id) is read by it,
which is ten times as fast.

Source: LAMMPS manual, dump, dump_modify, Howto_triclinic, units.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_masses, chemical_symbols
from numpy.typing import NDArray

from borarun.basics.errors import EngineError
from borarun.engines.lammps.output import COLUMNS, read_dump
from borarun.given.frame import Array, Frame, Opened, Tick, Told, wrong
from borarun.given.gathered import (
    Gathered,
    Wanted,
    check_memory,
    check_time,
    continued,
    evened,
)
from borarun.given.lines import NUMBER, SKIPPED, WORD, decoded
from borarun.given.rows import mapped, rows_of
from borarun.structures.files.text import element

FORMAT = "LAMMPS dump"
FIRST = b"ITEM: "
STEP = b"ITEM: TIMESTEP"
TIME = b"ITEM: TIME\n"

LENGTHS_A = {
    "metal": 1.0,
    "real": 1.0,
    "electron": 0.529177210903,
    "nano": 10.0,
    "micro": 1e4,
    "cgs": 1e8,
    "si": 1e10,
}
"""Unit of length of each of LAMMPS's ``units``, angstrom; ``lj`` has none."""

TIMES_FS = {"metal": 1e3, "real": 1.0, "electron": 1.0, "nano": 1e6, "micro": 1e9, "si": 1e15}
"""Unit of time, fs."""

POSITIONS = (
    (("xsu", "ysu", "zsu"), True, True),
    (("xu", "yu", "zu"), False, True),
    (("x", "y", "z"), False, False),
    (("xs", "ys", "zs"), True, False),
)
"""Columns of positions, whether they are in units of the cell, and whether they are unwrapped; the
earlier ones tell more.
"""

IMAGES = ("ix", "iy", "iz")

LONGEST_HEADER = 2048
MASS_TOLERANCE = 0.3
"""By how much a mass may differ from that of its element, u."""

HEADER_LINES = 9
"""Before the atoms of a frame in a dump of borarun's."""

LINE_B = 120
"""A first guess of the length of a line."""


@dataclass(frozen=True)
class _Header:
    """What stands before the atoms of a frame.

    Attributes
    ----------
    step : of the frame
    time : in the unit of the run; None where it is not told
    units : LAMMPS's name of them; empty where they are not told
    n_atoms : N
    origin, cell : (3,) and (3, 3), in the run's unit of length
    columns : names of the columns
    lines : where the first atom's line begins
    """

    step: int
    time: float | None
    units: str
    n_atoms: int
    origin: Array
    cell: Array
    columns: tuple[str, ...]
    lines: int


class _CutShortError(Exception):
    """A header that is not whole."""


def open_dump(file: Path, told: Told) -> Opened:
    """A text dump.

    Raises
    ------
    StudyError
        Where the first frame does not say what is needed: elements, positions, a periodic cell.
    """
    text = mapped(file)
    at = text.find(FIRST)
    if at < 0:
        raise wrong(file, "is no text dump of LAMMPS: it has no line that begins with ITEM:.")
    try:
        header = _header(file, text, at)
    except _CutShortError as error:
        raise wrong(file, "ends before its first frame does. Check the file.") from error
    layout = _layout(file, header, told)
    tick: Tick = "step" if header.time is None or layout.time_fs is None else "fs"
    remarks: list[str] = []
    if "id" not in header.columns:
        remarks.append("has no column id: atoms are taken to be in the same order in all frames")
    return Opened(
        FORMAT, tick, layout.unwrapped, _frames(file, text, at, layout, tick, remarks), remarks
    )


def own_dump(file: Path, told: Told, wanted: Wanted) -> Gathered | None:
    """A dump with the columns that borarun's own runs write, read by their reader; None where it is
    another one, or damaged.
    """
    text = mapped(file)
    at = text.find(FIRST)
    try:
        header = _header(file, text, at)
    except _CutShortError:
        return None
    usual = header.columns == tuple(COLUMNS.decode().split())
    if not usual or at or header.units or told.units not in ("", "metal", "real"):
        return None
    steps, remarks = _whole_steps(text, header.n_atoms)
    layout = _layout(file, header, told)
    check_time(file, "step", wanted)
    kept = np.unique(steps)[:: wanted.stride]
    check_memory(file, header.n_atoms, len(kept))
    rows, _, values, words = rows_of(text, header.lines, header.n_atoms, layout.kinds, LINE_B)
    if rows < header.n_atoms or not len(kept):
        return None
    numbers = _frame(file, 1, header, layout, "step", values, words).numbers
    try:
        cell, positions = read_dump(file, header.n_atoms, kept, np.eye(3))
    except EngineError:  # the reader of all dumps says what is wrong, or passes over it
        return None
    for index in range(1, len(cell)):
        cell[index] = continued(cell[index], cell[index - 1])
    if doubled := len(steps) - len(np.unique(steps)):
        remarks.append(
            f"{doubled} frames are there twice, as after a restart: the later ones count"
        )
    return evened(file, numbers, kept, cell, positions, "step", wanted, FORMAT, remarks)


def _whole_steps(text: mmap.mmap, n_atoms: int) -> tuple[Array, list[str]]:
    """Steps of the frames in the order of the file, the last only if it is whole."""
    steps, at = [], text.find(STEP)
    last = at
    while at >= 0:
        last = at
        word = text[at + len(STEP) : at + len(STEP) + 24].split()
        steps.append(int(word[0]) if word and word[0].isdigit() else -1)
        at = text.find(STEP, at + len(STEP))
    cut = text[last:].count(b"\n") < n_atoms + HEADER_LINES
    return np.array(steps[:-1] if cut else steps, np.int64), [_cut(1)] if cut else []


def _cut(count: int) -> str:
    return f"{count} {'frame is' if count == 1 else 'frames are'} cut short and left out"


@dataclass(frozen=True)
class _Layout:
    """How the lines of all frames are read; roles are columns of numbers or of words.

    Attributes
    ----------
    columns : names
    kinds : (columns,) what each is read as
    id_at, place_at, image_at : columns among the numbers; id_at -1 where there are no ids,
        image_at empty where images are not used
    species : ``element``, ``type`` or ``mass``
    species_at : column among the words of an element, else among the numbers
    elements : of the types
    scaled, unwrapped : how positions are written
    length_A, time_fs : units; time_fs None where it is not known
    """

    columns: tuple[str, ...]
    kinds: Array
    id_at: int
    place_at: tuple[int, ...]
    image_at: tuple[int, ...]
    species: str
    species_at: int
    elements: tuple[int, ...]
    scaled: bool
    unwrapped: bool
    length_A: float
    time_fs: float | None


def _layout(file: Path, header: _Header, told: Told) -> _Layout:
    columns = header.columns
    names, scaled, unwrapped = next(
        (each for each in POSITIONS if set(each[0]) <= set(columns)), ((), False, False)
    )
    if not names:
        raise wrong(
            file,
            f"has no positions: none of x y z, xu yu zu, xs ys zs and xsu ysu zsu (got the columns "
            f"{' '.join(columns)[:100]}).",
        )
    images = IMAGES if not unwrapped and set(IMAGES) <= set(columns) else ()
    species = next(
        (
            name
            for name in (*(["type"] if told.elements else []), "element", "mass")
            if name in columns
        ),
        "",
    )
    if not species:
        given = " and --elements was given" if told.elements else ""
        raise wrong(
            file,
            "does not say which element an atom is"
            + (
                f": it has no column type{given}. Write the dump with the column element."
                if "type" not in columns
                else ", only its type. Give --elements with an element for each type in order, as "
                "in --elements Li,B,H (key: elements)."
            ),
        )
    units = told.units or header.units or "metal"
    if units not in LENGTHS_A:
        raise wrong(
            file,
            f"has the units {units}, which are no lengths of a real material. Take a dump in one "
            f"of {', '.join(LENGTHS_A)}.",
        )
    if told.units and header.units and told.units != header.units:
        raise wrong(
            file,
            f"says that its units are {header.units} (got --units {told.units}). Leave it out.",
        )
    numbers = [*(["id"] if "id" in columns else []), *names, *images]
    if species != "element":
        numbers.append(species)
    kinds = np.array(
        [NUMBER if name in numbers else WORD if name == species else SKIPPED for name in columns],
        np.int64,
    )
    read = [name for name in columns if name in numbers]
    return _Layout(
        columns=columns,
        kinds=kinds,
        id_at=read.index("id") if "id" in read else -1,
        place_at=tuple(read.index(name) for name in names),
        image_at=tuple(read.index(name) for name in images),
        species=species,
        species_at=0 if species == "element" else read.index(species),
        elements=tuple(_number(file, symbol) for symbol in told.elements),
        scaled=scaled,
        unwrapped=unwrapped or bool(images),
        length_A=LENGTHS_A[units],
        time_fs=TIMES_FS.get(told.units or header.units),
    )


def _number(file: Path, symbol: str) -> int:
    try:
        return chemical_symbols.index(element(symbol))
    except ValueError as error:
        raise wrong(file, f"--elements: {error}") from error


def _frames(
    file: Path, text: mmap.mmap, at: int, layout: _Layout, tick: Tick, remarks: list[str]
) -> Iterator[Frame]:
    number, broken, size = 0, 0, LINE_B * 100
    while at >= 0:
        number += 1
        try:
            header = _header(file, text, at)
            if tick == "fs" and header.time is None:
                raise _CutShortError
        except _CutShortError:
            broken += 1
            at = _next(text, at)
            continue
        if header.columns != layout.columns:
            raise wrong(
                file,
                f"frame {number} has other columns than the first ({' '.join(header.columns)[:80]} "
                f"instead of {' '.join(layout.columns)[:80]}). Analyse the parts by themselves.",
            )
        rows, end, values, words = rows_of(text, header.lines, header.n_atoms, layout.kinds, size)
        following = text.find(FIRST, end)
        if rows < header.n_atoms:
            _refuse_odd_line(file, text, end, layout, number, rows)
            broken += 1
            at = following
            continue
        size = (end - header.lines) * 9 // 8 + 100
        yield _frame(file, number, header, layout, tick, values, words)
        at = following
    if broken:
        remarks.append(_cut(broken))


def _next(text: mmap.mmap, at: int) -> int:
    """Where the frame behind that of a broken header begins; -1 where there is none."""
    own = text.find(STEP, at)
    step = text.find(STEP, own + 1) if own >= 0 else -1
    time = text.rfind(TIME, max(step - LINE_B, own), step) if step >= 0 else -1
    return time if time >= 0 else step


def _refuse_odd_line(
    file: Path, text: mmap.mmap, at: int, layout: _Layout, number: int, rows: int
) -> None:
    """Refuse a line that is whole and wrong; one that is cut short is let pass."""
    stop = text.find(b"\n", at)
    words = text[at : stop if stop >= 0 else len(text)].split()
    if stop < 0 or b"ITEM:" in words or len(words) < len(layout.columns):
        return
    line = b" ".join(words).decode(errors="replace")[:80]
    if any(word.lower().lstrip(b"+-") in (b"nan", b"inf") for word in words):
        raise wrong(
            file,
            f"frame {number}, atom line {rows + 1}: is not a number (got {line!r}). The run "
            "exploded: cut the file before this frame.",
        )
    raise wrong(
        file,
        f"frame {number}, atom line {rows + 1}: does not fit the columns "
        f"{' '.join(layout.columns)[:80]} (got {line!r}). The file is damaged: write it again, or "
        "cut it before this frame.",
    )


def _frame(
    file: Path,
    number: int,
    header: _Header,
    layout: _Layout,
    tick: Tick,
    values: Array,
    words: Array,
) -> Frame:
    order: Any = slice(None)
    if layout.id_at >= 0:
        ids = values[:, layout.id_at]
        if not (ids[1:] > ids[:-1]).all():
            order = np.argsort(ids, kind="stable")
            ids = ids[order]
            if (twice := np.flatnonzero(np.diff(ids) == 0)).size:
                raise wrong(
                    file,
                    f"frame {number} has atom {int(ids[twice[0]])} twice. Two programs wrote to "
                    "the file, or it is damaged.",
                )
    species = words if layout.species == "element" else values
    numbers = _numbers(file, layout, species[order, layout.species_at])
    cell = header.cell * layout.length_A
    place = values[order][:, layout.place_at]
    scaled = place if layout.scaled else (place - header.origin) @ np.linalg.inv(header.cell)
    if layout.image_at:
        scaled = scaled + values[order][:, layout.image_at]
    when = header.step
    if tick == "fs":
        assert header.time is not None and layout.time_fs is not None
        return Frame(number, header.time * layout.time_fs, numbers, cell, scaled)
    return Frame(number, when, numbers, cell, scaled)


def _numbers(file: Path, layout: _Layout, species: NDArray[Any]) -> Array:
    """(N,) atomic numbers."""
    kinds, inverse = np.unique(species, return_inverse=True)
    if layout.species == "element":
        found = []
        for kind in kinds:
            try:
                found.append(chemical_symbols.index(element(decoded(kind))))
            except ValueError as error:
                raise wrong(file, f"column element: {error}") from error
    elif layout.species == "type":
        highest = int(kinds.max())
        if kinds.min() < 1 or highest > len(layout.elements):
            raise wrong(
                file,
                f"has atoms of type {highest} (got {len(layout.elements)} elements in --elements). "
                "Give one for each type, in order.",
            )
        found = [layout.elements[int(kind) - 1] for kind in kinds]
    else:
        found = []
        for mass in kinds:
            away = np.abs(atomic_masses[1:] - mass)
            if away.min() > MASS_TOLERANCE:
                raise wrong(
                    file, f"column mass: {mass:g} u is the mass of no element. Give --elements."
                )
            found.append(int(np.argmin(away)) + 1)
    return np.array(found, np.int32)[inverse.ravel()]


def _header(file: Path, text: mmap.mmap, at: int) -> _Header:
    """The header that begins at a place."""
    lines = text[at : at + LONGEST_HEADER].split(b"\n")
    said: dict[bytes, list[bytes]] = {}
    name = b""
    length = 0
    for line in lines[:-1]:
        length += len(line) + 1
        line = line.strip()
        if line.startswith(b"ITEM: "):
            name = next(
                (
                    known
                    for known in (b"UNITS", b"TIMESTEP", b"TIME", b"NUMBER OF ATOMS", b"BOX BOUNDS")
                    if line[6:].startswith(known)
                ),
                line[6:],
            )
            if name in said and name == b"TIMESTEP":
                raise _CutShortError
            said[name] = [line]
            if line.startswith(b"ITEM: ATOMS"):
                columns = tuple(line.decode(errors="replace").split()[2:])
                break
        elif name:
            said[name].append(line)
    else:
        raise _CutShortError
    try:
        step, n_atoms = int(said[b"TIMESTEP"][1]), int(said[b"NUMBER OF ATOMS"][1])
        time = float(said[b"TIME"][1]) if b"TIME" in said else None
        units = said[b"UNITS"][1].decode() if b"UNITS" in said else ""
    except (KeyError, IndexError, ValueError) as error:
        raise _CutShortError from error
    if b"BOX BOUNDS" not in said:
        raise wrong(
            file,
            "has no cell (no ITEM: BOX BOUNDS), and volume and unwrapping need one. Write the dump "
            "with dump custom, which has it.",
        )
    head, *bounds = said[b"BOX BOUNDS"]
    flags = [word for word in head.split()[3:] if len(word) == 2 and word.isalpha()]
    if not {b"xy", b"xz", b"yz"}.isdisjoint(flags):
        flags = [flag for flag in flags if flag not in (b"xy", b"xz", b"yz")]
    if any(flag != b"pp" for flag in flags):
        raise wrong(
            file,
            f"is not periodic in three directions (its boundaries are "
            f"{b' '.join(flags).decode()}). A crystal needs pp pp pp.",
        )
    try:
        rows = np.array([[float(word) for word in line.split()] for line in bounds])
        origin, cell = _cell(rows, b"abc" in head.split())
    except ValueError as error:
        raise _CutShortError from error
    if n_atoms < 1 or not np.abs(np.linalg.det(cell)) > 0:
        raise wrong(file, f"the frame of step {step} has no atoms, or a cell of no volume.")
    return _Header(step, time, units, n_atoms, origin, cell, columns, at + length)


def _cell(rows: Array, general: bool) -> tuple[Array, Array]:
    """(3,) origin and (3, 3) cell, rows are vectors, from the three lines of bounds."""
    if general:
        if rows.shape != (3, 4):
            raise ValueError("four numbers a line")
        return rows[:, 3], rows[:, :3]
    if rows.shape == (3, 2):
        return rows[:, 0], np.diag(rows[:, 1] - rows[:, 0])
    if rows.shape != (3, 3):
        raise ValueError("two or three numbers a line")
    xy, xz, yz = rows[:, 2]
    low = rows[:, 0] - (min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0)
    x, y, z = rows[:, 1] - (max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0) - low
    return low, np.array([[x, 0, 0], [xy, y, 0], [xz, yz, z]])
