"""Training of moment tensor potentials and D-optimal selection: motep's data and maxvol, borarun's
kernels and Levenberg-Marquardt fit.

Two operations: ``train`` fits a potential to labelled frames and finds its active set; ``select``
finds the candidates worth a label.
"""

from __future__ import annotations

import io
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from borarun.basics.errors import ParseError
from borarun.engines.base import Cost, Files, Frames, Inputs, Result, array_of, frames_of, text_of
from borarun.engines.base import Program as Program
from borarun.engines.base import paths as paths
from borarun.engines.base import probes as probes
from borarun.engines.borarun_mtp.job import FitJob, SelectJob
from borarun.engines.borarun_mtp.section import BorarunPotential, Keys
from borarun.engines.job import FILE, Job
from borarun.engines.moment_tensor import section as moment_tensor
from borarun.engines.moment_tensor.cost import CONFIGURATIONS
from borarun.engines.moment_tensor.export import exported as exported
from borarun.engines.moment_tensor.results import TrainedMomentTensor
from borarun.engines.potential.training import TrainingSettings, split
from borarun.engines.reading import read_bytes
from borarun.records import endings
from borarun.records.operations.base import Array, quantities
from borarun.records.operations.potential import PARITY, Selected, Trained

NAME = "borarun-mtp"
HOME = "https://github.com/imw-md/motep"
Section = BorarunPotential
RESUMABLE = True
FORMATS = {"train": 2, "select": 1}
"""Raised by one when the same settings come to mean another result of the operation."""

ITERATION_SECONDS = {
    6: 0.004,
    8: 0.005,
    10: 0.007,
    12: 0.01,
    14: 0.016,
    16: 0.025,
    18: 0.045,
    20: 0.08,
    22: 0.18,
    24: 0.4,
    26: 1,
    28: 2.3,
}
"""Core time of an iteration for 104 atoms by level: the derivatives, measured at every level, and
what else an iteration needs, measured at 12, 16 and 20.
"""


class Settings(Keys, moment_tensor.Keys, TrainingSettings):
    """Settings of both operations.

    Attributes
    ----------
    starts : untrained potentials that are tried briefly; the best one is fitted
    """

    starts: PositiveInt = 4


def version(settings: Settings) -> str:
    """Versions of the files and of motep."""
    return f"format {FORMATS[settings.operation]}, motep {metadata.version('motep')}"


def missing(settings: Settings, program: Program) -> str:
    """Nothing: motep comes with borarun."""
    return ""


def render(settings: Settings, inputs: Inputs, program: Program) -> Files:
    """The input files: ``job.json``, configurations as extended XYZ, and the potential to start
    from or to select for.
    """
    files: Files = {}
    if "potential" in inputs:
        files["start.mtp"] = text_of(inputs, "potential")
    if settings.operation == "select":
        files["active_set.npy"] = _npy(array_of(inputs, "active_set"))
        files["candidates.extxyz"] = Frames.join(frames_of(inputs, "candidates")).to_extxyz()
        job: Job = SelectJob.of(settings)
    else:
        train, valid = split(inputs, settings)
        files["train.extxyz"], files["valid.extxyz"] = train.to_extxyz(), valid.to_extxyz()
        job = FitJob.of(settings)
    files[FILE] = job.text()
    return files


def command(settings: Settings, cores: int, program: Program) -> list[str]:
    """The command to start."""
    if settings.operation == "select":
        return [sys.executable, "-m", "borarun.engines.borarun_mtp.select"]
    return [sys.executable, "-m", "borarun.engines.borarun_mtp.fit", "--processes", str(cores)]


def parse(settings: Settings, directory: Path) -> Result:
    """What the program left, checked.

    Raises
    ------
    ParseError
        Where a file is missing, cut short or contains values that are not numbers.
    """
    if settings.operation == "select":
        selected = endings.result_of(directory, Selected)
        frames = _selected(directory / "selected.extxyz", selected.n_selected)
        return Result(selected, frames={Selected.SELECTED: frames})
    facts = endings.result_of(directory, TrainedMomentTensor)
    file = directory / "potential.mtp"
    text = read_bytes(file).decode(errors="replace")
    if not text.endswith("}\n") or "moment_coeffs" not in text:
        raise ParseError(file, "is cut short")
    p = facts.n_parameters
    arrays: dict[Array, NDArray[Any]] = {
        TrainedMomentTensor.ACTIVE_SET: _array(directory / "active_set.npy", (p, p)),
        Trained.LOSS: _array(directory / "loss.npy", (None,)),
    }
    for name, array in PARITY.items():
        arrays[array] = _array(directory / f"parity_{name}.npy", (2, None))
    return Result(facts, texts={Trained.POTENTIAL: text}, arrays=quantities(arrays))


def _selected(file: Path, count: int) -> Frames:
    try:
        frames = Frames.from_extxyz(read_bytes(file).decode())
    except ParseError:
        raise
    except Exception as error:  # ASE raises whatever its reader stumbles over
        raise ParseError(file, f"is not valid extended XYZ ({error})") from error
    if len(frames) != count or (len(frames) and frames.grade is None):
        raise ParseError(file, f"holds {len(frames)} graded configurations of {count}")
    return frames


def _array(file: Path, shape: tuple[int | None, ...]) -> NDArray[Any]:
    try:
        values = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ParseError(file, f"is missing or cut short ({error})") from error
    if values.ndim != len(shape) or any(
        want not in (None, got) for want, got in zip(shape, values.shape, strict=True)
    ):
        raise ParseError(file, f"has the wrong shape {values.shape}")
    if not np.isfinite(values).all():
        raise ParseError(file, "contains values that are not numbers")
    return np.asarray(values)


def _npy(values: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def cost(settings: Settings, n_atoms: int) -> Cost:
    """Estimate; how many configurations there will be is not known before."""
    if settings.operation == "select":
        return Cost(core_seconds=15.0, bytes=2e5)
    one = ITERATION_SECONDS[settings.level] * n_atoms / 104
    return Cost(core_seconds=5.0 + 0.6 * settings.max_evaluations * CONFIGURATIONS * one, bytes=1e6)
