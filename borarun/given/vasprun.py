"""``vasprun.xml`` of molecular dynamics with VASP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols

from borarun.basics.errors import ParseError
from borarun.engines.vasp.output_xml import Dynamics, read_dynamics
from borarun.given.frame import Frame, Opened, Told, wrong

FORMAT = "vasprun.xml"
MOLECULAR_DYNAMICS = 0
"""VASP's ``IBRION`` of it."""


def open_vasprun(file: Path, told: Told) -> Opened:
    """A ``vasprun.xml``, which may be cut short.

    Raises
    ------
    StudyError
        Where it is no run of molecular dynamics.
    """
    try:
        found = read_dynamics(file)
    except ParseError as error:
        raise wrong(file, str(error).removeprefix(f"{file.name}: ") + ".") from error
    potim, every = _number(found, "POTIM", 0.0), _number(found, "ML_OUTBLOCK", 1.0)
    if found.tag("IBRION") != MOLECULAR_DYNAMICS or potim <= 0:
        raise wrong(
            file,
            f"is no molecular dynamics (IBRION is {found.tag('IBRION')}, not 0). Give a run that "
            "is.",
        )
    unknown = [symbol for symbol in found.symbols if symbol not in chemical_symbols[1:]]
    if unknown:
        raise wrong(file, f"names {unknown[0]!r}, which is no element.")
    remarks: list[str] = []
    return Opened(FORMAT, "fs", False, _frames(found, potim * every, remarks), remarks)


def _number(found: Dynamics, name: str, otherwise: float) -> float:
    value = found.tag(name)
    return float(value) if isinstance(value, int | float) else otherwise


def _frames(found: Dynamics, interval_fs: float, remarks: list[str]) -> Iterator[Frame]:
    numbers = np.array([chemical_symbols.index(symbol) for symbol in found.symbols], np.int32)
    try:
        for number, (cell, scaled) in enumerate(found.steps, 1):
            yield Frame(number, number * interval_fs, numbers, cell, scaled)
    except ParseError as error:
        remarks.append(f"{error}: what stands before is analysed")
