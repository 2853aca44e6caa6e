"""Frames keep every number, alone, joined and as text."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator

from borarun.records.frames import Frames

SIZES = [3, 1, 5]


def image(n_atoms: int, seed: int, labels: bool = True) -> Atoms:
    rng = np.random.default_rng(seed)
    atoms = Atoms(
        rng.integers(1, 90, n_atoms),
        rng.normal(size=(n_atoms, 3)) * 10,
        cell=rng.normal(size=(3, 3)) + 5 * np.eye(3),
        pbc=True,
    )
    if labels:
        results = {
            "energy": rng.normal() * 500,
            "forces": rng.normal(size=(n_atoms, 3)) * 1e-7,
            "stress": rng.normal(size=6),
        }
        atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


@pytest.fixture
def frames() -> Frames:
    images = [image(n_atoms, seed) for seed, n_atoms in enumerate(SIZES)]
    for number, atoms in enumerate(images):
        atoms.info["grade"] = 1.0 + number / 3
    return Frames.of(images)


def assert_same(one: Frames, other: Frames) -> None:
    assert one.arrays().keys() == other.arrays().keys()
    for name, values in one.arrays().items():
        np.testing.assert_array_equal(values, other.arrays()[name], err_msg=name)
        assert values.dtype == other.arrays()[name].dtype


def test_shapes(frames: Frames) -> None:
    assert len(frames) == 3
    assert frames.labelled
    assert frames.offsets.tolist() == [0, 3, 4, 9]
    assert {name: values.shape for name, values in frames.arrays().items()} == {
        "offsets": (4,), "numbers": (9,), "positions": (9, 3), "cell": (3, 3, 3),
        "energy": (3,), "forces": (9, 3), "stress": (3, 6), "grade": (3,),
    }  # fmt: skip


def test_atoms_and_back(frames: Frames) -> None:
    assert [len(atoms) for atoms in frames] == SIZES
    assert_same(Frames.of(frames), frames)
    assert frames[-1].calc.results["energy"] == frames.energy[2]
    with pytest.raises(IndexError):
        frames[3]


def test_take_and_join(frames: Frames) -> None:
    assert_same(Frames.join([frames.take([0]), frames.take([1, 2])]), frames)
    assert frames.take([2, 0]).offsets.tolist() == [0, 5, 8]
    assert len(frames.take([])) == 0


def test_text_loses_no_bit(frames: Frames) -> None:
    assert_same(Frames.from_extxyz(frames.to_extxyz()), frames)


@pytest.mark.parametrize("missing", ["energy", "forces", "stress", "grade"])
def test_text_of_what_is_there_and_no_more(frames: Frames, missing: str) -> None:
    kept = {name: values for name, values in frames.arrays().items() if name != missing}
    assert_same(Frames.from_extxyz(Frames(**kept).to_extxyz()), Frames(**kept))


def test_no_frames_are_no_text() -> None:
    assert Frames.of([]).to_extxyz() == ""
    assert len(Frames.from_extxyz("\n")) == 0
    assert not Frames.of([]).labelled


def test_a_label_that_one_frame_lacks_is_dropped_for_all() -> None:
    mixed = Frames.of([image(2, 0), image(2, 1, labels=False)])
    assert not mixed.labelled
    assert mixed.forces is None


def test_labels_of_a_configuration_that_has_moved_on_are_none() -> None:
    atoms = Atoms(
        "Ar2",
        positions=[[0, 0, 0], [0, 0, 4.0]],
        cell=[9, 9, 9],
        pbc=True,
        calculator=LennardJones(),
    )
    atoms.get_forces()
    assert Frames.of([atoms]).forces is not None
    atoms.positions[0, 0] += 0.1
    assert Frames.of([atoms]).forces is None
