"""The framework: vibration and turning are no diffusion, a hop and a walk are."""

from __future__ import annotations

import numpy as np
import pytest

from borarun.analysis.framework import check_framework, nearest_A

CELL = 13.6 * np.eye(3)
PLACES = 6.8 * np.array([[0, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1]])


def vibrating(seed=0):
    return PLACES[:, :, None] + 0.3 * np.random.default_rng(seed).normal(size=(4, 3, 1000))


def test_vibrating_centres_do_not_move():
    check = check_framework(vibrating(), CELL, "anions")
    assert not check.moves
    assert check.reason == ""
    assert check.largest_displacement_A < 0.3
    assert 0.4 < check.msd_A2 < 0.7


def test_one_anion_that_hops_is_told():
    centres = vibrating()
    centres[2, 0, 600:] += 6.8
    check = check_framework(centres, CELL, "anions")
    assert check.moves
    assert check.reason.startswith("1 of 4 anions moved by more than 1.5 A, the farthest by 6.")


def test_centres_that_walk_are_told():
    walk = 0.2 * np.random.default_rng(3).normal(size=(4, 3, 1000)).cumsum(axis=2)
    assert check_framework(vibrating() + walk, CELL, "anions").moves


def test_the_bound_is_half_the_distance_to_a_neighbour_where_that_is_near():
    chain = np.zeros((4, 3, 100))
    chain[:, 0] = 2.0 * np.arange(4)[:, None]
    chain[0, 1, 50:] = 1.2
    cell = np.diag([8.0, 20.0, 20.0])
    check = check_framework(chain, cell, "O atoms")
    assert check.bound_A == 1.0
    assert check.reason.startswith("1 of 4 O atoms moved by more than 1 A, the farthest by 1.2 A")


def test_neighbours_are_found_across_the_boundary():
    assert nearest_A(np.array([[0.1, 5, 5], [9.4, 5, 5]]), 10 * np.eye(3)) == pytest.approx(0.7)
    assert nearest_A(np.array([[5.0, 5, 5]]), np.diag([4.0, 9, 9])) == pytest.approx(4.0)
