"""Bonds of the anions: found in the first frame, followed to the last."""

from __future__ import annotations

import numpy as np
import pytest

from borarun.analysis.bonds import check_bonds, grown_together, together


@pytest.fixture
def trajectory():
    """B2H2 rods across the boundary of a breathing cell."""
    cell = np.array([scale * 9.0 * np.eye(3) for scale in (1.0, 1.01, 0.99, 1.0, 1.0, 0.98)])
    rod = np.array([[8.0, 1, 1], [9.2, 1, 1], [10.9, 1, 1], [12.1, 1, 1]])
    positions = np.repeat((rod % 9.0)[:, :, None], 6, axis=2)
    positions[1:, 0, :] = (rod[1:, 0] - 9.0)[:, None] + 9.0 * 1.0 - cell[:, 0, 0]
    return positions, cell, np.arange(4)[None], np.array([1, 5, 5, 1])


def test_pairs_lengths_and_counts(trajectory):
    hydrogen, boron = check_bonds(*trajectory)
    assert (hydrogen.pair, hydrogen.n, boron.pair, boron.n) == ((1, 5), 2, (5, 5), 1)
    assert hydrogen.start_A == pytest.approx(1.2)
    assert boron.start_A == pytest.approx(1.7)
    assert hydrogen.shortest_A == pytest.approx(1.2)
    assert hydrogen.longest_A == pytest.approx(1.2)
    assert hydrogen.intact
    assert boron.intact


@pytest.mark.parametrize(("shift", "length"), [(1.0, 2.2), (-0.6, 0.6)])
@pytest.mark.parametrize(("frames", "intact"), [(3, False), (2, True)])
def test_a_bond_is_broken_where_it_stays_so(trajectory, shift, length, frames, intact):
    """A vibration that goes far and comes back within two frames breaks nothing; how far it went is
    told all the same.
    """
    positions, *rest = trajectory
    positions[3, 0, 2 : 2 + frames] += shift
    hydrogen, boron = check_bonds(positions, *rest)
    assert hydrogen.intact is intact
    assert boron.intact
    assert length in (pytest.approx(hydrogen.longest_A), pytest.approx(hydrogen.shortest_A))
    assert (
        length in (pytest.approx(hydrogen.lasting_A[0]), pytest.approx(hydrogen.lasting_A[1]))
    ) is not intact


def test_of_a_run_of_few_frames_all_count(trajectory):
    positions, cell, *rest = trajectory
    positions[3, 0] += 0.2
    hydrogen, _ = check_bonds(positions[:, :, :1], cell[:1], *rest)
    assert hydrogen.lasting_A == pytest.approx((1.2, 1.4))


def test_bonds_of_parts_are_the_bonds_of_all(trajectory):
    positions, cell, anions, numbers = trajectory
    other = positions + 0.02 * np.random.default_rng(2).normal(size=positions.shape)
    both = check_bonds(
        np.concatenate([positions, other]), cell, np.arange(8).reshape(2, 4), np.tile(numbers, 2)
    )
    parts = together(
        [check_bonds(positions, cell, anions, numbers), check_bonds(other, cell, anions, numbers)]
    )
    for one, part in zip(both, parts, strict=True):
        assert (one.pair, one.n, one.shortest_A, one.longest_A, one.lasting_A) == (
            part.pair,
            part.n,
            part.shortest_A,
            part.longest_A,
            part.lasting_A,
        )
        assert one.start_A == pytest.approx(part.start_A)


def test_a_neighbour_that_a_hot_frame_brings_close_is_no_bond():
    first = [
        [0.0, 0, 0],
        [1.78, 0, 0],
        [0.056, 1.2, 0],
    ]  # the hydrogen of the first boron, 2.1 angstrom from the second
    later = [[0.0, 0, 0], [1.78, 0, 0], [-1.2, 0.0, 0]]
    positions = np.moveaxis(np.array([first, later]), 0, 2) + 4.0
    hydrogen, boron = check_bonds(
        positions, np.array([9.0 * np.eye(3)] * 2), np.arange(3)[None], np.array([5, 5, 1])
    )
    assert (hydrogen.n, boron.n) == (1, 1)
    assert hydrogen.intact and boron.intact


@pytest.mark.parametrize(("apart", "found"), [(2.6, 0), (2.2, 2), (1.75, 2)])
def test_anions_that_have_grown_together_are_told(apart, found):
    """Two of three B2 touch, one across the boundary."""
    first = 8.9 - apart
    positions = np.array(
        [[first - 1.7, 1, 1], [first, 1, 1], [-0.1, 1, 1], [1.6, 1, 1], [4.0, 5, 5], [4.0, 5, 6.7]]
    )
    assert (
        grown_together(positions, 9.0 * np.eye(3), np.arange(6).reshape(3, 2), np.full(6, 5))
        == found
    )
