"""How pressure moves the transition, and where the transition is in equilibrium.

*From runs at several pressures*: the slope of the half-height temperatures of heating, and that of
cooling. Superheating and supercooling cancel in each as far as pressure does not change them; how
far the two slopes differ says how far it does.

*From latent heat*, by the equation of Clausius and Clapeyron, dTc/dp = Tc dV / dH: the steps of
volume and enthalpy in the same ramps. It needs one pressure only. Both should agree: if they do
not, one of them is wrong.

*In equilibrium*: ramps bracket the transition by their hysteresis. Runs at constant temperature
within it begin in either phase. A phase that turns into the other one is the less stable one, but
for the share of time that a small cell spends in the wrong phase. That share is
1 / (1 + exp(dH |1/T - 1/Tc| / k)) by the latent heat dH of the cell.

Source
------
Atkins, de Paula, Physical Chemistry, 10th ed., section 4B; two phases of a small cell: Challa,
Landau, Binder, Phys. Rev. B 34, 1841 (1986).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from borarun.analysis.estimate import Estimate
from borarun.analysis.transition import Branches
from borarun.basics.units import BOLTZMANN_EV_PER_K, EV_PER_A3_IN_KBAR

Array = NDArray[Any]

_TEN_TO_NINETY = 2 * math.log(9)
_MOST_CORRELATED = 0.95
_LEAST_SIGNAL = 3.0
"""Standard errors that a latent heat must have to divide by it."""

_WIDTHS_K = np.geomspace(1.0, 50.0, 16)
"""Where the latent heat is not known: k Tc^2 / dH of closo-borate cells of 3000 to 100 atoms."""

_BEYOND_K = 300.0
"""How far beyond the temperatures tried a transition is looked for."""

_FEWEST_OF_PHASE = 6
"""Configurations for a line over temperature with an error."""

Phase = Literal["ordered", "disordered", "undecided"]


def step_at(temperature_K: Array, values: Array, centre_K: float, width_K: float) -> Estimate:
    """Height of a step whose place is known, high less low temperature, at its centre.

    Two baselines with a slope each and a common curvature are joined by a logistic step, as in
    `transition.fit_branch`; here the place comes from the lattice, so that the step of a noisy
    quantity (enthalpy) needs no search.

    Parameters
    ----------
    temperature_K, values : (n,), in the order of time
    centre_K, width_K : of the step, the width from 10 to 90 %

    Returns
    -------
    Estimate : its error counts residuals that remember their neighbours; nan with too few samples
    """
    x = (np.asarray(temperature_K, float) - centre_K) / 100.0
    y = np.asarray(values, float)
    share = expit(100.0 * x * _TEN_TO_NINETY / max(width_K, 1e-6))
    basis = np.stack([np.ones_like(x), x, x**2, share, x * share], axis=1)
    solution, _, rank, _ = np.linalg.lstsq(basis, y, rcond=None)
    residual = y - basis @ solution
    square = float(residual @ residual)
    if rank < basis.shape[1] or len(y) <= basis.shape[1]:
        return Estimate(math.nan, math.nan)
    memory = float(residual[1:] @ residual[:-1]) / square if square > 0 else 0.0
    memory = min(max(memory, 0.0), _MOST_CORRELATED)
    variance = square / (len(y) - basis.shape[1]) * (1 + memory) / (1 - memory)
    covariance = variance * np.linalg.inv(basis.T @ basis)
    return Estimate(float(solution[3]), math.sqrt(float(covariance[3, 3])))


def clapeyron(
    temperature_K: float, reach_K: float, volume_A3: Estimate, enthalpy_eV: Estimate
) -> Estimate | None:
    """dTc/dp, K/kbar, from the steps of volume and enthalpy of the same amount of crystal; None
    where the latent heat is not known well enough to divide by it.

    Parameters
    ----------
    temperature_K, reach_K : of the transition, and half of its 95 % interval
    volume_A3, enthalpy_eV : what the disordered phase has more
    """
    if not abs(enthalpy_eV.value) > _LEAST_SIGNAL * enthalpy_eV.error:
        return None
    value = temperature_K * volume_A3.value / enthalpy_eV.value / EV_PER_A3_IN_KBAR
    relative = math.hypot(
        reach_K / 1.96 / temperature_K,
        volume_A3.error / volume_A3.value if volume_A3.value else 0.0,
        enthalpy_eV.error / enthalpy_eV.value,
    )
    return Estimate(value, abs(value) * relative, min(volume_A3.freedom, enthalpy_eV.freedom))


@dataclass(frozen=True)
class AtPressure:
    """Half-height temperatures of all runs at one pressure, kbar; None where no run has a step."""

    pressure_kbar: float
    heating: Branches | None
    cooling: Branches | None


@dataclass(frozen=True)
class PressureSlope:
    """dTc/dp, K/kbar, and half of its 95 % interval. ``heating`` and ``cooling`` are the slopes of
    each direction.
    """

    value: float
    reach: float
    heating: Estimate | None
    cooling: Estimate | None


def pressure_slope(points: Sequence[AtPressure]) -> PressureSlope | None:
    """The slope of the transition temperature over pressure; None where no direction has a step at
    two pressures.

    The value is the mean of the directions, weighted by their errors. Its interval holds those
    errors and half of the difference of the two slopes, by which pressure changes the hysteresis.
    """
    up = _slope([(each.pressure_kbar, each.heating) for each in points])
    down = _slope([(each.pressure_kbar, each.cooling) for each in points])
    found = [each for each in (up, down) if each is not None]
    if not found:
        return None
    weights = np.array([1 / max(each.error, 1e-12) ** 2 for each in found])
    weights /= weights.sum()
    value = float(weights @ np.array([each.value for each in found]))
    reach = float(np.sqrt(weights**2 @ np.array([each.reach for each in found]) ** 2))
    if len(found) == 2:
        reach = math.hypot(reach, (found[0].value - found[1].value) / 2)
    return PressureSlope(value, reach, up, down)


def _slope(points: Sequence[tuple[float, Branches | None]]) -> Estimate | None:
    """A line through the means at each pressure, weighted by their errors."""
    found = [(pressure, runs) for pressure, runs in points if runs is not None]
    x = np.array([pressure for pressure, _ in found])
    if len(np.unique(x)) < 2:
        return None
    y = np.array([runs.temperature_K for _, runs in found])
    error = np.array([max(runs.error, 1e-9) for _, runs in found])
    weight = error**-2
    mean = float(weight @ x / weight.sum())
    spread = float(weight @ (x - mean) ** 2)
    value = float(weight @ ((x - mean) * y) / spread)
    own = 1 / math.sqrt(spread)
    freedom = min(runs.freedom for _, runs in found)
    if len(found) > 2:
        away = y - (weight @ y / weight.sum()) - value * (x - mean)
        excess = float(weight @ away**2) / (len(found) - 2)
        if excess > 1:
            return Estimate(value, own * math.sqrt(excess), len(found) - 2)
    return Estimate(value, own, freedom)


@dataclass(frozen=True)
class Hold:
    """A run at constant temperature within the hysteresis."""

    temperature_K: float
    started: Phase
    ended: Phase


@dataclass(frozen=True)
class Equilibrium:
    """What runs at constant temperature say of the transition.

    Attributes
    ----------
    lower_K : highest temperature at which the disordered phase ordered; None where none did
    upper_K : lowest temperature at which the ordered phase disordered; None where none did
    temperature_K, low, high : the transition and its 95 % interval, K; nan where one is missing
    """

    lower_K: float | None
    upper_K: float | None
    temperature_K: float
    low: float
    high: float


def equilibrium(holds: Sequence[Hold], latent_heat_eV: float | None = None) -> Equilibrium:
    """Where the transition is, from runs that began in one phase and ended in the other.

    Each says on which side of the transition it was, with the probability that the latent heat
    gives. All transition temperatures are as likely beforehand, and where the latent heat is not
    known, so are the logarithms of all usual widths. Runs that stayed in their phase may only have
    been too short, and say nothing.

    Parameters
    ----------
    holds : runs
    latent_heat_eV : of the whole cell; None where it is not known
    """
    turned = [h for h in holds if h.ended != "undecided" and h.started != h.ended]
    down = [h.temperature_K for h in turned if h.ended == "ordered"]
    up = [h.temperature_K for h in turned if h.ended == "disordered"]
    lower, upper = max(down, default=None), min(up, default=None)
    if lower is None or upper is None:
        return Equilibrium(lower, upper, math.nan, math.nan, math.nan)
    tried = np.array([*down, *up])
    sign = np.array([-1.0] * len(down) + [1.0] * len(up))
    widths = (
        _WIDTHS_K
        if latent_heat_eV is None
        else np.array([BOLTZMANN_EV_PER_K * tried.mean() ** 2 / latent_heat_eV])
    )
    grid = np.linspace(tried.min() - _BEYOND_K, tried.max() + _BEYOND_K, 4001)
    log_likelihood = log_expit(sign * (tried - grid[:, None]) / widths[:, None, None]).sum(axis=2)
    likelihood = np.exp(log_likelihood - log_likelihood.max()).sum(axis=0)
    share = np.cumsum(likelihood) / likelihood.sum()
    low, middle, high = np.interp([0.025, 0.5, 0.975], share, grid)
    return Equilibrium(lower, upper, float(middle), float(low), float(high))


def shift_by_errors(
    temperature_K: Array,
    error_eV: Array,
    is_disordered: Array,
    transition_K: float,
    enthalpy_eV: float,
) -> Estimate | None:
    """By how much a potential's errors of the energy move its transition, K.

    First order of perturbation: the free energy of a phase moves by the mean error of its
    configurations, and the transition by Tc times the difference of the two over the latent heat.
    In each phase the mean error is taken at the transition, from a straight line over temperature.

    Parameters
    ----------
    temperature_K, error_eV, is_disordered : (n,) of configurations of the potential's own runs;
        errors are potential less reference, of the same amount of crystal as ``enthalpy_eV``
    transition_K, enthalpy_eV : of the potential's transition, and its latent heat

    Returns
    -------
    Estimate : None with fewer than `_FEWEST_OF_PHASE` configurations of a phase

    Source
    ------
    Frenkel, Smit, Understanding Molecular Simulation, 2nd ed. (2002), section 7.1.
    """
    means = []
    for phase in (True, False):
        inside = np.asarray(is_disordered, bool) == phase
        if inside.sum() < _FEWEST_OF_PHASE:
            return None
        means.append(_at(np.asarray(temperature_K)[inside], error_eV[inside], transition_K))
    hot, cold = means
    factor = transition_K / enthalpy_eV
    return Estimate(
        factor * (hot.value - cold.value),
        abs(factor) * math.hypot(hot.error, cold.error),
        min(hot.freedom, cold.freedom),
    )


def _at(temperature_K: Array, values: Array, at_K: float) -> Estimate:
    """Value of a straight line at a temperature; a mean where all temperatures are alike."""
    x = (temperature_K - at_K) / 100.0
    basis = np.stack([np.ones_like(x), x], axis=1)
    if np.ptp(x) < 1e-3:
        basis = basis[:, :1]
    solution = np.linalg.lstsq(basis, values, rcond=None)[0]
    residual = values - basis @ solution
    freedom = len(values) - basis.shape[1]
    covariance = float(residual @ residual) / freedom * np.linalg.inv(basis.T @ basis)
    return Estimate(float(solution[0]), math.sqrt(float(covariance[0, 0])), freedom)
