"""Unwrapping at constant pressure, drift, and anions cut by the boundary."""

from __future__ import annotations

import numpy as np
import pytest

from borarun.analysis.msd import mean_squared_displacement
from borarun.analysis.trajectory import (
    anion_centres,
    remove_drift,
    unwrap,
    unwrap_toroidal,
    unwrapping_disagreement,
    whole_images,
)

SHAPE = np.array([[10.0, 0, 0], [1.5, 11.0, 0], [-1.0, 2.0, 9.0]])


def breathing(n_frames, amplitude=0.03, seed=3):
    """A triclinic cell whose volume fluctuates from frame to frame."""
    scale = 1 + amplitude * np.random.default_rng(seed).normal(size=n_frames)
    return scale[:, None, None] * SHAPE


def with_image_flags(scaled, cell):
    """What LAMMPS calls xu yu zu: (N, 3, F) scaled, unwrapped -> (N, 3, F) angstrom."""
    return np.einsum("nif,fij->njf", scaled, cell)


def test_unwrap_returns_scaled_coordinates_times_the_mean_cell():
    cell = breathing(40)
    scaled = np.random.default_rng(0).normal(size=(5, 3, 40)).cumsum(axis=2)
    expected = np.einsum("nif,ij->njf", scaled, cell.mean(axis=0))
    np.testing.assert_allclose(unwrap(with_image_flags(scaled, cell), cell), expected, atol=1e-10)


def test_a_breathing_cell_does_not_move_an_ion_that_is_many_cells_away():
    cell = breathing(200)
    scaled = np.full((1, 3, 200), 7.25)
    raw = with_image_flags(scaled, cell)
    assert mean_squared_displacement(raw)[100] > 10
    np.testing.assert_allclose(mean_squared_displacement(unwrap(raw, cell)), 0, atol=1e-9)


def test_a_moving_origin_of_the_box_leaves_with_the_drift():
    cell = breathing(60)
    rng = np.random.default_rng(5)
    scaled = rng.uniform(size=(6, 3, 60))
    framework, masses = np.array([True] * 4 + [False] * 2), np.ones(6)
    origin = rng.normal(size=(3, 60))
    still = remove_drift(unwrap(with_image_flags(scaled, cell), cell), framework, masses)
    moved = remove_drift(unwrap(with_image_flags(scaled, cell) + origin, cell), framework, masses)
    np.testing.assert_allclose(moved - moved[:, :, :1], still - still[:, :, :1], atol=1e-9)


def test_toroidal_unwrapping_of_a_constant_cell_gives_back_the_walk():
    cell = np.repeat(SHAPE[None], 300, axis=0)
    walk = 0.3 * np.random.default_rng(2).normal(size=(4, 3, 300)).cumsum(axis=2)
    np.testing.assert_allclose(
        np.diff(unwrap_toroidal(walk, cell), axis=2), np.diff(walk, axis=2), atol=1e-10
    )


def test_both_ways_agree_where_image_flags_fail():
    n_frames = 2000
    cell = breathing(n_frames, amplitude=0.002)
    rng = np.random.default_rng(4)
    still, walk = (
        np.repeat(rng.uniform(size=(20, 3, 1)), n_frames, axis=2),
        0.03 * rng.normal(size=(30, 3, n_frames)).cumsum(axis=2),
    )
    scaled = np.concatenate([still, walk])
    mobile = np.arange(50) >= 20
    raw = with_image_flags(scaled, cell)
    first, second = (
        remove_drift(way(raw, cell), ~mobile, np.ones(50))[mobile]
        for way in (unwrap, unwrap_toroidal)
    )
    assert unwrapping_disagreement(first, second) < 0.02


def test_input_type_is_kept_and_input_not_changed():
    cell = breathing(30)
    raw = with_image_flags(np.random.default_rng(0).uniform(size=(3, 3, 30)), cell).astype(
        np.float32
    )
    before = raw.copy()
    for out in (
        unwrap(raw, cell),
        unwrap_toroidal(raw, cell),
        remove_drift(raw, np.ones(3, bool), np.ones(3)),
    ):
        assert out.dtype == np.float32
    np.testing.assert_array_equal(raw, before)


def test_drift_is_that_of_the_frameworks_centre_of_mass():
    positions = np.zeros((3, 3, 2))
    positions[0, 0, 1], positions[1, 0, 1], positions[2, 0, 1] = 1.0, 4.0, 50.0
    out = remove_drift(positions, np.array([True, True, False]), np.array([2.0, 1.0, 7.0]))
    np.testing.assert_allclose(out[:, 0, 1], [-1.0, 2.0, 48.0])


def test_an_anion_wider_than_half_the_cell_is_joined_through_its_neighbours():
    cell = 8.0 * np.eye(3)
    chain = np.stack([1.2 * np.arange(6) + 5.0, np.full(6, 7.9), np.full(6, 0.1)], axis=1)
    wrapped = chain % 8.0
    whole = wrapped + whole_images(wrapped, np.arange(6)[None], cell) @ cell
    np.testing.assert_allclose(whole - whole[0], chain - chain[0], atol=1e-12)


@pytest.mark.parametrize("corner", [[0.0, 0, 0], [4.9, 7.3, 2.2]])
def test_centre_of_mass_does_not_depend_on_where_the_boundary_cuts(corner):
    rng = np.random.default_rng(8)
    masses = np.array([1.0, 11.0, 11.0, 1.0])
    anion = np.array([[0, 0, 0], [1.2, 0, 0], [1.2, 1.7, 0], [1.2, 1.7, 1.2]]) + corner
    moving = anion[:, :, None] + rng.normal(size=(1, 3, 20)).cumsum(axis=2) * 0.1
    images = -np.floor(moving[:, :, 0] @ np.linalg.inv(SHAPE))
    centre = anion_centres(
        moving + (images @ SHAPE)[:, :, None], np.arange(4)[None], masses, SHAPE
    )[0]
    np.testing.assert_allclose(
        np.diff(centre), np.diff(np.einsum("k,kif->if", masses / 24, moving)), atol=1e-10
    )
    offset = (centre[:, 0] - masses @ moving[:, :, 0] / 24) @ np.linalg.inv(SHAPE)
    np.testing.assert_allclose(offset, np.round(offset), atol=1e-10)
