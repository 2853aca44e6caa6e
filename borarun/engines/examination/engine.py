"""Examination: a potential, and the members of its committee, on configurations that the reference
has labelled.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from borarun.engines import base
from borarun.engines.base import Cost, Files, Frames, Inputs, Result, frames_of, texts_of
from borarun.engines.base import Program as Program
from borarun.engines.base import paths as paths
from borarun.engines.base import probes as probes
from borarun.engines.examination.job import ExaminationJob
from borarun.engines.job import FILE
from borarun.engines.potential.form import form
from borarun.engines.reading import read_arrays, read_facts
from borarun.records import endings
from borarun.records.operations.examination import Examined

NAME = "examination"
RESUMABLE = False
FORMAT = 1
"""Raised by one when the same settings come to mean another result."""

ARRAYS = {
    Examined.ATOMS: "atoms",
    Examined.ENERGY: "energy",
    Examined.FORCES: "forces",
    Examined.STRESS: "stress",
}
"""Array of the record -> its name in the program's file."""


class Settings(base.Settings):
    """Settings of the operation.

    Attributes
    ----------
    potential : the folder of engines whose ``form.py`` evaluates the potential
    """

    operation: Literal["examine"] = "examine"
    potential: str


def version(settings: Settings) -> str:
    """Version of the files."""
    return f"format {FORMAT}"


def missing(settings: Settings, program: Program) -> str:
    """Nothing: the evaluation comes with borarun."""
    return ""


def render(settings: Settings, inputs: Inputs, program: Program) -> Files:
    """The input files: ``job.json``, the labelled configurations, and each potential's files with
    its number before their names.

    ``inputs["potentials"]`` are texts: the potential, then the members of its committee.
    """
    files: Files = {"labels.extxyz": Frames.join(frames_of(inputs, "labels")).to_extxyz()}
    names = []
    for number, text in enumerate(texts_of(inputs, "potentials")):
        found = form(settings.potential).files(text, None, "embedded")
        files |= {f"{number}-{name}": content for name, content in found.items()}
        names.append(tuple(sorted(found)))
    job = ExaminationJob(potential=settings.potential, files=tuple(names))
    return {**files, FILE: job.text()}


def command(settings: Settings, cores: int, program: Program) -> list[str]:
    """The command to start."""
    return [sys.executable, "-m", "borarun.engines.examination.program"]


def parse(settings: Settings, directory: Path) -> Result:
    """What the program left, checked.

    Raises
    ------
    ParseError
        Where a file is missing, cut short or contains values that are not numbers.
    EngineError
        Where the program says that it came to no result.
    """
    result = endings.result_of(directory, endings.Written)
    facts, size = read_facts(Examined, result.facts, directory / endings.NAME), result.bytes
    arrays = read_arrays(directory / "examined.npz", size, ARRAYS)
    return Result(facts, arrays=arrays)


def cost(settings: Settings, n_atoms: int) -> Cost:
    """Estimate; ``n_atoms`` is that of all configurations together, for each potential."""
    return Cost(core_seconds=10.0 + 2e-3 * n_atoms, bytes=1e4 + 50.0 * n_atoms)
