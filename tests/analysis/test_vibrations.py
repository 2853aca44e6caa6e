"""Harmonic oscillators of known frequencies."""

from __future__ import annotations

import numpy as np
import pytest

from borarun.analysis.vibrations import density_of_states

INTERVAL_FS, FRAMES = 4.0, 4000


def oscillators(frequency_THz: float, mass: float, n: int, seed: int) -> np.ndarray:
    """(n, 3, F) angstrom, in equilibrium: the amplitude goes with 1/(f sqrt(m)), the phase is
    anyone's.
    """
    rng = np.random.default_rng(seed)
    t = 1e-3 * INTERVAL_FS * np.arange(FRAMES)
    amplitude = np.sqrt(-np.log(rng.random((n, 3, 1)))) / (frequency_THz * np.sqrt(mass))
    return amplitude * np.cos(2 * np.pi * (frequency_THz * t + rng.random((n, 3, 1))))


@pytest.mark.parametrize("frequency_THz", [7.0, 30.0, 75.0])
def test_a_harmonic_oscillator_has_its_frequency_up_to_the_stretch_of_B_H(
    frequency_THz: float,
) -> None:
    found = density_of_states(
        oscillators(frequency_THz, 1.0, 2, 8), np.array([1, 1]), np.ones(2), INTERVAL_FS
    )
    assert found.frequency_THz[np.argmax(found.total)] == pytest.approx(frequency_THz, abs=0.3)
    high = found.frequency_THz[found.total > 0.5 * found.total.max()]
    assert np.ptp(high) <= found.resolution_THz < 0.6


def test_every_atom_has_three_states_and_elements_share_them_whatever_their_frequency() -> None:
    """Equipartition: the light fast atoms hold as many states as the heavy slow ones, although
    these move farther between frames.
    """
    masses = np.array([1.0] * 300 + [11.0] * 300)
    positions = np.concatenate([oscillators(70.0, 1.0, 300, 9), oscillators(5.0, 11.0, 300, 10)])
    found = density_of_states(positions, np.array([1] * 300 + [5] * 300), masses, INTERVAL_FS)
    width = found.frequency_THz[1]
    assert found.total.sum() * width == pytest.approx(3)
    assert found.projected[1].sum() * width == pytest.approx(1.5, rel=0.1)
    assert found.projected[1] + found.projected[5] == pytest.approx(found.total)


def test_a_short_run_says_how_coarse_it_is() -> None:
    found = density_of_states(
        oscillators(7.0, 1.0, 1, 11)[:, :, :101], np.array([1]), np.ones(1), INTERVAL_FS
    )
    assert found.n_windows == 1
    assert found.resolution_THz == pytest.approx(1.44 / 0.4)
