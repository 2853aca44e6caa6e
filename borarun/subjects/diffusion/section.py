"""The study's section on diffusion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from borarun.basics.units import PS_PER_NS
from borarun.input.renamed import Renamed
from borarun.sections.dynamics import Finding, Held, Phases, functional_of
from borarun.sections.study import Study
from borarun.sections.values import (
    CELL_MODE,
    VACANCIES,
    CellMode,
    Counts,
    Functional,
    Kelvin,
    Kelvins,
    Positive,
    TimeStep,
)


class Diffusion(Held):
    """Molecular dynamics at fixed temperatures: diffusivity, ionic conductivity, activation
    energy.
    """

    functional: Functional | None = Field(
        default=None, description="One of the study's functionals. Default: all of them."
    )
    temperatures_K: Kelvins = Field(
        default=tuple(float(kelvin) for kelvin in range(200, 701, 25)),
        description="Temperatures, K. A number, a list or a range.",
    )
    vacancies: Counts = Field(default=(0, 1, 2, 4, 8, 12), description=VACANCIES)
    vacancy_temperatures_K: Kelvins | None = Field(
        default=None,
        description="Temperatures of the runs with vacancies, K. Default: temperatures_K.",
    )
    from_K: Kelvin = Field(
        default=10.0,
        description="Temperature at which each run starts, K; it is heated from there to its own "
        "temperature.",
    )
    heating_rate_K_per_ps: Positive = Field(default=1.0, description="Heating rate, K/ps.")
    equilibration_ns: Positive = Field(
        default=0.2, description="Equilibration time at the temperature, not used for results, ns."
    )
    time_ns: Positive = Field(
        default=1.0, description="Length of the production run, used for results, ns."
    )
    timestep_fs: TimeStep = Field(
        default=0.5, description="Time step, fs; at most 1 with hydrogen."
    )
    sample_every_fs: Positive = Field(
        default=50.0, description="Time between stored frames, fs; a multiple of the time step."
    )
    cell: CellMode = Field(default="isotropic", description=CELL_MODE)
    pressure_bar: Annotated[float, Field(ge=-1e5, le=1e7)] = Field(
        default=0.0, description="Pressure, bar."
    )
    runs: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1,
        description="Independent runs (seeds) at each temperature and number of vacancies.",
    )

    hop_length_A: Annotated[float, Field(gt=0.1, lt=20)] = Field(
        default=3.0,
        description="Distance between neighbouring sites of a mobile ion, angstrom. It decides "
        "when a run has too few hops for a value; runs nothing again.",
    )

    def temperatures_of(self, vacancies: int) -> tuple[float, ...]:
        """Temperatures of the runs with so many vacancies, rising, K."""
        return (vacancies and self.vacancy_temperatures_K) or self.temperatures_K

    def points(self) -> Iterator[tuple[int, float]]:
        """(vacancies, temperature) of every run but for its repeats."""
        return (
            (count, temperature)
            for count in self.vacancies
            for temperature in self.temperatures_of(count)
        )

    KEYS: ClassVar[tuple[str, str]] = ("equilibration_ns", "time_ns")

    def n_runs(self) -> int:
        """A run a temperature, vacancy count and seed."""
        return sum(len(self.temperatures_of(count)) for count in self.vacancies) * self.runs

    def hottest_K(self) -> float:
        """The highest temperature, K."""
        return max(self.temperatures_of(count)[-1] for count in self.vacancies)

    @property
    def equilibration_ps(self) -> float:
        """Equilibration time at the temperature, not used for results, ps."""
        return self.equilibration_ns * PS_PER_NS

    @property
    def time_ps(self) -> float:
        """Length of the production run, used for results, ps."""
        return self.time_ns * PS_PER_NS


def _range(study: Study, section: Diffusion, phases: Phases) -> Iterator[Finding]:
    if section.from_K > (
        lowest := min(section.temperatures_of(count)[0] for count in section.vacancies)
    ):
        yield (
            ("diffusion", "from_K"),
            f"must not be above the lowest of temperatures_K, {lowest:g} (got {section.from_K:g}).",
        )


def _functional(study: Study, section: Diffusion, phases: Phases) -> Iterator[Finding]:
    yield from functional_of(study, "diffusion", section)


def warnings(study: Study, section: Diffusion, phases: Phases) -> Iterator[str]:
    """What is allowed but worth knowing."""
    if any(len(section.temperatures_of(count)) == 1 for count in section.vacancies):
        yield (
            "diffusion.temperatures_K: one temperature gives no activation energy. Two "
            "temperatures give one; four show whether the line is straight."
        )


CHECKS = (
    _range,
    _functional,
)
"""What is impossible in the section; see ``study/checks.py``."""

RENAMED = (
    Renamed(("heat_rate_K_per_ps",), "heating_rate_K_per_ps", since="0.1.0"),
    Renamed(("equilibrate_ns",), "equilibration_ns", since="0.1.0"),
)
"""Keys that have a new name."""
