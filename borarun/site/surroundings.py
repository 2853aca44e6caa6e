"""The environment in which a program of a site starts."""

from __future__ import annotations

import os
import subprocess
from typing import IO

from borarun.engines.base import Program

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def surroundings(program: Program, told: IO[bytes] | int = subprocess.DEVNULL) -> dict[str, str]:
    """What this process has, as ``init`` of the program's section changes it, with its threads and
    its variables.

    Parameters
    ----------
    told : takes what ``init`` prints
    """
    found = dict(os.environ)
    if program.init:
        done = subprocess.run(
            ["bash", "-c", f"{{ {program.init}\n}} >&2\nenv -0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=told,
            check=False,
        )
        # Where it ends the shell there is nothing: the program is then not found, and `told` says
        # why.
        found = (
            dict(
                line.split("=", 1)
                for line in done.stdout.decode(errors="surrogateescape").split("\0")
                if "=" in line
            )
            or found
        )
    return found | dict.fromkeys(THREADS, str(program.threads)) | program.environment
