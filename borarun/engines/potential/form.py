"""What molecular dynamics needs of a potential, whatever its functional form.

The folder of an engine, or one that several share, has a ``form.py`` with the names of ``Form``; a
task of molecular dynamics names that folder.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Protocol, cast

from numpy.typing import NDArray

from borarun.engines.base import Files

Array = NDArray[Any]


class Evaluation(Protocol):
    """What a potential says of one configuration.

    Attributes
    ----------
    energy : eV
    forces : (N, 3) eV/angstrom
    stress : (6,) eV/angstrom^3, ASE sign and Voigt order
    min_distance : between two atoms, angstrom; infinite where it is longer than the cutoff
    """

    @property
    def energy(self) -> float: ...
    @property
    def forces(self) -> Array: ...
    @property
    def stress(self) -> Array: ...
    @property
    def min_distance(self) -> float: ...


class Evaluator(Protocol):
    """A potential on N periodic atoms of fixed elements: made once, called at every step."""

    def evaluate(self, positions: Array, cell: Array) -> Evaluation:
        """Energy, forces and stress; positions, (N, 3) angstrom, may be wrapped or not, the rows of
        the cell, (3, 3) angstrom, are vectors.

        Raises
        ------
        FloatingPointError
            Where positions or cell are not finite or the cell has no volume.
        """

    def grade(self) -> float:
        """The largest extrapolation grade of all atoms of the last configuration."""

    def forget(self) -> None:
        """Drop what earlier configurations left, so that a run that goes on from a file is the run
        that was never interrupted.
        """


class Known(Protocol):
    """What the text of a potential says of it.

    Attributes
    ----------
    species : atomic numbers of its elements, in the order of LAMMPS's types
    cutoff_A : angstrom
    atom_step_us : core time of a step for each atom, in microseconds
    """

    @property
    def species(self) -> tuple[int, ...]: ...
    @property
    def cutoff_A(self) -> float: ...
    @property
    def atom_step_us(self) -> float: ...


class Form(Protocol):
    """The names of a ``form.py``."""

    def known(self, text: str) -> Known:
        """What the text of a potential says of it."""

    def files(self, text: str, uncertainty: Array | None, flavour: str) -> Files:
        """The potential, and what its extrapolation grades follow from, as files of a run with a
        flavour of LAMMPS.
        """

    def pair_style(self, flavour: str, thresholds: tuple[float, float] | None) -> str:
        """The arguments of LAMMPS's ``pair_style`` with a flavour; with ``threshold_save`` and
        ``threshold_break`` it watches the grade.

        Raises
        ------
        EngineError
            Where a LAMMPS of this flavour cannot compute the potential.
        """

    def evaluator(self, directory: Path, numbers: Array, graded: bool, cores: int = 1) -> Evaluator:
        """The potential in a directory, with ``files`` of the flavour ``embedded``, on atoms of
        these atomic numbers. What it finds does not depend on how many cores it may use.
        """


def form(folder: str) -> Form:
    """The form of a potential, by the folder in ``borarun/engines`` that has it."""
    return cast(Form, importlib.import_module(f"borarun.engines.{folder}.form"))
