"""Activation energy: the exact line, weights, scaling, refusal."""

from __future__ import annotations

import math

import numpy as np
import pytest

from borarun.analysis.arrhenius import FewHops, fit
from borarun.basics.units import BOLTZMANN_EV_PER_K

T = np.array([400.0, 500.0, 600.0, 700.0])


def line(temperatures_K, energy_eV=0.34, prefactor=50.0):
    return prefactor * np.exp(-energy_eV / (BOLTZMANN_EV_PER_K * temperatures_K))


def test_exact_line_is_recovered_exactly():
    result = fit(T, line(T), 0.1 * line(T))
    assert result.usable
    assert result.activation_energy_eV == pytest.approx(0.34, rel=1e-10)
    assert result.log_prefactor == pytest.approx(math.log(50), rel=1e-10)
    assert result.chi2_reduced == pytest.approx(0, abs=1e-15)
    np.testing.assert_allclose(result.at(np.array([300.0]))[0], line(300.0), rtol=1e-9)


def test_two_points_carry_their_errors_into_the_energy():
    two = T[[0, 3]]
    result = fit(two, line(two), 0.1 * line(two))
    # d Ea = sqrt(2) * 0.1 / (1/kT1 - 1/kT2)
    expected = (
        math.sqrt(2) * 0.1 / (1 / (BOLTZMANN_EV_PER_K * 400) - 1 / (BOLTZMANN_EV_PER_K * 700))
    )
    assert result.error == pytest.approx(expected)
    assert math.isnan(result.chi2_reduced)
    assert result.high - result.low == pytest.approx(2 * 1.959964 * expected)


def test_scatter_beyond_the_errors_widens_them_and_scatter_within_does_not():
    off = line(T) * np.exp([0.3, -0.3, -0.3, 0.3])
    tight, loose = fit(T, off, 0.01 * off), fit(T, off, 10 * off)
    assert tight.chi2_reduced > 100
    assert loose.chi2_reduced < 1
    assert tight.error == pytest.approx(
        math.sqrt(tight.chi2_reduced) * fit(T, line(T), 0.01 * line(T)).error
    )
    assert loose.error == pytest.approx(1000 * fit(T, line(T), 0.01 * line(T)).error)


def test_a_point_with_a_large_error_hardly_counts():
    sigma = line(T)
    sigma[0] *= 5
    relative = np.array([100.0, 0.01, 0.01, 0.01])
    assert fit(T, sigma, relative * sigma).activation_energy_eV == pytest.approx(0.34, abs=1e-4)


@pytest.mark.parametrize("sigma", [[], [1e-3], [1e-3, math.nan], [1e-3, -1e-5], [1e-3, 0.0]])
def test_fewer_than_two_usable_points_are_refused_with_a_reason(sigma):
    result = fit(T[: len(sigma)], np.array(sigma), 0.1 * np.abs(sigma))
    assert not result.usable
    assert "needs two temperatures" in result.reason
    assert math.isnan(result.activation_energy_eV)


def test_two_runs_at_one_temperature_are_no_line():
    assert not fit(np.array([500.0, 500.0]), np.array([1e-3, 2e-3]), np.array([1e-4, 1e-4])).usable


def test_band_is_narrowest_among_the_points():
    result = fit(T, line(T), 0.2 * line(T))
    value, low, high = result.at(np.array([300.0, 500.0, 1000.0]))
    assert np.all((low < value) & (value < high))
    width = np.log(high / low)
    assert width[1] < width[0]
    assert width[1] < width[2]


def test_interval_covers_the_true_energy():
    rng = np.random.default_rng(5)
    relative = 0.15
    hits = 0
    for _ in range(400):
        blocks = line(T)[:, None] * (1 + relative * math.sqrt(10) * rng.normal(size=(4, 10)))
        result = fit(T, blocks.mean(axis=1), blocks.std(axis=1, ddof=1) / math.sqrt(10))
        hits += result.low < 0.34 < result.high
    assert 0.92 <= hits / 400 <= 0.99


def test_many_hops_count_as_a_point_with_the_error_of_their_number():
    two, third = T[1:], T[:1]
    joined = fit(
        two, line(two), 0.1 * line(two), FewHops(third, np.array([1e4]), line(third) / 1e4)
    )
    whole = fit(T, line(T), np.array([0.01, 0.1, 0.1, 0.1]) * line(T))
    assert joined.activation_energy_eV == pytest.approx(0.34, rel=1e-6)
    assert joined.error == pytest.approx(whole.error, rel=1e-6)


def test_points_with_few_hops_take_away_the_bias_of_leaving_them_out():
    # Hops at 400 to 700 K, 2 expected at 400 K: a point counts on its own from five on.
    rng = np.random.default_rng(3)
    expected = 2 * line(T) / line(T[0])
    energies, hits = [], 0
    for _ in range(300):
        hops = rng.poisson(expected)
        many = hops >= 5
        sigma = line(T[0]) / 2 * hops
        few = FewHops(T[~many], hops[~many], np.full((~many).sum(), line(T[0]) / 2))
        found = fit(T[many], sigma[many], sigma[many] / np.sqrt(hops[many]), few)
        energies.append(found.activation_energy_eV)
        hits += found.low < 0.34 < found.high
    assert np.mean(energies) == pytest.approx(0.34, abs=0.005)
    assert 0.91 <= hits / 300 <= 0.99
