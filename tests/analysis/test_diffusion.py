"""Diffusivity: known walks, the rules that flag one, and error bars that cover what they claim."""

from __future__ import annotations

import math

import diffusivity_calibration as walks
import numpy as np
import pytest

from borarun.analysis.diffusion import collective_diffusivity, diffusivity, haven_ratio


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def test_brownian_walk_of_known_diffusivity(rng):
    # A mean square step of 3 A^2 in 20 fs is D = 3/(6*20) A^2/fs = 2.5e-3 cm^2/s.
    d = diffusivity(walks.brownian(rng, 200, 4000), 20.0)
    assert d.diffusive
    assert d.value == pytest.approx(2.5e-3, rel=0.04)
    assert d.low < 2.5e-3 < d.high
    assert d.n_blocks == 10
    assert d.exponent == pytest.approx(1, abs=0.1)
    assert np.mean(d.blocks) == pytest.approx(d.value, rel=1e-3)


def test_vibration_adds_nothing(rng):
    walk = 0.05 * walks.brownian(rng, 50, 2000)
    shaken = walk + rng.normal(size=walk.shape)
    assert diffusivity(shaken, 20.0).value == pytest.approx(diffusivity(walk, 20.0).value, rel=0.1)


def test_straight_line_through_lags_of_half_to_one_picosecond_in_a_short_run(rng):
    d = diffusivity(walks.brownian(rng, 8, 1000), 20.0)
    assert (d.fit_from_fs, d.fit_to_fs) == (500, 1000)


def test_fit_window_is_one_to_two_hundredths_of_a_long_run(rng):
    d = diffusivity(walks.brownian(rng, 2, 5000), 100.0)
    assert (d.fit_from_fs, d.fit_to_fs) == (5000, 10_000)


def test_vibration_alone_is_flagged_as_too_few_hops(rng):
    d = diffusivity(0.3 * rng.normal(size=(8, 3, 1000)), 20.0)
    assert not d.diffusive
    assert "too few hops" in d.reason
    assert abs(d.hops) < 5


def test_a_run_of_less_than_twenty_onset_times_is_flagged_but_valued(rng):
    d = diffusivity(walks.brownian(rng, 8, 450), 20.0)
    assert not d.diffusive
    assert d.reason == "too short: the run has 9 ps, at least 10 ps are needed"
    assert math.isfinite(d.value)


@pytest.mark.parametrize("n_frames", [1, 2, 20, 60])
def test_a_run_without_any_slope_is_flagged(rng, n_frames):
    d = diffusivity(walks.brownian(rng, 8, n_frames), 20.0)
    assert "too short" in d.reason
    assert not haven_ratio(walks.brownian(rng, 8, n_frames), 20.0).usable


def test_ions_caged_in_wide_cages_are_flagged_as_sub_diffusive(rng):
    positions = np.zeros((30, 3, 4000))
    for frame in range(1, 4000):
        positions[..., frame] = 0.99 * positions[..., frame - 1] + 0.2 * rng.normal(size=(30, 3))
    d = diffusivity(positions, 20.0)
    assert "sub-diffusive" in d.reason
    assert d.exponent < 0.5


def test_an_interval_that_includes_zero_is_flagged(rng):
    # All hops happen at one time: one block has them, nine have none.
    positions = 0.1 * rng.normal(size=(40, 3, 2000))
    positions[:, 0, 1000:] += 3.0
    d = diffusivity(positions, 20.0)
    assert d.low <= 0
    assert not d.diffusive


def test_ions_that_move_as_one_have_a_haven_ratio_of_one_over_their_number(rng):
    walk = walks.brownian(rng, 12, 2000, 12)
    assert collective_diffusivity(walk, 20.0).value == pytest.approx(
        12 * diffusivity(walk, 20.0).value
    )
    h = haven_ratio(walk, 20.0)
    assert h.usable
    assert h.value == pytest.approx(1 / 12)
    assert h.error == pytest.approx(0, abs=1e-12)


def test_hops_of_the_collective_motion_are_counted_for_all_ions(rng):
    walk = walks.brownian(rng, 12, 2000, 12)
    assert collective_diffusivity(walk, 20.0).hops == pytest.approx(
        12 * diffusivity(walk, 20.0).hops
    )


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in walks.CASES
        if "10 ps" not in case.name and "second opinion" not in case.name
    ],
    ids=lambda case: case.name,
)
def test_error_bars_cover_what_they_claim(case):
    # With 100 trials a right coverage of 95 % shows as 88 % or more in all but about one of 500
    # cases.
    result = walks.calibrate(case, 100, seed=4)
    assert abs(result.mean_over_true - 1) < 4 * result.real_sd / math.sqrt(100)
    assert 0.8 < result.quoted_over_true < 1.25
    assert result.coverage >= 0.87
    assert result.accepted == 1
