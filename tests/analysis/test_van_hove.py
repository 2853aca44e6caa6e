"""The van Hove function of motions whose distribution is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from borarun.analysis.van_hove import non_gaussian, self_part

EDGES_A = np.linspace(0, 12, 61)


def test_brownian_motion_has_a_maxwell_distribution() -> None:
    walk = np.random.default_rng(2).normal(size=(400, 3, 1000)).cumsum(axis=2)
    found = self_part(walk, 4, EDGES_A)
    true = np.diff(stats.maxwell.cdf(EDGES_A, scale=2.0)) / np.diff(EDGES_A)
    np.testing.assert_allclose(found, true, atol=0.01)
    assert found @ np.diff(EDGES_A) == pytest.approx(1, abs=1e-3)
    assert non_gaussian(walk, 4) == pytest.approx(0, abs=0.02)


def test_hops_show_as_a_peak_of_their_share_at_their_length() -> None:
    rng = np.random.default_rng(3)
    hops = rng.random((200, 2000)) < 0.01
    walk = np.zeros((200, 3, 2000))
    walk[:, 0] = 5.0 * (hops * rng.choice([-1, 1], size=hops.shape)).cumsum(axis=1)
    found = self_part(walk, 10, EDGES_A)
    share = found[(EDGES_A[:-1] < 5.05) & (EDGES_A[1:] > 4.95)].sum() * 0.2
    # One net step to either side, by Skellam's distribution of 0.05 steps each way.
    assert share == pytest.approx(2 * stats.skellam.pmf(1, 0.05, 0.05), rel=0.05)
    # A walk of mean m jumps along one axis: <r^4> / <r^2>^2 = 3 + 1 / m.
    assert non_gaussian(walk, 10) == pytest.approx(3 * (3 + 10) / 5 - 1, rel=0.1)
