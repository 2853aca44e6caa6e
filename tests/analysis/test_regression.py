"""The second opinion on diffusivities, on walks of known diffusivity."""

from __future__ import annotations

import math

import diffusivity_calibration as walks
import numpy as np
import pytest
import walks as kinds

from borarun.analysis.diffusion import diffusivity
from borarun.analysis.regression import regression


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_brownian_walk_of_known_diffusivity(rng):
    d = regression(kinds.brownian(rng, 200, 4000), 20.0)
    assert d.value == pytest.approx(2.5e-3, rel=0.04)
    assert d.low < 2.5e-3 < d.high
    assert d.high - d.value == pytest.approx(1.96 * d.error, rel=1e-3)


def test_it_agrees_with_the_time_blocks_on_hopping_ions(rng):
    walk = walks.hopping(rng, 24, 2000, 40)
    one, other = diffusivity(walk, 20.0), regression(walk, 20.0)
    assert abs(one.value - other.value) < one.high - one.value + other.high - other.value


def test_ions_that_move_each_for_itself_are_held_about_as_often_as_claimed(rng):
    true = walks.per_frame(3, 20)
    held = [
        d.low <= true <= d.high
        for d in (
            regression(kinds.brownian(rng, 12, 600), 20.0, onset_fs=100.0) for _ in range(150)
        )
    ]
    assert 0.88 < np.mean(held) <= 1


def test_ions_that_move_together_are_held_too_seldom(rng):
    """Why it is the second opinion and not the first."""
    true = walks.per_frame(3, 20)
    held = [
        d.low <= true <= d.high
        for d in (
            regression(kinds.brownian(rng, 24, 600, 12), 20.0, onset_fs=100.0) for _ in range(60)
        )
    ]
    assert np.mean(held) < 0.75


def test_scale_of_lengths_and_times(rng):
    walk = kinds.brownian(rng, 10, 500)
    one, other = regression(walk, 20.0), regression(3 * walk, 40.0, onset_fs=1000.0)
    assert other.value == pytest.approx(one.value * 9 / 2)
    assert other.error == pytest.approx(one.error * 9 / 2)


def test_ions_at_rest_do_not_diffuse(rng):
    assert regression(np.ones((4, 3, 500)), 20.0).value == 0


def test_a_run_without_room_for_a_line_has_no_value(rng):
    assert math.isnan(regression(kinds.brownian(rng, 4, 80), 20.0).value)
