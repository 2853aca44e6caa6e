"""Sections that run molecular dynamics: how many runs, how long, in which cell; and what is
impossible in any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.formula import Formula
from numpy.typing import NDArray
from pydantic import ConfigDict

from borarun.basics.units import FS_PER_PS
from borarun.input.messages import Section, WithheldError
from borarun.records.task import Settings
from borarun.sections.study import Study
from borarun.sections.values import CellMode

Place = tuple[str | int, ...]
Finding = tuple[Place, str]
Item = TypeVar("Item")
Phases = Mapping[str, Atoms]

LONGEST_STEP_FS = 5.0
LONGEST_STEP_WITH_HYDROGEN_FS = 1.0
"""The B-H stretch (about 2500 cm^-1) has a period of 13 fs; ten steps a period is the least that
conserves energy.
"""

FEWEST_FRAMES = 20

MOST_STEPS = 1e10
"""Of a run; years, where a step takes milliseconds."""

MOST_RUNS = 100_000
"""Of a section: what a driver was tried with (benchmarks/scale.py)."""


class Stepped(Settings):
    """What every task of molecular dynamics says of its steps, whoever ran it: borarun's LAMMPS, or
    another program whose trajectory was given. All else that it says is passed over.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    timestep_fs: float
    seed: int | None = None


class Length(NamedTuple):
    """How long a run, or a part of it, is: the key that says so, its value, and the time, fs."""

    key: str
    value: float
    fs: float


class RunsDynamics(Section):
    """A section with molecular dynamics in it."""

    def dynamics_in(self, study: Study) -> Iterator[tuple[Place, Dynamics]]:
        """Each part that runs molecular dynamics, and its place in the section."""
        raise NotImplementedError


class Dynamics(RunsDynamics):
    """A section that runs molecular dynamics. One with a key ``supercell`` has cells of its own,
    which the reference labels; any other runs in the study's supercell.
    """

    if TYPE_CHECKING:

        @property
        def timestep_fs(self) -> float: ...
        @property
        def vacancies(self) -> tuple[int, ...]: ...
        @property
        def supercell(self) -> tuple[int, int, int]: ...  # where the section has one

    @property
    def is_labelled(self) -> bool:
        """Whether the reference labels its configurations."""
        return "supercell" in type(self).model_fields

    def dynamics_in(self, study: Study) -> Iterator[tuple[Place, Dynamics]]:
        """The section itself."""
        yield (), self

    def cell_of(self, study: Study) -> tuple[int, int, int]:
        """Repeats of the first phase's cell."""
        return self.supercell if self.is_labelled else study.supercell

    def n_runs(self) -> int:
        """Runs of each functional."""
        raise NotImplementedError

    def lengths(self) -> Iterator[Length]:
        """Every sampled part of a run."""
        yield from ()

    def other_lengths(self) -> Iterator[Length]:
        """Every part of a run that is not sampled."""
        yield from ()


class Sampled(Dynamics):
    """One that keeps frames."""

    if TYPE_CHECKING:

        @property
        def sample_every_fs(self) -> float: ...


class Production(Sampled):
    """One that runs the final potential to know something."""

    def hottest_K(self) -> float:
        """The highest temperature, K."""
        raise NotImplementedError


class Held(Production):
    """One that heats to a temperature, equilibrates, and samples at that temperature.

    ``KEYS`` are the keys of the two times.
    """

    KEYS: ClassVar[tuple[str, str]]

    if TYPE_CHECKING:

        @property
        def from_K(self) -> float: ...
        @property
        def heating_rate_K_per_ps(self) -> float: ...
        @property
        def equilibration_ps(self) -> float: ...
        @property
        def time_ps(self) -> float: ...
        @property
        def cell(self) -> CellMode: ...
        @property
        def pressure_bar(self) -> float: ...

    def heat_ps(self, temperature_K: float) -> float:
        """How long heating to a temperature takes, ps."""
        return max(temperature_K - self.from_K, 0.0) / self.heating_rate_K_per_ps

    def lengths(self) -> Iterator[Length]:
        """The time that is counted."""
        yield Length(self.KEYS[1], getattr(self, self.KEYS[1]), self.time_ps * FS_PER_PS)

    def other_lengths(self) -> Iterator[Length]:
        """Heating to the highest temperature, and equilibration."""
        heat_fs = self.heat_ps(self.hottest_K()) * FS_PER_PS
        yield Length("heating_rate_K_per_ps", self.heating_rate_K_per_ps, heat_fs)
        yield Length(self.KEYS[0], getattr(self, self.KEYS[0]), self.equilibration_ps * FS_PER_PS)


class HeldSweep(Held):
    """Runs held at each temperature, with each vacancy count: the sections have both as keys."""

    if TYPE_CHECKING:
        temperatures_K: tuple[float, ...]
        vacancies: tuple[int, ...]


def dynamics(study: Study) -> Iterator[tuple[Place, Dynamics]]:
    """Each section that runs molecular dynamics, and its place."""
    for name, section in study.sections(RunsDynamics):
        for place, found in as_far_as_known(section.dynamics_in(study)):
            yield (name, *place), found


def as_far_as_known(found: Iterator[Item]) -> Iterator[Item]:
    """What is found until a key is asked for that did not validate, which is told elsewhere."""
    with suppress(WithheldError):
        yield from found


def findings(study: Study, phases: Phases) -> Iterator[Finding]:
    """What is impossible in any section that runs molecular dynamics."""
    for place, section in dynamics(study):
        for check in CHECKS:
            yield from as_far_as_known(check(study, phases, place, section))


def known_phases(study: Study, named: Iterable[tuple[Place, str]]) -> Iterator[Finding]:
    """Whether each phase that a section names at a place is one of the study's."""
    known = study.material.phases
    for place, phase in named:
        if phase not in known:
            yield place, f"must be one of this study's phases, {', '.join(known)} (got {phase})."


def functional_of(study: Study, name: str, section: Any) -> Iterator[Finding]:
    """Whether the functional that a section asks for is one of the study's."""
    if section.functional not in (None, *study.functionals):
        yield (
            (name, "functional"),
            f"must be one of this study's functionals, {', '.join(study.functionals)} (got "
            f"{section.functional}).",
        )


def start(study: Study, phases: Phases) -> Atoms:
    """The structure that molecular dynamics starts from; withheld where it could not be read."""
    if study.phase not in phases:
        raise WithheldError(study.phase)
    return phases[study.phase]


def elements(formula: str) -> set[str]:
    """Elements of a formula; none where it is no formula."""
    try:
        elements = set(Formula(formula, strict=True).count())
    except ValueError:
        return set()
    return elements if elements <= set(chemical_symbols[1:]) else set()


def smallest_width(atoms: Atoms, supercell: tuple[int, int, int]) -> float:
    """Smallest distance between opposite faces of a supercell, angstrom."""
    inverse: NDArray[np.float64] = np.linalg.inv(atoms.cell.array)
    return float(np.min(np.array(supercell) / np.linalg.norm(inverse, axis=0)))


def _number_of_runs(
    study: Study, phases: Phases, place: Place, section: Dynamics
) -> Iterator[Finding]:
    runs = section.n_runs()
    if runs > MOST_RUNS:
        yield (
            place,
            f"asks for {runs:,} runs for each functional, more than the {MOST_RUNS:,} "
            "that are allowed. Sweep over fewer values, or split the study.",
        )


def _number_of_steps(
    study: Study, phases: Phases, place: Place, section: Dynamics
) -> Iterator[Finding]:
    for key, value, length_fs in (*section.other_lengths(), *section.lengths()):
        if (steps := length_fs / section.timestep_fs) > MOST_STEPS:
            yield (
                (*place, key),
                f"makes a run of {steps:.3g} steps, more than the {MOST_STEPS:g} that are "
                f"allowed (got {value:g}). Check the unit in the key.",
            )


def _vacancies(study: Study, phases: Phases, place: Place, section: Dynamics) -> Iterator[Finding]:
    supercell = section.cell_of(study)
    present = list(start(study, phases).symbols).count(study.material.vacancy_ion) * int(
        np.prod(supercell)
    )
    most = max(section.vacancies)
    if most >= present > 0:
        size = "x".join(str(repeat) for repeat in supercell)
        yield (
            (*place, "vacancies"),
            f"must leave at least one mobile ion: the {size} supercell has {present} "
            f"{study.material.vacancy_ion} (got {most}). Use at most {present - 1}, or a "
            "larger supercell.",
        )


def _time_step(study: Study, phases: Phases, place: Place, section: Dynamics) -> Iterator[Finding]:
    hydrogen = "H" in elements(study.material.formula)
    if hydrogen and section.timestep_fs > LONGEST_STEP_WITH_HYDROGEN_FS:
        yield (
            (*place, "timestep_fs"),
            f"must be at most {LONGEST_STEP_WITH_HYDROGEN_FS:g} with hydrogen: the B-H "
            f"stretch has a period of 13 fs (got {section.timestep_fs:g}). Use 0.5 or 1.",
        )
    elif section.timestep_fs > LONGEST_STEP_FS:
        yield (
            (*place, "timestep_fs"),
            f"must be at most {LONGEST_STEP_FS:g} fs (got {section.timestep_fs:g}).",
        )


def _sampling(study: Study, phases: Phases, place: Place, section: Dynamics) -> Iterator[Finding]:
    if not isinstance(section, Sampled):
        return
    steps = section.sample_every_fs / section.timestep_fs
    if round(steps) < 1 or abs(steps - round(steps)) > 1e-6 * steps:
        yield (
            (*place, "sample_every_fs"),
            f"must be an integer multiple of timestep_fs, {section.timestep_fs:g} (got "
            f"{section.sample_every_fs:g}).",
        )


def _frames(study: Study, phases: Phases, place: Place, section: Dynamics) -> Iterator[Finding]:
    if not isinstance(section, Sampled):
        return
    for key, value, length_fs in section.lengths():
        if length_fs / section.sample_every_fs < FEWEST_FRAMES:
            yield (
                (*place, key),
                f"gives a run of {length_fs:g} fs, only "
                f"{int(length_fs / section.sample_every_fs)} frames at one every "
                f"{section.sample_every_fs:g} fs (got {value:g}). At least {FEWEST_FRAMES} are "
                "needed: run longer or sample more often.",
            )


CHECKS: tuple[Callable[[Study, Phases, Place, Dynamics], Iterator[Finding]], ...] = (
    _number_of_runs,
    _number_of_steps,
    _vacancies,
    _time_step,
    _sampling,
    _frames,
)
