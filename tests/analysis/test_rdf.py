"""g(r) of an ideal gas and of an fcc crystal."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from borarun.analysis.rdf import Radial, first_shell, radial_distribution, reach

FCC = np.array([(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)])


def fcc(a: float, repeats: int) -> np.ndarray:
    return np.concatenate([a * (FCC + shift) for shift in product(range(repeats), repeat=3)])[
        :, :, None
    ]


def test_an_ideal_gas_has_g_of_one_in_a_skew_breathing_cell() -> None:
    rng = np.random.default_rng(5)
    cell = np.array([[12.0, 0, 0], [3.0, 11.0, 0], [-2.0, 1.0, 13.0]]) * rng.uniform(
        0.95, 1.05, (400, 1, 1)
    )
    gas = np.moveaxis(rng.uniform(-1, 2, (400, 30, 3)) @ cell, 0, 2)
    for found in (
        radial_distribution(gas, None, cell, 0.5),
        radial_distribution(gas[:10], gas[10:], cell, 0.5),
    ):
        far = found.r_A > 2
        assert found.g[far] == pytest.approx(1, abs=0.05)
        assert np.mean(found.g[far]) == pytest.approx(1, abs=0.01)
    assert found.r_A.max() < reach(cell)


def test_the_shells_of_fcc_hold_12_6_and_24() -> None:
    a = 4.0
    found = radial_distribution(fcc(a, 4), None, 4 * a * np.eye(3)[None])
    shells = a * np.sqrt(np.arange(1, 4) / 2)
    filled = np.flatnonzero(found.g)[:3]
    assert found.r_A[filled] == pytest.approx(shells, abs=0.026)
    assert np.diff([0, *found.coordination[filled]]) == pytest.approx([12, 6, 24])


def test_the_first_shell_of_a_hot_crystal_ends_before_the_second() -> None:
    a = 4.0
    hot = fcc(a, 3) + np.random.default_rng(6).normal(0, 0.15, (108, 3, 40))
    shell = first_shell(
        radial_distribution(hot, None, np.repeat(3 * a * np.eye(3)[None], 40, axis=0))
    )
    assert shell is not None
    assert shell.peak_A == pytest.approx(a / 2**0.5, abs=0.1)
    assert a / 2**0.5 < shell.end_A < a
    assert shell.coordination == pytest.approx(12, abs=0.4)


def test_no_shell_is_made_up() -> None:
    r = np.arange(0.025, 5, 0.05)
    assert first_shell(Radial(r, np.zeros(100), np.zeros(100), 1)) is None
    assert first_shell(Radial(r, np.ones(100), np.arange(100.0), 1)) is None
    assert (
        first_shell(Radial(r, np.where(r > 4.5, 3.0, 0.0), np.arange(100.0), 1)) is None
    )  # its end is out of reach


def test_reach_is_half_the_smallest_width() -> None:
    cell = np.array([[[8.0, 0, 0], [6.0, 6.0, 0], [0, 0, 20.0]]])
    assert reach(cell) == pytest.approx(min(48 / (72**0.5), 6.0) / 2)
    assert reach(np.concatenate([cell, 0.5 * cell])) == pytest.approx(reach(cell) / 2)
