"""Readers of trajectories: columns in any order, accidents, and what a file does not say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trajectory_files as files
from ase.io import write

from borarun.basics.errors import StudyError
from borarun.given.formats import read_trajectory
from borarun.given.frame import Told
from borarun.given.gathered import Gathered, Wanted, continued
from borarun.given.lines import NUMBER
from borarun.given.rows import rows_of

ELEMENTS = ("Li", "B", "H", "O")
STEPS = Wanted(timestep_fs=0.5)
TYPES = Told(ELEMENTS)
OWN, COMMON = "id type x y z ix iy iz", "element id x y z"


def read(file: Path, wanted: Wanted = STEPS, told: Told = TYPES) -> Gathered:
    return read_trajectory(file, told, wanted)


def same_path(run: Gathered, positions: np.ndarray, cell: np.ndarray) -> None:
    """Whether a run goes where these positions go, but for the image it begins in."""
    ours, theirs = (
        np.einsum("nif,fij->njf", place.astype(float), np.linalg.inv(box))
        for place, box in ((run.positions, run.cell), (positions, cell))
    )
    away = ours - theirs
    np.testing.assert_allclose(
        away, np.repeat(np.round(away[:, :, :1]), away.shape[2], 2), atol=1e-5
    )


@pytest.mark.parametrize("tilt", [0.0, 2.0])
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(
    "columns",
    [
        OWN,
        "element id xu yu zu",
        "id type x y z vx vy vz",
        "id mass xs ys zs",
        "xsu ysu zsu id element",
        "ix iy iz xs ys zs id type",
    ],
)
def test_every_way_to_write_a_dump(
    tmp_path: Path, columns: str, shuffled: bool, tilt: float
) -> None:
    atoms, positions, cell = files.walk(60, tilt=tilt)
    file = files.dump(
        tmp_path / "d", atoms, positions, cell, columns, shuffled=shuffled, origin=1.5
    )
    run = read(file, told=Told(ELEMENTS if "type" in columns else ()))
    same_path(run, positions, cell)
    np.testing.assert_allclose(run.cell, cell, atol=1e-8)
    assert (run.numbers == atoms.numbers).all()
    assert (run.interval_fs, run.remarks) == (50.0, ())


def test_a_dump_that_says_units_and_time_needs_no_time_step(tmp_path: Path) -> None:
    atoms, positions, cell = files.walk(40)
    file = files.dump(tmp_path / "d", atoms, positions, cell, COMMON, units="metal")
    assert read(file, Wanted(), Told()).interval_fs == pytest.approx(50.0)


def test_a_dump_in_nanometres(tmp_path: Path) -> None:
    atoms, positions, cell = files.walk(40)
    file = files.dump(tmp_path / "d", atoms, positions / 10, cell / 10, COMMON)
    with pytest.raises(StudyError, match="--units"):
        read(file)
    np.testing.assert_allclose(read(file, told=Told(units="nano")).cell, cell, atol=1e-7)


def test_extended_xyz(tmp_path: Path) -> None:
    atoms, positions, cell = files.walk(60, tilt=2.0)
    file = tmp_path / "a.xyz"
    write(file, files.images(atoms, positions, cell), format="extxyz")
    run = read(file, Wanted(interval_fs=20.0))
    same_path(run, positions, cell)
    assert run.interval_fs == 20.0


def test_extended_xyz_that_says_its_times(tmp_path: Path) -> None:
    atoms, positions, cell = files.walk(30)
    frames = files.images(atoms, positions, cell)
    for index, frame in enumerate(frames):
        frame.info["time_ps"] = 0.04 * index
    write(tmp_path / "a.xyz", frames, format="extxyz")
    assert read(tmp_path / "a.xyz", Wanted()).interval_fs == pytest.approx(40.0)


@pytest.mark.parametrize("columns", [OWN, COMMON])
@pytest.mark.parametrize("lost_B", [1, 30, 300, "header"])
def test_a_last_frame_that_is_cut_short_is_left_out(
    tmp_path: Path, columns: str, lost_B: int | str
) -> None:
    atoms, positions, cell = files.walk(30)
    file = files.dump(tmp_path / "d", atoms, positions, cell, columns)
    text = file.read_bytes()
    if isinstance(lost_B, str):  # the last frame ends in its header
        lost_B = len(text) - text.rfind(b"ITEM: BOX") - 3
    file.write_bytes(text[:-lost_B])
    run = read(file)
    assert run.positions.shape[2] == 29
    assert run.remarks == ("1 frame is cut short and left out",)
    same_path(run, positions[:, :, :29], cell[:29])


def test_extended_xyz_that_is_cut_short(tmp_path: Path) -> None:
    atoms, positions, cell = files.walk(30)
    file = tmp_path / "a.xyz"
    write(file, files.images(atoms, positions, cell), format="extxyz")
    file.write_bytes(file.read_bytes()[:-40])
    run = read(file, Wanted(interval_fs=20.0))
    assert run.positions.shape[2] == 29
    assert run.remarks == ("the last frame is cut short and left out",)


@pytest.mark.parametrize("columns", [OWN, COMMON])
def test_of_frames_that_a_restart_did_again_the_later_ones_count(
    tmp_path: Path, columns: str
) -> None:
    atoms, positions, cell = files.walk(40)
    again = [*range(25), *range(20, 40)]
    other = positions[:, :, again].copy()
    other[:, :, 20:25] += 0.3  # what the run did before it was killed
    steps = [100 * index for index in again]
    file = files.dump(tmp_path / "d", atoms, other, cell[again], columns, steps=steps)
    run = read(file)
    same_path(run, positions, cell)
    assert run.remarks == ("5 frames are there twice, as after a restart: the later ones count",)


@pytest.mark.parametrize("columns", [OWN, COMMON])
def test_frames_that_are_not_evenly_spaced(tmp_path: Path, columns: str) -> None:
    atoms, positions, cell = files.walk(40)
    one_off = [100 * index for index in range(39)] + [3850]
    file = files.dump(tmp_path / "d", atoms, positions, cell, columns, steps=one_off)
    run = read(file)
    assert run.positions.shape[2] == 39
    assert run.remarks[0].startswith("1 of 40 frames are not evenly spaced")
    halves = [100 * i for i in range(20)] + [1900 + 50 * i for i in range(1, 21)]
    files.dump(file, atoms, positions, cell, columns, steps=halves)
    with pytest.raises(StudyError, match="not evenly spaced"):
        read(file)


def test_frames_too_far_apart_are_refused_unless_they_are_unwrapped(tmp_path: Path) -> None:
    atoms, positions, cell = files.walk(100, spread_A=2.0)
    file = files.dump(tmp_path / "d", atoms, positions, cell, COMMON)
    with pytest.raises(StudyError, match="too far apart: Li"):
        read(file)
    same_path(
        read(files.dump(file, atoms, positions, cell, "element id xu yu zu")), positions, cell
    )


def test_a_flipped_cell_goes_on(tmp_path: Path) -> None:
    atoms, positions, cell = files.walk(40, tilt=4.0)
    flipped = cell.copy()
    flipped[20:, 1] -= flipped[20:, 0]  # the same lattice
    np.testing.assert_allclose(continued(flipped[20], cell[19]), cell[20], atol=1e-9)
    file = files.dump(tmp_path / "d", atoms, positions, flipped, COMMON)
    run = read(file)
    same_path(run, positions, cell)
    np.testing.assert_allclose(run.cell, cell, atol=1e-7)


def test_what_a_file_does_not_say_is_asked_for(tmp_path: Path) -> None:
    atoms, positions, cell = files.walk(30)
    file = files.dump(tmp_path / "d", atoms, positions, cell, OWN)
    with pytest.raises(StudyError, match="--timestep-fs"):
        read(file, Wanted())
    with pytest.raises(StudyError, match="--elements"):
        read(file, told=Told())
    with pytest.raises(StudyError, match="has atoms of type 4"):
        read(file, told=Told(("Li", "O")))
    write(tmp_path / "a.xyz", files.images(atoms, positions, cell), format="extxyz")
    with pytest.raises(StudyError, match="--interval-fs"):
        read(tmp_path / "a.xyz", Wanted())


def changed(text: str, before: str, after: str, last: bool = True) -> str:
    """The text with the first or last of some words changed."""
    head, found, tail = text.rpartition(before) if last else text.partition(before)
    assert found
    return f"{head}{after}{tail}"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("\nLi 3 ", "\nLi 2 ", "atom 2 twice"),
        ("\nLi 3 ", "\nNa 3 ", "other atoms than the first"),
        ("\nLi 3 ", "\nQq 3 ", "not an element"),
        ("\nLi 3 ", "\nLi 3 nan ", "is not a number|does not fit"),
        ("pp pp pp", "pp pp ff", "not periodic"),
        ("ATOMS element id x y z", "ATOMS element id x y w", "no positions|other columns"),
        ("\nLi 3 ", "\nLi 3 1e", "is not a number|too far|does not fit"),
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_damaged_dumps(tmp_path: Path, before: str, after: str, said: str, last: bool) -> None:
    atoms, positions, cell = files.walk(30)
    file = files.dump(tmp_path / "d", atoms, positions, cell, COMMON)
    file.write_text(changed(file.read_text(), before, after, last))
    with pytest.raises(StudyError, match=said):
        read(file, told=Told())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\x1f\x8b\x08rest", "gunzip"),
        (b"ITEM: TIMESTEP\n0\n", "ends before its first frame"),
        (b"hello\n", "format that is not read"),
        (b"2\nno cell\nLi 0 0 0\nO 1 1 1\n", "has no cell"),
        (b'2\nLattice="4 0 0 0 4 0 0 0 4" pbc="T T F"\nLi 0 0 0\nO 1 1 1\n', "slab"),
        (b"12\nshort\n", "ends before its first frame"),
    ],
)
def test_files_that_are_no_trajectory(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "d"
    file.write_bytes(content)
    with pytest.raises(StudyError, match=said):
        read(file, Wanted(interval_fs=1.0))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="unreadable"):
        read(tmp_path / "nowhere")


def test_a_frame_whose_header_is_cut_in_the_middle_of_the_file(tmp_path: Path) -> None:
    """A run that was killed, and another that went on in the same file."""
    atoms, positions, cell = files.walk(30)
    file = files.dump(tmp_path / "d", atoms, positions, cell, COMMON, units="metal")
    frames = file.read_text().split("ITEM: TIME\n")
    cut = frames[11][: frames[11].index("ITEM: BOX")]
    file.write_text("ITEM: TIME\n".join([*frames[:11], cut, *frames[11:]]))
    run = read(file, Wanted(), Told())
    same_path(run, positions, cell)
    assert run.remarks == ("1 frame is cut short and left out",)


def test_a_line_that_does_not_fit_is_found_without_reading_the_rest(tmp_path: Path) -> None:
    class Counted(bytes):
        longest = 0

        def __getitem__(self, part: object) -> bytes:  # type: ignore[override]
            found = super().__getitem__(part)  # type: ignore[index]
            Counted.longest = max(Counted.longest, len(found))
            return found

    text = Counted(b"1.0 2.0 3.0\n1.0 two 3.0\n" + b"1.0 2.0 3.0\n" * 10_000)
    kinds = np.full(3, NUMBER, np.int64)
    rows, end, _, _ = rows_of(text, 0, 5_000, kinds, 100)  # type: ignore[arg-type]
    assert (rows, end) == (1, 12)
    assert Counted.longest < 1000
