"""What the readers of label files give: configurations, what they are called, and what was left
out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from borarun.basics.errors import Problem, StudyError
from borarun.records.frames import Frames

MOST = 20_000
"""Configurations of a file; a training set has hundreds to thousands."""

HOW = (
    "Write `energy` (eV), `forces` (eV/angstrom) and `stress` (eV/angstrom^3, 3x3, negative "
    "where the cell is under pressure) for each, as ASE does."
)

_POTENTIALS = re.compile(
    r"mtp|mlip|mace|sevenn|chgnet|m3gnet|orb-?v|nequip|allegro|deepmd|deeppot|\bgap\b|nep\d?\b"
    r"|mattersim|lammps|\bemt\b|\blj\b|force.?field|reaxff|ani-?\d",
    re.IGNORECASE,
)
_NOT_CONVERGED = re.compile(r"(not|un|non)[-_ ]?converged", re.IGNORECASE)


@dataclass(frozen=True)
class Sifted:
    """Labelled configurations of a file.

    Attributes
    ----------
    frames : with energies, forces and stresses
    numbers : what messages call each: its place in the file, from 1
    remarks : what was left out, and how many
    setting : what the file tells of the settings of its labels, by their names; labels of one set
        agree in it
    charge : of each of its cells, elementary charges, where the file tells it
    """

    frames: Frames
    numbers: Sequence[int] | Sequence[str]
    remarks: Sequence[str]
    setting: Mapping[str, str] = field(default_factory=dict)
    charge: float | None = None


def is_potential(origin: str) -> bool:
    """Whether a name is that of a potential or force field, and not of a reference."""
    return _POTENTIALS.search(origin) is not None


def is_unconverged(origin: str) -> bool:
    """Whether a note says that a computation did not converge."""
    return _NOT_CONVERGED.search(origin) is not None


def of_potential(number: int, origin: str) -> StudyError:
    """What to say of labels that a potential gave."""
    return wrong(
        f"configuration {number} was computed by {origin[:60]!r}, a potential. Labels "
        "must be from a reference such as DFT, because a potential would learn the "
        "errors of another potential. Compute them with the reference, or remove them."
    )


def left_out(unconverged: int, whole: int) -> list[str]:
    """The remark on configurations that did not converge.

    Raises
    ------
    StudyError
        Where none did converge.
    """
    if unconverged and unconverged == whole:
        raise wrong(
            f"none of its {whole} configurations has converged. Compute them again with "
            "more electronic steps (VASP: NELM)."
        )
    return (
        [f"{unconverged} of {whole} configurations did not converge and are not used"]
        if unconverged
        else []
    )


def too_many() -> StudyError:
    """What to say of a file of more than ``MOST`` configurations."""
    return wrong(
        f"holds more than {MOST:,} configurations. Keep fewer configurations that differ "
        "more from each other."
    )


def left_out_of(reasons: Mapping[str, int], whole: int) -> list[str]:
    """Remarks on configurations of an output that are left out, by the reason.

    Raises
    ------
    StudyError
        Where none is left.
    """
    said = [f"{n} of {whole} configurations {why}" for why, n in reasons.items() if n]
    if whole and sum(reasons.values()) == whole:
        raise wrong(f"has no label: {'; '.join(said)}. Leave the file out.")
    return [f"{each} and are left out" for each in said]


def wrong(message: str) -> StudyError:
    """What is wrong with a file of labels."""
    return StudyError(Problem("labels", 0, "", message))
