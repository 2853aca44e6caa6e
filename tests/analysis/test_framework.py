"""The framework: vibration and turning are no diffusion, a hop and a walk are."""

from __future__ import annotations

import numpy as np

from borarun.analysis.framework import check_framework


def vibrating(seed=0):
    return 0.3 * np.random.default_rng(seed).normal(size=(4, 3, 1000))


def test_vibrating_centres_do_not_move():
    check = check_framework(vibrating())
    assert not check.moves
    assert check.reason == ""
    assert check.largest_displacement_A < 0.3
    assert 0.4 < check.msd_A2 < 0.7


def test_one_anion_that_hops_is_told():
    centres = vibrating()
    centres[2, 0, 600:] += 6.8
    check = check_framework(centres)
    assert check.moves
    assert check.reason.startswith("1 of 4 anions moved by more than 1.5 A, the farthest by 6.")


def test_centres_that_walk_are_told():
    walk = 0.2 * np.random.default_rng(3).normal(size=(4, 3, 1000)).cumsum(axis=2)
    assert check_framework(vibrating() + walk).moves
