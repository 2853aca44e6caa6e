"""Grades are one inside and more outside, and selection finds what is new."""

from __future__ import annotations

import numpy as np
import pytest

from borarun.mtp import active_set
from borarun.mtp.potential import Potential
from borarun.mtp.residuals import Residuals, Weights
from borarun.records.frames import Frames


@pytest.fixture(scope="module")
def gradients(labels: Frames, fitted: Potential) -> list[np.ndarray]:
    """Of the fitted potential on all configurations."""
    return Residuals(fitted, labels, Weights()).gradients(fitted.parameters)


def test_the_grade_is_the_largest_coefficient_of_the_expansion() -> None:
    active = np.array([[2.0, 0.0], [0.0, 4.0]])
    rows = np.array([[2.0, 0.0], [1.0, -2.0], [3.0, 4.0], [0.0, -20.0]])
    np.testing.assert_allclose(active_set.grades(active, rows), [1.0, 0.5, 1.5, 5.0])


def test_in_two_dimensions_the_largest_parallelogram_is_found() -> None:
    angles = np.linspace(0.0, np.pi, 13)
    rows = np.stack([np.cos(angles), 3.0 * np.sin(angles)], axis=1)
    assert abs(np.linalg.det(active_set.build([rows]))) == pytest.approx(3.0)


def test_nothing_in_the_training_set_is_extrapolation(gradients: list[np.ndarray]) -> None:
    active = active_set.build(gradients)
    assert active.shape == (156, 156)
    assert (
        max(active_set.grades(active, rows).max() for rows in gradients)
        < 1.0 + 3.0 * active_set.TOLERANCE
    )


def test_every_row_comes_from_the_training_set_or_stands_for_an_unseen_direction(
    gradients: list[np.ndarray],
) -> None:
    every = {row.tobytes() for rows in gradients for row in rows}
    others = [row for row in active_set.build(gradients) if row.tobytes() not in every]
    assert all(np.count_nonzero(row) == 1 for row in others)


def test_grades_do_not_depend_on_the_units_of_a_parameter(gradients: list[np.ndarray]) -> None:
    units = np.logspace(-3, 3, gradients[0].shape[1])
    plain = active_set.grades(active_set.build(gradients[:5]), gradients[7])
    scaled = active_set.grades(
        active_set.build([rows * units for rows in gradients[:5]]), gradients[7] * units
    )
    np.testing.assert_allclose(
        scaled.max(), plain.max(), rtol=0.3
    )  # another set of the same volume within the tolerance may be found


def test_what_moves_along_an_unseen_direction_grades_very_high() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 4))
    rows[:, 3] = 0.0
    active = active_set.build([rows])
    assert active_set.grades(active, np.array([[0.0, 0.0, 0.0, 0.01]]))[0] > 1e3


def test_a_direction_that_no_parameter_change_can_reach_stays_out(
    gradients: list[np.ndarray],
) -> None:
    """Scaling a radial function against its coefficients changes nothing, so gradients never leave
    that plane: grades must not blow up along it.
    """
    rows = np.random.default_rng(0).normal(size=(60, 5))
    rows[:, 4] = rows[:, 0] + rows[:, 1]
    active = active_set.build([rows[:40]])
    assert active_set.grades(active, rows[40:]).max() < 10.0


def test_many_rows_in_parts_give_the_same_bound() -> None:
    parts = [np.random.default_rng(k).normal(size=(100, 6)) for k in range(30)]
    active = active_set.build(parts)
    assert (
        max(active_set.grades(active, rows).max() for rows in parts)
        < 1.0 + 3.0 * active_set.TOLERANCE
    )


def test_what_is_new_is_selected_and_what_is_known_is_not(gradients: list[np.ndarray]) -> None:
    active = active_set.build(gradients[:4])
    new = gradients[6] + 5.0 * np.abs(gradients[6]).max(axis=0) * np.random.default_rng(1).normal(
        size=gradients[6].shape
    )
    assert active_set.select(active, [gradients[0], new, gradients[2]], 3) == [1]


def test_two_of_the_same_are_not_both_worth_a_label() -> None:
    active = np.eye(3)
    far = np.array([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0]])
    assert active_set.select(active, [far, far.copy(), np.array([[0.0, 0.0, 5.0]])], 3) in (
        [0, 2],
        [1, 2],
    )


def test_the_most_valuable_come_first_and_no_more_than_asked_for() -> None:
    active = np.eye(3)
    candidates = [
        np.array([[0.0, 0.0, 4.0]]),
        np.array([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0]]),
        np.array([[0.5, 0.5, 0.5]]),
    ]
    assert active_set.select(active, candidates, 5) == [1, 0]
    assert active_set.select(active, candidates, 1) == [1]
    assert active_set.select(active, [], 5) == []
