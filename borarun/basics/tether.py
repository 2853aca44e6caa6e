"""Processes that end with the one that started them.

``python -m borarun.basics.tether PARENT COMMAND ...`` is such a process; ``end_with_parent`` makes
one of a child that is about to start a program. ``python -m borarun.basics.tether --beside PID
MODULE ...`` runs a module that ends with a process which is not its parent. ``python -m
borarun.basics.tether --after MODULE ...`` runs a module that, asked to end, asks its workers first
and waits for them. ``python -m borarun.basics.tether --around COMMAND ...`` runs a command and
ends, when that has ended, whatever it left behind.
"""

from __future__ import annotations

import ctypes
import multiprocessing.connection  # whole before a signal can come
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial

import psutil

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LOOK_S = 1.0

GRACE_S = 4.0
"""What the children of a process get to end in order; batch systems kill all of a job some seconds
after they have asked it to end.
"""


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent is gone, however it went and even if it
    went before this call.

    Source: prctl(2), PR_SET_PDEATHSIG; it outlives exec.

    Parameters
    ----------
    parent : process id of the parent, as it knows it itself
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def run_around(command: list[str]) -> int:
    """Run a command to its end, and then kill all that it started and left, children of dead
    children too; its exit code.

    Source: prctl(2), PR_SET_CHILD_SUBREAPER.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    with subprocess.Popen(command, preexec_fn=partial(end_with_parent, os.getpid())) as process:
        signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGTERM))
        code = process.wait()
    while left := psutil.Process().children(recursive=True):
        _kill(left)
        psutil.wait_procs(left, timeout=LOOK_S)
    return code


def run_beside(pid: int, module: str, arguments: list[str]) -> None:
    """Run a module as ``python -m`` does, until it ends or that process is gone; then all that it
    started is killed with it.
    """
    threading.Thread(target=_watch, args=(pid,), daemon=True).start()
    run_after(module, arguments)


def run_after(module: str, arguments: list[str]) -> None:
    """Run a module as ``python -m`` does, until it ends or is asked to: then it ends after its
    workers (``multiprocessing``).
    """
    signal.signal(signal.SIGTERM, _end_after_children)
    _unblock()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def hear() -> None:
    """Hear signals that the parent held back. What came meanwhile was sent to its group, and is
    dropped.
    """
    for each in signal.sigpending():
        signal.signal(each, signal.signal(each, signal.SIG_IGN))
    _unblock()


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())


def _watch(pid: int) -> None:
    try:
        process = psutil.Process(pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(LOOK_S)
    except psutil.NoSuchProcess:
        pass
    _kill(psutil.Process().children(recursive=True))
    os._exit(1)


def _end_after_children(*_: object) -> None:
    children, until = multiprocessing.active_children(), time.monotonic() + GRACE_S
    for child in children:
        child.terminate()
    for child in children:
        child.join(max(until - time.monotonic(), 0.0))
    os._exit(128 + signal.SIGTERM)


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


if __name__ == "__main__":
    if sys.argv[1] == "--beside":
        run_beside(int(sys.argv[2]), sys.argv[3], sys.argv[4:])
    elif sys.argv[1] == "--after":
        run_after(sys.argv[2], sys.argv[3:])
    elif sys.argv[1] == "--around":
        sys.exit(run_around(sys.argv[2:]))
    else:
        # What a terminal or a batch system sends to the group of the driver is the driver's, which
        # then ends this one in order.
        with suppress(PermissionError):  # it leads a session, and with it a group, already
            os.setpgid(0, 0)
        hear()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        end_with_parent(int(sys.argv[1]))
        os.execvp(sys.argv[2], sys.argv[2:])
