"""The study's section on heating and cooling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from borarun.basics.units import FS_PER_PS
from borarun.input.messages import Section
from borarun.input.renamed import Renamed
from borarun.sections.dynamics import Finding, Length, Phases, Production
from borarun.sections.study import Study
from borarun.sections.values import (
    CELL_MODE,
    VACANCIES,
    CellMode,
    Counts,
    Kelvin,
    Kelvins,
    Positive,
    Pressures,
    Rates,
    TimeStep,
)


class Holds(Section):
    """Runs at constant temperature. Each begins with the configuration of a ramp at that
    temperature: one in the ordered phase, of the heating, and one in the disordered phase, of the
    cooling.
    """

    temperatures_K: Kelvins = Field(
        description="Temperatures within the hysteresis of the ramps, K."
    )
    time_ps: Positive = Field(default=100.0, description="Length of each run, ps.")


class Heating(Production):
    """Heat and cool the supercell: lattice parameter against temperature, transition
    temperature.
    """

    from_K: Kelvin = Field(default=10.0, description="Lowest temperature, K.")
    to_K: Kelvin = Field(default=1000.0, description="Highest temperature, K.")
    heating_rates_K_per_ps: Rates = Field(
        default=(1.0,),
        description="Heating rates, K/ps. With several, the crystal is heated and cooled at each: "
        "hysteresis against rate.",
    )
    cooling_rates_K_per_ps: Rates = Field(
        default=(0.1,),
        description="Cooling rates, K/ps: one, or as many as heating rates. The slowest cooling "
        "follows the slowest heating, and so on.",
    )
    timestep_fs: TimeStep = Field(
        default=0.5, description="Time step, fs; at most 1 with hydrogen."
    )
    sample_every_fs: Positive = Field(
        default=50.0, description="Time between stored frames, fs; a multiple of the time step."
    )
    cell: CellMode = Field(default="isotropic", description=CELL_MODE)
    pressures_bar: Pressures = Field(
        default=(0.0,),
        description="Pressure, bar. With several, the ramps are run at each: how pressure moves "
        "the transition. All other results are at the pressure nearest to zero.",
    )
    vacancies: Counts = Field(default=(0,), description=VACANCIES)
    runs: Annotated[int, Field(ge=1, le=100)] = Field(
        default=1,
        description="Repeats of each ramp, with other velocities and other vacancies. Their "
        "scatter widens the interval of the transition temperature; 3 to 5 are "
        "usual. When you raise it, finished runs stay.",
    )
    holds: Holds | None = Field(
        default=None,
        description="Runs at constant temperature that begin in each phase, to narrow the "
        "transition temperature down. Add them when the ramps are done.",
    )

    @property
    def pressure_bar(self) -> float:
        """The pressure of all results but one."""
        return min(self.pressures_bar, key=abs)

    def other_pressures_bar(self) -> tuple[float, ...]:
        """Pressures at which only the transition is looked for."""
        return tuple(each for each in self.pressures_bar if each != self.pressure_bar)

    def ramps(self) -> list[tuple[float, float]]:
        """(heating rate, rate of the cooling that follows), K/ps."""
        cooling = self.cooling_rates_K_per_ps
        return list(
            zip(
                self.heating_rates_K_per_ps,
                cooling * len(self.heating_rates_K_per_ps) if len(cooling) == 1 else cooling,
                strict=True,
            )
        )

    def n_runs(self) -> int:
        """A heating run, with its cooling run, a rate and vacancy count."""
        ramps = len(self.heating_rates_K_per_ps) * len(self.pressures_bar)
        holds = 2 * len(self.holds.temperatures_K) if self.holds else 0
        return (ramps + holds) * len(self.vacancies) * self.runs

    def hottest_K(self) -> float:
        """Where the ramps turn, K."""
        return self.to_K

    def ramp_ps(self, rate_K_per_ps: float) -> float:
        """How long a ramp takes, ps."""
        return abs(self.to_K - self.from_K) / rate_K_per_ps

    def lengths(self) -> Iterator[Length]:
        """The shortest and the longest ramp, up and down; none where the range is empty."""
        for key in ("heating_rates_K_per_ps", "cooling_rates_K_per_ps"):
            rates: tuple[float, ...] = getattr(self, key)
            for rate in dict.fromkeys((rates[0], rates[-1])):
                if self.to_K > self.from_K:
                    yield Length(key, rate, self.ramp_ps(rate) * FS_PER_PS)
        if self.holds is not None:
            yield Length("holds", self.holds.time_ps, self.holds.time_ps * FS_PER_PS)


def _ramps(study: Study, section: Heating, phases: Phases) -> Iterator[Finding]:
    up, down = len(section.heating_rates_K_per_ps), len(section.cooling_rates_K_per_ps)
    if down not in (1, up):
        rates = (
            "one cooling rate for the heating rate"
            if up == 1
            else f"one cooling rate for all {up} heating rates, or {up} cooling rates"
        )
        yield ("heating", "cooling_rates_K_per_ps"), f"must be {rates} (got {down})."


def _range(study: Study, section: Heating, phases: Phases) -> Iterator[Finding]:
    if section.from_K >= section.to_K:
        yield (
            ("heating", "to_K"),
            f"must be above from_K, {section.from_K:g} (got {section.to_K:g}).",
        )


def _holds(study: Study, section: Heating, phases: Phases) -> Iterator[Finding]:
    if section.holds is None:
        return
    for T in section.holds.temperatures_K:
        if not section.from_K < T < section.to_K:
            yield (
                ("heating", "holds", "temperatures_K"),
                f"must be between from_K, {section.from_K:g}, and to_K, {section.to_K:g} (got "
                f"{T:g}).",
            )


CHECKS = (
    _ramps,
    _range,
    _holds,
)
"""What is impossible in the section; see ``study/checks.py``."""

RENAMED = (
    Renamed(("pressure_bar",), "pressures_bar", since="0.1.0"),
    Renamed(("rate_K_per_ps",), "heating_rates_K_per_ps", since="0.1.0"),
    Renamed(("cooling_rate_K_per_ps",), "cooling_rates_K_per_ps", since="0.1.0"),
)
"""Keys that have a new name."""
