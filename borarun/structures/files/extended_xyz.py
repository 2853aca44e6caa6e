"""Extended XYZ: one or many configurations, read with a limit on all that a file announces.

ASE's reader believes the first line's count and evaluates what it finds in the second; here a
number is a number, and the file must hold what it announces.

Source: the format of ASE's ``ase.io.extxyz``, whose parser of the comment line is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from numpy.typing import NDArray

from borarun.structures.files.checks import MOST_ATOMS
from borarun.structures.files.text import (
    REMARKS,
    count,
    element,
    isotope_remarks,
    numbers,
    wrong,
)

Array = NDArray[Any]

MANY = 100
"""Configurations that are counted where one is wanted."""

LONGEST_COMMENT = 100_000
MOST_COLUMNS = 64

RAW = "raw_"
"""Before the name of a tensor, so that ASE does not insist on nine numbers."""

_TENSOR = re.compile(r"(^|\s)((?:stress|virial)=)")
_UNDERSCORE = re.compile(r"(\w*energy|stress|virial|Lattice)=[^=]*?(\d+_[\d._]+)")
"""Python takes ``1_000`` for a number."""

_PROPERTY = re.compile(r"([^:\s]+):([SRIL]):(\d{1,3})")


@dataclass(frozen=True)
class Configuration:
    """One configuration of a file.

    Attributes
    ----------
    number : its place in the file, from 1
    line : its first line in the file, from 1
    symbols : of the atoms, as they are written
    numbers : (N,) int, atomic numbers
    columns : numbers by the name of the property, (N, width); ``pos`` in angstrom
    info : what the comment line says, by key
    cell : (3, 3) angstrom, rows are vectors, or None
    periodic : along each vector
    """

    number: int
    line: int
    symbols: list[str]
    numbers: Array
    columns: dict[str, Array]
    info: dict[str, Any]
    cell: Array | None
    periodic: tuple[bool, bool, bool]


def read(text: str) -> Atoms:
    """The structure of an extended XYZ file of one configuration.

    Raises
    ------
    StudyError
        Where it is none, is not periodic, or there are several.
    """
    found = list(islice(_bounded(configurations(text)), MANY))
    if len(found) != 1:
        more = " or more" if len(found) == MANY else ""
        raise wrong(f"contains {len(found)} configurations{more}. Keep only one.")
    (one,) = found
    if one.cell is not None and not all(one.periodic):
        raise wrong(not_periodic(one.periodic))
    atoms = Atoms(
        one.numbers,
        one.columns["pos"],
        cell=one.cell if one.cell is not None else np.zeros((3, 3)),
        pbc=one.periodic,
    )
    atoms.info[REMARKS] = isotope_remarks(set(one.symbols))
    return atoms


def _bounded(found: Iterator[Configuration]) -> Iterator[Configuration]:
    """So many that there may be one too many, of a size that is read."""
    for one in found:
        if len(one.numbers) > MOST_ATOMS:
            raise wrong(f"has {len(one.numbers):,} atoms (at most {MOST_ATOMS:,} are allowed).")
        yield one


def not_periodic(periodic: tuple[bool, bool, bool]) -> str:
    """What a configuration is that is not periodic, and what to do."""
    directions = sum(periodic)
    kind = {0: "a molecule or cluster", 1: "a wire", 2: "a slab"}[directions]
    shown = " ".join("T" if each else "F" for each in periodic)
    return (
        f'is {kind} (got pbc="{shown}"), and a study needs a crystal, periodic in three '
        'directions. If it is a crystal, write pbc="T T T".'
    )


def configurations(text: str) -> Iterator[Configuration]:
    """The configurations of a text, one after the other.

    Raises
    ------
    StudyError
        Where it is no extended XYZ, or is cut short.
    """
    lines = text.splitlines()
    line = number = 0
    while line < len(lines):
        if not lines[line].strip():
            if number == 0 or any(rest.strip() for rest in lines[line:]):
                raise wrong("a number of atoms is expected (got an empty line).", line=line + 1)
            return
        number += 1
        try:
            size = count(lines[line].strip())
        except ValueError as error:
            raise wrong(f"{error}.", line=line + 1) from error
        if len(lines) < line + 2 + size:
            raise wrong(
                f"should have {size:,} atoms, but {max(0, len(lines) - line - 2):,} lines "
                "follow. The file is incomplete, or the number is wrong.",
                line=line + 1,
            )
        try:
            yield _configuration(number, line, lines[line + 1], lines[line + 2 : line + 2 + size])
        except _BadLineError as error:
            raise wrong(str(error), line=error.line) from error
        line += 2 + size


class _BadLineError(Exception):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def _configuration(number: int, line: int, comment: str, rows: list[str]) -> Configuration:
    try:
        said = read_comment(comment)
    except ValueError as error:
        raise _BadLineError(f"{error}", line + 2) from error
    spec = said.properties
    width = sum(columns for _, _, columns in spec)
    words = [row.split() for row in rows]
    for place, row in enumerate(words):
        if len(row) != width:
            raise _BadLineError(
                f"{width} columns are expected, by Properties (got {len(row)}).", line + 3 + place
            )
    columns: dict[str, Array] = {}
    symbols: list[str] = []
    z: Array | None = None
    first = 0
    for name, kind, size in spec:
        if name == "species":
            symbols = [row[first] for row in words]
        elif kind in "RI" and name != "Z":
            flat = [word for row in words for word in row[first : first + size]]
            try:
                columns[name] = numbers(flat).reshape(len(words), size)
            except ValueError as error:
                place = next(
                    place
                    for place, row in enumerate(words)
                    if any(_is_bad(word) for word in row[first : first + size])
                )
                raise _BadLineError(f"{name}: {error}.", line + 3 + place) from error
        elif name == "Z":
            z = np.array([count_of(row[first]) for row in words], dtype=np.int64)
        first += size
    if "pos" not in columns or columns["pos"].shape[1] != 3:
        raise _BadLineError("Properties has no pos:R:3.", line + 2)
    return Configuration(
        number,
        line + 1,
        symbols,
        _atomic_numbers(symbols, z, line),
        columns,
        said.info,
        said.cell,
        said.periodic,
    )


@dataclass(frozen=True)
class Comment:
    """What a comment line says.

    Attributes
    ----------
    properties : name, kind (``S``, ``R``, ``I`` or ``L``) and number of columns of each property
    cell, periodic : as in ``Configuration``
    info : all else, by key
    """

    properties: list[tuple[str, str, int]]
    cell: Array | None
    periodic: tuple[bool, bool, bool]
    info: dict[str, Any]


def read_comment(comment: str) -> Comment:
    """What the comment line of a configuration says.

    Raises
    ------
    ValueError
        Where it is unreadable; the message says why.
    """
    from ase.io.extxyz import key_val_str_to_dict  # loads scipy whole: a plan need not wait for it

    if len(comment) > LONGEST_COMMENT:
        raise ValueError(f"is too long for a comment ({len(comment):,} characters).")
    if odd := _UNDERSCORE.search(comment):
        raise ValueError(f"{odd[1]}: {odd[2][:40]!r} is not a number.")
    try:
        info = key_val_str_to_dict(_TENSOR.sub(rf"\1{RAW}\2", comment))
        info = {key.removeprefix(RAW): value for key, value in info.items()}
    except Exception as error:  # ASE raises whatever its parser stumbles over
        raise ValueError(f"the comment line is unreadable ({error}).") from error
    properties = _properties(info.pop("Properties", "species:S:1:pos:R:3"))
    cell = _cell(info.pop("Lattice", None))
    periodic = _periodic(info.pop("pbc", [cell is not None] * 3))
    return Comment(properties, cell, periodic, info)


def _is_bad(word: str) -> bool:
    try:
        numbers([word])
    except ValueError:
        return True
    return False


def count_of(word: str) -> int:
    """An atomic number, or 0 where the word is none."""
    try:
        return found if (found := count(word)) < 119 else 0
    except ValueError:
        return 0


def _atomic_numbers(symbols: list[str], z: Array | None, line: int) -> Array:
    if z is not None and not symbols:
        if (z < 1).any():
            place = int(np.flatnonzero(z < 1)[0])
            raise _BadLineError("is not a known element.", line + 3 + place)
        return z
    known: dict[str, int] = {}
    for place, symbol in enumerate(symbols):
        if symbol not in known:
            try:
                known[symbol] = atomic_numbers[element(symbol)]
            except ValueError as error:
                raise _BadLineError(str(error), line + 3 + place) from error
    return np.array([known[symbol] for symbol in symbols], dtype=np.int64)


def _properties(value: object) -> list[tuple[str, str, int]]:
    """Name, kind and number of columns of each property.

    Raises
    ------
    ValueError
        Where it is none.
    """
    text = value if isinstance(value, str) else ""
    found = [
        (match[1], match[2], int(match[3]))
        for match in (
            _PROPERTY.fullmatch(":".join(parts))
            for parts in zip(*[iter(text.split(":"))] * 3, strict=False)
        )
        if match
    ]
    names = {name for name, _, _ in found}
    if 3 * len(found) != text.count(":") + 1 or len(names) < len(found):
        raise ValueError(
            f"Properties is unreadable (got {text[:60]!r}). Write species:S:1:pos:R:3 and "
            "then the other columns."
        )
    if sum(size for _, _, size in found) > MOST_COLUMNS:
        raise ValueError(f"Properties has more than {MOST_COLUMNS} columns.")
    if not names & {"species", "Z"} or "pos" not in names:
        raise ValueError("Properties lacks species:S:1 or pos:R:3.")
    if any(name in {"species", "Z"} and size != 1 for name, _, size in found):
        raise ValueError("Properties: species and Z have one column.")
    return found


def _cell(value: object) -> Array | None:
    if value is None:
        return None
    try:
        cell = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        cell = np.zeros(0)
    if cell.size != 9 or not np.isfinite(cell).all():
        raise ValueError('Lattice needs nine numbers, as in Lattice="4 0 0 0 4 0 0 0 4".')
    # ASE turns nine numbers into a matrix by columns, so that rows of it are not the vectors
    vectors: Array = cell.reshape(3, 3).T if cell.ndim == 2 else cell.reshape(3, 3)
    return vectors


def _periodic(value: object) -> tuple[bool, bool, bool]:
    flags = np.atleast_1d(np.asarray(value, dtype=object)).tolist()
    if len(flags) not in (1, 3) or not all(
        isinstance(flag, bool | int | np.bool_ | np.integer) for flag in flags
    ):
        raise ValueError('pbc needs three of T and F, as in pbc="T T T".')
    flags = flags * (3 // len(flags))
    return bool(flags[0]), bool(flags[1]), bool(flags[2])
