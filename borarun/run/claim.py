"""Who works on something: told by a file that its holder keeps changing, so that a dead holder
cannot keep it.

Works between nodes that share a file system, without advisory locks (which many shared file systems
lack or break) and without comparing clocks: whoever waits looks whether the file changes while his
own clock runs. On the holder's own machine the process itself is looked at, which is quicker.
Libraries for lock files compare the file's time with the clock of whoever looks; the clocks of a
cluster's nodes differ.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

BEAT_S = 5.0
"""Time between two changes of the file."""

SILENCE_S = 120.0
"""A file that stands still for so long is a dead holder's; more than a shared file system takes to
show a change.
"""

BEATS_TO_SHOW = 3
"""Beats that a holder who seems dead by the age of his file is waited for."""

LINE = 256
"""Bytes of a claim: always the same number, so that each change is one write of one block."""


@dataclass(frozen=True)
class Holder:
    """The process that holds a claim.

    Attributes
    ----------
    host : name of its machine
    pid : process id there
    started : creation time of the process, s since the epoch: a reused pid is not mistaken for it
    """

    host: str
    pid: int
    started: float

    @classmethod
    def here(cls) -> Holder:
        """This process."""
        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time())

    @property
    def is_here(self) -> bool:
        """Whether it runs, or ran, on this machine."""
        return self.host == socket.gethostname()

    def gone(self) -> bool:
        """Whether the process has ended; never true on another machine, where it cannot be seen."""
        if not self.is_here:
            return False
        try:
            process = psutil.Process(self.pid)
            return bool(
                process.create_time() != self.started or process.status() == psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return True

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class Claim:
    """A claim to ``path``; nobody holds it until ``take`` succeeds.

    Files are ``PATH.1``, ``PATH.2``, ...: whoever finds the highest one's holder dead makes the
    next, which only one can. A holder who is superseded, after a suspension for instance, sees it
    at his next beat.

    Parameters
    ----------
    path : in a directory that exists on all machines concerned
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost = False
        self._file: Path | None = None
        self._seen: tuple[Path, bytes, float] | None = None
        self._ended = threading.Event()

    def take(self) -> bool:
        """Try once to get the claim. When several calls over ``SILENCE_S`` find the same silent
        holder, it is dead and superseded.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        newest = self._newest()
        if newest is not None and not self._is_dead(newest):
            return False
        mine = self._numbered(_number(newest) + 1 if newest else 1)
        # Made under another name and linked: whoever sees the file sees it whole, and only one link
        # can succeed.
        draft = self.path.with_name(
            f".{self.path.name}.{socket.gethostname()}.{os.getpid()}-{threading.get_ident()}.claim"
        )
        draft.write_bytes(_line(Holder.here(), 0))
        try:
            os.link(draft, mine)
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        older = [file for file in self._files() if _number(file) < _number(mine)]
        if any(self._is_alive(file) for file in older):
            # between the look and the link somebody else superseded the dead one, ended, and a
            # third one began
            mine.unlink()
            return False
        self._file = mine
        for file in older:
            file.unlink(missing_ok=True)
        threading.Thread(target=self._beat, daemon=True).start()
        return True

    def release(self) -> None:
        """Give the claim back."""
        self._ended.set()
        if self._file is not None:
            self._file.unlink(missing_ok=True)
            self._file = None

    def holder(self) -> Holder | None:
        """Who holds it, dead or alive; None where nobody does."""
        newest = self._newest()
        return _holder(_read(newest)) if newest else None

    def beat(self) -> bytes:
        """What the newest file says, which changes as long as its holder lives."""
        newest = self._newest()
        return _read(newest) if newest else b""

    def seconds(self) -> float:
        """How long it has been held, to some seconds: counted by the holder, since the clocks of a
        cluster's nodes differ.
        """
        with suppress(ValueError, KeyError, TypeError):
            return BEAT_S * float(json.loads(self.beat())["beat"])
        return 0.0

    def held(self) -> bool:
        """Whether somebody holds it, as far as one look can tell: on another machine, by the age of
        the file. ``Watch`` can tell better.
        """
        newest = self._newest()
        holder = _holder(_read(newest)) if newest else None
        if newest is None or holder is None:
            return False
        if holder.is_here:
            return not holder.gone()
        with suppress(OSError):
            return abs(time.time() - newest.stat().st_mtime) < 2 * SILENCE_S
        return False

    def _is_alive(self, file: Path) -> bool:
        """Whether a file that we take the place of has changed than we found dead."""
        holder = _holder(content := _read(file))
        return (
            holder is not None
            and not holder.gone()
            and (self._seen is None or self._seen[:2] != (file, content))
        )

    def _is_dead(self, file: Path) -> bool:
        content = _read(file)
        holder = _holder(content)
        if holder is not None and holder.is_here:
            return holder.gone()
        now = time.monotonic()
        if self._seen is None or self._seen[:2] != (file, content):
            self._seen = (file, content, now)
        return now - self._seen[2] > SILENCE_S

    def _beat(self) -> None:
        number, me = 0, Holder.here()
        while not self._ended.wait(BEAT_S) and (file := self._file) is not None:
            number += 1
            with suppress(
                OSError
            ):  # a file system that is away for a moment; the others are patient
                if self._superseded(file):
                    self.lost = True
                    return
                handle = os.open(file, os.O_WRONLY)  # never created anew
                try:
                    os.pwrite(handle, _line(me, number), 0)
                    os.fsync(handle)
                finally:
                    os.close(handle)

    def _superseded(self, mine: Path) -> bool:
        """Whoever supersedes makes the next file, then removes this one. One name is looked at, not
        the directory: thousands may be held in it.
        """
        if self._numbered(_number(mine) + 1).exists():
            return True
        newest = None if mine.exists() else self._newest()
        return newest is not None and _number(newest) > _number(mine)

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _files(self) -> list[Path]:
        start = f"{self.path.name}."
        with suppress(OSError), os.scandir(self.path.parent) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if entry.name.startswith(start) and entry.name[len(start) :].isdecimal()
            ]
        return []

    def _newest(self) -> Path | None:
        return max(self._files(), key=_number, default=None)


class Watch:
    """Whether the holder of a claim lives, for whoever can ask again and again: told by his beats
    alone, whatever the clocks say.

    Where one look finds the file old, he gets the time of some beats to show that only the clocks
    differ, else the whole ``SILENCE_S``.
    """

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._beat = b""
        self._since = time.monotonic()

    def alive(self) -> bool:
        """Whether somebody holds the claim, as far as is known by now."""
        beat, now = self._claim.beat(), time.monotonic()
        holder = _holder(beat)
        if holder is None:
            return False
        if holder.is_here:
            return not holder.gone()
        if not self._beat and not self._claim.held():
            self._since = now - max(SILENCE_S - BEATS_TO_SHOW * BEAT_S, 0.0)
        elif beat != self._beat:
            self._since = now
        self._beat = beat
        return now - self._since <= SILENCE_S


def _number(file: Path) -> int:
    return int(file.suffix[1:])


def _line(holder: Holder, beat: int) -> bytes:
    return json.dumps({**asdict(holder), "beat": beat}).ljust(LINE - 1).encode() + b"\n"


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _holder(content: bytes) -> Holder | None:
    try:
        said = json.loads(content)
        return Holder(said["host"], said["pid"], said["started"])
    except (ValueError, KeyError, TypeError):
        return None


@contextmanager
def claimed(path: Path, poll_s: float) -> Iterator[Claim]:
    """Hold a claim; wait for whoever holds it."""
    claim = Claim(path)
    while not claim.take():
        time.sleep(poll_s)
    try:
        yield claim
    finally:
        claim.release()
