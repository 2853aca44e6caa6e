"""What the reference engines share: their settings, the files of ``reference.program``,
and how these are read.

A reference engine gives the energies, forces and stresses that a potential is trained on.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Required, Self, TypedDict, TypeVar

import numpy as np
from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Strict,
    field_validator,
    model_validator,
)

from borarun.basics.causes import Cause
from borarun.basics.errors import EngineError, ParseError
from borarun.engines.base import (
    Cost,
    Files,
    Frames,
    Inputs,
    Result,
    Settings,
    frames_of,
    structure_of,
)
from borarun.engines.job import FILE
from borarun.engines.reading import read_bytes, read_facts, read_whole
from borarun.engines.reference.job import AimdJob, LabelJob, ReferenceJob, RelaxJob
from borarun.input.messages import Section
from borarun.labels import gate
from borarun.records import endings
from borarun.records.operations.base import Facts
from borarun.records.operations.reference import Labelled, Relaxed, Sampled
from borarun.structures.contacts import Contacts, contacts
from borarun.structures.structure import Cell, build

FORMAT = "1"
"""Version of the files below: part of every key."""

Positive = Annotated[float, Field(gt=0, le=1e9)]
Repeat = Annotated[int, Field(ge=1, le=50)]
Mesh = Annotated[tuple[Repeat, Repeat, Repeat], Strict(False)]
"""Points of a mesh along the three reciprocal vectors."""

Version = Annotated[
    Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9A-Za-z-]+)*$", max_length=40)] | None,
    Field(exclude_if=lambda value: value is None),
]
"""Version of a program that the study asks for, whole or its beginning. Where it asks for none,
keys hold nothing of it.
"""

RELAX_STEPS = 60
"""Steps that a relaxation usually takes, for estimates."""

OPERATIONS: dict[str, type[Relaxed | Labelled]] = {
    "relax": Relaxed,
    "label": Labelled,
    "aimd": Sampled,
}
"""What each operation leaves."""


class Counted(Facts):
    """What every operation of a reference engine says."""

    n_labels: int


class Asked(TypedDict, total=False):
    """What a stage asks of a reference engine: see ``ReferenceSettings``."""

    operation: Required[Literal["relax", "label", "aimd"]]
    functional: Required[str]
    part: tuple[int, int]
    contacts: Contacts
    cell: Cell
    fmax_eV_per_A: float
    max_steps: int
    temperature_K: float
    time_ps: float
    timestep_fs: float
    sample_every_fs: float
    friction_per_ps: float
    seed: int


@dataclass(frozen=True)
class Crystal:
    """What settings depend on beside the study's section of the reference.

    Attributes
    ----------
    text : the structure whose k-points the section gives, as extended XYZ
    formula : of the whole crystal
    vacancy_ion : element of its vacancies
    """

    text: str
    formula: str
    vacancy_ion: str

    @property
    def edges_A(self) -> tuple[float, ...]:
        """Edges of the structure's cell, angstrom."""
        return _edges_A(self.text)


@cache
def _edges_A(text: str) -> tuple[float, ...]:
    return tuple(Frames.from_extxyz(text)[0].cell.lengths().tolist())


Complete = TypeVar("Complete", bound=Settings)


class ReferenceSection(Section):
    """What a study says of its reference engine; each engine declares its keys, these two among
    them.
    """

    if TYPE_CHECKING:
        engine: str
        labels_per_task: int

    LABELS_AGAIN: ClassVar[bool] = False
    """Whether molecular dynamics is computed with other settings than labels, at least with the
    plane waves of another cell, so that its configurations are labelled again.
    """

    STAND_IN: ClassVar[str] = "the engine {engine}, which stands in for DFT with {functionals}"
    """What computes instead of density functional theory, in words; empty where this does."""

    def stand_in(self, functionals: str) -> str:
        """What computes instead of DFT with some functionals; empty of an engine of DFT."""
        return self.STAND_IN.format(engine=self.engine, functionals=functionals)

    def findings(
        self, elements: Set[str], cells: Iterable[Mapping[int, int]]
    ) -> Iterator[tuple[str, str]]:
        """Keys of it, and what is wrong with their values for a material.

        Parameters
        ----------
        elements : of the formula
        cells : for each kind of cell that is labelled, the electrons of all its neutral atoms, by
            the number of vacancies
        """
        yield from ()

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Keys of it, and what is worth knowing of their values."""
        yield from ()

    def settings(
        self, kind: type[Complete], asked: Asked, crystal: Crystal | None = None
    ) -> Complete:
        """The settings of a task: what the study says of the reference, and what a stage asks.

        Parameters
        ----------
        kind : the engine's ``Settings``
        crystal : where a task will run; without it what only tasks need is left out
        """
        ours = self.model_dump(exclude={"engine", "labels_per_task"}, exclude_none=True)
        if crystal is not None:
            if "kpoints" in ours:
                ours["kpoints_cell_A"] = crystal.edges_A
            if ours.get("charge_per_vacancy"):
                ours |= {"formula": crystal.formula, "vacancy_ion": crystal.vacancy_ion}
        return kind.model_validate({**ours, **asked})


class ReferenceSettings(Settings):
    """Settings of a reference engine; each engine names its functionals.

    Attributes
    ----------
    operation : ``relax`` a structure, ``label`` the input ``frames`` or close contacts of a
        structure, or ``aimd``: a short NPT Langevin run
    functional : one of the engine's ``FUNCTIONALS``
    part : ``label`` takes the frames i, i + n, i + 2 n ... of its input, (i, n)
    contacts : close contacts to make of the cell, and to label
    cell : where relax and aimd start, and contacts are made
    fmax_eV_per_A : relax ends when no force is larger ...
    max_stress_kbar : ... and no component of the stress
    max_steps : relax gives up after so many
    relax_cell : relax the cell as well as the positions
    keep_symmetry : relax keeps the space group that it finds in the start
    temperature_K, time_ps, timestep_fs, sample_every_fs : of aimd; the start itself is no sample
    friction_per_ps : of the Langevin thermostat
    pressure_bar : of the barostat
    seed : of velocities and random forces
    """

    ENGINE: ClassVar[str]
    CALCULATOR: ClassVar[str] = ""
    """The folder in ``engines`` whose ``calculator`` evaluates; empty: the engine's own."""
    FUNCTIONALS: ClassVar[tuple[str, ...]]

    operation: Literal["relax", "label", "aimd"]
    functional: str
    part: tuple[NonNegativeInt, PositiveInt] = (0, 1)
    contacts: Contacts | None = None
    cell: Cell = Cell()

    fmax_eV_per_A: PositiveFloat = 0.005
    max_stress_kbar: PositiveFloat = 0.1
    max_steps: PositiveInt = 500
    relax_cell: bool = True
    keep_symmetry: bool = True

    temperature_K: PositiveFloat = 1000.0
    time_ps: PositiveFloat = 1.0
    timestep_fs: PositiveFloat = 1.0
    sample_every_fs: PositiveFloat = 1.0
    friction_per_ps: PositiveFloat = 10.0
    pressure_bar: float = 0.0
    seed: int = Field(1, ge=0)

    @property
    def steps(self) -> int:
        """Steps of an aimd run."""
        return round(self.time_ps * 1e3 / self.timestep_fs)

    @property
    def sample_every(self) -> int:
        """Steps between the samples of an aimd run."""
        return round(self.sample_every_fs / self.timestep_fs)

    @field_validator("functional")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in cls.FUNCTIONALS:
            raise ValueError(
                f"{cls.ENGINE} has {' and '.join(cls.FUNCTIONALS)} (got {value}). Choose "
                "one of these, or another engine."
            )
        return value

    @model_validator(mode="after")
    def _samples_fall_on_steps(self) -> Self:
        if self.sample_every < 1 or not math.isclose(
            self.sample_every * self.timestep_fs, self.sample_every_fs, rel_tol=1e-6
        ):
            raise ValueError(
                "sample_every_fs is not a multiple of timestep_fs (got "
                f"{self.sample_every_fs} and {self.timestep_fs})"
            )
        if self.operation == "aimd" and self.steps < self.sample_every:
            raise ValueError(
                f"the run ends before its first sample (got time_ps {self.time_ps}, "
                f"sample_every_fs {self.sample_every_fs})"
            )
        return self


def check_version(asked: str | None, programs: Iterable[str], directory: Path) -> None:
    """That what ran is what the study asks for.

    Parameters
    ----------
    asked : e.g. ``6.4``, which 6.4.2 is and 6.40 is not; None: any will do
    programs : name and version of each that ran, as its output tells them, e.g. ``VASP 6.4.2``

    Raises
    ------
    EngineError
        Where another version ran.
    """
    for program in programs if asked else ():
        name, _, version = program.partition(" ")
        if not re.match(rf"{re.escape(asked or '')}(?!\d)", version):
            raise EngineError(
                f"version: the study asks for {name} {asked} (got {version}).",
                remedy="Set that version in the site file or load it in worker_init, or "
                f"change reference.version. Then delete {directory} and submit again.",
                cause=Cause.BAD_SETUP,
            )


def configurations(settings: ReferenceSettings, inputs: Inputs) -> Frames:
    """The configurations that a task starts from: the frames to label, or one structure."""
    base = structure_of(inputs)
    if settings.operation != "label":
        return Frames.of([build(settings.cell, base)])
    made = settings.contacts and contacts(build(settings.cell, base), settings.contacts)
    frames = made or Frames.join(frames_of(inputs, "frames"))
    first, step = settings.part
    frames = frames.take(range(first, len(frames), step))
    return Frames(frames.offsets, frames.numbers, frames.positions, frames.cell)


def render(settings: ReferenceSettings, frames: Frames) -> Files:
    """The input files: ``job.json`` and the configurations.

    Parameters
    ----------
    settings : settings
    frames : from ``configurations``
    """
    kinds: dict[str, type[ReferenceJob]] = {
        "relax": RelaxJob,
        "label": LabelJob,
        "aimd": AimdJob,
    }
    of = kinds[settings.operation]
    job = of.model_validate(
        {
            **settings.model_dump(include=set(of.model_fields)),
            "calculator": settings.CALCULATOR or settings.ENGINE.replace("-", "_"),
            "steps": settings.steps,
            "sample_every": settings.sample_every,
        }
    )
    return {FILE: job.text(), _input_file(settings): frames.to_extxyz()}


def mesh(
    kpoints: tuple[int, int, int], cell_A: Sequence[float] | None, edges_A: Sequence[float]
) -> tuple[int, int, int]:
    """The mesh of k-points for a cell: that of the study's cell, made coarser by as many times as
    the cell repeats it.

    Parameters
    ----------
    kpoints : mesh for the study's cell
    cell_A : edges of the study's cell, angstrom; None: every cell gets ``kpoints``
    edges_A : edges of the cell, angstrom
    """
    if cell_A is None:
        return kpoints
    # Whole repeats, so that a cell that breathes keeps its mesh.
    repeats = [max(1, round(edge / unit)) for edge, unit in zip(edges_A, cell_A, strict=True)]
    a, b, c = (math.ceil(n / repeat) for n, repeat in zip(kpoints, repeats, strict=True))
    return a, b, c


def command(settings: ReferenceSettings, cores: int) -> list[str]:
    """The command that starts the program."""
    return [sys.executable, "-m", "borarun.engines.reference.program", "--cores", str(cores)]


def parse(settings: ReferenceSettings, directory: Path) -> Result:
    """What the program left, checked.

    Raises
    ------
    ParseError
        Where a file is missing, cut short, belongs to other atoms or contains values that are
        not numbers.
    EngineError
        Where the program says that it came to no result.
    """
    file, result = directory / endings.NAME, endings.result_of(directory, endings.Written)
    n_labels, size = read_facts(Counted, result.facts, file).n_labels, result.bytes
    facts = read_facts(OPERATIONS[settings.operation], result.facts, file)

    file = directory / "labels.extxyz"
    read_whole(file, size)
    labels, asked = _frames(file), _frames(directory / _input_file(settings))
    expected = np.tile(asked.numbers, 1 if settings.operation == "label" else n_labels)
    if len(labels) != n_labels or not np.array_equal(labels.numbers, expected):
        raise ParseError(
            file,
            f"does not contain the requested configurations ({len(labels)} of {n_labels}, "
            f"{len(labels.numbers)} atoms)",
        )
    if n_labels and not labels.labelled:
        raise ParseError(file, "contains a configuration without energy, forces or stress")
    admit(labels, file)
    item = Relaxed.STRUCTURE if settings.operation == "relax" else Labelled.LABELS
    return Result(facts, frames={item: labels})


def admit(labels: Frames, file: Path) -> None:
    """Let labels of an own run through the gate that labels of files pass.

    Raises
    ------
    EngineError
        Where one is not to be learnt from; it names the configuration.
    """
    for finding in gate.findings(labels):
        raise EngineError(
            f"{file.name}: {finding}",
            remedy="Check the settings and the structure in the directory of the run.",
            cause=Cause.BAD_INPUT,
        )


def cost(
    settings: ReferenceSettings, n_atoms: int, seconds_per_atom: float, start_s: float
) -> Cost:
    """Estimate from the time of one evaluation.

    Parameters
    ----------
    settings : settings
    n_atoms : atoms of the structure; of all configurations together for ``label``
    seconds_per_atom : core time of one energy with forces and stress, s
    start_s : core time before the first evaluation, s
    """
    evaluations = {"relax": RELAX_STEPS, "label": 1, "aimd": settings.steps}[settings.operation]
    labels = settings.steps // settings.sample_every if settings.operation == "aimd" else 1
    return Cost(
        core_seconds=start_s + evaluations * n_atoms * seconds_per_atom,
        bytes=5e3 + labels * n_atoms * 50.0,
    )


def _input_file(settings: ReferenceSettings) -> str:
    return "frames.extxyz" if settings.operation == "label" else "start.extxyz"


def _frames(file: Path) -> Frames:
    text = read_bytes(file)
    try:
        return Frames.from_extxyz(text.decode())
    except Exception as error:  # ASE raises whatever its reader stumbles over
        raise ParseError(file, f"is not valid extended XYZ ({error})") from error
