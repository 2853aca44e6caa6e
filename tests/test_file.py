"""Files are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from borarun.errors import StoreError
from borarun.file import ABANDONED_S, replacing


@contextmanager
def largest_file(size_B: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size: the nearest thing to a full disk that needs no privileges."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_B, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


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
    told = pytest.raises(StoreError, match=r"a\.txt: no room to write it .* MB free\)")
    with largest_file(100_000), told, replacing(tmp_path / "a.txt") as file:
        file.write(bytes(1_000_000))
    assert names(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_is_full_only_when_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def full(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="no room"), replacing(tmp_path / "a.txt") as file:
        file.write(b"x")
    assert names(tmp_path) == []


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"), replacing(tmp_path / "file" / "a.txt"):
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
