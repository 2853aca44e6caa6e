"""Files and folders that are whole or absent: written under another name, flushed to the disk, and
renamed.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import stat
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import BufferedWriter
from pathlib import Path

from borarun.basics.errors import StoreError

ABANDONED_S = 86_400
"""Silence after which the unfinished file of a process on another host is taken for a dead one's.
"""

MANY = 500
"""Files from which on all that the system has not written yet is flushed at once."""

OTHERS_WRITE = 0o022
"""Permissions of group and others to write."""

REFUSALS = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ELOOP,
}
"""Of a path that a user gave, or of a folder that is not the user's."""

UNFINISHED = re.compile(r"\..+\.(?P<host>[^.]+)\.(?P<process>\d+)-\d+\.part")


def make_folder(path: Path) -> None:
    """Make a folder that the user named, and those above it, where they are missing.

    Raises
    ------
    StoreError
        Where that cannot be.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(unwritable(path, error)) from error


def make_private(path: Path) -> None:
    """Make a folder of which other users see nothing, whatever the umask; those above it as usual.

    A folder that exists keeps its permissions: its owner may have opened it.

    Raises
    ------
    StoreError
        Where that cannot be.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreError(unwritable(path, error)) from error


def let_nobody_else_write_in(path: Path) -> None:
    """Take from other users the right to write in a folder.

    Raises
    ------
    StoreError
        Where it is another user's.
    """
    try:
        if (mode := stat.S_IMODE(path.stat().st_mode)) & OTHERS_WRITE:
            path.chmod(mode & ~OTHERS_WRITE)
    except OSError as error:
        raise StoreError(unwritable(path, error)) from error


def close(path: Path) -> None:
    """Make a folder private, also one that exists.

    Raises
    ------
    StoreError
        Where it is another user's, or its file system keeps no permissions.
    """
    make_private(path)
    try:
        path.chmod(0o700)
    except OSError as error:
        raise StoreError(unwritable(path, error)) from error
    if (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077:
        raise StoreError(
            f"{path}: other users can open it, and borarun cannot change that on this "
            f"file system (mode {mode:o}). Give a folder on another file system with "
            "--runs."
        )


def let_nobody_else_write() -> None:
    """Have no other user write the files that this process and its children make from now on."""
    os.umask(os.umask(0o077) | OTHERS_WRITE)


def write_files(directory: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files under their names into a directory, which is made where it is missing; that
    directory.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return directory


@contextmanager
def replacing(path: Path) -> Iterator[BufferedWriter]:
    """A file that takes the place of ``path`` when its block ends without an error, and leaves
    nothing when it does not.

    Whoever reads ``path`` meanwhile finds what was there before. When several write it at once,
    each is whole and the last one stays. What a killed process left half-written in the directory
    is removed on the way.

    Raises
    ------
    StoreError
        Where the disk is full or the directory not writable.
    """
    unfinished = _unfinished(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        try:
            with unfinished.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        _flush(path.parent)
    except OSError as error:
        raise StoreError(unwritable(path, error)) from error


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A new folder that takes its place when its block ends without an error, and leaves nothing
    when it does not.

    What a killed process left half-written beside it is removed on the way.

    Returns
    -------
    Where to write meanwhile.

    Raises
    ------
    StoreError
        Where something has that name already, the disk is full, or the place not writable.
    """
    must_be_new(path)
    unfinished = _unfinished(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        try:
            unfinished.mkdir()
            yield unfinished
            _flush_all([unfinished, *unfinished.rglob("*")])
            unfinished.rename(path)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        _flush(path.parent)
    except OSError as error:
        raise StoreError(unwritable(path, error)) from error


def must_be_new(path: Path) -> None:
    """Refuse to write over anything.

    Raises
    ------
    StoreError
        Where there is something.
    """
    if os.path.lexists(path):
        raise StoreError(f"{path}: already exists. Give another name, or move the file away.")


def refused(error: BaseException) -> str:
    """What is wrong with the file or folder that the system refuses, and what to do; empty where
    the error is another.
    """
    if not (isinstance(error, OSError) and error.errno in REFUSALS and error.filename is not None):
        return ""
    return (
        f"{error.filename}: cannot be used ({error.strerror}). Check the path and your "
        "permissions to read and write there."
    )


def _unfinished(path: Path) -> Path:
    """The name under which something is written: hidden, and in the same directory, for only within
    one file system is a rename a single step.
    """
    return path.with_name(f".{path.name}.{_host()}.{os.getpid()}-{threading.get_ident()}.part")


def _host() -> str:
    return socket.gethostname().replace(".", "_")


def _sweep(directory: Path) -> None:
    for path in directory.glob(".*.part"):
        if not (name := UNFINISHED.fullmatch(path.name)):
            continue
        with suppress(FileNotFoundError):  # its writer may finish meanwhile
            here = name["host"] == _host()
            if (
                not _is_alive(int(name["process"]))
                if here
                else time.time() - path.stat().st_mtime > ABANDONED_S
            ):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def _flush_all(paths: Sequence[Path]) -> None:
    """Have files and directories on the disk: many at once, because each waits for the disk."""
    if len(paths) > MANY:
        os.sync()
        return
    for path in paths:
        _flush(path)


def _flush(path: Path) -> None:
    """Have a file or a directory on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unwritable(path: Path, error: OSError) -> str:
    """Why a file cannot be written, and what to do."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        there = next(
            folder for folder in path.absolute().parents if folder.exists()
        )  # its own may not have found room either
        free = shutil.disk_usage(there).free / 1e6
        return (
            f"{path}: no space left to write it ({error.strerror}; {free:.0f} MB free). "
            "Free some space or raise the quota, then try again."
        )
    return (
        f"{path}: cannot be written ({error.strerror or error}). Check your permission to "
        "write in this directory, then try again."
    )
