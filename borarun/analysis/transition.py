"""Transition temperature from the step of the lattice parameter (or volume) on heating and cooling.

A branch is fitted with two baselines, straight but for a common curvature (plain thermal expansion
has one), joined by a logistic step; its centre is the temperature at half height. For every centre
and width on a grid the five linear coefficients follow exactly, so the best fit is found without
starting values and a bootstrap replicate costs one matrix product.

A step is called a transition when all of these hold:

* it describes the branch better than a cubic does, by more than `LEAST_BIC` in the Bayesian
  information criterion, where the number of
  samples is reduced for their correlation;
* its height is at least `LEAST_STEP` of the value at the step;
* the range encloses it: neither its centre nor the interval of that lies at an end of the grid,
  `_MARGIN` of the range from its ends, where the best fit is one that would rather lie outside.

Within a tenth of the range from an end the two baselines share one slope, because the few samples
beyond the step cannot tell another.

The interval is the scatter of the fit under a bootstrap of its residuals, as noise that remembers
its neighbours; how well it covers on ramps of known step is measured by
benchmarks/transition_calibration.py. It does not hold what one run cannot show: that nucleation
comes sooner or later in another run, and that a slower ramp narrows the hysteresis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import expit

from borarun.analysis.estimate import Estimate, mean, student, summed

Array = NDArray[Any]

LEAST_BIC = 10.0
LEAST_STEP = 0.005
FEWEST_SAMPLES = 30
_POINTS = 100
_CENTRES = 241
_MARGIN = 0.03
_ONE_SLOPE = 0.1
"""Parts of the range: where steps are not looked for, and where both baselines share one slope."""
_WIDTHS = 6
_SLOPE_GAIN = 2.0
"""What a needless second slope takes from the sum of squares, in variances (Akaike)."""
_STEP_PARAMETERS, _CUBIC_PARAMETERS = 7, 4
_MOST_CORRELATED = 0.95
_FORGOTTEN = 100
"""Samples until a series with the longest memory has forgotten how it began."""
_Z95 = 1.96
_INNER = 0.95
"""The part of the bracket, about its middle, that holds the transition 95 times in 100."""
_TEN_TO_NINETY = 2 * math.log(9)
"""Width from 10 to 90 % of a logistic step of unit width."""


@dataclass(frozen=True)
class Branch:
    """One heating or cooling run.

    Attributes
    ----------
    found : whether there is a transition
    reason : why there is none; empty where there is
    temperature_K, error : temperature at half height and its standard error, K; nan where there is
        none
    low, high : 95 % interval, K
    step : height of the step at ``temperature_K``, high minus low temperature, in the unit of the
        values
    relative_step, relative_low, relative_high : the same as a part of the value just below the
        step, and its 95 % interval
    width_K : from 10 to 90 % of the step, K
    curve_temperature_K, curve : (c,) the fitted curve; the cubic where a step describes the branch
        no better
    """

    found: bool
    reason: str
    temperature_K: float
    error: float
    low: float
    high: float
    step: float
    relative_step: float
    relative_low: float
    relative_high: float
    width_K: float
    curve_temperature_K: Array
    curve: Array


@dataclass(frozen=True)
class Branches:
    """All runs of one direction, heating or cooling, that show a step.

    Attributes
    ----------
    temperature_K, error : mean half-height temperature and its standard error, K
    freedom : degrees of freedom of the error; infinite where the fits make it and not the scatter
        of the runs
    n_found, n_runs : runs that show a step, and all
    """

    temperature_K: float
    error: float
    freedom: float
    n_found: int
    n_runs: int

    @property
    def reach_K(self) -> float:
        """Half of the 95 % interval of the mean, K."""
        return self.error * student(self.freedom)


@dataclass(frozen=True)
class Transition:
    """A transition temperature from heating and cooling runs.

    A crystal is superheated before it transforms and supercooled before it transforms back, by
    amounts that ramps do not tell apart. So heating gives an upper bound, cooling a lower one, and
    the estimate is the middle of the bracket between them. Its 95 % interval holds the inner 95 %
    of the bracket, within which the transition may lie anywhere, and the scatter of the runs.

    Attributes
    ----------
    found : whether both directions show it
    temperature_K, low, high : middle of the bracket and its 95 % interval, K; nan where not found
    lower_K, upper_K : 95 % bounds, K: the transition is not below the one nor above the other; nan
        where no run tells
    heating, cooling : the runs of each direction that show a step; None where none does
    hysteresis_K, hysteresis_reach_K : heating minus cooling and half of its 95 % interval, K; nan
        where a direction is missing
    reason : what is missing; empty where both directions show it
    """

    found: bool
    temperature_K: float
    low: float
    high: float
    lower_K: float
    upper_K: float
    heating: Branches | None
    cooling: Branches | None
    hysteresis_K: float
    hysteresis_reach_K: float
    reason: str


def fit_branch(
    temperature_K: Array, values: Array, *, n_bootstrap: int = 200, seed: int = 1
) -> Branch:
    """Find the step of one branch.

    Parameters
    ----------
    temperature_K : (n,) K, in any order: the thermostat's set temperature
    values : (n,) lattice parameter or volume
    n_bootstrap : replicates
    seed : of the bootstrap
    """
    temperature_K, values = np.asarray(temperature_K, float), np.asarray(values, float)
    if len(values) < FEWEST_SAMPLES or np.ptp(temperature_K) == 0:
        reason = (
            f"a branch needs {FEWEST_SAMPLES} samples over a range of temperature, there are "
            f"{len(values)}"
        )
        return _none(reason, temperature_K[:0], values[:0])
    x, y = _averaged(temperature_K, values)
    smooth = np.polynomial.Polynomial.fit(x, y, 3)(x)
    grid = _Grid(x)
    # What a second slope gains by chance depends on the memory of the noise, which is known after a
    # first fit.
    centre, best = grid.fit(y[:, None])
    residual = y - grid.curve(y, float(centre[0]), float(grid.widths[best[0]]))[0]
    effective = _effective(residual)
    centre, best = grid.fit(y[:, None], effective)
    width = float(grid.widths[best[0]])
    step_fit, before, height = grid.curve(y, float(centre[0]), width)
    residual = y - step_fit
    effective = _effective(residual)
    ratio = float(np.sum((y - smooth) ** 2)) / max(float(np.sum(residual**2)), np.finfo(float).tiny)
    gain = effective * math.log(max(ratio, np.finfo(float).tiny)) - (
        _STEP_PARAMETERS - _CUBIC_PARAMETERS
    ) * math.log(effective)
    level = float(np.mean(y))
    if gain <= LEAST_BIC:
        reason = (
            "a step describes the data no better than a smooth curve does (gain in BIC "
            f"{gain:.1f}, needed {LEAST_BIC:g})"
        )
    elif abs(height) < LEAST_STEP * abs(level):
        reason = (
            f"the largest step is {100 * abs(height / level):.2f} % of the value, needed "
            f"{100 * LEAST_STEP:g} %"
        )
    else:
        reason = ""
    none = f"no transition between {x[0]:.0f} and {x[-1]:.0f} K"
    if reason:
        return _none(f"{none}: {reason}", x, smooth)
    replicas = step_fit[:, None] + _resampled(residual, n_bootstrap, seed)
    centres, chosen = grid.fit(replicas, effective)
    low, high = np.percentile(centres, [2.5, 97.5])
    first, last = grid.steps[[1, -2]]
    if not first <= min(low, centre[0]) <= max(high, centre[0]) <= last:
        reason = (
            f"the range does not enclose it; the best step lies at an end of {first:.0f} to "
            f"{last:.0f} K, where it is looked for"
        )
        return _none(f"{none}: {reason}", x, step_fit)
    fitted = [
        grid.curve(y, *place)[1:]
        for y, *place in zip(replicas.T, centres, grid.widths[chosen], strict=True)
    ]
    relative_low, relative_high = np.percentile(
        [rise / start for start, rise in fitted], [2.5, 97.5]
    )
    return Branch(
        found=True,
        reason="",
        temperature_K=float(centre[0]),
        error=float(centres.std(ddof=1)),
        low=float(low),
        high=float(high),
        step=height,
        relative_step=height / before,
        relative_low=float(relative_low),
        relative_high=float(relative_high),
        width_K=width * _TEN_TO_NINETY,
        curve_temperature_K=x,
        curve=step_fit,
    )


def transition(heating: Sequence[Branch], cooling: Sequence[Branch] = ()) -> Transition:
    """The transition temperature between heating and cooling runs.

    Parameters
    ----------
    heating, cooling : branches of repeated runs of equal rate; cooling may be empty
    """
    up, down = _branches(heating), _branches(cooling)
    missing = [
        f"{name}: {branch.reason}"
        for name, branches in (("heating", heating), ("cooling", cooling))
        for branch in branches
        if not branch.found
    ]
    missing += [
        f"{name} was not run"
        for name, branches in (("heating", heating), ("cooling", cooling))
        if not branches
    ]
    nan = math.nan
    upper = up.temperature_K + up.reach_K if up else nan
    lower = down.temperature_K - down.reach_K if down else nan
    if up is None or down is None:
        return Transition(
            False, nan, nan, nan, lower, upper, up, down, nan, nan, "; ".join(missing)
        )
    hysteresis = up.temperature_K - down.temperature_K
    scatter = summed(
        [Estimate(each.temperature_K, each.error, each.freedom) for each in (up, down)]
    ).reach
    # No crystal orders above where it disorders: then single runs scatter by at least so much,
    # which none of them can know of itself.
    if hysteresis < 0.0:
        scatter = max(scatter, -_Z95 * hysteresis)
    middle = (up.temperature_K + down.temperature_K) / 2
    reach = math.hypot(_INNER * max(hysteresis, 0.0) / 2, scatter / 2)
    return Transition(
        found=True,
        temperature_K=middle,
        low=middle - reach,
        high=middle + reach,
        lower_K=min(lower, middle - reach),
        upper_K=max(upper, middle + reach),
        heating=up,
        cooling=down,
        hysteresis_K=hysteresis,
        hysteresis_reach_K=scatter,
        reason="; ".join(missing),
    )


def _branches(runs: Sequence[Branch]) -> Branches | None:
    """Runs of one direction together."""
    found = [run for run in runs if run.found]
    if not found:
        return None
    centre = mean([Estimate(run.temperature_K, run.error) for run in found])
    return Branches(centre.value, centre.error, centre.freedom, len(found), len(runs))


class _Grid:
    """Every step on a grid of centres and widths, as orthonormal bases over the sampled
    temperatures.
    """

    def __init__(self, x: Array) -> None:
        span = x[-1] - x[0]
        self.x = x
        self.steps = np.linspace(x[0] + _MARGIN * span, x[-1] - _MARGIN * span, _CENTRES)
        # From a step between two points to one that takes a quarter of the range.
        widths = np.geomspace(span / 400, span / 4 / _TEN_TO_NINETY, _WIDTHS)
        self.centres, self.widths = (part.ravel() for part in np.meshgrid(self.steps, widths))
        self.bases = np.linalg.qr(self._design(self.centres, self.widths))[0]
        self.one_slope = self._near_an_end(self.centres)
        self.bases[self.one_slope, :, 4] = 0.0

    def _near_an_end(self, centres: Array) -> Array:
        """Whether so few samples lie beyond a step that both baselines share one slope."""
        to_end = np.minimum(centres - self.x[0], self.x[-1] - centres)
        return np.asarray(to_end < _ONE_SLOPE * np.ptp(self.x))

    def _design(self, centres: Array, widths: Array) -> Array:
        """Baseline, its slope and curvature, step and its slope: (g, n, 5), about the centre."""
        away = self.x - centres[:, None]
        rise = expit(away / widths[:, None])
        slope = away / np.ptp(self.x)
        return np.stack([np.ones_like(rise), slope, slope**2, rise, rise * slope], axis=2)

    def fit(self, y: Array, effective: float = math.inf) -> tuple[Array, Array]:
        """Centre refined between grid points and grid index of the best step, for each column of
        (n, r) ``y``; ``effective`` is the number of independent samples in it.
        """
        inside = np.zeros((len(self.centres), y.shape[1]))
        shifted = y - y.mean(axis=0)
        for column in range(self.bases.shape[2]):
            inside += (self.bases[:, :, column] @ shifted) ** 2
        rest = np.sum(shifted**2, axis=0) - inside
        rest[~self.one_slope] *= 1 + _SLOPE_GAIN / effective
        best = np.argmin(rest, axis=0)
        replicate = np.arange(y.shape[1])
        place = best % _CENTRES
        edge = (place == 0) | (place == _CENTRES - 1)
        left, middle, right = (
            rest[np.where(edge, best, best + shift), replicate] for shift in (-1, 0, 1)
        )
        bend = left - 2 * middle + right
        offset = np.where(bend > 0, 0.5 * (left - right) / np.where(bend > 0, bend, 1), 0)
        return self.centres[best] + offset * (self.steps[1] - self.steps[0]), best

    def curve(self, y: Array, centre: float, width: float) -> tuple[Array, float, float]:
        """Fitted values (n,), and at the centre of the step the value below it and its height."""
        design = self._design(np.array([centre]), np.array([width]))[0]
        if self._near_an_end(np.array([centre]))[0]:
            design = design[:, :4]
        coefficients = np.linalg.lstsq(design, y, rcond=None)[0]
        return design @ coefficients, float(coefficients[0]), float(coefficients[3])


def _averaged(temperature_K: Array, values: Array) -> tuple[Array, Array]:
    """At most `_POINTS` averages over neighbouring temperatures."""
    order = np.argsort(temperature_K, kind="stable")
    groups = np.array_split(order, min(_POINTS, len(order)))
    return np.array([temperature_K[group].mean() for group in groups]), np.array(
        [values[group].mean() for group in groups]
    )


def _correlation(residual: Array) -> float:
    """Correlation of neighbours, 0 to 0.95."""
    square = float(np.sum(residual**2))
    found = float(np.sum(residual[1:] * residual[:-1])) / square if square > 0 else 0.0
    return min(max(found, 0.0), _MOST_CORRELATED)


def _effective(residual: Array) -> float:
    """Number of independent samples, from the correlation of neighbours."""
    correlation = _correlation(residual)
    return len(residual) * (1 - correlation) / (1 + correlation)


def _resampled(residual: Array, n_replicates: int, seed: int) -> Array:
    """Noise like that of the fit, (n, r): each sample remembers the one before it, and what is new
    in it is drawn from what was new in the residuals.

    The fit follows slow noise, so that residuals vary less than the noise and remember less of it;
    both are put right by the share that it took.
    """
    n = len(residual)
    seen = _correlation(residual)
    taken = min(_STEP_PARAMETERS / n * (1 + seen) / (1 - seen), 0.5)
    memory = min(seen + (1 - seen) * taken, _MOST_CORRELATED)
    new = residual[1:] - seen * residual[:-1]
    new = (new - new.mean()) * (residual.std() / max(float(new.std()), np.finfo(float).tiny))
    drawn = np.random.default_rng(seed).choice(
        new, size=(n + _FORGOTTEN, n_replicates)
    ) * math.sqrt((1 - memory**2) / (1 - taken))
    return np.asarray(lfilter([1.0], [1.0, -memory], drawn, axis=0)[_FORGOTTEN:])


def _none(reason: str, x: Array, curve: Array) -> Branch:
    nan = math.nan
    return Branch(False, reason, nan, nan, nan, nan, nan, nan, nan, nan, nan, x, curve)
