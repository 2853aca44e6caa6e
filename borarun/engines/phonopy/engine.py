"""Phonons by finite displacements, with phonopy; the forces come from a reference engine.

Two operations: ``displace`` gives the supercells that symmetry leaves to be computed, ``phonons``
reads their forces.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from borarun.basics.errors import ParseError
from borarun.engines import base
from borarun.engines.base import Cost, Files, Frames, Inputs, Result, frames_of
from borarun.engines.base import Program as Program
from borarun.engines.base import paths as paths
from borarun.engines.base import probes as probes
from borarun.engines.job import FILE
from borarun.engines.phonopy.job import DisplaceJob, PhononsJob
from borarun.engines.reading import read_arrays, read_facts, read_whole
from borarun.records import endings
from borarun.records.operations.phonons import Displaced, HarmonicPhonons

NAME = "phonopy"
HOME = "https://phonopy.github.io/phonopy"
RESUMABLE = False
FORMAT = 1
"""Raised by one when the same settings come to mean another result."""

ARRAYS = {
    HarmonicPhonons.DOS_FREQUENCY: "frequency",
    HarmonicPhonons.DOS_TOTAL: "total",
    HarmonicPhonons.DOS_PROJECTED: "projected",
    HarmonicPhonons.GAMMA: "gamma",
    HarmonicPhonons.BAND_FREQUENCY: "band",
    HarmonicPhonons.BAND_DISTANCE: "band_distance",
    HarmonicPhonons.BAND_CORNER: "band_corner",
    HarmonicPhonons.TEMPERATURE: "temperature",
    HarmonicPhonons.FREE_ENERGY: "free_energy",
    HarmonicPhonons.HEAT_CAPACITY: "heat_capacity",
}
"""Array of the record -> its name in the program's file."""


class Settings(base.Settings):
    """Settings of both operations.

    Attributes
    ----------
    supercell : repeats along the three cell vectors
    displacement_A : how far an atom is moved
    symmetry_A : distance within which atoms count as symmetry images
    mesh : points of the Gamma-centred mesh in the reciprocal primitive cell
    width_THz : standard deviation of the Gaussians in the density of states
    path : corners of the band structure, e.g. ``GXMG``; empty = the standard path of the lattice
    imaginary_THz : a frequency further below zero than this is an unstable mode, and no noise
    temperatures_K : for free energy and heat capacity
    """

    operation: Literal["displace", "phonons"]
    supercell: tuple[PositiveInt, PositiveInt, PositiveInt] = (1, 1, 1)
    displacement_A: PositiveFloat = 0.01
    symmetry_A: PositiveFloat = 1e-3
    mesh: tuple[PositiveInt, PositiveInt, PositiveInt] = (4, 4, 4)
    width_THz: PositiveFloat = 0.25
    path: str = ""
    imaginary_THz: NonNegativeFloat = 0.05
    temperatures_K: tuple[PositiveFloat, ...] = ()


def version(settings: Settings) -> str:
    """Versions of the files and of phonopy."""
    return f"format {FORMAT}, phonopy {base.installed('phonopy')}"


def missing(settings: Settings, program: Program) -> str:
    """Nothing: phonopy comes with borarun."""
    return ""


def render(settings: Settings, inputs: Inputs, program: Program) -> Files:
    """The input files: ``job.json``, the structure, and the forces of the displaced supercells.

    ``inputs["labels"]`` are the parts that label tasks took: part i of n holds the displacements i,
    i + n, i + 2n ...
    """
    [structure] = frames_of(inputs, "structure")
    files: Files = {"structure.extxyz": structure.take([-1]).to_extxyz()}
    if settings.operation == "displace":
        job: DisplaceJob = DisplaceJob.of(settings)
    else:
        job = PhononsJob.of(settings)
        parts = frames_of(inputs, "labels")
        longest = max(len(part) for part in parts)
        files["forces.extxyz"] = Frames.of(
            part[row] for row in range(longest) for part in parts if row < len(part)
        ).to_extxyz()
    files[FILE] = job.text()
    return files


def command(settings: Settings, cores: int, program: Program) -> list[str]:
    """The command to start."""
    return [sys.executable, "-m", "borarun.engines.phonopy.program"]


def parse(settings: Settings, directory: Path) -> Result:
    """What the program left, checked.

    Raises
    ------
    ParseError
        Where a file is missing, cut short or contains values that are not numbers.
    EngineError
        Where the program says that it came to no result.
    """
    file, result = directory / endings.NAME, endings.result_of(directory, endings.Written)
    told, size = result.facts, result.bytes
    if settings.operation == "displace":
        facts = read_facts(Displaced, told, file)
        frames = _displaced(directory / "displaced.extxyz", size, facts.n_displacements)
        return Result(facts, frames={Displaced.DISPLACED: frames})
    return Result(
        read_facts(HarmonicPhonons, told, file),
        arrays=read_arrays(directory / "phonons.npz", size, ARRAYS),
    )


def _displaced(file: Path, size: int, count: int) -> Frames:
    text = read_whole(file, size)
    try:
        frames = Frames.from_extxyz(text.decode())
    except Exception as error:  # ASE raises whatever its reader stumbles over
        raise ParseError(file, f"is not valid extended XYZ ({error})") from error
    if len(frames) != count or len(frames) == 0:
        raise ParseError(file, f"holds {len(frames)} of {count} displacements")
    return frames


@cache
def count_displacements(text: str, supercell: tuple[int, int, int]) -> int:
    """How many displacements a structure needs, for plans: its relaxed form, which has the same
    symmetry, needs as many.

    Parameters
    ----------
    text : the structure as extended XYZ
    supercell : repeats along the three cell vectors
    """
    from phonopy import Phonopy  # half a second, which a study without phonons need not wait for
    from phonopy.structure.atoms import PhonopyAtoms

    atoms = Frames.from_extxyz(text)[0]
    cell = PhonopyAtoms(
        numbers=atoms.numbers, cell=atoms.cell.array, scaled_positions=atoms.get_scaled_positions()
    )
    phonons = Phonopy(
        cell,
        np.diag(supercell),
        primitive_matrix="P",
        symprec=Settings(operation="displace").symmetry_A,
    )
    phonons.generate_displacements()
    return len(phonons.displacements)


def cost(settings: Settings, n_atoms: int) -> Cost:
    """Estimate; ``n_atoms`` is that of the supercell."""
    if settings.operation == "displace":
        return Cost(core_seconds=5.0, bytes=1e4 * n_atoms)
    points = int(np.prod(settings.mesh)) / 4 + 200
    return Cost(
        core_seconds=10.0 + points * 0.04 * (n_atoms / 104) ** 3, bytes=1e5 + 200 * 24.0 * n_atoms
    )
