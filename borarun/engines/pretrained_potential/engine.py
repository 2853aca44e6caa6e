"""A pretrained network as the potential of a study. Nothing is fitted: ``train`` examines the
network on the labels, and leaves its name as the potential.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from borarun.engines import base
from borarun.engines.base import Cost, Files, Frames, Inputs, Probe, Result
from borarun.engines.base import Program as Program
from borarun.engines.base import paths as paths
from borarun.engines.networks import packages
from borarun.engines.potential.base import Exported
from borarun.engines.potential.training import TrainingSettings
from borarun.engines.pretrained_potential.form import POTENTIAL, Network, known
from borarun.engines.pretrained_potential.section import INSIDE, Keys, NetworkPotential
from borarun.engines.reading import read_arrays, read_bytes, read_facts, read_json
from borarun.labels import gate
from borarun.records import endings
from borarun.records.operations.base import Array, quantities
from borarun.records.operations.potential import PARITY, Trained

NAME = "pretrained"
HOME = "https://wiki.fysik.dtu.dk/ase"
Section = NetworkPotential
RESUMABLE = False
FORMAT = 1
"""Raised by one when the same settings come to mean another result."""

ATOMS = 104 * 150
"""Of a training set, for estimates."""


class Settings(Keys, TrainingSettings):
    """Settings of the examination."""


def version(settings: Settings) -> str:
    """Versions of the files, and of the packages as far as they are installed here."""
    installed = packages.versions(INSIDE[settings.family], settings.dispersion)
    return f"format {FORMAT}, {', '.join(installed)}"


def missing(settings: Settings, program: Program) -> str:
    """How to install what is not there."""
    return packages.missing(INSIDE[settings.family], settings.dispersion)


def probes(program: Program) -> list[Probe]:
    """Nothing: which package it needs is a matter of the study."""
    return []


def render(settings: Settings, inputs: Inputs, program: Program) -> Files:
    """The network's name, and all labels: none is fitted."""
    labels = Frames.join([*base.frames_of(inputs, "labels"), *base.frames_of(inputs, "selected")])
    labels = labels.take(gate.distinct(labels))
    network = Network(
        family=settings.family,
        model=settings.name,
        dispersion=settings.dispersion,
        packages=packages.versions(INSIDE[settings.family], settings.dispersion),
        species=tuple(dict.fromkeys(labels.numbers.tolist())),
        atom_step_us=1e6 * INSIDE[settings.family].seconds_per_atom,
    )
    return {POTENTIAL: network.model_dump_json(indent=1) + "\n", "valid.extxyz": labels.to_extxyz()}


def command(settings: Settings, cores: int, program: Program) -> list[str]:
    """The command to start."""
    return [
        sys.executable,
        "-m",
        "borarun.engines.pretrained_potential.examine",
        "--cores",
        str(cores),
    ]


def parse(settings: Settings, directory: Path) -> Result:
    """What the program left, checked.

    Raises
    ------
    ParseError
        Where a file is missing or cut short.
    """
    result = endings.result_of(directory, endings.Written)
    facts, size = read_facts(Trained, result.facts, directory / endings.NAME), result.bytes
    names: dict[Array, str] = {array: name for name, array in PARITY.items()}
    parity = read_arrays(directory / "parity.npz", size, names)
    read_json(Network, directory / POTENTIAL)
    text = read_bytes(directory / POTENTIAL).decode()
    loss = quantities({Trained.LOSS: np.zeros(0)})
    return Result(facts, texts={Trained.POTENTIAL: text}, arrays={**parity, **loss})


def cost(settings: Settings, n_atoms: int) -> Cost:
    """Estimate."""
    seconds = ATOMS * INSIDE[settings.family].seconds_per_atom
    return Cost(core_seconds=20.0 + seconds, bytes=1e6)


def exported(
    potential: str, array: Callable[[str], bytes | None], parts: Mapping[str, Frames]
) -> Sequence[Exported]:
    """Its name, for those who have the package."""
    network = known(potential)
    about = f"pretrained network {INSIDE[network.family].title} {network.model}"
    return [Exported("potentials", "", "json", potential.encode(), about)]
