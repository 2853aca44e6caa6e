"""Reorientation: rotors of known rate, tumblers of known diffusion, librators, jumpers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from borarun.analysis.order import orientational_order, settled
from borarun.analysis.rotation import (
    DEFLECTION_BINS_DEG,
    angles,
    autocorrelation,
    deflection,
    full_rotations,
    relaxation_time,
    rotation_matrices,
    vertex_vectors,
)

PHI = (1 + math.sqrt(5)) / 2
ICOSAHEDRON = np.array(
    [np.roll([0, s, t * PHI], k) for k in range(3) for s in (-1, 1) for t in (-1, 1)]
) / math.sqrt(1 + PHI**2)


def vectors_of(rotations, noise=0.0, seed=0):
    """(A, F) rotations as matrices (A, F, 3, 3) -> (A, 12, 3, F) vertices of icosahedra that turn
    so.
    """
    arms = np.einsum("afij,vj->avif", rotations, ICOSAHEDRON)
    arms = arms + noise * np.random.default_rng(seed).normal(size=arms.shape)
    return (arms / np.linalg.norm(arms, axis=2, keepdims=True)).astype(np.float32)


def about(axis, degrees):
    """(F,) angles about one axis -> (1, F, 3, 3)."""
    axis = np.asarray(axis, float) / np.linalg.norm(axis)
    return Rotation.from_rotvec(np.asarray(degrees)[:, None] * axis, degrees=True).as_matrix()[None]


def librator(n_anions, n_frames, rms_deg, memory, seed=0):
    """Orientations that wander about one by ``rms_deg`` an axis, each frame remembering a share
    ``memory`` of the last.
    """
    tilt = np.random.default_rng(seed).normal(size=(n_anions, n_frames, 3))
    for frame in range(1, n_frames):
        tilt[:, frame] = memory * tilt[:, frame - 1] + math.sqrt(1 - memory**2) * tilt[:, frame]
    return (
        Rotation.from_rotvec(rms_deg * tilt.reshape(-1, 3), degrees=True)
        .as_matrix()
        .reshape(n_anions, n_frames, 3, 3)
    )


def test_uniform_rotor_has_the_cosine_of_its_rate():
    # Vertices at polar angle a from the axis: xi = <cos^2 a> + <sin^2 a> cos(w t) = 1/3 + 2/3 cos(w
    # t) for an icosahedron.
    turn = 2.0 * np.arange(1000)
    (xi,) = autocorrelation(vectors_of(about([1, 2, 3], turn)))
    assert xi[0] == 1
    np.testing.assert_allclose(xi[:900], 1 / 3 + 2 / 3 * np.cos(np.radians(turn[:900])), atol=2e-6)


def test_autocorrelation_equals_its_definition():
    vectors = vectors_of(librator(3, 60, 40, 0.9)).astype(float)
    direct = np.array(
        [
            np.mean(np.sum(vectors[..., lag:] * vectors[..., : 60 - lag], axis=2))
            for lag in range(60)
        ]
    )
    np.testing.assert_allclose(
        autocorrelation(vectors).mean(axis=0), direct / direct[0], atol=1e-12
    )
    np.testing.assert_allclose(
        autocorrelation(vectors.astype(np.float32)).mean(axis=0), direct, atol=1e-5
    )


def test_isotropic_tumbler_decays_with_twice_its_diffusion_constant():
    rng = np.random.default_rng(3)
    n_anions, n_frames, sigma = 60, 2000, 0.1
    steps = (
        Rotation.from_rotvec(sigma * rng.normal(size=(n_frames * n_anions, 3)))
        .as_matrix()
        .reshape(n_frames, n_anions, 3, 3)
    )
    orientation = np.empty((n_anions, n_frames, 3, 3))
    orientation[:, 0] = np.eye(3)
    for frame in range(1, n_frames):
        orientation[:, frame] = steps[frame] @ orientation[:, frame - 1]
    xi = autocorrelation(vectors_of(orientation))
    lags = np.arange(100)
    # Each frame adds 2 D = sigma^2 a direction: xi = exp(-2 D t) = exp(-sigma^2 t).
    np.testing.assert_allclose(xi.mean(axis=0)[:100], np.exp(-(sigma**2) * lags), atol=0.03)
    assert relaxation_time(xi, 20.0).time_fs == pytest.approx(20.0 / sigma**2, rel=0.1)


def test_relaxation_time_is_interpolated():
    relaxation = relaxation_time(np.exp(-np.arange(100) / 12.5)[None], 10.0)
    assert relaxation.decayed
    assert relaxation.time_fs == pytest.approx(125, rel=1e-2)
    assert math.isnan(relaxation.low_fs) and math.isnan(relaxation.high_fs)


def jumper(n_anions, n_frames, rate, seed):
    """Orientations that are drawn anew, any with the same chance, ``rate`` times a frame."""
    rng = np.random.default_rng(seed)
    place = np.cumsum(rng.random((n_anions, n_frames)) < rate, axis=1)
    drawn = (
        Rotation.random(n_anions * (place.max() + 1), random_state=seed)
        .as_matrix()
        .reshape(n_anions, -1, 3, 3)
    )
    return np.take_along_axis(drawn, place[:, :, None, None], axis=1)


def test_random_jumps_decay_with_their_rate_and_the_interval_holds_it():
    # Nothing is remembered across a jump: xi = exp(-rate t).
    rate, held, times = 0.02, [], []
    for seed in range(40):
        found = relaxation_time(autocorrelation(vectors_of(jumper(16, 1500, rate, seed))), 20.0)
        held.append(found.low_fs < 20.0 / rate < found.high_fs)
        times.append(found.time_fs)
    assert np.mean(times) == pytest.approx(20.0 / rate, rel=0.1)
    assert np.mean(held) >= 0.85


def test_jumps_between_the_orientations_of_an_icosahedron_that_look_the_same():
    """The crystal keeps its order; its anions forget exp(-rate t), and leave their place in 59 of
    60 jumps.
    """
    rng, rate, n_anions, n_frames = np.random.default_rng(5), 1 / 150, 24, 6000
    group = Rotation.create_group("I").as_matrix()
    onto_itself = [
        np.abs((ICOSAHEDRON @ matrix.T)[:, None] - ICOSAHEDRON[None]).sum(axis=2).min(axis=1).max()
        < 1e-9
        for matrix in group
    ]
    assert all(onto_itself)
    jumps = np.cumsum(rng.random((n_anions, n_frames)) < rate, axis=1)
    drawn = group[rng.integers(60, size=(n_anions, jumps.max() + 1))]
    tilt = (
        Rotation.from_rotvec(rng.normal(scale=8, size=(n_anions * n_frames, 3)), degrees=True)
        .as_matrix()
        .reshape(n_anions, n_frames, 3, 3)
    )
    vectors = vectors_of(
        np.einsum(
            "afij,afjk->afik", tilt, np.take_along_axis(drawn, jumps[:, :, None, None], axis=1)
        )
    )
    settled_xi = (
        autocorrelation(vectors)[:, 10:] / autocorrelation(vectors)[:, 10:11].mean()
    )  # libration takes its share at once
    assert relaxation_time(settled_xi, 20.0).time_fs == pytest.approx(20.0 / rate, rel=0.15)
    found = full_rotations(rotation_matrices(vectors), 20.0)
    assert found.reorientations.sum() == pytest.approx(jumps[:, -1].sum() * 59 / 60, rel=0.12)
    assert (
        orientational_order(
            settled(vectors, 150), np.repeat(ICOSAHEDRON[None], n_anions, axis=0)
        ).order.mean()
        > 0.5
    )


def test_one_anion_that_makes_the_difference_leaves_no_interval():
    xi = np.stack([np.full(200, 0.42), np.full(200, 0.42), np.exp(-np.arange(200) / 10)])
    relaxation = relaxation_time(xi, 20.0)
    assert relaxation.decayed and relaxation.time_fs > 0
    assert math.isnan(relaxation.low_fs)


def test_what_does_not_decay_takes_longer_than_the_run():
    relaxation = relaxation_time(np.linspace(1, 0.8, 101)[None], 20.0)
    assert not relaxation.decayed
    assert math.isnan(relaxation.time_fs)
    assert relaxation.reason == "longer than the run: xi stays at 0.90 or more up to 1 ps"


def test_angles_of_known_directions():
    vectors = np.array([[0, 1, 0, -1.0], [0, 0, 1.0, 0], [1.0, 0, -1.0, -1.0]])
    theta, phi = angles(vectors)
    np.testing.assert_allclose(theta, [0, 90, 135, 135])
    np.testing.assert_allclose(phi, [0, 0, 90, 180])


def test_deflection_of_a_swing_is_its_amplitude():
    swing = about([0, 0, 1], 20 * np.sin(np.linspace(0, 40 * math.pi, 4000, endpoint=False)))
    vectors = vectors_of(np.concatenate([swing, about([1, 0, 0], np.zeros(4000))]))
    turned = deflection(vectors)
    # The vertices of this icosahedron nearest to the equator of the swing lie in it.
    np.testing.assert_allclose(turned.largest_deg, [20, 0], atol=0.1)
    assert turned.overall_deg == pytest.approx(20, abs=0.1)
    assert turned.rms_deg == pytest.approx(math.sqrt(2 / 3 * 200 / 2), rel=0.02)
    assert turned.density @ np.diff(DEFLECTION_BINS_DEG) == pytest.approx(1)
    # One of the two anions is at rest; nothing is beyond the amplitude.
    assert 0.5 < turned.density[0] * DEFLECTION_BINS_DEG[1] < 0.6
    assert not turned.density[DEFLECTION_BINS_DEG[:-1] >= 20.5].any()


def test_rotation_matrices_give_back_the_rotation():
    truth = librator(2, 300, 60, 0.9)
    matrices = rotation_matrices(vectors_of(truth))
    expected = np.einsum("afij,akj->afik", truth, truth[:, 0])
    np.testing.assert_allclose(np.moveaxis(matrices, 3, 1), expected, atol=1e-5)
    np.testing.assert_allclose(matrices[..., 0], np.eye(3)[None].repeat(2, 0), atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(np.moveaxis(matrices, 3, 1)), 1, atol=1e-5)


@pytest.mark.parametrize("axis", [[0, 0, 1], [0, 1, PHI], [1, 1, 1], [1, 2, 3]])
def test_uniform_rotor_makes_the_turns_that_it_makes(axis):
    # 10.6 turns in 53 ps, with vertices that vibrate.
    rotor = rotation_matrices(vectors_of(about(axis, np.linspace(0, 3816, 2651)), noise=0.05))
    turns = full_rotations(rotor, 20.0)
    assert turns.full.tolist() == [10]
    assert turns.total == 10
    assert turns.per_anion_ns == pytest.approx(10 / 0.05302, rel=1e-3)


@pytest.mark.parametrize(("rms_deg", "memory"), [(10, 0.0), (10, 0.95), (15, 0.9)])
def test_noisy_librator_makes_none(rms_deg, memory):
    turns = full_rotations(
        rotation_matrices(vectors_of(librator(20, 3000, rms_deg, memory), noise=0.05)), 20.0
    )
    assert turns.total == 0
    assert turns.reorientations.sum() == 0


@pytest.mark.parametrize(("limit_deg", "times"), [(60, 0), (40, 1)])
def test_the_angle_of_a_reorientation_can_be_chosen(limit_deg, times):
    there = np.where(np.arange(2000) < 1000, 0.0, 50.0)  # a step of 50 degrees, once
    turns = full_rotations(
        rotation_matrices(vectors_of(about([0, 0, 1], there))), 20.0, reoriented_deg=limit_deg
    )
    assert turns.reorientations.tolist() == [times]


def test_wide_librator_makes_no_full_rotation():
    assert (
        full_rotations(rotation_matrices(vectors_of(librator(20, 3000, 35, 0.98))), 20.0).total == 0
    )


def test_jumps_are_counted_once_each():
    # 72 degrees about a five-fold axis every 4 ps, eleven times, with libration: 792 degrees are
    # two full rotations.
    jumps = about([0, 1, PHI], 72.0 * (np.arange(2400) // 200))
    shaken = np.einsum("afij,afjk->afik", librator(1, 2400, 8, 0.9), jumps)
    turns = full_rotations(rotation_matrices(vectors_of(shaken, noise=0.05)), 20.0)
    assert turns.reorientations.tolist() == [11]
    assert turns.full.tolist() == [2]


def test_to_and_fro_is_two_reorientations_and_no_rotation():
    jumps = about([0, 1, PHI], 72.0 * ((np.arange(4000) // 200) % 2))
    turns = full_rotations(rotation_matrices(vectors_of(jumps)), 20.0)
    assert turns.reorientations.tolist() == [19]
    assert turns.full.tolist() == [0]


def test_vertices_of_an_anion_that_the_boundary_cuts():
    cell = 9.577 * np.eye(3)
    truth = about([1, 1, 0], 3.0 * np.arange(50))
    arms = np.einsum("fij,vj->vif", truth[0], ICOSAHEDRON)
    anion = np.concatenate([1.7 * arms, 2.9 * arms]) + np.array([0.3, 9.0, 5.0])[:, None]
    images = -np.floor(anion[:, :, 0] @ np.linalg.inv(cell))
    positions = anion + (images @ cell)[:, :, None]
    masses = np.repeat([10.81, 1.008], 12)
    atoms = np.arange(24)[None]
    np.testing.assert_allclose(
        vertex_vectors(positions, atoms, atoms[:, :12], masses, cell)[0], arms, atol=1e-6
    )
