"""``vasprun.xml`` as a stream: each step becomes numbers as soon as it is read and its XML is
dropped, so that memory holds one step besides the arrays.

An own reader, because those of the field keep the XML or an object for every atom of every step, or
do not tell the settings in force: benchmarks/results/vasprun.md compares pymatgen's and ASE's.
py4vasp reads VASP's HDF5 alone, dpdata the frames alone.

Source: the format is that of VASP 5 and 6, as pymatgen reads it (Ong et al., Comput. Mater. Sci.
68, 314 (2013)); the tests compare both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from ase.data import chemical_symbols
from ase.stress import full_3x3_to_voigt_6_stress
from numpy.typing import NDArray

from borarun.basics.errors import ParseError
from borarun.basics.units import EV_PER_A3_IN_KBAR
from borarun.engines.reading import unreadable
from borarun.engines.vasp.inputs import Tag

LARGEST = 1e12
"""Of any number of a step, in VASP's units: beyond it the file is damaged."""

CUT_SYMBOLS = {"X": "Xe", "r": "Zr"}
"""Symbols that VASP cuts."""

KEPT = frozenset({"structure", "varray", "energy"})
"""Parts of a step that are read when it ends; levels, densities of states and electronic cycles are
dropped at once.
"""

CONVERT: dict[str, Callable[[str], bool | int | float | str]] = {
    "logical": "T".__eq__,
    "int": int,
    "string": str,
}
"""How a tag's text becomes a value, by its type; those without a type are floats."""

Element = ElementTree.Element


@dataclass(frozen=True)
class Vasprun:
    """What a ``vasprun.xml`` holds of use; F steps of N atoms in the order of the POSCAR.

    Attributes
    ----------
    version : of VASP
    incar : tags in capitals, as VASP read them; None where it printed stars
    parameters : tags in force, the same
    mesh : divisions of the mesh of k-points; empty where they were listed
    symbols : (N,) chemical symbols
    titels : element -> TITEL of its POTCAR, where it is told
    valences : element -> valence electrons of its POTCAR, where they are told
    cell : (F, 3, 3) angstrom
    fractional : (F, N, 3)
    energy : (F,) eV, ``e_fr_energy``, which is the OUTCAR's TOTEN; not a number where VASP printed
        stars, here and below
    forces : (F, N, 3) eV/angstrom
    stress : (F, 6) eV/angstrom^3, ASE's sign and order; None where a step has none
    cycles : (F,) electronic cycles of each step
    last_change : (F,) eV, by how much the last of them changed the energy; zero where there was one
    """

    version: str
    incar: Mapping[str, Tag | None]
    parameters: Mapping[str, Tag | None]
    mesh: tuple[int, ...]
    symbols: tuple[str, ...]
    titels: Mapping[str, str]
    valences: Mapping[str, float]
    cell: NDArray[np.float64]
    fractional: NDArray[np.float64]
    energy: NDArray[np.float64]
    forces: NDArray[np.float64]
    stress: NDArray[np.float64] | None
    cycles: NDArray[np.int_]
    last_change: NDArray[np.float64]


@dataclass(frozen=True)
class _Step:
    """One ``calculation``: the fields of ``Vasprun`` without their first axis; ``stress`` (3, 3) in
    kbar and VASP's sign.
    """

    cell: NDArray[np.float64]
    fractional: NDArray[np.float64]
    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64] | None
    cycles: int
    last_change: float


class ForcelessError(Exception):
    """A step of a run that computes no forces: band structures, GW, NELM alone."""


def read_vasprun(file: Path) -> Vasprun:
    """Read a ``vasprun.xml``.

    Raises
    ------
    ParseError
        Where the file is missing, empty, cut short or damaged; the message has line and column, or
        the step.
    """
    head: dict[str, Element] = {}
    steps: list[_Step] = []
    symbols: tuple[str, ...] = ()
    titels: dict[str, str] = {}
    valences: dict[str, float] = {}
    try:
        if file.stat().st_size == 0:
            raise ParseError(file, "is empty: VASP ended before it wrote anything")
        for part, cycles in _parts(file):
            if part.tag == "calculation":
                steps.append(_step(part, len(symbols), cycles))
            elif part.tag == "atominfo":
                symbols, titels, valences = _symbols(part), _titels(part), _valences(part)
            else:
                head.setdefault(
                    part.tag, part
                )  # the first structure is that of the start, and there may be a second mesh
        version = head["generator"].findtext("i[@name='version']", "").strip()
        incar, parameters, mesh = (
            _tags(head["incar"]),
            _tags(head["parameters"]),
            _mesh(head["kpoints"]),
        )
    except OSError as error:
        raise unreadable(file, error) from error
    except KeyError as error:
        raise ParseError(file, f"has no part {error}") from error
    except ForcelessError as error:
        raise ParseError(
            file,
            f"has no forces in step {len(steps) + 1}",
            remedy="Labels need a run that computes forces and stress: a static run, a relaxation "
            "or molecular dynamics.",
        ) from error
    except (ElementTree.ParseError, ValueError) as error:
        raise ParseError(
            file, f"is cut short or damaged after step {len(steps)} ({error})"
        ) from error
    n = len(symbols)
    stress = None
    if steps and all(step.stress is not None for step in steps):
        stress = np.array(
            [-full_3x3_to_voigt_6_stress(step.stress) / EV_PER_A3_IN_KBAR for step in steps]
        )
    return Vasprun(
        version=version,
        incar=incar,
        parameters=parameters,
        mesh=mesh,
        symbols=symbols,
        titels=titels,
        valences=valences,
        cell=np.array([step.cell for step in steps]).reshape(-1, 3, 3),
        fractional=np.array([step.fractional for step in steps]).reshape(-1, n, 3),
        energy=np.array([step.energy for step in steps]),
        forces=np.array([step.forces for step in steps]).reshape(-1, n, 3),
        stress=stress,
        cycles=np.array([step.cycles for step in steps], int),
        last_change=np.array([step.last_change for step in steps], float),
    )


@dataclass(frozen=True)
class Dynamics:
    """Molecular dynamics in a ``vasprun.xml``, of any length.

    Attributes
    ----------
    incar, parameters : as in ``Vasprun``
    symbols : (N,) chemical symbols
    steps : cell, (3, 3) angstrom, and (N, 3) fractional coordinates of each step; raises a
        ParseError where the file is cut short or damaged
    """

    incar: Mapping[str, Tag | None]
    parameters: Mapping[str, Tag | None]
    symbols: tuple[str, ...]
    steps: Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]

    def tag(self, name: str) -> Tag | None:
        """A tag in force; None where the file does not say it."""
        return self.parameters.get(name, self.incar.get(name))


def read_dynamics(file: Path) -> Dynamics:
    """Open the molecular dynamics of a ``vasprun.xml``, which may be cut short.

    Raises
    ------
    ParseError
        Where the file is missing, or has no head.
    """
    parts = _parts(file)
    head: dict[str, Element] = {}
    try:
        for part, _ in parts:
            head.setdefault(part.tag, part)
            if part.tag == "atominfo":
                break
        return Dynamics(
            _tags(head["incar"]),
            _tags(head["parameters"]),
            symbols := _symbols(head["atominfo"]),
            _places(file, parts, len(symbols)),
        )
    except OSError as error:
        raise unreadable(file, error) from error
    except KeyError as error:
        raise ParseError(file, f"has no part {error}") from error
    except (ElementTree.ParseError, ValueError) as error:
        raise ParseError(
            file, f"is cut short or damaged before its first step ({error})"
        ) from error


def _places(
    file: Path, parts: Iterator[tuple[Element, list[float]]], n: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    count = 0
    try:
        for part, _ in parts:
            if part.tag == "calculation":
                cell = _rows(_found(part, "structure/crystal/varray[@name='basis']"), 3)
                fractional = _rows(_found(part, "structure/varray[@name='positions']"), n)
                count += 1
                yield cell, fractional
    except (ElementTree.ParseError, ValueError) as error:
        raise ParseError(file, f"is cut short or damaged after step {count} ({error})") from error


def last_structure(
    file: Path,
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The last configuration of a ``vasprun.xml``, which may be cut short, that a step was computed
    at: cell, (3, 3) angstrom, and (N, 3) fractional coordinates; None where there is none.
    """
    found = None
    n = 0
    try:
        for part, _ in _parts(file):
            if part.tag == "atominfo":
                n = len(_symbols(part))
            elif part.tag == "calculation" and n:
                cell = _rows(_found(part, "structure/crystal/varray[@name='basis']"), 3)
                fractional = _rows(_found(part, "structure/varray[@name='positions']"), n)
                if np.isfinite(cell).all() and np.isfinite(fractional).all():
                    found = cell, fractional
    except (OSError, ElementTree.ParseError, ValueError):
        pass  # cut short at the wall: what came before counts
    return found


def _parts(file: Path) -> Iterator[tuple[Element, list[float]]]:
    """The parts of the document, one at a time, each with the energies, eV, of the electronic
    cycles in it; a part is gone when the next is asked for.
    """
    above: list[Element] = []
    cycles: list[float] = []
    for event, element in ElementTree.iterparse(file, ("start", "end")):
        if event == "start":
            above.append(element)
            continue
        above.pop()
        if len(above) == 1:
            yield element, cycles
            above[0].clear()
            cycles = []
        elif len(above) == 2 and above[1].tag == "calculation" and element.tag not in KEPT:
            if element.tag == "scstep" and element.find("energy") is not None:
                cycles.append(_energy(element))
            above[1].remove(element)


def _energy(element: Element) -> float:
    """The free energy in an element, eV; not a number where there is none."""
    text = element.findtext("energy/i[@name='e_fr_energy']") or "***"
    return float(_numbers(text, ()))


def _step(calculation: Element, n: int, cycles: list[float]) -> _Step:
    if n == 0:
        raise ValueError("its atoms are not listed")
    if calculation.find("varray[@name='forces']") is None:
        raise ForcelessError
    stress = calculation.find("varray[@name='stress']")
    return _Step(
        cell=_rows(_found(calculation, "structure/crystal/varray[@name='basis']"), 3),
        fractional=_rows(_found(calculation, "structure/varray[@name='positions']"), n),
        energy=float(_numbers(_found(calculation, "energy/i[@name='e_fr_energy']").text or "", ())),
        forces=_rows(_found(calculation, "varray[@name='forces']"), n),
        stress=None if stress is None else _rows(stress, 3),
        cycles=len(cycles),
        last_change=abs(cycles[-1] - cycles[-2]) if len(cycles) > 1 else 0.0,
    )


def _found(element: Element, path: str) -> Element:
    found = element.find(path)
    if found is None:
        raise ValueError(f"the next one has no {path}")
    return found


def _rows(array: Element, n: int) -> NDArray[np.float64]:
    """(n, 3) numbers of an array of vectors."""
    return _numbers(" ".join(row.text or "" for row in array), (n, 3))


def _numbers(text: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Numbers between blanks; Fortran prints stars for what is too large for its column."""
    words = text.split()
    if "_" in text:  # which Python takes for a part of a number
        raise ValueError(f"{next(word for word in words if '_' in word)[:40]!r} is not a number")
    try:
        values = np.array(words, float)
    except ValueError:
        values = np.array([np.nan if set(word) == {"*"} else float(word) for word in words])
    if (np.abs(values) > LARGEST).any():
        raise ValueError(
            f"{np.abs(values).max():g} is impossible as an energy, force, stress or position"
        )
    return values.reshape(shape)


def _tags(element: Element) -> dict[str, Tag | None]:
    """Tags of all groups of a part. Of one that stands twice the last counts, but for those of
    linear response, which are never the run's own.
    """
    tags: dict[str, Tag | None] = {}
    for item in element:
        name = (
            item.get("name", "").strip().upper()
        )  # VASP 6.4.3 writes blanks behind some, and `Zab_VDW`
        if item.tag in ("i", "v"):
            tags[name] = _value(item)
        else:
            inner = _tags(item)
            tags = {**inner, **tags} if name == "RESPONSE FUNCTIONS" else {**tags, **inner}
    return tags


def _value(item: Element) -> Tag | None:
    text, convert = (item.text or "").strip(), CONVERT.get(item.get("type", ""), float)
    if "_" in text and convert in (int, float):
        return None
    try:
        return [convert(word) for word in text.split()] if item.tag == "v" else convert(text)
    except ValueError:
        return None


def _titels(atominfo: Element) -> dict[str, str]:
    """Element -> TITEL of its POTCAR."""
    found = {}
    for row in atominfo.iterfind("array[@name='atomtypes']/set/rc"):
        if name := _element(row):
            found[name] = " ".join((row.findtext("c[5]") or "").split())
    return found


def _valences(atominfo: Element) -> dict[str, float]:
    """Element -> valence electrons of its POTCAR."""
    found = {}
    for row in atominfo.iterfind("array[@name='atomtypes']/set/rc"):
        with suppress(ValueError):
            found[_element(row)] = float(row.findtext("c[4]") or "")
    return found


def _element(row: Element) -> str:
    """The element that the TITEL of a type of atom names; empty where it names none."""
    name = made_for(row.findtext("c[5]") or "")
    return name if name in chemical_symbols[1:] else ""


def made_for(titel: str) -> str:
    """The atom that the TITEL of a POTCAR names, ``Li`` of ``PAW_PBE Li_sv 10Sep2004``; empty where
    it names none.
    """
    words = titel.split()
    return re.split("[_.]", words[1])[0] if len(words) > 1 else ""


def _symbols(atominfo: Element) -> tuple[str, ...]:
    """Of every atom, by the name of its POTCAR where that is there: some POTCARs have a wrong
    VRHFIN, from which VASP takes the symbol.
    """
    of_type = {}
    for number, row in enumerate(atominfo.iterfind("array[@name='atomtypes']/set/rc"), 1):
        if name := _element(row):
            of_type[str(number)] = name
    symbols = []
    for row in atominfo.iterfind("array[@name='atoms']/set/rc"):
        symbol, kind = ((row.findtext(f"c[{column}]") or "").strip() for column in (1, 2))
        symbols.append(of_type.get(kind, CUT_SYMBOLS.get(symbol, symbol)))
    return tuple(symbols)


def _mesh(kpoints: Element) -> tuple[int, ...]:
    return tuple(
        int(word) for word in kpoints.findtext("generation/v[@name='divisions']", "").split()
    )
