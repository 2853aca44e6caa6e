"""The study's section on the vibrational density of states."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from borarun.input.renamed import Renamed
from borarun.sections.dynamics import Finding, HeldSweep, Phases, functional_of
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


class Vibrations(HeldSweep):
    """Short molecular dynamics with frames so dense that the vibrational density of states follows
    from them. The defaults are borarun's choice.
    """

    functional: Functional | None = Field(
        default=None, description="One of the study's functionals. Default: all of them."
    )
    temperatures_K: Kelvins = Field(
        default=(300.0,), description="Temperatures, K. A number, a list or a range."
    )
    vacancies: Counts = Field(default=(0,), description=VACANCIES)
    from_K: Kelvin = Field(
        default=10.0,
        description="Temperature at which each run starts, K; it is heated from there to its own "
        "temperature.",
    )
    heating_rate_K_per_ps: Positive = Field(default=50.0, description="Heating rate, K/ps.")
    equilibration_ps: Positive = Field(
        default=5.0, description="Equilibration time at the temperature, not used for results, ps."
    )
    time_ps: Positive = Field(
        default=20.0, description="Length of the production run, used for results, ps."
    )
    timestep_fs: TimeStep = Field(
        default=0.5, description="Time step, fs; at most 1 with hydrogen."
    )
    sample_every_fs: Annotated[float, Field(gt=0, le=6)] = Field(
        default=4.0,
        description="Time between stored frames, fs: a multiple of the time step, and at most 6 to "
        "resolve the B-H stretch (13 fs).",
    )
    cell: CellMode = Field(default="isotropic", description=CELL_MODE)
    pressure_bar: Annotated[float, Field(ge=-1e5, le=1e7)] = Field(
        default=0.0, description="Pressure, bar."
    )

    KEYS: ClassVar[tuple[str, str]] = ("equilibration_ps", "time_ps")

    def n_runs(self) -> int:
        """A run a temperature, vacancy count and seed."""
        return len(self.temperatures_K) * len(self.vacancies)

    def hottest_K(self) -> float:
        """The highest temperature, K."""
        return max(self.temperatures_K)


def _range(study: Study, section: Vibrations, phases: Phases) -> Iterator[Finding]:
    if section.from_K > (lowest := min(section.temperatures_K)):
        yield (
            ("vibrations", "from_K"),
            f"must not be above the lowest of temperatures_K, {lowest:g} (got {section.from_K:g}).",
        )


def _functional(study: Study, section: Vibrations, phases: Phases) -> Iterator[Finding]:
    yield from functional_of(study, "vibrations", section)


CHECKS = (
    _range,
    _functional,
)
"""What is impossible in the section; see ``study/checks.py``."""

RENAMED = (
    Renamed(("heat_rate_K_per_ps",), "heating_rate_K_per_ps", since="0.1.0"),
    Renamed(("equilibrate_ps",), "equilibration_ps", since="0.1.0"),
)
"""Keys that have a new name."""
