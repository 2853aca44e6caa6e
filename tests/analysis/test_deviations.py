"""Errors of potentials by both definitions."""

from __future__ import annotations

import numpy as np
import pytest

from borarun.analysis.deviations import deviations


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
