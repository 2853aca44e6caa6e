"""Mean squared displacement against the double loop, and where single precision would fail."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from borarun.analysis.msd import mean_squared_displacement


def direct(positions):
    """The definition, lag by lag."""
    n_frames = positions.shape[2]
    return np.array(
        [
            np.mean(np.sum((positions[..., lag:] - positions[..., : n_frames - lag]) ** 2, axis=1))
            for lag in range(n_frames)
        ]
    )


@pytest.fixture
def walk():
    return np.random.default_rng(1).normal(size=(7, 3, 101)).cumsum(axis=2)


def test_equals_the_definition_at_every_lag(walk):
    np.testing.assert_allclose(
        mean_squared_displacement(walk), direct(walk), rtol=1e-11, atol=1e-10
    )


def test_straight_motion_gives_the_square_of_the_way():
    speed = np.array([1.0, -2.0, 0.5])
    positions = (speed[:, None] * np.arange(50))[None]
    np.testing.assert_allclose(
        mean_squared_displacement(positions), 5.25 * np.arange(50.0) ** 2, rtol=1e-10, atol=1e-9
    )


def test_distance_from_the_origin_does_not_matter(walk):
    np.testing.assert_allclose(
        mean_squared_displacement(walk + 500.0),
        mean_squared_displacement(walk),
        rtol=1e-9,
        atol=1e-9,
    )


def test_single_precision_storage_keeps_six_digits(walk):
    np.testing.assert_allclose(
        mean_squared_displacement(walk.astype(np.float32))[1:], direct(walk)[1:], rtol=1e-5
    )


def test_working_memory_stays_below_64_mib():
    positions = np.zeros((150, 3, 10_000), np.float32)
    tracemalloc.start()
    mean_squared_displacement(positions)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20
