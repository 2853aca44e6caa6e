"""Pretrained networks in molecular dynamics: see ``potential.form``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from numpy.typing import NDArray
from pydantic import BaseModel

from borarun.basics.causes import Cause
from borarun.basics.errors import EngineError
from borarun.engines.base import Files
from borarun.engines.networks.calculator import NetworkJob, calculator

Array = NDArray[Any]

POTENTIAL = "network.json"

NEAR_A = 3.0
"""Atoms farther apart than this are no contact."""


class Network(BaseModel, frozen=True):
    """A potential's text: which network it is.

    Attributes
    ----------
    family, model, dispersion : as in ``NetworkJob``
    packages : names and versions of the packages that run it
    species : atomic numbers of the elements that it was examined on
    cutoff_A : distance within which LAMMPS keeps neighbours, angstrom; the network has its own
    atom_step_us : core time of a step for each atom, in microseconds
    """

    family: str
    model: str
    dispersion: str | None
    packages: tuple[str, ...]
    species: tuple[int, ...]
    cutoff_A: float = 5.0
    atom_step_us: float

    def calculator(self, cores: int = 1) -> BaseCalculator:
        """The network, on a GPU where there is one."""
        said = {"family": self.family, "model": self.model, "dispersion": self.dispersion}
        return calculator(NetworkJob.model_validate({**said, "device": "auto"}), cores)


def known(text: str) -> Network:
    """What the text of a potential says of it."""
    return Network.model_validate_json(text)


def files(text: str, uncertainty: Array | None, flavour: str) -> Files:
    """The potential."""
    return {POTENTIAL: text}


def pair_style(flavour: str, thresholds: tuple[float, float] | None) -> str:
    """None: only borarun's own LAMMPS calls it.

    Raises
    ------
    EngineError
        Always.
    """
    raise EngineError(
        f"programs.lammps.flavour: {flavour} cannot run a pretrained network.",
        remedy="Set the flavour to embedded in the site file.",
        cause=Cause.BAD_SETUP,
    )


@dataclass(frozen=True)
class Evaluation:
    """Energy, forces and stress of one configuration: see ``potential.form.Evaluation``."""

    energy: float
    forces: Array
    stress: Array
    min_distance: float


class Evaluator:
    """A network on N periodic atoms."""

    def __init__(self, network: BaseCalculator, numbers: Array) -> None:
        self._atoms = Atoms(numbers, pbc=True)
        self._atoms.calc = network

    def evaluate(self, positions: Array, cell: Array) -> Evaluation:
        """Energy, forces and stress.

        Raises
        ------
        FloatingPointError
            Where positions or cell are not finite or the cell has no volume.
        """
        from ase.neighborlist import neighbor_list

        if not (np.isfinite(positions).all() and abs(np.linalg.det(cell)) > 0):
            raise FloatingPointError("positions or cell are not finite")
        self._atoms.set_cell(cell)
        self._atoms.positions = positions
        return Evaluation(
            float(self._atoms.get_potential_energy()),
            np.asarray(self._atoms.get_forces(), float),
            np.asarray(self._atoms.get_stress(), float),
            float(neighbor_list("d", self._atoms, NEAR_A).min(initial=np.inf)),
        )

    def grade(self) -> float:
        """A network has none."""
        raise NotImplementedError

    def forget(self) -> None:
        """Nothing is kept from one configuration to the next."""


def evaluator(directory: Path, numbers: Array, graded: bool, cores: int = 1) -> Evaluator:
    """The potential in a directory on atoms of these atomic numbers."""
    return Evaluator(known((directory / POTENTIAL).read_text()).calculator(cores), numbers)
