"""How honest the intervals of transition temperatures are: trials on made-up ramps whose step is
known.

    python benchmarks/transition_calibration.py --trials 300 --output
    benchmarks/results/transition_calibration.md

A ramp is thermal expansion with a first-order step, and the noise of a cell that breathes: each
frame remembers the one before. Over the trials:

* found        share of the ramps in which `borarun.analysis.transition` sees a transition
* bias         mean of the half-height temperature less the known one, K
* real sd      scatter of the half-height temperature, K
* quoted/true  median of the quoted standard errors over the real scatter; 1 is right
* coverage     share of the 95 % intervals that hold the known temperature

The last rows ask the same of transition temperatures from heating and cooling runs together, and of
the hysteresis between them. The crystal is superheated and supercooled by amounts whose sum is
known and whose shares are not: the transition lies anywhere between both. Single runs scatter about
these. There quoted/true compares half the quoted interval with the root mean square error.

Then the slope of the transition with pressure, in K/kbar instead of K: from ramps at two pressures,
and by Clausius and Clapeyron from the steps of volume and enthalpy of the same ramps at one. Last,
runs at constant temperature from both phases within the hysteresis (``heating.holds``). A phase
that is not stable there turns into the other at a rate that grows with the distance from the
transition; which phase it then ends in follows from the latent heat of the cell.
"""

from __future__ import annotations

import argparse
import os
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import expit

from borarun.analysis.clapeyron import (
    AtPressure,
    Hold,
    Phase,
    PressureSlope,
    clapeyron,
    equilibrium,
    pressure_slope,
    step_at,
)
from borarun.analysis.estimate import Estimate, mean
from borarun.analysis.transition import Branch, fit_branch, transition
from borarun.basics.units import BOLTZMANN_EV_PER_K, EV_PER_A3_IN_KBAR

Array = NDArray[Any]

FROM_K, TO_K = 10.0, 1000.0


@dataclass(frozen=True)
class Case:
    """A kind of ramp.

    Attributes
    ----------
    name : in words
    n_frames : of the ramp
    memory : correlation of the noise of neighbouring frames
    noise_A : its standard deviation, angstrom
    width_K : of the logistic step; 4.4 of it are from 10 to 90 %
    centre_K, height_A : of the step
    """

    name: str
    n_frames: int
    memory: float
    noise_A: float
    width_K: float
    centre_K: float = 600.0
    height_A: float = 0.28


CASES = (
    Case("noise without memory", 600, 0.0, 0.03, 8),
    Case("memory of 5 frames", 600, 0.8, 0.03, 8),
    Case("sharper than the samples", 600, 0.8, 0.03, 1, centre_K=603),
    Case("memory of 10 frames, sharp", 2000, 0.9, 0.04, 2),
    Case("memory of 20 frames, smeared over 110 K", 2000, 0.95, 0.04, 25),
    Case("small step in strong noise", 2000, 0.95, 0.04, 5, height_A=0.15),
    Case("at 91 % of the ramp", 600, 0.8, 0.03, 8, centre_K=910),
    Case("at 95 % of the ramp", 600, 0.8, 0.03, 8, centre_K=950),
    Case("at 5 % of the ramp", 600, 0.8, 0.03, 8, centre_K=60),
)


@dataclass(frozen=True)
class Pair:
    """A kind of study: heating and cooling runs, repeated.

    Attributes
    ----------
    name : in words
    n_runs : of each direction
    hysteresis_K : between the mean half-height temperatures
    scatter_K : standard deviation of single runs about their mean
    centre_K : mean of the transition temperatures
    """

    name: str
    n_runs: int
    hysteresis_K: float
    scatter_K: float
    centre_K: float = 600.0


PAIRS = (
    Pair("one run each, hysteresis of 100 K", 1, 100, 0),
    Pair("one run each, no hysteresis", 1, 0, 0),
    Pair("three runs each, hysteresis of 100 K, scatter of 15 K", 3, 100, 15),
    Pair("five runs each, hysteresis of 100 K, scatter of 30 K", 5, 100, 30),
    Pair("five runs each, hysteresis of 20 K, scatter of 40 K", 5, 20, 40),
    Pair(
        "three runs each, hysteresis of 60 K, scatter of 10 K, at 90 % of the ramp", 3, 60, 10, 900
    ),
)


def ramp(
    case: Case, rng: np.random.Generator, centre_K: float | None = None
) -> tuple[Array, Array]:
    """Temperatures, K, and lattice parameters, angstrom, of one ramp; its step at ``centre_K``
    where that is given.
    """
    T = np.linspace(FROM_K, TO_K, case.n_frames)
    drawn = rng.normal(size=case.n_frames) * np.sqrt(1 - case.memory**2)
    drawn[0] /= np.sqrt(1 - case.memory**2)
    noise = case.noise_A * lfilter([1.0], [1.0, -case.memory], drawn)
    centre = case.centre_K if centre_K is None else centre_K
    rise = case.height_A * expit((T - centre) / case.width_K)
    return T, 9.5 + 2e-4 * T + 1.5e-7 * T**2 + rise + noise


@dataclass(frozen=True)
class Pressed:
    """A kind of study with ramps for dTc/dp.

    Attributes
    ----------
    name : in words
    pressures_kbar : of the ramps; one for Clausius and Clapeyron alone
    n_runs : of each direction at each pressure
    scatter_K : standard deviation of single runs about their mean
    """

    name: str
    pressures_kbar: tuple[float, ...]
    n_runs: int
    scatter_K: float


VOLUME_A3, LATENT_HEAT_EV, TRANSITION_K, HYSTERESIS_K = 30.0, 0.8, 600.0, 100.0
"""Of a cell of four formula units, and so 14 K/kbar; the steps in the noise of a cell that breathes
are as those of Li2B12H12.
"""
VOLUME_NOISE_A3, ENTHALPY_NOISE_EV = 3.0, 0.6

PRESSED = (
    Pressed("0 and 2 kbar, one run each", (0.0, 2.0), 1, 0),
    Pressed("0 and 2 kbar, three runs each, scatter of 15 K", (0.0, 2.0), 3, 15),
    Pressed("0, 1 and 2 kbar, three runs each, scatter of 15 K", (0.0, 1.0, 2.0), 3, 15),
    Pressed("Clausius-Clapeyron, one run each", (0.0,), 1, 0),
    Pressed("Clausius-Clapeyron, three runs each, scatter of 15 K", (0.0,), 3, 15),
)


@dataclass(frozen=True)
class Holding:
    """A kind of study with runs at constant temperature.

    Attributes
    ----------
    name : in words
    every_K : between the holds, which reach over 200 K
    lifetimes : of a phase 50 K on the wrong side of the transition that fit into a hold
    n_atoms : of the cell
    is_told : whether the estimate is told the latent heat
    """

    name: str
    every_K: float
    lifetimes: float
    n_atoms: int = 832
    is_told: bool = True


HOLDS = (
    Holding("long holds every 20 K", 20, 10.0),
    Holding("short holds every 20 K", 20, 1.0),
    Holding("holds every 50 K", 50, 5.0),
    Holding("holds every 20 K, 104 atoms", 20, 5.0, n_atoms=104),
    Holding("holds every 20 K, 104 atoms, no latent heat known", 20, 5.0, 104, False),
    Holding("holds every 20 K, 2808 atoms, no latent heat known", 20, 5.0, 2808, False),
)


@dataclass(frozen=True)
class Calibration:
    """What the trials of one case gave; see the head of this file."""

    found: float
    bias_K: float
    real_sd_K: float
    quoted_over_true: float
    coverage: float


def calibrate(case: Case, n_trials: int, seed: int = 1) -> Calibration:
    """Run the trials of one case."""
    rng = np.random.default_rng(seed)
    branches = [fit_branch(*ramp(case, rng), seed=trial) for trial in range(n_trials)]
    found = [branch for branch in branches if branch.found]
    return _told(
        [(b.temperature_K, b.error, b.low, b.high) for b in found],
        case.centre_K,
        len(found) / n_trials,
    )


def calibrate_pairs(pair: Pair, n_trials: int, seed: int = 1) -> tuple[Calibration, Calibration]:
    """The same of the transition temperature of heating and cooling runs, and of the hysteresis."""
    rng = np.random.default_rng(seed)
    middles, gaps = [], []
    for trial in range(n_trials):
        superheating = rng.uniform(0, pair.hysteresis_K)
        means = pair.centre_K + superheating, pair.centre_K + superheating - pair.hysteresis_K
        heating, cooling = (
            [
                fit_branch(*ramp(CASES[1], rng, rng.normal(expected, pair.scatter_K)), seed=trial)
                for _ in range(pair.n_runs)
            ]
            for expected in means
        )
        both = transition(heating, cooling)
        if both.found:
            half = (both.high - both.low) / 2
            middles.append((both.temperature_K, half, both.low, both.high))
            gap, reach = both.hysteresis_K, both.hysteresis_reach_K
            gaps.append((gap, reach, gap - reach, gap + reach))
    share = len(middles) / n_trials
    return (
        _told(middles, pair.centre_K, share, per_error=1.96),
        _told(gaps, pair.hysteresis_K, share, per_error=1.96),
    )


def calibrate_slope(pressed: Pressed, n_trials: int, seed: int = 1) -> Calibration:
    """The same of dTc/dp, K/kbar."""
    rng = np.random.default_rng(seed)
    true = TRANSITION_K * VOLUME_A3 / LATENT_HEAT_EV / EV_PER_A3_IN_KBAR
    rows = []
    for trial in range(n_trials):
        superheating = rng.uniform(0, HYSTERESIS_K)
        points, runs = [], []
        for pressure in pressed.pressures_kbar:
            middle = TRANSITION_K + true * pressure + superheating
            sides: list[list[Branch]] = []
            for expected in (middle, middle - HYSTERESIS_K):
                centres = rng.normal(expected, pressed.scatter_K, pressed.n_runs)
                sides.append(
                    [fit_branch(*ramp(CASES[1], rng, centre), seed=trial) for centre in centres]
                )
                runs += list(zip(centres, sides[-1], strict=True))
            both = transition(*sides)
            points.append(AtPressure(pressure, both.heating, both.cooling))
        slope: Estimate | PressureSlope | None
        if len(points) > 1:
            slope = pressure_slope(points)
        else:
            volume = _step(runs, VOLUME_A3, VOLUME_NOISE_A3, rng)
            enthalpy = _step(runs, LATENT_HEAT_EV, ENTHALPY_NOISE_EV, rng)
            half = (both.high - both.low) / 2
            slope = clapeyron(both.temperature_K, half, volume, enthalpy)
        if slope is not None:
            rows.append(
                (slope.value, slope.reach, slope.value - slope.reach, slope.value + slope.reach)
            )
    return _told(rows, true, len(rows) / n_trials, per_error=1.96)


def _step(
    runs: list[tuple[float, Branch]], height: float, noise: float, rng: np.random.Generator
) -> Estimate:
    """The mean step of a quantity of the cell over ramps, at the places that the lattice gave."""
    case = replace(CASES[1], height_A=1.0, noise_A=noise / height)
    found = []
    for centre, branch in runs:
        T, values = ramp(case, rng, centre)
        found.append(step_at(T, height * values, branch.temperature_K, branch.width_K))
    return mean(found)


def calibrate_holds(holding: Holding, n_trials: int, seed: int = 1) -> Calibration:
    """The same of the transition temperature from runs at constant temperature."""
    rng = np.random.default_rng(seed)
    starts: tuple[Phase, Phase] = ("ordered", "disordered")
    heat_eV = LATENT_HEAT_EV * holding.n_atoms / 104
    rows = []
    for _ in range(n_trials):
        first = TRANSITION_K - rng.uniform(80, 120)
        found = equilibrium(
            [
                Hold(T, start, _end(start, T, heat_eV, holding, rng))
                for T in np.arange(first, first + 200, holding.every_K)
                for start in starts
            ],
            heat_eV if holding.is_told else None,
        )
        if np.isfinite(found.temperature_K):
            half = (found.high - found.low) / 2
            rows.append((found.temperature_K, half, found.low, found.high))
    return _told(rows, TRANSITION_K, len(rows) / n_trials, per_error=1.96)


def _end(
    start: Phase, T: float, heat_eV: float, holding: Holding, rng: np.random.Generator
) -> Phase:
    """The phase in which a hold ends: its own, or that of equilibrium between both."""
    if rng.random() > -np.expm1(-holding.lifetimes * np.exp(abs(T - TRANSITION_K) / 50 - 1)):
        return start
    is_disordered = expit(heat_eV / BOLTZMANN_EV_PER_K * (1 / TRANSITION_K - 1 / T))
    return "disordered" if rng.random() < is_disordered else "ordered"


def _told(
    rows: list[tuple[float, float, float, float]],
    true: float,
    share: float,
    per_error: float = 1.0,
) -> Calibration:
    value, error, low, high = np.array(rows).reshape(-1, 4).T
    error = error / per_error
    sd = float(value.std(ddof=1))
    return Calibration(
        share,
        float(value.mean()) - true,
        sd,
        float(np.median(error)) / sd,
        float(np.mean((low <= true) & (true <= high))),
    )


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(
        description="Calibration of the intervals of transition temperatures."
    )
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--output", type=Path)
    chosen = parser.parse_args()
    lines = [
        "# Intervals of transition temperatures on ramps of known step",
        "",
        f"`python benchmarks/transition_calibration.py --trials {chosen.trials} --seed "
        f"{chosen.seed}`; {os.cpu_count()} cores, Python {platform.python_version()}, numpy "
        f"{np.__version__}. The columns are explained at the head of that file.",
        "",
        "| case | found | bias (K) | real sd (K) | quoted/true | coverage of 95 % |",
        "|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))

    def tell(name: str, c: Calibration) -> None:
        row = (
            f"| {name} | {100 * c.found:.0f} % | {c.bias_K:+.1f} | {c.real_sd_K:.1f} | "
            f"{c.quoted_over_true:.2f} | {100 * c.coverage:.1f} % |"
        )
        lines.append(row)
        print(row, flush=True)

    for case in (case for case in CASES if chosen.only in case.name):
        tell(
            f"{case.name}, step of {case.height_A:g} Å, noise {case.noise_A:g} Å",
            calibrate(case, chosen.trials, chosen.seed),
        )
    for pair in (pair for pair in PAIRS if chosen.only in pair.name):
        for name, result in zip(
            ("transition", "hysteresis"),
            calibrate_pairs(pair, chosen.trials, chosen.seed),
            strict=True,
        ):
            tell(f"{name}: {pair.name}", result)
    for pressed in (pressed for pressed in PRESSED if chosen.only in pressed.name):
        found = calibrate_slope(pressed, chosen.trials, chosen.seed)
        tell(f"dTc/dp (K/kbar): {pressed.name}", found)
    for holding in (holding for holding in HOLDS if chosen.only in holding.name):
        tell(f"transition: {holding.name}", calibrate_holds(holding, chosen.trials, chosen.seed))
    if chosen.output:
        chosen.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
