"""Nernst-Einstein conductivity against a number worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from borarun.analysis.conductivity import conductivity, nernst_einstein
from borarun.analysis.diffusion import diffusivity


def test_hand_computed_number():
    # 8 ions in (10 A)^3: 8e21 cm^-3. (1.602177e-19 C)^2 * 8e21 cm^-3 * 1e-5 cm^2/s / (1.380649e-23
    # J/K * 600 K) = 0.2478997 S/cm.
    assert nernst_einstein(1e-5, 8, 1000.0, 600.0) == pytest.approx(0.2478997, rel=1e-6)


def test_charge_counts_squared_and_the_haven_ratio_divides():
    assert nernst_einstein(1e-5, 8, 1000.0, 600.0, charge=2, haven_ratio=0.5) == pytest.approx(
        8 * 0.2478997, rel=1e-6
    )


def test_interval_and_flag_are_carried():
    d = diffusivity(np.random.default_rng(0).normal(size=(8, 3, 1000)).cumsum(axis=2), 20.0)
    sigma = conductivity(d, 8, 1000.0, 700.0)
    factor = nernst_einstein(1.0, 8, 1000.0, 700.0)
    assert (sigma.value, sigma.error, sigma.low, sigma.high) == pytest.approx(
        tuple(factor * x for x in (d.value, d.error, d.low, d.high))
    )
    assert sigma.diffusive is d.diffusive
    assert sigma.temperature_K == 700
