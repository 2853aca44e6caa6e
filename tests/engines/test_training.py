"""What is held out of a fit: runs, or blocks of runs, and never a neighbour of a fitted frame."""

from __future__ import annotations

import numpy as np
from ase.build import bulk

from borarun.engines.borarun_mtp.engine import Settings
from borarun.engines.potential.training import split
from borarun.records.frames import Frames


def run_of(length: int, number: int) -> Frames:
    """Frames of a run; energy is 1000 times the run's number, plus the frame's place in it."""
    images = []
    for place in range(length):
        atoms = bulk("LiH", "rocksalt", a=4.08, cubic=True)
        atoms.rattle(0.05, seed=1000 * number + place)
        images.append(atoms)
    frames = Frames.of(images)
    return Frames(
        frames.offsets,
        frames.numbers,
        frames.positions,
        frames.cell,
        energy=1000.0 * number + np.arange(length),
        forces=np.zeros_like(frames.positions),
        stress=np.zeros((length, 6)),
    )


def divided(
    parts: list[Frames], runs: tuple[int, ...], fraction: float = 0.1
) -> tuple[list[float], list[float]]:
    """Energies of the fitted and of the held-out frames."""
    settings = Settings(
        operation="train", level=6, validation_fraction=fraction, hold_out="runs", runs=runs
    )
    train, valid = split({"labels": parts}, settings)
    assert train.energy is not None and valid.energy is not None
    return train.energy.tolist(), valid.energy.tolist()


def test_one_block_of_each_run_is_held_out_and_its_edges_are_left_out() -> None:
    train, valid = divided([run_of(160, 1), run_of(80, 2)], (0, 1))
    for number, length in ((1, 160), (2, 80)):
        fitted = sorted(e - 1000 * number for e in train if e // 1000 == number)
        held = sorted(e - 1000 * number for e in valid if e // 1000 == number)
        edge = length // 10 // 8
        assert held == list(np.arange(held[0], held[0] + length // 10 - 2 * edge))
        assert len(fitted) == length - length // 10
        assert min(abs(a - b) for a in fitted for b in held) == edge + 1


def test_parts_of_one_run_are_put_in_order_before_it_is_cut() -> None:
    whole = run_of(120, 1)
    parts = [whole.take(range(first, 120, 3)) for first in range(3)]
    assert sorted(divided(parts, (0, 0, 0))[1]) == divided([whole], (0,))[1]


def test_with_enough_runs_whole_ones_are_held_out() -> None:
    train, valid = divided([run_of(3, number) for number in range(40)], tuple(range(40)), 0.2)
    fitted, held = ({int(e // 1000) for e in part} for part in (train, valid))
    assert not fitted & held and fitted | held == set(range(40))
    assert 2 <= len(held) <= 16  # of 40 lots at 0.2, with a probability of 0.9997


def test_a_run_stays_held_out_when_others_are_added() -> None:
    def held(count: int) -> set[float]:
        parts = [run_of(3, number) for number in range(count)]
        return {e // 1000 for e in divided(parts, tuple(range(count)))[1]}

    assert held(12) <= held(20)


def test_something_is_held_out_of_runs_of_one_configuration_and_something_fitted() -> None:
    for count in (2, 3, 9, 10, 30):
        train, valid = divided([run_of(1, number) for number in range(count)], tuple(range(count)))
        assert train and valid and len(train) + len(valid) == count


def test_a_setting_that_is_written_as_before_leaves_keys_as_they_were() -> None:
    former = Settings(operation="train", level=6)
    assert former == Settings(operation="train", level=6, hold_out="configurations")
    assert not {"hold_out", "runs"} & former.model_dump(mode="json").keys()
    new = Settings(operation="train", level=6, hold_out="runs", runs=(0, 0, 1))
    assert new.model_dump(mode="json")["runs"] == [0, 0, 1]
