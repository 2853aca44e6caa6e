"""Errors of potentials by both definitions."""

from __future__ import annotations

import numpy as np
import pytest

from borarun.analysis.deviations import (
    FEWEST_FRAMES,
    committee_spread,
    deviations,
    rmse_interval,
)


def test_the_length_of_force_errors_is_larger_by_the_root_of_three() -> None:
    rng = np.random.default_rng(1)
    reference = rng.normal(size=(20_000, 3))
    found = deviations(reference, reference + 0.1 * rng.normal(size=reference.shape))
    assert found.rmse == pytest.approx(0.1, rel=0.02)
    assert found.norm_rmse == pytest.approx(3**0.5 * found.rmse)
    # Of a normal distribution.
    assert found.mae == pytest.approx(0.1 * (2 / np.pi) ** 0.5, rel=0.02)
    assert found.median == pytest.approx(0.0674, rel=0.02)
    assert found.most == pytest.approx(0.196, rel=0.02)


def test_the_norm_of_a_stress_counts_both_halves_of_the_tensor() -> None:
    tensor = np.array([[1.0, 6, 5], [6, 2, 4], [5, 4, 3]])
    voigt = np.array([[1.0, 2, 3, 4, 5, 6]])
    found = deviations(np.zeros((1, 6)), voigt)
    assert found.norm_rmse == pytest.approx(np.linalg.norm(tensor))
    assert (found.largest, found.mae) == (6, 3.5)


def test_energies_have_one_definition() -> None:
    found = deviations(np.zeros(2), np.array([3.0, -4.0]))
    assert found.rmse == found.norm_rmse == pytest.approx(12.5**0.5)


def test_intervals_of_the_rms_error_hold_the_truth_as_often_as_they_say() -> None:
    """Configurations of two phases, each with an error of its own: half have 0.05, half 0.1, with
    a scatter of 30 %. If components were drawn instead, intervals would be five times too narrow.
    """
    truth = np.sqrt((0.05**2 + 0.1**2) / 2 * np.exp(2 * 0.3**2))
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        scale = np.where(rng.random(40) < 0.5, 0.05, 0.1) * np.exp(0.3 * rng.normal(size=40))
        error = rng.normal(size=(40, 90)) * scale[:, None]
        found = rmse_interval(
            np.zeros(3600), error.ravel(), np.repeat(np.arange(40), 90), seed=seed
        )
        assert found.low < found.value < found.high
        held += found.low <= truth <= found.high
    assert 0.88 <= held / 200 <= 0.99


def test_few_configurations_give_an_error_without_an_interval() -> None:
    frame = np.repeat(np.arange(FEWEST_FRAMES - 1), 3)
    found = rmse_interval(np.zeros(len(frame)), np.full(len(frame), 0.2), frame)
    assert found.value == pytest.approx(0.2) and np.isnan(found.low) and np.isnan(found.high)


def test_the_spread_of_a_committee_is_that_of_its_members() -> None:
    rng = np.random.default_rng(2)
    common = rng.normal(size=(1, 5000, 3))  # an error that all share is not seen
    assert committee_spread(common + 0.2 * rng.normal(size=(4, 5000, 3))) == pytest.approx(
        0.2, rel=0.02
    )
