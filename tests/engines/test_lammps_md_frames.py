"""``frames.bin``: what is written is read, cut back, and never misread."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from borarun.basics.errors import ParseError
from borarun.engines.lammps import md_frames
from borarun.engines.lammps.md_frames import Frames, cut, read_frames

N = 5
TURN = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
CELL = np.array([[6.0, 0.0, 0.0], [1.0, 5.0, 0.0], [0.5, -0.25, 4.0]])
LOW = np.array([-1.0, 0.5, 2.0])


def configuration(step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order, positions and image counts of a step, as LAMMPS's memory may hold them."""
    rng = np.random.default_rng(step)
    return rng.permutation(N), rng.uniform(-1, 6, (N, 3)), rng.integers(-3, 4, (N, 3))


def write(file: Path, steps: list[int], every: int = 10) -> None:
    frames = Frames(file, N, TURN, [[0, 1000, every]])
    for step in steps:
        order, x, images = configuration(step)
        frames.keep(step, order, x, images, LOW, CELL)
    frames.close()


def test_positions_come_back_unwrapped_turned_and_sorted(tmp_path: Path) -> None:
    file = tmp_path / md_frames.NAME
    write(file, [0, 10, 20, 30])
    cell, positions = read_frames(file, N, np.array([10, 30]))
    assert np.array_equal(cell, np.array([CELL @ TURN] * 2))
    for frame, step in enumerate((10, 30)):
        order, x, images = configuration(step)
        for atom in range(N):
            place = order.tolist().index(atom)
            right = (x[place] - LOW + images[place] @ CELL) @ TURN
            np.testing.assert_allclose(positions[atom, :, frame], right, atol=6e-6)


def test_a_step_that_is_shown_again_counts_once(tmp_path: Path) -> None:
    """LAMMPS shows the step of a restart file once more, in the same process and in the next."""
    once, again = tmp_path / "once", tmp_path / "again"
    write(once, [0, 10, 20, 30])
    write(again, [0, 10, 10, 20])
    write(again, [20, 30])
    assert once.read_bytes() == again.read_bytes()


def test_only_sampled_steps_are_asked_for(tmp_path: Path) -> None:
    frames = Frames(tmp_path / "file", N, TURN, [[0, 25, 0], [25, 25, 5], [25, 60, 20]])
    assert [step for step in range(100) if frames.asked(step)] == [40, 60]
    frames.close()


@pytest.mark.parametrize("torn", [0, 1, 50])
def test_what_a_killed_run_left_is_cut_back(tmp_path: Path, torn: int) -> None:
    file, whole = tmp_path / "file", tmp_path / "whole"
    write(whole, [0, 10, 20])
    write(file, [0, 10, 20, 30, 40])
    with file.open("ab") as handle:
        handle.write(file.read_bytes()[:torn])
    assert cut(file, N, 25) == {0, 10, 20}
    assert file.read_bytes() == whole.read_bytes()
    assert cut(tmp_path / "absent", N, 25) == set()


@pytest.mark.parametrize("left", [0, 1, 300, 511])
def test_a_frame_that_is_not_whole_is_missing(tmp_path: Path, left: int) -> None:
    file = tmp_path / "file"
    write(file, [0, 10, 20, 30])
    size = md_frames.record_of(N).itemsize
    file.write_bytes(file.read_bytes()[: 3 * size + left % size])
    assert read_frames(file, N, np.array([0, 20]))[1].shape == (N, 3, 2)
    with pytest.raises(ParseError, match="step 30 is missing or cut short"):
        read_frames(file, N, np.array([0, 20, 30]))


def test_frames_out_of_order_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "file", [0, 20, 10])
    with pytest.raises(ParseError, match="not in order"):
        read_frames(tmp_path / "file", N, np.array([0]))
