"""Transition temperatures: a known step is found, thermal expansion is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from borarun.analysis.transition import fit_branch, transition


def expansion(T):
    return 9.5 + 2e-4 * T + 1.5e-7 * T**2


def correlated(rng, n, memory, sd):
    noise = rng.normal(size=n)
    for index in range(1, n):
        noise[index] = memory * noise[index - 1] + math.sqrt(1 - memory**2) * noise[index]
    return sd * noise


def step(T, centre, height=0.28, width=8.0):
    return height / (1 + np.exp(-(T - centre) / width))


T = np.linspace(50, 1000, 600)


def test_known_step_is_recovered():
    rng = np.random.default_rng(1)
    branch = fit_branch(T, expansion(T) + step(T, 675.0) + 0.02 * rng.normal(size=len(T)))
    assert branch.found
    assert branch.temperature_K == pytest.approx(675, abs=4)
    assert branch.step == pytest.approx(0.28, abs=0.02)
    assert branch.relative_step == pytest.approx(0.28 / expansion(np.array([675.0]))[0], abs=0.002)
    assert branch.relative_low < branch.relative_step < branch.relative_high
    assert branch.width_K == pytest.approx(8 * 2 * math.log(9), rel=0.6)
    assert branch.low < branch.temperature_K < branch.high
    assert (
        np.abs(
            branch.curve
            - expansion(branch.curve_temperature_K)
            - step(branch.curve_temperature_K, 675.0)
        ).max()
        < 0.03
    )


def test_half_height_is_exact_without_noise_and_in_any_order():
    y = 9.5 + 1e-4 * T + (0.3 + 2e-4 * (T - 430)) / (1 + np.exp(-(T - 430) / 10))
    for order in (slice(None), slice(None, None, -1)):
        branch = fit_branch(T[order], y[order], n_bootstrap=20)
        assert branch.found
        assert branch.temperature_K == pytest.approx(430, abs=1)


def test_quoted_error_is_the_scatter_of_repeated_runs():
    rng = np.random.default_rng(3)
    branches = [
        fit_branch(
            T,
            expansion(T) + step(T, 600.0) + correlated(rng, 600, 0.8, 0.03),
            n_bootstrap=60,
            seed=i,
        )
        for i in range(30)
    ]
    assert all(branch.found for branch in branches)
    centres = np.array([branch.temperature_K for branch in branches])
    quoted = math.sqrt(np.mean([branch.error**2 for branch in branches]))
    assert 0.6 < quoted / centres.std(ddof=1) < 1.5
    assert sum(branch.low <= 600 <= branch.high for branch in branches) >= 24


@pytest.mark.parametrize(("memory", "sd"), [(0.0, 0.01), (0.9, 0.03), (0.97, 0.04)])
def test_plain_thermal_expansion_is_no_transition(memory, sd):
    rng = np.random.default_rng(4)
    false = sum(
        fit_branch(T, expansion(T) + correlated(rng, len(T), memory, sd), n_bootstrap=2).found
        for _ in range(40)
    )
    assert false <= 1


def test_no_transition_says_so_in_words():
    branch = fit_branch(T, expansion(T) + 0.01 * np.random.default_rng(0).normal(size=len(T)))
    assert not branch.found
    assert branch.reason.startswith(
        "no transition between 54 and 996 K: a step describes the data no better"
    )
    assert math.isnan(branch.temperature_K)
    assert len(branch.curve) == len(branch.curve_temperature_K) > 0


def test_a_sharp_but_tiny_step_is_no_transition():
    branch = fit_branch(T, 9.5 + step(T, 500.0, height=0.02))
    assert "0.2" in branch.reason
    assert "needed 0.5 %" in branch.reason


@pytest.mark.parametrize(
    ("centre", "found"),
    [(985.0, False), (950.0, True), (930.0, True), (860.0, True), (170.0, True), (65.0, False)],
)
def test_a_step_near_the_end_of_the_range_is_told_from_one_within(centre, found):
    branch = fit_branch(
        T,
        expansion(T)
        + step(T, centre, width=4.0)
        + 0.02 * np.random.default_rng(5).normal(size=len(T)),
    )
    assert branch.found == found, branch.reason
    assert found or "the range does not enclose it" in branch.reason
    assert not found or branch.temperature_K == pytest.approx(centre, abs=4)


def test_exact_straight_line_is_no_transition():
    assert not fit_branch(T, 9.5 + 1e-4 * T).found


@pytest.mark.parametrize("n", [0, 1, 29])
def test_too_few_samples(n):
    assert "needs 30 samples" in fit_branch(T[:n], T[:n]).reason


def branches(*centres, sd=0.01):
    rng = np.random.default_rng(6)
    return [
        fit_branch(T, expansion(T) + step(T, centre) + sd * rng.normal(size=len(T)))
        for centre in centres
    ]


def test_the_interval_holds_the_hysteresis():
    """The published branches: superheating and supercooling are not told apart."""
    both = transition(branches(725.0), branches(625.0))
    assert both.found
    assert both.reason == ""
    assert both.temperature_K == pytest.approx(675, abs=3)
    assert both.hysteresis_K == pytest.approx(100, abs=4)
    assert both.low == pytest.approx(627.5, abs=3)
    assert both.high == pytest.approx(722.5, abs=3)
    assert both.lower_K < both.low and both.high < both.upper_K
    assert both.heating.n_found == both.cooling.n_runs == 1


def test_the_interval_holds_the_scatter_of_runs():
    heated, cooled = (630.0, 660.0, 690.0), (640.0, 650.0, 660.0)
    both = transition(branches(*heated), branches(*cooled))
    assert both.heating.temperature_K == pytest.approx(660, abs=2)
    assert both.heating.error == pytest.approx(np.std(heated, ddof=1) / math.sqrt(3), rel=0.1)
    assert both.heating.freedom == 2
    assert both.heating.reach_K == pytest.approx(4.303 * both.heating.error, rel=1e-3)
    # Welch and Satterthwaite, from the two standard errors
    errors = np.array([both.heating.error, both.cooling.error])
    freedom = np.sum(errors**2) ** 2 / np.sum(errors**4 / 2)
    expected = stats.t.ppf(0.975, freedom) * math.hypot(*errors)
    assert both.hysteresis_reach_K == pytest.approx(expected)
    half = math.hypot(0.95 * both.hysteresis_K / 2, expected / 2)
    assert both.high - both.temperature_K == pytest.approx(half)


def test_equal_runs_keep_the_errors_of_their_fits():
    runs = branches(700.0)
    both = transition(runs * 4, branches(690.0))
    assert both.heating.error == pytest.approx(runs[0].error / 2)
    assert both.heating.freedom == math.inf


def test_ordering_above_where_it_disorders_is_scatter():
    """No crystal does that: the interval of the mean then holds both branches."""
    both = transition(branches(625.0), branches(725.0))
    assert both.hysteresis_K == pytest.approx(-100, abs=4)
    assert both.hysteresis_reach_K == pytest.approx(-1.96 * both.hysteresis_K)
    assert both.low < 625 and both.high > 725


def test_one_branch_is_a_bound():
    smooth = fit_branch(T, expansion(T) + 0.01 * np.random.default_rng(7).normal(size=len(T)))
    (heating,) = branches(700.0)
    one = transition([heating], [smooth])
    assert not one.found
    assert math.isnan(one.temperature_K) and math.isnan(one.lower_K)
    assert one.upper_K == pytest.approx(heating.temperature_K + 1.96 * heating.error)
    assert one.reason.startswith("cooling: no transition between")
    cooled = transition([smooth], [heating])
    assert cooled.lower_K == pytest.approx(heating.temperature_K - 1.96 * heating.error)
    assert math.isnan(cooled.upper_K)
    none = transition([smooth])
    assert not none.found
    assert none.reason.endswith("cooling was not run")
    assert none.heating is None
