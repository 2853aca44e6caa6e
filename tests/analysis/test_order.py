"""Order of icosahedra and tetrahedra that stay, turn onto themselves, or turn anyhow."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from borarun.analysis.order import (
    MeanOrder,
    disorder,
    mean_order,
    mutual_order,
    orientational_order,
    polar_order,
    settled,
    shape_order,
)
from borarun.analysis.rotation import full_rotations, rotation_matrices

GOLDEN = (1 + 5**0.5) / 2
ICOSAHEDRON = np.array(
    [np.roll((0.0, a, b * GOLDEN), k) for k in range(3) for a in (-1, 1) for b in (-1, 1)]
) / np.sqrt(1 + GOLDEN**2)
TETRAHEDRON = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]) / 3**0.5


def known(value: float) -> MeanOrder:
    """An order known without error."""
    return MeanOrder(value, value, value)


def turned(shape: np.ndarray, rotations: Rotation) -> np.ndarray:
    """(1, V, 3, F)."""
    return np.einsum("fij,vj->vif", rotations.as_matrix(), shape)[None]


@pytest.mark.parametrize(
    ("where", "interval", "kind"),
    [
        ("reference", 0, "ordered"),  # librating about the reference
        ("anywhere", 0, "static"),  # each anion in a place of its own, for the whole run
        ("anywhere", 50, "dynamic"),  # a new place every 50 frames of 20 fs
    ],
)
def test_what_disorders_and_whether_it_moves(where: str, interval: int, kind: str) -> None:
    rng, n_anions, n_frames = np.random.default_rng(2), 30, 400
    places = Rotation.random(n_anions * 8, random_state=3).as_matrix().reshape(n_anions, 8, 3, 3)
    if where == "reference":
        places[:] = np.eye(3)
    place = np.arange(n_frames) // interval if interval else np.zeros(n_frames, int)
    tilt = (
        Rotation.from_rotvec(rng.normal(scale=8, size=(n_anions * n_frames, 3)), degrees=True)
        .as_matrix()
        .reshape(n_anions, n_frames, 3, 3)
    )
    vectors = np.einsum("afij,afjk,vk->avif", tilt, places[:, place], ICOSAHEDRON)
    reference = np.repeat(ICOSAHEDRON[None], n_anions, axis=0)
    order, mutual = (
        mean_order([orientational_order(settled(vectors, 50), reference).order]),
        mutual_order(settled(vectors, 50), reference),
    )
    turns = full_rotations(rotation_matrices(vectors), 20.0)
    assert disorder(order, mutual, float(turns.reorientations.mean())) == kind
    assert mutual == pytest.approx(0.9 if kind == "ordered" else 0, abs=0.1)


def test_wide_libration_is_no_disorder_once_it_is_settled() -> None:
    tilt = Rotation.from_rotvec(
        np.random.default_rng(6).normal(scale=15, size=(3000, 3)), degrees=True
    )
    vectors = turned(ICOSAHEDRON, tilt)
    assert orientational_order(vectors, ICOSAHEDRON[None]).order.mean() < 0.5
    found = orientational_order(settled(vectors, 300), ICOSAHEDRON[None]).order
    assert found.shape == (10,)
    assert found.min() > 0.9


def test_a_run_shorter_than_a_part_is_one() -> None:
    assert settled(turned(ICOSAHEDRON, Rotation.random(7, random_state=1)), 50).shape == (
        1,
        12,
        3,
        1,
    )


def test_jumps_onto_itself_are_no_disorder() -> None:
    assert disorder(known(0.8), float("nan"), 3.0) == "ordered, jumping onto itself"


def test_anions_that_turned_alike_have_another_order() -> None:
    """Two sublattices, each turned as a whole by an angle of its own: far from the reference, alike
    within each; then all alike; then one of each.
    """
    quarter, tilt = (
        Rotation.from_rotvec([0, 90, 0], degrees=True),
        Rotation.from_rotvec([31, 0, 17], degrees=True),
    )
    reference = np.stack([ICOSAHEDRON, quarter.apply(ICOSAHEDRON)] * 4)
    within = np.stack([tilt.apply(ICOSAHEDRON), tilt.inv().apply(quarter.apply(ICOSAHEDRON))] * 4)[
        ..., None
    ]
    assert orientational_order(within, reference).order.max() < 0.5
    assert mutual_order(within, reference) == pytest.approx(1)
    assert disorder(known(0.1), mutual_order(within, reference), 0) == "another order"
    alike = np.repeat(tilt.apply(ICOSAHEDRON)[None, ..., None], 2, axis=0)
    assert mutual_order(alike, reference[:2]) == pytest.approx(1)
    assert mutual_order(within[:2], reference[:2]) < 0.5
    assert np.isnan(mutual_order(within[:1], reference[:1]))
    assert disorder(known(0.1), float("nan"), 0) == "static"


def test_the_lowest_order_of_a_shape() -> None:
    assert shape_order(ICOSAHEDRON[None]) == 6
    assert shape_order(TETRAHEDRON[None]) == 3
    assert shape_order(np.array([[[0.0, 0, 1]]])) == 1


def test_an_anion_that_stays_keeps_both() -> None:
    found = orientational_order(
        turned(ICOSAHEDRON, Rotation.from_rotvec(np.zeros((3, 3)))), 5.0 * ICOSAHEDRON[None]
    )
    assert found.memory == pytest.approx(1)
    assert found.order == pytest.approx(1)
    assert found.l == 6


def test_a_turn_of_the_icosahedron_onto_itself_loses_the_memory_and_keeps_the_order() -> None:
    fifth = Rotation.from_rotvec(2 * np.pi / 5 * ICOSAHEDRON)
    found = orientational_order(turned(ICOSAHEDRON, fifth), ICOSAHEDRON[None])
    assert found.order == pytest.approx(1)
    assert found.memory == pytest.approx(
        (1 + 2 * np.cos(2 * np.pi / 5)) / 3
    )  # the trace of the rotation, over three


def test_random_orientations_have_neither() -> None:
    found = orientational_order(
        turned(ICOSAHEDRON, Rotation.random(20_000, random_state=12)), ICOSAHEDRON[None]
    )
    assert found.memory.mean() == pytest.approx(0, abs=0.01)
    assert found.order.mean() == pytest.approx(0, abs=0.02)
    assert found.order.min() > -1 and found.order.max() < 1


def test_heads_and_tails_show_in_the_polar_order_alone() -> None:
    """All carbons turned to the opposite vertex leave the cage where it was."""
    head = np.arange(12) == 0
    opposite = next(
        turn
        for turn in Rotation.create_group("I")
        if np.allclose(turn.apply(ICOSAHEDRON[0]), -ICOSAHEDRON[0])
    )
    reference = np.repeat(ICOSAHEDRON[None], 2, axis=0)
    still, over = ICOSAHEDRON[..., None], opposite.apply(ICOSAHEDRON)[..., None]
    for first, second, polar in ((still, still, 1), (over, over, -1), (still, over, 0)):
        vectors = np.stack([first, second])
        assert polar_order(vectors, reference, head) == pytest.approx(polar, abs=1e-9)
        assert orientational_order(vectors, reference).order == pytest.approx(1)


@pytest.mark.parametrize(
    ("runs", "verdict"),
    [
        ([np.full(50, 0.502)], "mixed"),  # sharp, and too near to the limit
        ([np.full(50, 0.498)], "mixed"),
        ([np.full(50, 0.9)], "ordered"),
        ([np.full(50, 0.1)], "disordered"),
        ([np.linspace(1.0, 0.3, 50)], "mixed"),  # it disorders during the run
        ([np.full(50, 0.95), np.full(50, 0.2), np.full(50, 0.9)], "mixed"),  # runs differ
        ([np.full(1, 0.9)], "ordered"),
    ],
)
def test_an_order_near_its_limit_decides_no_phase(runs: list[np.ndarray], verdict: str) -> None:
    assert mean_order(runs).verdict == verdict


def test_the_interval_of_a_mean_order_covers() -> None:
    rng, covered = np.random.default_rng(4), 0
    for _ in range(400):
        runs = [0.7 + 0.05 * rng.normal() + 0.1 * rng.normal(size=40) for _ in range(4)]
        found = mean_order(runs)
        covered += found.low <= 0.7 <= found.high
    assert 0.9 <= covered / 400 <= 0.99


def test_a_phase_that_is_mixed_is_called_so() -> None:
    assert disorder(known(0.47), float("nan"), 5.0) == "mixed"
    assert disorder(known(0.3), float("nan"), 5.0) == "dynamic"
