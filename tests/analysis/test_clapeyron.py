"""dTc/dp and the equilibrium transition, on made-up data of known answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.special import expit

from borarun.analysis.clapeyron import (
    AtPressure,
    Hold,
    clapeyron,
    equilibrium,
    pressure_slope,
    shift_by_errors,
    step_at,
)
from borarun.analysis.estimate import Estimate
from borarun.analysis.transition import Branches, fit_branch, transition
from borarun.basics.units import BOLTZMANN_EV_PER_K, EV_PER_A3_IN_KBAR

T = np.linspace(10, 1000, 1500)


def ramp(centre: float, height: float, noise: float, seed: int, *, width: float = 30) -> np.ndarray:
    """Slopes of 1 and 1.5 per 100 K, a step, and noise that remembers its neighbours (0.6)."""
    share = expit((T - centre) * 2 * math.log(9) / width)
    rng = np.random.default_rng(seed)
    return (
        5
        + 0.01 * T
        + share * (height + 0.005 * (T - centre))
        + noise * lfilter([0.8], [1, -0.6], rng.normal(size=len(T)))
    )


def test_the_height_of_a_step_of_known_place_is_within_its_interval() -> None:
    """Enthalpy: the noise is three quarters of the step."""
    found = [step_at(T, ramp(700, 0.8, 0.6, seed), 700, 30) for seed in range(200)]
    held = [abs(each.value - 0.8) <= each.reach for each in found]
    assert np.mean([each.value for each in found]) == pytest.approx(0.8, abs=0.02)
    assert 0.90 <= np.mean(held) <= 0.98


def test_on_cooling_the_step_is_still_high_less_low_temperature() -> None:
    down = ramp(600, 0.8, 0.0, 1)[::-1]
    assert step_at(T[::-1], down, 600, 30).value == pytest.approx(0.8, abs=1e-6)


def test_a_step_outside_of_the_data_has_no_height() -> None:
    assert math.isnan(step_at(T[:4], T[:4], 700, 30).value)


def test_the_equation_of_clausius_and_clapeyron() -> None:
    """Ice: 273.15 K, 6.01 kJ/mol, -1.63 cm3/mol: -7.4 mK/bar."""
    volume = Estimate(-1.63e24 / 6.02214e23, 0.0)
    heat = Estimate(6010 / 96485.3, 0.0)
    found = clapeyron(273.15, 0.0, volume, heat)
    assert found is not None and found.value == pytest.approx(-7.4, abs=0.05)


def test_errors_of_both_steps_reach_the_slope() -> None:
    found = clapeyron(700.0, 0.0, Estimate(30.0, 3.0), Estimate(0.8, 0.08))
    assert found is not None
    assert found.value == pytest.approx(700 * 30 / 0.8 / EV_PER_A3_IN_KBAR)
    assert found.error / found.value == pytest.approx(math.hypot(0.1, 0.1))


def test_a_latent_heat_within_its_error_divides_nothing() -> None:
    assert clapeyron(700.0, 0.0, Estimate(30.0, 3.0), Estimate(0.2, 0.1)) is None


def test_latent_heat_and_ramps_at_two_pressures_agree_on_the_same_crystal() -> None:
    """A crystal whose volume grows by 30 A^3 and whose enthalpy by 0.8 eV at 700 K, on heating and
    cooling with a hysteresis of 100 K, at 0 and 2 kbar.
    """
    truth = 700 * 30 / 0.8 / EV_PER_A3_IN_KBAR  # 16.4 K/kbar
    points = []
    for pressure in (0.0, 2.0):
        sides = []
        for direction in (50, -50):
            centre = 700 + truth * pressure + direction
            sides.append(
                [fit_branch(T, 0.05 * ramp(centre, 2.0, 0.2, seed) + 9.5) for seed in range(3)]
            )
        both = transition(*sides)
        points.append(AtPressure(pressure, both.heating, both.cooling))
    found = pressure_slope(points)
    assert found is not None and abs(found.value - truth) < found.reach < 8
    by_heat = clapeyron(
        700.0,
        50.0,
        step_at(T, ramp(750, 30.0, 3.0, 1), 750, 30),
        step_at(T, ramp(750, 0.8, 0.3, 2), 750, 30),
    )
    assert by_heat is not None and abs(by_heat.value - truth) < by_heat.reach < 8


def at(pressure: float, up: float, down: float | None, error: float = 2.0) -> AtPressure:
    return AtPressure(
        pressure,
        Branches(up, error, math.inf, 1, 1),
        None if down is None else Branches(down, error, math.inf, 1, 1),
    )


def test_slopes_hold_the_truth_as_often_as_they_say() -> None:
    held = 0
    for seed in range(400):
        noise = np.random.default_rng(seed).normal(scale=2.0, size=4)
        points = [
            at(p, 725 + 20 * p + noise[2 * i], 625 + 20 * p + noise[2 * i + 1])
            for i, p in enumerate((0.0, 2.0))
        ]
        found = pressure_slope(points)
        assert found is not None
        held += abs(found.value - 20) <= found.reach
    assert 0.92 <= held / 400 <= 0.99


def test_a_hysteresis_that_grows_with_pressure_widens_the_interval() -> None:
    found = pressure_slope([at(0, 725, 625), at(2, 785, 645)])
    assert found is not None and found.heating is not None and found.cooling is not None
    assert (found.heating.value, found.cooling.value) == pytest.approx((30, 10))
    assert found.value - found.reach < 10 and found.value + found.reach > 30


def test_one_pressure_or_one_direction() -> None:
    assert pressure_slope([at(0, 725, 625)]) is None
    found = pressure_slope([at(0, 725, None), at(1, 745, None)])
    assert found is not None and found.value == pytest.approx(20) and found.cooling is None


def test_phases_that_transform_bracket_the_transition() -> None:
    holds = [
        Hold(600, "disordered", "ordered"),
        Hold(640, "disordered", "ordered"),
        Hold(680, "disordered", "disordered"),
        Hold(640, "ordered", "ordered"),
        Hold(680, "ordered", "undecided"),
        Hold(720, "ordered", "disordered"),
    ]
    found = equilibrium(holds, 1e3)  # no cell so large is ever in the wrong phase
    assert (found.lower_K, found.upper_K) == (640, 720)
    assert found.temperature_K == pytest.approx(680, abs=0.5)
    assert (found.low, found.high) == pytest.approx((642, 718), abs=0.5)  # 95 % of 80 K


def test_a_cell_that_passes_to_and_fro_is_near_the_transition() -> None:
    holds = [
        Hold(640, "disordered", "ordered"),
        Hold(660, "ordered", "disordered"),
        Hold(680, "disordered", "ordered"),
        Hold(700, "ordered", "disordered"),
    ]
    found = equilibrium(holds, 0.8)
    assert found.temperature_K == pytest.approx(670, abs=1)
    assert found.low < 640 and found.high > 700


@pytest.mark.parametrize("known", [True, False])
def test_a_small_cell_that_is_sometimes_in_the_wrong_phase(known: bool) -> None:
    """Both phases of a cell with a latent heat of 0.8 eV, whose transition is at 650 K, by the
    two-state law of statistical mechanics.
    """
    rng = np.random.default_rng(5)
    held, n_trials = 0, 400
    for _ in range(n_trials):
        holds: list[Hold] = []
        for T in np.arange(rng.uniform(530, 550), 760, 20):
            share = expit(0.8 / BOLTZMANN_EV_PER_K * (1 / 650 - 1 / T))
            ends = ["disordered" if rng.random() < share else "ordered" for _ in range(2)]
            holds += [Hold(T, "ordered", ends[0]), Hold(T, "disordered", ends[1])]
        found = equilibrium(holds, 0.8 if known else None)
        held += found.low < 650 < found.high
    assert 0.92 <= held / n_trials <= 0.99


def test_one_direction_is_a_bound() -> None:
    found = equilibrium([Hold(640, "disordered", "ordered"), Hold(640, "ordered", "ordered")])
    assert (found.lower_K, found.upper_K) == (640, None) and math.isnan(found.temperature_K)


def test_errors_of_the_energy_that_differ_between_phases_move_the_transition() -> None:
    """The potential makes the disordered phase 10 meV too high, and both phases by more the hotter
    they are: by Tc * 10 / 140 its transition is too hot.
    """
    T = np.concatenate([np.linspace(300, 650, 12), np.linspace(720, 1000, 12)])
    hot = T > 700
    held, found = 0, []
    for seed in range(200):
        noise = np.random.default_rng(seed).normal(scale=0.004, size=len(T))
        error = 0.05 + 1e-5 * (T - 680) + 0.010 * hot + noise
        each = shift_by_errors(T, error, hot, 680.0, 0.14)
        assert each is not None
        found.append(each.value)
        held += abs(each.value - 680 * 0.010 / 0.14) <= each.reach
    assert np.mean(found) == pytest.approx(680 * 0.010 / 0.14, abs=2)
    assert 0.90 <= held / 200 <= 0.99


def test_an_error_that_is_the_same_in_both_phases_moves_nothing() -> None:
    T = np.linspace(300, 1000, 30)
    found = shift_by_errors(T, np.full(30, 0.5), T > 680, 680.0, 0.14)
    assert found is not None and found.value == pytest.approx(0.0, abs=1e-9)
    assert shift_by_errors(T, np.full(30, 0.5), T > 950, 680.0, 0.14) is None
