"""Values with errors, and the mean of repeated runs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from borarun.analysis.estimate import Estimate, mean, summed


def test_a_known_error_gives_the_normal_interval_and_few_degrees_of_freedom_a_wider_one():
    assert Estimate(5.0, 1.0).high == pytest.approx(5 + 1.95996, abs=1e-4)
    assert Estimate(5.0, 1.0, 2).low == pytest.approx(5 - 4.30265, abs=1e-4)
    assert math.isnan(Estimate(5.0, 1.0, 0).high)


def test_degrees_of_freedom_of_a_sum():
    alike = summed([Estimate(1.0, 0.3, 9), Estimate(2.0, 0.3, 9)])
    assert (alike.value, alike.error, alike.freedom) == pytest.approx((3.0, 0.3 * 2**0.5, 18))
    one = summed([Estimate(1.0, 0.3, 9), Estimate(2.0, 0.0, 1)])
    assert (one.error, one.freedom) == pytest.approx((0.3, 9))
    assert summed([Estimate(1.0, 0.3)] * 2).freedom == math.inf


def test_runs_alike_keep_their_errors_and_others_have_their_scatter():
    assert mean([Estimate(9.5, 0.1, 9)]) == Estimate(9.5, 0.1, 9)
    alike = mean([Estimate(9.5, 0.1, 9)] * 4)
    assert (alike.value, alike.error, alike.freedom) == pytest.approx((9.5, 0.05, 36))
    apart = mean([Estimate(value, 0.01) for value in (1.0, 2.0, 3.0)])
    assert (apart.value, apart.error, apart.freedom) == pytest.approx((2.0, 1 / math.sqrt(3), 2))
    assert apart.reach == pytest.approx(4.30265 / math.sqrt(3), rel=1e-4)


def test_a_run_without_an_error_leaves_none():
    assert math.isnan(mean([Estimate(1.0, math.nan), Estimate(2.0, 0.1)]).error)


@pytest.mark.parametrize("apart", [0.0, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("n_runs", [3, 5])
def test_intervals_hold_the_truth_whatever_the_runs_differ_by(n_runs, apart):
    """``apart``: how far runs differ, over what each can know, from nine degrees of freedom."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(1500, n_runs)) * math.hypot(1, apart)
    errors = np.sqrt(rng.chisquare(9, size=values.shape) / 9)
    found = [
        mean([Estimate(*run, 9) for run in zip(*study, strict=True)])
        for study in zip(values, errors, strict=True)
    ]
    assert 0.92 <= np.mean([each.low <= 0 <= each.high for each in found]) <= 0.985
