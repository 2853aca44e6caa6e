"""Relaxed structures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RelaxedCell:
    """A phase relaxed by the reference engine.

    Attributes
    ----------
    formula_units : in the cell
    volume_A3 : of the cell
    relative_meV : energy per formula unit above the study's first phase; None where that is not
        known
    relative_meV_per_atom : the same per atom
    below : the phase that is measured to be stable, where this one lies below it; else empty
    deviation_percent : rms deviation of a, b and c from the measured ones, None where the study
        names none
    """

    phase: str
    functional: str
    space_group: str
    formula_units: int
    lattice_A: tuple[float, float, float]
    angles_deg: tuple[float, float, float]
    volume_A3: float
    energy_eV_per_atom: float
    relative_meV: float | None
    relative_meV_per_atom: float | None
    max_force_eV_per_A: float
    below: str
    deviation_percent: float | None


@dataclass(frozen=True)
class RelaxFound:
    """What relaxing gave.

    Attributes
    ----------
    cells : in the order of the tasks
    measured_cells_A : measured lattice parameters of phases, from the study file or published
    """

    cells: tuple[RelaxedCell, ...] = ()
    measured_cells_A: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
