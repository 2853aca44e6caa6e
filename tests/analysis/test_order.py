"""Order of icosahedra and tetrahedra that stay, turn onto themselves, or turn anyhow."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from borarun.analysis.order import orientational_order, shape_order

GOLDEN = (1 + 5**0.5) / 2
ICOSAHEDRON = np.array([np.roll((0.0, a, b * GOLDEN), k) for k in range(3) for a in (-1, 1) for b in (-1, 1)]) / np.sqrt(1 + GOLDEN**2)
TETRAHEDRON = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]) / 3**0.5


def turned(shape: np.ndarray, rotations: Rotation) -> np.ndarray:
    """(1, V, 3, F)."""
    return np.einsum("fij,vj->vif", rotations.as_matrix(), shape)[None]


def test_the_lowest_order_of_a_shape() -> None:
    assert shape_order(ICOSAHEDRON[None]) == 6
    assert shape_order(TETRAHEDRON[None]) == 3
    assert shape_order(np.array([[[0.0, 0, 1]]])) == 1


def test_an_anion_that_stays_keeps_both() -> None:
    found = orientational_order(turned(ICOSAHEDRON, Rotation.from_rotvec(np.zeros((3, 3)))), 5.0 * ICOSAHEDRON[None])
    assert found.memory == pytest.approx(1)
    assert found.order == pytest.approx(1)
    assert found.l == 6


def test_a_turn_of_the_icosahedron_onto_itself_loses_the_memory_and_keeps_the_order() -> None:
    fifth = Rotation.from_rotvec(2 * np.pi / 5 * ICOSAHEDRON)
    found = orientational_order(turned(ICOSAHEDRON, fifth), ICOSAHEDRON[None])
    assert found.order == pytest.approx(1)
    assert found.memory == pytest.approx((1 + 2 * np.cos(2 * np.pi / 5)) / 3)  # the trace of the rotation, over three


def test_random_orientations_have_neither() -> None:
    found = orientational_order(turned(ICOSAHEDRON, Rotation.random(20_000, random_state=12)), ICOSAHEDRON[None])
    assert found.memory.mean() == pytest.approx(0, abs=0.01)
    assert found.order.mean() == pytest.approx(0, abs=0.02)
    assert found.order.min() > -1 and found.order.max() < 1
