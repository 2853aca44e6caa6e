"""Moment tensor potentials in molecular dynamics: see ``potential.form``."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from borarun.engines.base import Files
from borarun.engines.moment_tensor.cost import step_microseconds
from borarun.mtp import almtp, evaluate
from borarun.mtp.active_set import Grader
from borarun.mtp.parts import bounds
from borarun.mtp.potential import Potential

Array = NDArray[Any]

POTENTIAL, GRADED, KEPT, ACTIVE_SET = (
    "potential.mtp",
    "potential.almtp",
    "preselected.cfg",
    "active_set.npy",
)
"""The potential, the same with its selection state, the configurations that LAMMPS keeps by it, and
the active set for borarun's own evaluation.
"""


@dataclass(frozen=True)
class Known:
    """What the text of a potential says of it.

    Attributes
    ----------
    species : atomic numbers of its elements, in the order of LAMMPS's types
    cutoff_A : angstrom
    atom_step_us : core time of a step for each atom, in microseconds
    """

    species: tuple[int, ...]
    cutoff_A: float
    atom_step_us: float


def known(text: str) -> Known:
    """What the text of a potential says of it."""
    potential = Potential.read(text)
    return Known(potential.species, potential.cutoff_A, step_microseconds(potential.level))


def files(text: str, uncertainty: Array | None, flavour: str) -> Files:
    """The potential, and its active set for borarun's own evaluation or LAMMPS's."""
    found: Files = {POTENTIAL: text}
    if uncertainty is None:
        return found
    active_set = np.asarray(uncertainty, np.float64)
    if flavour != "embedded":
        return {**found, GRADED: almtp.write(Potential.read(text), active_set)}
    content = io.BytesIO()
    np.save(content, active_set)
    return {**found, ACTIVE_SET: content.getvalue()}


def pair_style(flavour: str, thresholds: tuple[float, float] | None) -> str:
    """The arguments of ``pair_style`` for MLIP-3's interface (``mlip``) or ML-MTP (``mtp``)."""
    if flavour == "mtp":
        if thresholds is None:
            return f"mtp {POTENTIAL}"
        return f"mtp/extrapolation {GRADED} {KEPT} {thresholds[0]:g} {thresholds[1]:g}"
    if thresholds is None:
        return f"mlip load_from={POTENTIAL}"
    control = {
        "threshold_save": f"{thresholds[0]:g}",
        "threshold_break": f"{thresholds[1]:g}",
        "save_extrapolative_to": KEPT,
    }
    return f"mlip load_from={GRADED} extrapolation_control=true" + "".join(
        f" extrapolation_control:{key}={value}" for key, value in control.items()
    )


class Evaluator(evaluate.Evaluator):
    """A potential on N periodic atoms, with the extrapolation grade of an active set."""

    def __init__(
        self, potential: Potential, numbers: Array, active_set: Array | None, cores: int = 1
    ) -> None:
        super().__init__(potential, numbers, threads=cores)
        self._grader = None if active_set is None else Grader(active_set)

    def grade(self) -> float:
        """The largest extrapolation grade of all atoms of the last configuration."""
        return float(max(self.threads.map(self._highest, bounds(len(self.types)))))

    def _highest(self, part: tuple[int, int]) -> float:
        """The largest grade of the atoms of a part."""
        assert self._grader is not None
        return float(self._grader(self.gradients_of(*part)).max())

    def forget(self) -> None:
        """Search the neighbours anew at the next configuration."""
        self.neighbours.forget()


def evaluator(directory: Path, numbers: Array, graded: bool, cores: int = 1) -> Evaluator:
    """The potential in a directory on atoms of these atomic numbers, with a thread on each core."""
    potential = Potential.read((directory / POTENTIAL).read_text())
    active_set = np.load(directory / ACTIVE_SET) if graded else None
    return Evaluator(potential, numbers, active_set, cores)
