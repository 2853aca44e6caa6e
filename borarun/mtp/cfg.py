"""MLIP-3's text form of configurations (``.cfg``).

Energies are in eV, forces in eV/angstrom; ``PlusStress`` is minus stress times volume, in eV, in
the order xx yy zz yz xz xy. A type is the place of an element in the potential. motep has a reader
and a writer too: the writer cuts positions and forces to six decimals, the reader refuses
exponents; what is written here holds none.

Source: Podryabinkin et al., J. Chem. Phys. 159, 084112 (2023), and files of the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from borarun.records.frames import Frames

Array = NDArray[Any]

GRADE = "MV_grade"
"""Feature that holds the extrapolation grade."""

VOIGT = ["xx", "yy", "zz", "yz", "xz", "xy"]
_FEATURE = re.compile(r"^ *Feature +(\S+)[ \t](.*)$", re.MULTILINE)
_FIELD = r"^ *{}:?([^\n]*)\n"


def write(frames: Frames, species: Sequence[int], *, numbered: bool = False) -> str:
    """The text of configurations; every number has the digits that bring back the same float.

    Parameters
    ----------
    frames : with or without labels and grades
    species : atomic number of each type
    numbered : give each configuration its index as the feature ``ID``, which MLIP-3 hands on

    Raises
    ------
    KeyError
        Where an element is none of the species.
    """
    types = {number: str(index) for index, number in enumerate(species)}
    columns = [frames.positions] if frames.forces is None else [frames.positions, frames.forces]
    rows = np.concatenate(columns, axis=1).tolist()
    kinds = [types[number] for number in frames.numbers.tolist()]
    head = " AtomData:  id type cartes_x cartes_y cartes_z" + (
        "" if frames.forces is None else " fx fy fz"
    )
    volumes = np.abs(np.linalg.det(frames.cell))
    lines: list[str] = []
    for index in range(len(frames)):
        atoms = range(frames.offsets[index], frames.offsets[index + 1])
        lines += ["BEGIN_CFG", " Size", f"    {len(atoms)}"]
        if frames.cell[index].any():
            lines += [" Supercell", *(f"    {_numbers(vector)}" for vector in frames.cell[index])]
        lines.append(head)
        lines += [
            f"    {place} {kinds[atom]} {_numbers(rows[atom])}"
            for place, atom in enumerate(atoms, start=1)
        ]
        if frames.energy is not None:
            lines += [" Energy", f"    {_numbers([frames.energy[index]])}"]
        if frames.stress is not None:
            lines += [
                f" PlusStress:  {' '.join(VOIGT)}",
                f"    {_numbers(-frames.stress[index] * volumes[index])}",
            ]
        if numbered:
            lines.append(f" Feature   ID\t{index}")
        if frames.grade is not None:
            lines.append(f" Feature   {GRADE}\t{_numbers([frames.grade[index]])}")
        lines += ["END_CFG", ""]
    return "".join(f"{line}\n" for line in lines)


def read(text: str, species: Sequence[int]) -> Frames:
    """The configurations of a text, without what MLIP-3 calls ghost atoms.

    Labels and grades are kept where every configuration has them. The cell of a configuration that
    is not periodic is zero.

    Parameters
    ----------
    text : content of a .cfg file
    species : atomic number of each type

    Raises
    ------
    ValueError
        Where the text is no .cfg, is cut short, or has a type that is no species; the message says
        which configuration.
    """
    return read_bodies(dict(enumerate(bodies(text), start=1)), species)


def read_bodies(bodies: Mapping[int, str], species: Sequence[int]) -> Frames:
    """The configurations of bodies, by their numbers in the file, as ``read`` gives them."""
    found = [_configuration(body, number, species) for number, body in bodies.items()]
    shared = set.intersection(*(set(one) for one in found)) if found else set()

    def gather(name: str) -> list[Any] | None:
        return [one[name] for one in found] if name in shared else None

    numbers = [one["numbers"] for one in found]
    forces, energy, stress, grade = (
        gather("forces"),
        gather("energy"),
        gather("stress"),
        gather("grade"),
    )
    return Frames(
        offsets=np.cumsum([0, *map(len, numbers)]).astype(np.int64),
        numbers=np.concatenate(numbers) if found else np.zeros(0, np.int32),
        positions=np.concatenate([one["positions"] for one in found])
        if found
        else np.zeros((0, 3)),
        cell=np.array([one["cell"] for one in found]).reshape(-1, 3, 3),
        energy=None if energy is None else np.array(energy),
        forces=None if forces is None else np.concatenate(forces),
        stress=None if stress is None else np.array(stress),
        grade=None if grade is None else np.array(grade),
    )


def features(text: str) -> list[dict[str, str]]:
    """What MLIP-3 notes beside each configuration, by name.

    Raises
    ------
    ValueError
        Where the text is cut short.
    """
    return [dict(_FEATURE.findall(body)) for body in bodies(text)]


def bodies(text: str) -> list[str]:
    """What stands between BEGIN_CFG and END_CFG, for each configuration.

    Raises
    ------
    ValueError
        Where something else is there, or the text is cut short.
    """
    found: list[str] = []
    body: list[str] | None = None
    for line in text.split("\n"):
        word = line.strip()
        if word == "BEGIN_CFG" and body is None:
            body = []
        elif word == "END_CFG" and body is not None:
            found.append("\n".join(body))
            body = None
        elif body is not None and word != "BEGIN_CFG":
            body.append(line)
        elif word:
            raise ValueError(
                f"after {len(found)} whole configurations there is something else, or it is cut "
                f"short (got {word[:40]!r})"
            )
    if body is not None:
        raise ValueError(
            f"after {len(found)} whole configurations there is something else, or it is cut "
            f"short (got {' '.join(body).strip()[:40]!r})"
        )
    return found


def labels(body: str) -> set[str]:
    """Which of cell, energy, forces and stress a configuration has, and which stresses of another
    kind.
    """
    found = {
        name
        for name, field in (
            ("cell", "Super[cC]ell"),
            ("energy", "Energy"),
            ("stress", "PlusStress"),
            ("Virial", "Virial"),
            ("Stress", "Stress"),
        )
        if _has(body, field)
    }
    head = re.search(_FIELD.format("AtomData"), body, re.MULTILINE)
    return found | ({"forces"} if head and "fx" in head[1].split() else set())


def _configuration(body: str, number: int, species: Sequence[int]) -> dict[str, Any]:
    """The fields of a configuration that it has, in the units of Frames."""
    try:
        size = _count(_after(body, "Size", 1)[1][0])
        names, values = _after(body, "AtomData", size)
        columns = dict(
            zip(names.split(), zip(*(line.split() for line in values), strict=True), strict=True)
        )
        kept = np.array([word == "false" for word in columns.get("ghost", ["false"] * size)], bool)
        found: dict[str, Any] = {"cell": np.zeros((3, 3))}
        if _has(body, "Super[cC]ell"):
            found["cell"] = _floats(" ".join(_after(body, "Super[cC]ell", 3)[1])).reshape(3, 3)
        found["numbers"] = np.asarray(species, np.int32)[
            _types(columns["type"], len(species))[kept]
        ]
        if "direct_x" in columns:
            found["positions"] = _stack(columns, "direct_x direct_y direct_z", kept) @ found["cell"]
        else:
            found["positions"] = _stack(columns, "cartes_x cartes_y cartes_z", kept)
        if "fx" in columns:
            found["forces"] = _stack(columns, "fx fy fz", kept)
        if _has(body, "Energy"):
            found["energy"] = float(_floats(_after(body, "Energy", 1)[1][0])[0])
        if _has(body, "PlusStress"):
            names, values = _after(body, "PlusStress", 1)
            virial = dict(zip(names.split(), _floats(values[0]), strict=True))
            if volume := abs(np.linalg.det(found["cell"])):
                found["stress"] = np.array([-virial[name] for name in VOIGT]) / volume
        if GRADE in (noted := dict(_FEATURE.findall(body))):
            found["grade"] = float(noted[GRADE])
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"configuration {number} is damaged ({error})") from error
    return found


def _has(body: str, field: str) -> bool:
    return re.search(_FIELD.format(field), body, re.MULTILINE) is not None


def _after(body: str, field: str, count: int) -> tuple[str, list[str]]:
    """What stands beside the name of a field, and the ``count`` lines below it."""
    match = re.search(_FIELD.format(field), body, re.MULTILINE)
    if match is None:
        raise ValueError(f"no {field}")
    lines = body[match.end() :].split("\n", count)[:count]
    if len(lines) < count:
        raise ValueError(f"{field} has {len(lines)} of {count} lines")
    return match[1], lines


def _count(text: str) -> int:
    if not (text.strip().isdecimal() and len(text.strip()) < 13):
        raise ValueError(f"not a whole number from 0: {text.strip()[:40]!r}")
    return int(text)


def _types(words: Sequence[str], count: int) -> Array:
    types = np.array([_count(word) for word in words], dtype=np.int64)
    if len(types) and not 0 <= types.min() <= types.max() < count:
        raise ValueError(f"types {types.min()}..{types.max()} for {count} species")
    return np.asarray(types)


def _stack(columns: Mapping[str, Sequence[str]], names: str, kept: Array) -> Array:
    return np.stack([_parsed(columns[name]) for name in names.split()], axis=1)[kept]


def _floats(text: str) -> Array:
    return _parsed(text.split())


def _parsed(words: Sequence[str]) -> Array:
    """The numbers of words; Python's ``float`` takes ``1_000``, which no program writes."""
    if "_" in "".join(words):
        raise ValueError(f"not a number: {next(word for word in words if '_' in word)[:40]!r}")
    return np.array(list(map(float, words)))


def _numbers(values: Iterable[float]) -> str:
    return " ".join(map(_number, values))


def _number(value: float) -> str:
    """The digits that bring back the same float, without an exponent, which motep's reader
    refuses.
    """
    text = repr(float(value))
    return np.format_float_positional(value, trim="0") if "e" in text else text
