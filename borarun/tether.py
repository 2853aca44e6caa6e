"""Processes that end with the one that started them.

``python -m borarun.tether PARENT COMMAND ...`` is such a process; ``end_with_parent`` makes one of a child that is about to start a program.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent is gone, however it went and even if it went before this call.

    Source: prctl(2), PR_SET_PDEATHSIG; it outlives exec.

    Parameters
    ----------
    parent : process id of the parent, as it knows it itself
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
