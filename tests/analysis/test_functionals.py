"""Comparison of functionals: made-up spectra and energies with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from borarun.analysis import functionals

GRID = np.arange(0.0, 340.0, 0.2)
CENTRES = np.array([12.3, 24.0, 57.1, 88.8, 109.4, 310.5])


def spectrum(
    centres: np.ndarray, heights: np.ndarray | None = None, width: float = 1.5
) -> np.ndarray:
    heights = np.ones(len(centres)) if heights is None else heights
    return np.asarray(heights @ np.exp(-0.5 * ((GRID - centres[:, None]) / width) ** 2))


def test_peaks_are_found_where_they_are() -> None:
    np.testing.assert_allclose(functionals.peaks(GRID, spectrum(CENTRES)), CENTRES, atol=2e-3)


def test_a_ripple_is_no_peak() -> None:
    heights = np.array([1.0, 1.0, 1.0, 1.0, 0.5 * functionals.PROMINENCE, 1.0])
    found = functionals.peaks(GRID, spectrum(CENTRES, heights))
    np.testing.assert_allclose(found, np.delete(CENTRES, 4), atol=2e-3)


@pytest.mark.parametrize("shift", [0.0, 0.7, -2.5])
def test_a_shifted_spectrum_scores_its_shift(shift: float) -> None:
    found = functionals.match(functionals.peaks(GRID, spectrum(CENTRES + shift)), CENTRES)
    assert found is not None
    assert found.score == pytest.approx(abs(shift), abs=2e-3)
    np.testing.assert_allclose(found.computed - found.measured, shift, atol=2e-3)


def test_the_better_functional_scores_less() -> None:
    good, bad = (functionals.match(CENTRES * scale, CENTRES) for scale in (0.99, 0.96))
    assert good is not None and bad is not None
    assert good.score == pytest.approx(0.01 * np.sqrt(np.mean(CENTRES**2)))
    assert bad.score == pytest.approx(4 * good.score)


def test_peaks_left_over_do_not_count_and_the_order_of_the_lists_does_not_matter() -> None:
    found = functionals.match([200.0, 50.5, 10.0, 11.5], [50.0, 11.0])
    assert found is not None
    assert found.measured.tolist() == [11.0, 50.0] and found.computed.tolist() == [11.5, 50.5]
    assert found.score == pytest.approx(0.5)


def test_each_measured_peak_has_a_computed_one_of_its_own() -> None:
    """One near 10 cannot serve both; the nearest-neighbour rule would score 0.5."""
    found = functionals.match([10.5, 20.0], [10.0, 11.0])
    assert found is not None
    assert found.computed.tolist() == [10.5, 20.0]
    assert found.score == pytest.approx(np.sqrt((0.5**2 + 9.0**2) / 2))


def test_fewer_peaks_than_measured_have_no_score() -> None:
    assert functionals.match([10.0], [10.0, 20.0]) is None


def test_phases_below_the_measured_ground_state() -> None:
    energies = {"Pa-3": -5.20, "P21/n": -5.21, "C2/m": -5.19}
    assert functionals.phases_below(energies, "Pa-3") == {"P21/n"}
    assert functionals.phases_below(energies, "P21/n") == set()
    assert functionals.phases_below(energies, "Pbca") == set()


def test_the_deviation_of_a_lattice() -> None:
    assert functionals.lattice_deviation([10.1, 10.0, 9.9], [10.0, 10.0, 10.0]) == pytest.approx(
        np.sqrt(2 / 3)
    )
