"""The reference engine and the making of the potential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from borarun.analysis.deviations import Deviations
from borarun.report.measured import Array


@dataclass(frozen=True)
class Errors:
    """Root-mean-square errors of a potential against its reference."""

    energy_meV_per_atom: float
    forces_eV_per_A: float
    stress_kbar: float


@dataclass(frozen=True)
class Training:
    """One fit of the potential.

    Attributes
    ----------
    number : 0 for the first potential, n after round n - 1 of active learning
    train : errors on what was fitted; None where nothing was
    ranges : of the labels: ``energy_eV_per_atom``, ``forces_eV_per_A``, ``stress_kbar`` -> (lowest,
        highest)
    """

    functional: str
    number: int
    n_train: int
    n_valid: int
    level: int | None
    n_parameters: int
    evaluations: int
    train: Errors | None
    valid: Errors
    ranges: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Exploration:
    """One exploration run. ``grade_time_ps`` and ``grade`` are (n,): the largest grade of any atom
    at that time.
    """

    functional: str
    round: int
    vacancies: int
    run: int
    stop: str
    reason: str
    time_ps: float
    planned_ps: float
    grade_max: float | None
    n_candidates: int
    grade_time_ps: Array
    grade: Array
    threshold_save: float
    threshold_break: float


@dataclass(frozen=True)
class Round:
    """One round of active learning: what was explored, what was labelled, and what it changed."""

    functional: str
    round: int
    explorations: tuple[Exploration, ...]
    n_candidates: int
    n_selected: int | None
    n_labelled: int | None
    before: Errors | None
    after: Errors | None

    @property
    def clean(self) -> bool:
        """Whether no run left a candidate."""
        return self.n_candidates == 0 and all(run.stop == "completed" for run in self.explorations)


@dataclass(frozen=True)
class Parity:
    """Reference against potential over the held-out configurations; each quantity (2, n):
    reference, potential.
    """

    functional: str
    energy_eV_per_atom: Array
    forces_eV_per_A: Array
    stress_kbar: Array


@dataclass(frozen=True)
class Learning:
    """How the potential of one functional came to be.

    Attributes
    ----------
    deviations : of the final potential on all configurations held out: ``energy`` (meV/atom),
        ``forces`` (eV/angstrom) and ``stress`` (kbar)
    n_given : configurations that the study brought along
    n_initial : configurations of the first training set, those among them
    n_pushed : those of them with ions pushed together or bonds strained; all of these are fitted,
        none is held out
    """

    functional: str
    n_given: int
    n_initial: int
    n_pushed: int
    trainings: tuple[Training, ...]
    rounds: tuple[Round, ...]
    parity: Parity | None
    deviations: Mapping[str, Deviations] = field(default_factory=dict)


@dataclass(frozen=True)
class PotentialFound:
    """How the potentials came to be.

    Attributes
    ----------
    learning : of each functional
    """

    learning: tuple[Learning, ...] = ()
