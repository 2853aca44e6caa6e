"""Lattice parameters, means, bins."""

from __future__ import annotations

import math

import numpy as np
import pytest

from borarun.analysis.lattice import (
    at_temperature,
    binned,
    block_mean,
    lattice_parameter,
    lattice_parameters,
)


def test_cube_root_of_the_volume_of_one_cell():
    cell = np.array([np.diag([20.0, 30.0, 10.0]), 2 * np.diag([20.0, 30.0, 10.0])])
    np.testing.assert_allclose(lattice_parameter(cell, (2, 3, 1)), [10.0, 20.0])


def test_lengths_of_a_sheared_cell():
    cell = np.array([[[10.0, 0, 0], [3.0, 4.0, 0], [0, 0, 9.0]]])
    np.testing.assert_allclose(lattice_parameters(cell, (1, 1, 3)), [[10.0, 5.0, 3.0]])


def test_error_of_a_mean_covers_for_correlated_samples():
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(300):
        noise = np.repeat(rng.normal(size=400), 5)
        mean = block_mean(noise + 9.58)
        hits += mean.low < 9.58 < mean.high
    assert 0.91 <= hits / 300 <= 0.99


def test_mean_of_few_samples_has_no_error():
    assert block_mean(np.array([9.5])).value == 9.5
    assert math.isnan(block_mean(np.array([9.5])).error)
    assert math.isnan(block_mean(np.zeros(0)).value)


def test_bins_hold_a_straight_line_exactly_and_skip_gaps():
    T = np.concatenate([np.linspace(100, 199.9, 200), np.linspace(300, 399.9, 200)])
    bins = binned(T, 9.5 + 1e-4 * T, width_K=50)
    assert bins.n.tolist() == [100, 100, 100, 100]
    np.testing.assert_allclose(bins.value, 9.5 + 1e-4 * bins.temperature_K)
    np.testing.assert_allclose(bins.error, 0, atol=1e-12)


def test_error_of_a_bin_is_that_of_its_mean():
    T = np.linspace(0, 1000, 40_000, endpoint=False)
    bins = binned(T, 0.04 * np.random.default_rng(1).normal(size=len(T)), width_K=25)
    assert np.sqrt(np.mean(bins.error**2)) == pytest.approx(0.04 / math.sqrt(1000), rel=0.25)


def test_value_of_a_ramp_at_one_temperature():
    T = np.linspace(0, 1000, 2000)
    a = at_temperature(
        T, 9.5 + 1e-4 * T + 0.01 * np.random.default_rng(1).normal(size=len(T)), 300.0
    )
    assert a.value == pytest.approx(9.53, abs=0.003)
    assert a.low < 9.53 < a.high
    assert a.error == pytest.approx(0.01 / math.sqrt(200), rel=0.6)


@pytest.mark.parametrize("at_K", [-60.0, 1200.0])
def test_a_temperature_outside_the_ramp_has_no_value(at_K):
    T = np.linspace(0, 1000, 2000)
    assert math.isnan(at_temperature(T, T, at_K).value)


@pytest.mark.parametrize("centre", [660.0, 675.0, 690.0])
@pytest.mark.parametrize("at_K", [600.0, 650.0])
def test_a_value_beside_a_step_belongs_to_one_phase(centre, at_K):
    T = np.linspace(10, 1000, 4000)
    rng = np.random.default_rng(1)
    a = 9.5 + 2e-4 * T + 0.28 * (centre < T) + 0.005 * rng.normal(size=len(T))
    across = at_temperature(T, a, 650.0)
    beside = at_temperature(T, a, at_K, step_K=(centre - 5, centre + 5))
    assert across.value > 9.5 + 2e-4 * 650 + 0.01
    assert beside.value == pytest.approx(9.5 + 2e-4 * at_K, abs=0.002)
    above = at_temperature(T, a, 700.0, step_K=(centre - 5, centre + 5))
    assert above.value == pytest.approx(9.5 + 2e-4 * 700 + 0.28, abs=0.002)


def test_a_value_far_within_a_smeared_step_is_none():
    T = np.linspace(10, 1000, 4000)
    assert math.isnan(at_temperature(T, T, 640.0, step_K=(600.0, 700.0)).value)
