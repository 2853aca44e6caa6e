"""Results of the training set, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StandIn:
    """The record of a reference engine that stands in for DFT; None where the record says
    nothing.
    """

    functional: str
    statement: str
    level: int
    n_train: int
    n_valid: int
    energy_meV_per_atom: float | None
    forces_eV_per_A: float | None
    stress_kbar: float | None
    lattice_300K_A: float | None


@dataclass(frozen=True)
class TrainingSetFound:
    """What labelled the first configurations.

    Attributes
    ----------
    stand_ins : records of reference engines that stand in for DFT
    """

    stand_ins: tuple[StandIn, ...] = ()
