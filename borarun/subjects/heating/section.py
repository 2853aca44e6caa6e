"""The study's section on heating and cooling."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from borarun.messages import Section
from borarun.values import CELL_MODE, VACANCIES, CellMode, Counts, Kelvin, Positive, Rates, TimeStep


class Heating(Section):
    """Heat and cool the supercell: lattice parameter against temperature, transition
    temperature.
    """

    from_K: Kelvin = Field(default=10.0, description="Lowest temperature, K.")
    to_K: Kelvin = Field(default=1000.0, description="Highest temperature, K.")
    rate_K_per_ps: Rates = Field(
        default=(1.0,),
        description="Heating rate, K/ps. With several, all is heated and cooled at each: "
        "hysteresis against rate.",
    )
    cooling_rate_K_per_ps: Rates = Field(
        default=(0.1,),
        description="Cooling rate, K/ps: one, or as many as heating rates; the slowest cooling "
        "then follows the slowest heating.",
    )
    timestep_fs: TimeStep = Field(
        default=0.5, description="Time step, fs; at most 1 with hydrogen."
    )
    sample_every_fs: Positive = Field(
        default=50.0, description="Keep a frame this often, fs; a multiple of the time step."
    )
    cell: CellMode = Field(default="isotropic", description=CELL_MODE)
    pressure_bar: Annotated[float, Field(ge=-1e5, le=1e7)] = Field(
        default=0.0, description="Pressure, bar."
    )
    vacancies: Counts = Field(default=(0,), description=VACANCIES)

    def ramps(self) -> list[tuple[float, float]]:
        """(heating rate, rate of the cooling that follows), K/ps."""
        cooling = self.cooling_rate_K_per_ps
        return list(
            zip(
                self.rate_K_per_ps,
                cooling * len(self.rate_K_per_ps) if len(cooling) == 1 else cooling,
                strict=True,
            )
        )
