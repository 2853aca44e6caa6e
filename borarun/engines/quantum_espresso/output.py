"""What pw.x printed: the evidence behind the labels that came through its socket."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.units import Ry
from numpy.typing import NDArray
from pydantic import BaseModel

from borarun.basics.errors import ParseError
from borarun.engines.reading import unreadable
from borarun.records.operations.reference import Pseudopotential

OUTPUT = "pw.out"
JOB = "pw.json"

_ENERGY = re.compile(
    r"^!\s+total energy\s+=\s*(\S+) Ry$(?:(?!^!).)*?^\s+convergence has been achieved in",
    re.MULTILINE | re.DOTALL,
)
PSEUDOPOTENTIAL = re.compile(
    r"PseudoPot\. #\s*\d+ for (\w+)\s+read from file:\s*\n\s*(\S+)\s*\n\s*MD5 check sum: "
    r"([0-9a-f]{32})"
)


class PwJob(BaseModel, frozen=True):
    """What ``pw.json`` tells the program that runs pw.x, and the reader of its labels."""

    inputs: tuple[str, ...]
    """Names of the input files: one for each list of atoms."""
    order: tuple[int, ...] = ()
    """Which of the task's configurations each one is, in the order of the calculations. Empty in
    work that was begun before calculations were sorted.
    """


@dataclass(frozen=True)
class Output:
    """What pw.x printed.

    Attributes
    ----------
    programs : name and version of each that ran, e.g. ``PWSCF 6.7MaX``, once
    functionals : every exchange-correlation functional that it said it used, in capitals
    pseudopotentials : element -> the file, and the hash of what was read
    energy : (n,) eV, of the electronic cycles that converged, one after the other
    """

    programs: tuple[str, ...]
    functionals: frozenset[str]
    pseudopotentials: dict[str, Pseudopotential]
    energy: NDArray[np.float64]


def read_output(file: Path) -> Output:
    """Read the output of one or several pw.x, one after the other.

    Raises
    ------
    ParseError
        Where the file is missing or the last pw.x did not come to its end.
    """
    try:
        text = file.read_text(errors="replace")
    except OSError as error:
        raise unreadable(file, error) from error
    versions = re.findall(r"Program PWSCF v\.(\S+)", text)
    if not versions or not re.search(r"^\s+JOB DONE\.\n=-+=\n\Z", text, re.MULTILINE):
        raise ParseError(file, "is cut short: it does not end with pw.x's JOB DONE")
    return Output(
        programs=tuple(dict.fromkeys(f"PWSCF {version}" for version in versions)),
        functionals=frozenset(
            name.upper() for name in re.findall(r"Exchange-correlation\s*=\s*(\S+)", text)
        ),
        pseudopotentials={
            element: Pseudopotential(file=Path(path).name, md5=md5)
            for element, path, md5 in PSEUDOPOTENTIAL.findall(text)
        },
        energy=np.array([float(energy) for energy in _ENERGY.findall(text)]) * Ry,
    )
