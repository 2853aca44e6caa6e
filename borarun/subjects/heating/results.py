"""The lattice against temperature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from borarun.report.measured import Array, Measured

FEWEST_ATOMS = 50
"""The volume of a smaller cell fluctuates by as much as a phase transition changes it: with 10 A^3
an atom and a bulk modulus of 20 GPa, 50 atoms at 600 K by 3 %, 8 atoms by 7 %.
"""

ROOM_K = 300.0
"""Where key numbers of the lattice are given."""


@dataclass(frozen=True)
class RampBranch:
    """One ramp of temperature.

    Attributes
    ----------
    branch : ``heating`` or ``cooling``
    run : which of the repeated runs, from 0
    rate_K_per_ps, heating_K_per_ps : its own rate, and that of the heating that it is or that it
        follows
    temperature_K, lattice_A, error_A : (n,) means over temperature bins; the error is the standard
        error of the bin's mean
    volume_A3, volume_error_A3 : (n,) volume per formula unit, and its standard error
    edges_A : (n, 3) lengths of the unit cell's vectors
    fit_temperature_K, fit_lattice_A : (c,) the fitted step, or a cubic where a step does no better
    half_height_K : where the lattice is half way through its step; None where the branch has no
        step
    stop, reached_K : how and where the run ended
    """

    functional: str
    vacancies: int
    branch: str
    run: int
    rate_K_per_ps: float
    heating_K_per_ps: float
    n_atoms: int
    seed: int
    temperature_K: Array
    lattice_A: Array
    error_A: Array
    volume_A3: Array
    volume_error_A3: Array
    edges_A: Array
    fit_temperature_K: Array
    fit_lattice_A: Array
    half_height_K: Measured | None
    statement: str
    stop: str
    reached_K: float


@dataclass(frozen=True)
class Transition:
    """All heating and cooling runs at one rate together. ``temperature_K`` is None where a
    direction shows no step, and ``statement`` says so.

    Attributes
    ----------
    heating_K_per_ps : rate of heating
    n_runs : heating runs
    temperature_K : between heating and cooling; its interval holds hysteresis and scatter of runs
    heated_K, cooled_K : mean half-height temperatures, an upper and a lower bound of the
        transition;
        None where no run has a step
    hysteresis_K : the first less the second; None where one is missing
    volume_step_percent : by how much the volume grows at half height on heating, of the volume
        below; None where there is no step
    """

    functional: str
    vacancies: int
    heating_K_per_ps: float
    n_runs: int
    temperature_K: Measured | None
    heated_K: Measured | None
    cooled_K: Measured | None
    hysteresis_K: Measured | None
    volume_step_percent: Measured | None
    statement: str

    @property
    def order(self) -> tuple[int, float]:
        """To choose by: few vacancies first, then slow ramps, which are nearest to equilibrium."""
        return self.vacancies, self.heating_K_per_ps

    @property
    def bracket_K(self) -> tuple[float, float] | None:
        """Temperatures between which either phase may be there, K; None where the transition is not
        bracketed.
        """
        if self.temperature_K is None or self.heated_K is None or self.cooled_K is None:
            return None
        halves = self.heated_K.value, self.cooled_K.value
        return min(*halves, self.temperature_K.low), max(*halves, self.temperature_K.high)


@dataclass(frozen=True)
class LatticePoint:
    """Lattice parameter, and volume per formula unit, at one temperature, from the heating
    branch.
    """

    functional: str
    vacancies: int
    temperature_K: float
    lattice_A: Measured
    volume_A3: Measured


@dataclass(frozen=True)
class Orientation:
    """Orientations of one kind of anion on a ramp.

    Attributes
    ----------
    memory, order : (n,) see `borarun.analysis.order`
    polar_order : (n,) of the one vertex unlike the others; None where all are alike
    l : of the order
    """

    anion: str
    n_anions: int
    memory: Array
    order: Array
    l: int  # noqa: E741
    polar_order: Array | None = None


@dataclass(frozen=True)
class OrderBranch:
    """What disorders on a ramp of temperature.

    Attributes
    ----------
    temperature_K : (n,) means over temperature bins, as in `RampBranch`
    between : what the sites lie between; empty where there are none
    share : kind of site -> (n,) share of the mobile ions
    orientations : of each kind of anion; none where there are no molecules
    """

    functional: str
    vacancies: int
    branch: str
    n_atoms: int
    n_frames: int
    temperature_K: Array
    between: str
    share: Mapping[str, Array]
    orientations: tuple[Orientation, ...]


@dataclass(frozen=True)
class LatentHeat:
    """How pressure moves the transition, and what the crystal takes up in it.

    Attributes
    ----------
    pressures_kbar : at which there are ramps
    volume_A3, enthalpy_meV : steps per formula unit, means over heating and cooling runs; None
        where no run has a step
    by_heat_K_per_kbar : dTc/dp by Clausius and Clapeyron's equation; None where the latent heat is
        not known well enough
    by_pressure_K_per_kbar : dTc/dp from ramps at several pressures; None where there are none
    heated_K_per_kbar, cooled_K_per_kbar : the same of heating and of cooling alone
    """

    functional: str
    vacancies: int
    heating_K_per_ps: float
    pressures_kbar: tuple[float, ...]
    volume_A3: Measured | None
    enthalpy_meV: Measured | None
    by_heat_K_per_kbar: Measured | None
    by_pressure_K_per_kbar: Measured | None
    heated_K_per_kbar: Measured | None
    cooled_K_per_kbar: Measured | None


@dataclass(frozen=True)
class Held:
    """A run at constant temperature that began in one phase.

    Attributes
    ----------
    started, ended : ``ordered``, ``disordered`` or ``undecided``
    share : how far its lattice is on the way from the ordered to the disordered phase, mean over
        the second half of the run
    """

    functional: str
    vacancies: int
    run: int
    temperature_K: float
    started: str
    ended: str
    share: float


@dataclass(frozen=True)
class HeldTransition:
    """The transition between runs at constant temperature.

    Attributes
    ----------
    lower_K, upper_K : highest temperature at which the disordered phase ordered, lowest at which
        the ordered one disordered
    temperature_K : between them; None where one is missing
    """

    functional: str
    vacancies: int
    n_runs: int
    lower_K: float | None
    upper_K: float | None
    temperature_K: Measured | None


@dataclass(frozen=True)
class HeatingFound:
    """What the ramps gave.

    Attributes
    ----------
    branches : each ramp
    transitions : heating and cooling together
    lattice : at temperatures that something is published for
    order : sites and orientations on the slowest ramps
    latent_heat : how pressure moves the transitions
    held, held_transitions : runs at constant temperature within the hysteresis
    """

    branches: tuple[RampBranch, ...] = ()
    transitions: tuple[Transition, ...] = ()
    lattice: tuple[LatticePoint, ...] = ()
    order: tuple[OrderBranch, ...] = ()
    latent_heat: tuple[LatentHeat, ...] = ()
    held: tuple[Held, ...] = ()
    held_transitions: tuple[HeldTransition, ...] = ()
