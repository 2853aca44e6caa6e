"""Training of moment tensor potentials and selection by MLIP-3: cfg files in, its ``mlp`` at work,
potential with selection state out.

Source: Podryabinkin, Garifullin, Shapeev, Novikov, J. Chem. Phys. 159, 084112 (2023).
docs/mlip-3.md says which command does what.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from borarun.basics.errors import ParseError
from borarun.engines import base
from borarun.engines.base import (
    Cost,
    Files,
    Frames,
    Inputs,
    Probe,
    Result,
    Told,
    array_of,
    frames_of,
    text_of,
)
from borarun.engines.base import paths as paths
from borarun.engines.job import FILE
from borarun.engines.mlip_3.job import Mlip3Job, SelectJob, TrainJob
from borarun.engines.mlip_3.section import Keys, Mlip3Potential
from borarun.engines.moment_tensor import section as moment_tensor
from borarun.engines.moment_tensor.cost import CONFIGURATIONS
from borarun.engines.moment_tensor.export import exported as exported
from borarun.engines.moment_tensor.results import TrainedMomentTensor
from borarun.engines.potential.training import TrainingSettings, split
from borarun.engines.reading import read_bytes
from borarun.mtp import almtp, cfg
from borarun.mtp.potential import Potential
from borarun.records import endings
from borarun.records.operations.base import changed, quantities
from borarun.records.operations.potential import Errors, ErrorsOfSets, Ranges, Selected, Trained
from borarun.records.task import Task

if TYPE_CHECKING:
    from borarun.mtp.residuals import Comparison

NAME = "mlip-3"
HOME = "https://gitlab.com/ashapeev/mlip-3"
Section = Mlip3Potential
RESUMABLE = True
FORMAT = 1
"""Raised by one when the same settings come to mean another result."""

PARTS = ("train", "valid")
ITERATION_SECONDS = {
    6: 0.018,
    8: 0.036,
    10: 0.054,
    12: 0.09,
    14: 0.18,
    16: 0.36,
    18: 0.72,
    20: 1.4,
    22: 2.9,
    24: 5.8,
    26: 12,
    28: 23,
}
"""Core time of an iteration for 104 atoms by level; measured at level 8."""

Got = TypeVar("Got")


class Settings(Keys, moment_tensor.Keys, TrainingSettings):
    """Settings of both operations."""

    @model_validator(mode="after")
    def _cuts_neighbourhoods(self) -> Self:
        if self.cut_radius_A and self.al_mode == "cfg":
            raise ValueError("cut_radius_A needs al_mode nbh: only then are neighbourhoods graded")
        return self


class Program(base.Program):
    """How MLIP-3 runs on a site."""

    command: base.Command = Field(
        default="mlp", description="MLIP-3's `mlp` on one core: grades, errors and selection."
    )
    train_command: base.Command | None = Field(
        default=None,
        description="`mlp` for training, e.g. `mpirun -np {cores} mlp`. Default: `command`, "
        "on one core.",
    )

    @field_validator("command")
    @classmethod
    def _on_one_core(cls, value: str) -> str:
        if base.LAUNCH in value:
            raise ValueError(
                f"{base.LAUNCH} is only for train_command: everything else runs on one core"
            )
        return value

    def usable(self, task: Task, cores: int) -> int:
        """One, but for training by a ``train_command`` that says how many it takes, by a
        placeholder or by ``cores``.
        """
        parallel = self.train_command and (
            self.cores or any(each in self.train_command for each in base.PLACEHOLDERS)
        )
        return cores if parallel and Settings.of(task).operation == "train" else 1


def version(settings: Settings) -> str:
    """Version of the files; `mlp` does not tell its own: the hash of its file is a fact of the
    record.
    """
    return f"format {FORMAT}"


def missing(settings: Settings, program: Program) -> str:
    """Which program is not there, and where to name it."""
    for key, value in (
        ("command", program.command),
        ("train_command", program.train_command or program.command),
    ):
        if not program.finds(value):
            name = base.first(value)
            return (
                f"{name!r} is not found. Build MLIP-3 (gitlab.com/ashapeev/mlip-3) and write its "
                f"path into the site file as programs.mlip-3.{key}"
            )
    return ""


def probes(program: Program) -> list[Probe]:
    """`mlp` without a command says whether it was built with MPI; it has no version number."""

    def read(text: str) -> Told:
        found = re.search(r"^mlp (serial|mpi) version", text, re.MULTILINE)
        return (
            Told(f"mlp, {found[1]}")
            if found
            else Told(trouble="is not mlp of MLIP-3, by its output", remedy=base.BY_HAND)
        )

    def read_train(text: str) -> Told:
        told = read(text)
        if told.version == "mlp, serial" and program.cores not in (None, 1):
            said = f"was built without MPI: {program.cores} processes would each train separately"
            return Told(told.version, said, "Build it with MPI, or set programs.mlip-3.cores to 1.")
        return told

    train = (
        [Probe("train_command", program.train_command, read_train)] if program.train_command else []
    )
    return [Probe("command", program.command, read), *train]


def render(settings: Settings, inputs: Inputs, program: Program) -> Files:
    """The input files: ``job.json``, configurations as cfg files, and the potential to start from
    or to select for.
    """
    if settings.operation == "select":
        content = array_of(inputs, "almtp").tobytes()
        species = Potential.read(almtp.split(content)[0]).species
        candidates = replace(
            Frames.join(frames_of(inputs, "candidates")),
            energy=None,
            forces=None,
            stress=None,
            grade=None,
        )
        job: Mlip3Job = SelectJob.of(settings)
        files: Files = {
            "start.almtp": content,
            "candidates.cfg": cfg.write(candidates, species, numbered=True),
        }
    else:
        train, valid = split(inputs, settings)
        if "potential" in inputs:
            start = Potential.read(text_of(inputs, "potential"))
        else:
            elements = list(dict.fromkeys(train.numbers.tolist()))
            start = Potential.untrained(
                settings.level,
                elements,
                settings.cutoff_A,
                radial_basis_size=settings.radial_basis_size,
                seed=settings.seed,
            )
        job = TrainJob.of(settings)
        files = {
            "start.mtp": text_of(inputs, "potential") if "potential" in inputs else start.write()
        }
        files |= {
            f"{part}.cfg": cfg.write(replace(frames, grade=None), start.species)
            for part, frames in zip(PARTS, (train, valid), strict=True)
        }
    files[FILE] = job.text()
    return files


def command(settings: Settings, cores: int, program: Program) -> list[str]:
    """The command to start."""
    train = base.words(program.train_command or program.command, cores, program.threads)
    return [
        sys.executable,
        "-m",
        "borarun.engines.mlip_3.program",
        "--command",
        program.command,
        "--",
        *train,
    ]


def parse(settings: Settings, directory: Path) -> Result:
    """What ``mlp`` left, checked.

    Raises
    ------
    ParseError
        Where a file is missing, cut short, contains values that are not numbers, or contradicts
        another.
    EngineError
        Where the program says why there is no result.
    """
    endings.result_of(directory, endings.Nothing)
    result = (
        _selected(settings, directory) if settings.operation == "select" else _trained(directory)
    )
    noted = directory / "program.txt"
    program = noted.read_text() if noted.exists() else "MLIP-3"
    return replace(result, facts=changed(result.facts, program=program))


def _trained(directory: Path) -> Result:
    file = directory / "trained.almtp"
    content = read_bytes(file)
    text = almtp.split(content)[0]
    potential = _of(file, lambda: Potential.read(text))
    _of(file, lambda: almtp.read(content, potential))
    compared = {part: _compared(directory, part, potential.species) for part in PARTS}
    losses = _losses(directory / "train.log")
    log = read_bytes(directory / "train.log").decode(errors="replace")
    facts = TrainedMomentTensor(
        level=potential.level,
        n_parameters=potential.n_parameters,
        n_train=len(compared["train"].energy[0]),
        n_valid=len(compared["valid"].energy[0]),
        evaluations=len(losses),
        converged="step limit reached" not in log,
        errors=ErrorsOfSets(
            train=Errors.of(*compared["train"]), valid=Errors.of(*compared["valid"])
        ),
        ranges=Ranges.of(*compared.values()),
    )
    p, parity = potential.n_parameters, compared["valid"]
    arrays = quantities(
        {
            TrainedMomentTensor.ALMTP: np.frombuffer(content, np.uint8),
            TrainedMomentTensor.ACTIVE_SET: _active_set(directory / "active_set.npy", p),
            Trained.LOSS: losses,
            Trained.PARITY_ENERGY: parity.energy,
            Trained.PARITY_FORCES: parity.forces.reshape(2, -1),
            Trained.PARITY_STRESS: parity.stress.reshape(2, -1),
        }
    )
    return Result(facts, texts={Trained.POTENTIAL: text}, arrays=arrays)


def _compared(directory: Path, part: str, species: tuple[int, ...]) -> Comparison:
    """Labels beside what ``mlp calculate_efs`` made of them, which must agree with the report of
    ``mlp check_errors``.
    """
    from borarun.mtp.residuals import Comparison  # loads numba, which a plan need not wait for

    labels, found = (_cfg(directory / name, species) for name in (f"{part}.cfg", f"efs_{part}.cfg"))
    file = directory / f"efs_{part}.cfg"
    if not np.array_equal(found.numbers, labels.numbers) or len(found) != len(labels):
        raise ParseError(
            file, f"does not contain the requested configurations ({len(found)} of {len(labels)})"
        )
    if not found.labelled:
        raise ParseError(file, "contains a configuration without energy, forces or stress")
    pairs = [
        (getattr(labels, name), getattr(found, name)) for name in ("energy", "forces", "stress")
    ]
    energy, forces, stress = (np.array(pair) for pair in pairs)
    for values in (energy, forces, stress):
        if not np.isfinite(values).all():
            raise ParseError(file, "contains values that are not numbers")
    comparison = Comparison(energy / np.diff(labels.offsets), forces, stress)
    report = _report(directory / f"errors_{part}.txt")
    ours = {
        "Energy per atom": comparison.energy,
        "Forces": np.sqrt(3.0) * comparison.forces,
    }  # mlp takes whole vectors, borarun components
    for name, values in ours.items():
        rms = float(np.sqrt(np.mean((values[1] - values[0]) ** 2)))
        if not np.isclose(
            rms, report[name], rtol=1e-3, atol=2e-6
        ):  # six digits in the report, six decimals in the cfg file
            raise ParseError(
                file,
                f"gives an RMS error of {name.lower()} of {rms:.6g}, mlp check_errors says "
                f"{report[name]:.6g}",
            )
    return comparison


def _report(file: Path) -> dict[str, float]:
    """RMS absolute difference of each quantity in a report of ``mlp check_errors``."""
    text = read_bytes(file).decode(errors="replace")
    found = re.findall(
        r"^(\w.*):\n\tErrors checked(?:.*\n)*?\tRMS     absolute difference = (\S+)\n",
        text,
        re.MULTILINE,
    )
    if len(found) != 5 or not text.rstrip().endswith("_" * 40):
        raise ParseError(file, "is cut short, or is not a report of mlp check_errors")
    return _of(file, lambda: {name: float(value) for name, value in found})


def _losses(file: Path) -> NDArray[np.float64]:
    """The loss at each iteration; training that was stopped and went on is in one file."""
    text = read_bytes(file).decode(errors="replace")
    if "training complete\n" not in text:
        raise ParseError(file, "is cut short: `mlp train` did not finish")
    return np.array(
        [
            float(value)
            for value in re.findall(r"^BFGS iter \d+: f=([-+.0-9e]+)$", text, re.MULTILINE)
        ]
    )


def _active_set(file: Path, p: int) -> NDArray[np.float64]:
    values: NDArray[np.float64] = _of(
        file, lambda: np.load(io.BytesIO(read_bytes(file)), allow_pickle=False)
    )
    if values.shape != (p, p) or not np.isfinite(values).all():
        raise ParseError(file, f"is not an active set of {p} parameters (got shape {values.shape})")
    return values


def _selected(settings: Settings, directory: Path) -> Result:
    species = Potential.read(almtp.split(read_bytes(directory / "start.almtp"))[0]).species
    candidates = _cfg(directory / "candidates.cfg", species)
    file = directory / "graded.cfg"
    graded = _noted(file)
    grades = _of(file, lambda: [float(noted[cfg.GRADE]) for noted in graded])
    if len(grades) != len(candidates) or not np.isfinite(grades).all():
        raise ParseError(file, f"holds the grades of {len(grades)} of {len(candidates)} candidates")
    pool = (
        _cfg(directory / "pieces.cfg", species)
        if settings.cut_radius_A
        else replace(candidates, grade=np.array(grades))
    )

    file, log = directory / "chosen.cfg", directory / "select_add.log"
    told = re.search(
        r"^Training set was increased by (\d+) configurations$",
        read_bytes(log).decode(errors="replace"),
        re.MULTILINE,
    )
    if told is None:
        raise ParseError(log, "is cut short: `mlp select_add` did not finish")
    chosen = _noted(file)
    if len(chosen) != int(told[1]):
        raise ParseError(file, f"holds {len(chosen)} of {told[1]} selected configurations")
    rows = _of(
        file,
        lambda: {int(noted["ID"]): len(noted["selected_eqn_inds"].split(",")) for noted in chosen},
    )
    if rows and not set(rows) <= set(range(len(pool))):
        raise ParseError(
            file, f"names configurations that are not among the {len(pool)} candidates"
        )
    pool_grades = pool.grade if pool.grade is not None else np.zeros(len(pool))
    ranked = sorted(rows, key=lambda index: (-rows[index], -pool_grades[index]))
    ranked = ranked[: settings.max_selected]
    facts = Selected(n_candidates=len(candidates), n_selected=len(ranked), grades=tuple(grades))
    return Result(facts, frames={Selected.SELECTED: pool.take(ranked)})


def _cfg(file: Path, species: tuple[int, ...]) -> Frames:
    return _of(file, lambda: cfg.read(read_bytes(file).decode(errors="replace"), species))


def _noted(file: Path) -> list[dict[str, str]]:
    return _of(file, lambda: cfg.features(read_bytes(file).decode(errors="replace")))


def _of(file: Path, read: Callable[[], Got]) -> Got:
    """What ``read`` gives; where it finds the file damaged, that is told of the file."""
    try:
        return read()
    except (ValueError, KeyError, EOFError) as error:
        raise ParseError(file, f"is damaged or cut short ({error})") from error


def cost(settings: Settings, n_atoms: int) -> Cost:
    """Estimate; how many configurations there will be is not known before."""
    if settings.operation == "select":
        return Cost(core_seconds=30.0, bytes=2e5)
    one = ITERATION_SECONDS[settings.level] * n_atoms / 104
    return Cost(
        core_seconds=10.0 + settings.iteration_limit * CONFIGURATIONS * one,
        bytes=3e6,
    )
