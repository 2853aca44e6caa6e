"""Requests to end: Ctrl-C, a polite kill, a closed terminal. Each of them raises
``KeyboardInterrupt``, once and not at a moment that would leave a mess.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EXIT_CODE = 130
"""For all of them: which signal came first is chance when a terminal closes or a job ends."""

IMPATIENCE_S = 5.0
"""A Ctrl-C so long after the first request ends the process on the spot."""


class _Requests:
    """What was asked of this process.

    Attributes
    ----------
    since : when it was first asked to end; None where nobody has
    pending : a request came within ``shielded``
    depth : how many ``shielded`` blocks are open
    """

    def __init__(self) -> None:
        self.since: float | None = None
        self.pending = False
        self.depth = 0
        self.terminals = [fd for fd in (1, 2) if os.isatty(fd)]


_NOBODY_LISTENS = _Requests()
_requests = _NOBODY_LISTENS


def asked() -> bool:
    """Whether this process was asked to end, also where the exception was swallowed on its way;
    False where nobody is ``listening``.
    """
    return _requests.since is not None


@contextmanager
def listening() -> Iterator[None]:
    """Listen for requests to end. What the caller of this process ignores stays ignored, as SIGHUP
    is under nohup.
    """
    global _requests
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    outer, _requests = _requests, _Requests()
    before = {each: signal.getsignal(each) for each in ENDING}
    for each, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(each, _take)
    try:
        yield
    finally:
        for each, handler in before.items():
            if signal.getsignal(each) == _take:
                signal.signal(each, handler)
        if outer is not _NOBODY_LISTENS and outer.since is None:
            outer.since = _requests.since
        _requests = outer


@contextmanager
def shielded() -> Iterator[None]:
    """A block of the main thread that a request does not tear apart: it is heard at its end.

    Raises
    ------
    KeyboardInterrupt
        At the end, where a request came meanwhile.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _requests.depth += 1
    try:
        yield
    finally:
        _requests.depth -= 1
        if _requests.pending and not _requests.depth:
            _requests.pending = False
            raise KeyboardInterrupt


@contextmanager
def unheard_by_children() -> Iterator[None]:
    """A block whose children begin without hearing requests to end, until
    ``borarun.basics.tether`` lets them: what is sent to the whole group would end one before it has
    left the group.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave(code: int) -> NoReturn:
    """End this process without waiting for threads of others, which may wait for ever."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _take(number: int, _: object) -> None:
    if number == signal.SIGHUP:  # writing to a terminal that is gone is an error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for terminal in _requests.terminals:
            os.dup2(nowhere, terminal)
        os.close(nowhere)
    if _requests.since is None:
        _requests.since = time.monotonic()
        if _requests.depth:
            _requests.pending = True
            return
        raise KeyboardInterrupt
    # More of them come when a terminal closes or a job ends. They must not tear the ending apart.
    if number == signal.SIGINT and time.monotonic() - _requests.since > IMPATIENCE_S:
        leave(EXIT_CODE)
