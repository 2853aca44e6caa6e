"""What neutrons and resonance see, of motions whose answer is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.spatial.transform import Rotation
from scipy.special import spherical_jn

from borarun.analysis.neutron import HBAR_MEV_PS, eisf, quasi_elastic_width_meV, weighted
from borarun.analysis.nmr import relaxation_rate, second_autocorrelation
from borarun.analysis.rotation import autocorrelation, relaxation_time

Q_PER_A = np.linspace(0, 2.5, 11)
R_A = 2.9


def test_hydrogen_is_nearly_all_that_neutrons_see() -> None:
    """One line of each element, as high: they show as cross section over mass."""
    shares = {"H": np.array([1.0, 0, 0]), "B": np.array([0, 1.0, 0]), "Li": np.array([0, 0, 1.0])}
    seen = weighted(shares)
    assert seen is not None
    assert seen.sum() == pytest.approx(3)
    assert seen[0] / seen[1] == pytest.approx((82.02 / 1.008) / (5.24 / 10.81), rel=1e-6)
    assert seen[1] / seen[2] == pytest.approx((5.24 / 10.81) / (1.37 / 6.94), rel=1e-3)
    assert weighted({"H": shares["H"], "Xe": shares["B"]}) is None


def test_an_atom_that_stays_scatters_elastically_only() -> None:
    direction = Rotation.random(random_state=1).apply([0, 0, 1.0])
    still = np.repeat(direction[None, None, :, None], 5, axis=3)
    np.testing.assert_allclose(eisf(still, R_A, Q_PER_A), 1, atol=1e-3)


def test_two_sites_and_a_sphere_have_their_structure_factors() -> None:
    two = np.array([[0, 0, 1.0], [0, 0, -1.0]])[np.arange(100) % 2].T[None, None]
    np.testing.assert_allclose(
        eisf(two, R_A, Q_PER_A), (1 + np.sinc(Q_PER_A * 2 * R_A / np.pi)) / 2, atol=1e-3
    )
    anywhere = Rotation.random(40_000, random_state=2).apply([0, 0, 1.0]).T[None, None]
    np.testing.assert_allclose(
        eisf(anywhere, R_A, Q_PER_A), spherical_jn(0, Q_PER_A * R_A) ** 2, atol=2e-3
    )


def tumbling(degrees: float, n_anions: int, n_frames: int) -> np.ndarray:
    """(A, 1, 3, F) directions that turn by small random rotations."""
    rng = np.random.default_rng(4)
    turn = Rotation.identity(n_anions)
    out = np.empty((n_anions, 1, 3, n_frames))
    for frame in range(n_frames):
        turn = Rotation.from_rotvec(rng.normal(scale=degrees, size=(n_anions, 3)), True) * turn
        out[:, 0, :, frame] = turn.apply([0, 0, 1.0])
    return out


def test_small_turns_decay_three_times_as_fast_in_second_order() -> None:
    """Rotational diffusion: C_l = exp(-l (l + 1) D t), with 2 D t the square turn about an axis."""
    vectors = tumbling(4.0, 200, 2000)
    per_frame = np.radians(4.0) ** 2 / 2
    first, second = (
        relaxation_time(of(vectors), 1000.0).time_fs / 1000
        for of in (autocorrelation, second_autocorrelation)
    )
    assert first == pytest.approx(1 / (2 * per_frame), rel=0.05)
    assert second == pytest.approx(1 / (6 * per_frame), rel=0.05)
    assert quasi_elastic_width_meV(first) == pytest.approx(HBAR_MEV_PS * 2 * per_frame, rel=0.05)


def test_second_autocorrelation_is_that_of_its_definition() -> None:
    vectors = tumbling(20.0, 2, 30)
    lag = 7
    cosines = np.einsum("avif,avif->af", vectors[..., lag:], vectors[..., :-lag])
    np.testing.assert_allclose(
        second_autocorrelation(vectors)[:, lag], ((3 * cosines**2 - 1) / 2).mean(axis=1), atol=1e-9
    )


def test_relaxation_is_fastest_at_its_known_product() -> None:
    best = minimize_scalar(
        lambda tau: -relaxation_rate(tau, 50.0), bounds=(10, 1e5), method="bounded"
    ).x
    assert 2 * np.pi * 50e-6 * best == pytest.approx(0.6158, abs=1e-3)
