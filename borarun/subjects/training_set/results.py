"""Results of the training set, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from borarun.report.measured import Measured


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
class LabelledVacancies:
    """Labels of a functional by the number of vacancies in their cells.

    Attributes
    ----------
    charge, charge_per_vacancy : of the cells, elementary charges
    n_labels : number of vacancies -> labels
    energy_eV : what a vacancy adds to the energy of its cell, the offset between cells of different
        charge included; None where the labels do not tell
    """

    functional: str
    charge: float
    charge_per_vacancy: float
    n_labels: Mapping[int, int]
    energy_eV: Measured | None


@dataclass(frozen=True)
class TrainingSetFound:
    """What labelled configurations, and which.

    Attributes
    ----------
    stand_ins : records of reference engines that stand in for DFT
    vacancies : labels by the number of vacancies
    """

    stand_ins: tuple[StandIn, ...] = ()
    vacancies: tuple[LabelledVacancies, ...] = ()
