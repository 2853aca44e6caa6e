"""Processes that end with the one that started them.

``python -m borarun.tether COMMAND ...`` is such a process; ``end_with_parent`` makes one of a child that is about to start a program.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent is gone, however it went.

    Source: prctl(2), PR_SET_PDEATHSIG; it outlives exec.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    end_with_parent()
    os.execvp(sys.argv[1], sys.argv[1:])
