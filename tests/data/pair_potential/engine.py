"""Pair potentials: trained by linear least squares, selected for by leverage."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from borarun.engines.pair.form import LEVERAGE, POTENTIAL
from borarun.engines.pair.section import Keys, PairPotential

from borarun.engines.base import (
    Cost,
    Files,
    Frames,
    Inputs,
    Result,
    array_of,
    frames_of,
    text_of,
)
from borarun.engines.base import Program as Program
from borarun.engines.base import paths as paths
from borarun.engines.base import probes as probes
from borarun.engines.potential.base import Exported
from borarun.engines.potential.training import TrainingSettings, split
from borarun.records import endings
from borarun.records.operations.base import Array, quantities
from borarun.records.operations.potential import PARITY, Selected, Trained

NAME = "pair"
Section = PairPotential
RESUMABLE = False


class PairTrained(Trained):
    """A training, with what this potential's uncertainty follows from."""

    LEVERAGE = Array("leverage", "", shape="P P", unit="1", dims=("parameter", "parameter"))


class Settings(Keys, TrainingSettings):
    """Settings of both operations."""


def version(settings: Settings) -> str:
    """Version of the files."""
    return "1"


def missing(settings: Settings, program: Program) -> str:
    """Nothing."""
    return ""


def render(settings: Settings, inputs: Inputs, program: Program) -> Files:
    """Configurations, and the potential to select for."""
    files: Files = {"job.json": settings.model_dump_json()}
    if settings.operation == "train":
        train, valid = split(inputs, settings)
        return files | {"train.extxyz": train.to_extxyz(), "valid.extxyz": valid.to_extxyz()}
    content = io.BytesIO()
    np.save(content, array_of(inputs, "leverage"))
    met = Frames.join(frames_of(inputs, "candidates"))
    return files | {
        POTENTIAL: text_of(inputs, "potential"),
        LEVERAGE: content.getvalue(),
        "candidates.extxyz": met.to_extxyz(),
    }


def command(settings: Settings, cores: int, program: Program) -> list[str]:
    """The command to start."""
    return [sys.executable, "-m", "borarun.engines.pair.program"]


def parse(settings: Settings, directory: Path) -> Result:
    """What the program left."""
    if settings.operation == "select":
        chosen = Frames.from_extxyz((directory / "selected.extxyz").read_text())
        return Result(endings.result_of(directory, Selected), frames={Selected.SELECTED: chosen})
    arrays = {array: np.load(directory / f"{name}.npy") for name, array in PARITY.items()}
    arrays[PairTrained.LEVERAGE] = np.load(directory / LEVERAGE)
    arrays[Trained.LOSS] = np.zeros(1)
    text = (directory / POTENTIAL).read_text()
    return Result(
        endings.result_of(directory, PairTrained), {Trained.POTENTIAL: text}, quantities(arrays)
    )


def cost(settings: Settings, n_atoms: int) -> Cost:
    """A moment."""
    return Cost(core_seconds=2.0, bytes=1e5)


def exported(
    potential: str, array: Callable[[str], bytes | None], parts: Mapping[str, Frames]
) -> Sequence[Exported]:
    """The potential as it is."""
    assert array("leverage") is not None
    n_parameters = len(json.loads(potential)["coefficients"])
    about = f"pair potential of {n_parameters} parameters"
    return [Exported("potentials", "", "json", potential.encode(), about)]
