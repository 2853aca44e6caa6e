"""The reference that ships with borarun: moment tensor potentials for Li2B12H12, trained on
SevenNet-0.

They stand in for DFT so that the whole chain can run anywhere, and are none: see ``record``.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from borarun.basics.causes import Cause
from borarun.basics.errors import EngineError
from borarun.engines.base import Cost, Files, Inputs, Result
from borarun.engines.base import Program as Program
from borarun.engines.base import paths as paths
from borarun.engines.base import probes as probes
from borarun.engines.bundled.section import BundledReference
from borarun.engines.reference import base as reference
from borarun.mtp.potential import Potential
from borarun.records.operations.potential import ErrorsOfSets, Ranges

NAME = "bundled"
Section = BundledReference
RESUMABLE = True

POTENTIALS = {functional: f"Li2B12H12-{functional}" for functional in ("PBE-D3", "PBE")}
"""Functional -> name of the potential and of its record in ``borarun/potentials``."""

SECONDS_PER_ATOM = 9e-6
"""Core time of one evaluation at level 12, as molecular dynamics with such a potential takes it; a
common core.
"""


class Settings(reference.ReferenceSettings):
    """Settings of the bundled reference."""

    ENGINE: ClassVar[str] = NAME
    FUNCTIONALS: ClassVar[tuple[str, ...]] = tuple(POTENTIALS)
    ELEMENTS: ClassVar[frozenset[str]] = frozenset({"Li", "B", "H"})


class BundledPotential(BaseModel):
    """What is told of a bundled potential; ``borarun/potentials/README.md`` explains the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    statement: str
    potential_sha256: str
    functional: str
    level: int
    cutoff_A: float
    elements: tuple[str, ...]
    n_train: int
    n_valid: int
    n_pushed: int
    errors: ErrorsOfSets
    ranges: Ranges
    lattice_parameter_300K_A: float
    labels_sha256: str
    command: str
    versions: dict[str, str]


@cache
def potential(functional: str) -> str:
    """Text of the bundled potential."""
    return (files("borarun") / "potentials" / f"{POTENTIALS[functional]}.mtp").read_text()


@cache
def record(functional: str) -> BundledPotential:
    """Where the bundled potential comes from and how good it is."""
    return BundledPotential.model_validate_json(
        (files("borarun") / "potentials" / f"{POTENTIALS[functional]}.json").read_text()
    )


def version(settings: Settings) -> str:
    """Version of the files and of the potential."""
    digest = hashlib.sha256(potential(settings.functional).encode()).hexdigest()[:12]
    return f"format {reference.FORMAT}, potential {digest}"


def missing(settings: Settings, program: Program) -> str:
    """Nothing: all of it ships with borarun."""
    return ""


def render(settings: Settings, inputs: Inputs, program: Program) -> Files:
    """Every input file, the potential among them.

    Raises
    ------
    EngineError
        Where the structure has elements that the potential does not know.
    """
    frames = reference.configurations(settings, inputs)
    text = potential(settings.functional)
    try:
        Potential.read(text).types(frames.numbers)
    except ValueError as error:
        raise EngineError(
            f"bundled: {error}",
            remedy="Choose another reference engine, e.g. sevennet.",
            cause=Cause.BAD_INPUT,
        ) from error
    return {**reference.render(settings, frames), "potential.mtp": text}


def command(settings: Settings, cores: int, program: Program) -> list[str]:
    """The command to start."""
    return reference.command(settings, cores)


def parse(settings: Settings, directory: Path) -> Result:
    """What the run left."""
    return reference.parse(settings, directory)


def cost(settings: Settings, n_atoms: int) -> Cost:
    """Estimate."""
    return reference.cost(settings, n_atoms, SECONDS_PER_ATOM, start_s=2.0)
