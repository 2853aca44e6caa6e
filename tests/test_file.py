"""Files are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import largest_file

from borarun.basics.errors import StoreError
from borarun.basics.file import ABANDONED_S, appearing, replacing


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_the_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with replacing(path) as file:
        file.write(b"half")
        assert not path.exists()
        file.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert names(path.parent) == ["a.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.txt"]


def test_no_room_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    told = pytest.raises(StoreError, match=r"a\.txt: no space left to write it .* MB free\)")
    with largest_file(100_000), told, replacing(tmp_path / "a.txt") as file:
        file.write(bytes(1_000_000))
    assert names(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_is_full_only_when_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="no space left"), replacing(tmp_path / "a.txt") as file:
        file.write(b"x")
    assert names(tmp_path) == []


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StoreError, match="cannot be written"),
        replacing(tmp_path / "file" / "a.txt"),
    ):
        pass


def test_what_dead_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    with replacing(tmp_path / "x") as file:
        own = Path(file.name).name
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    here = own.split(".")[2]
    gone = [f".a.zip.{here}.{dead.pid}-1.part", ".c.zip.elsewhere.1-1.part"]
    kept = [f".b.zip.{here}.{os.getpid()}-1.part", ".d.zip.elsewhere.1-1.part", ".e.part"]
    for name in gone + kept:
        (tmp_path / name).touch()
    old = (tmp_path / gone[1]).stat().st_mtime - ABANDONED_S - 60
    os.utime(tmp_path / gone[1], (old, old))
    with replacing(tmp_path / "a.zip"):
        pass
    assert names(tmp_path) == sorted(["x", "a.zip", *kept])


# folders


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder"
    with appearing(path) as place:
        (place / "a").mkdir()
        (place / "a" / "b.txt").write_bytes(b"x")
        assert not path.exists() and place.parent == path.parent
    assert names(path.parent) == ["folder"] and (path / "a" / "b.txt").read_bytes() == b"x"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_folder_that_fails_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), appearing(tmp_path / "folder") as place:
        (place / "a.txt").write_bytes(b"x")
        raise error
    assert names(tmp_path) == []


def test_a_folder_without_room_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with (
        largest_file(1000),
        pytest.raises(StoreError, match="folder: no space left to write it"),
        appearing(tmp_path / "folder") as place,
    ):
        (place / "a.txt").write_bytes(bytes(10_000))
    assert names(tmp_path) == []


@pytest.mark.parametrize("there", [".", "empty", "file"])
def test_a_folder_takes_the_place_of_nothing(tmp_path: Path, there: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="already exists"), appearing(tmp_path / there):
        pass
    assert names(tmp_path) == ["empty", "file"]


def test_folders_of_dead_writers_are_removed(tmp_path: Path) -> None:
    with appearing(tmp_path / "x") as place:
        here = place.name.split(".")[2]
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / f".a.{here}.{dead.pid}-1.part" / "half").mkdir(parents=True)
    with appearing(tmp_path / "y"):
        pass
    assert names(tmp_path) == ["x", "y"]
