"""Run the LAMMPS deck of this directory with the study's potential behind ``fix external``, and
watch over it.

``python -m borarun.engines.lammps.md [--cores N]`` reads ``in.lammps``, ``data.lammps``,
``potential.mtp``, ``md.json`` and, where grades are watched, ``active_set.npy``. Leaves the deck's
own files (``thermo.txt``, ``log.lammps``, ``restart.a``, ``restart.b``), ``frames.bin``,
``watch.txt``, ``candidates.extxyz``, ``progress`` and, at the very end and whole, how it ended.
Started again after any accident it goes on from the newest good restart file. The run is bit for
bit the same on any number of cores.

A person who has a LAMMPS with moment tensor potentials needs none of this: ``lmp -in in.lammps``
after changing the interaction.
"""

from __future__ import annotations

import os
import sys

os.environ |= {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "NUMBA_NUM_THREADS": sys.argv[2] if sys.argv[1:2] == ["--cores"] else "1",
    # Threads that wait for the next loop look for it some microseconds long: that begins a loop ten
    # times as fast as waking them, and takes hardly any time from what else runs here.
    "GOMP_SPINCOUNT": "3000",
}  # before NumPy loads

import signal
from pathlib import Path
from typing import Any

from borarun.basics.job_time import TIME_UP
from borarun.engines.lammps import md_frames
from borarun.engines.lammps.md_frames import Frames
from borarun.engines.lammps.md_link import Link, start_lammps
from borarun.engines.lammps.md_plan import MdPlan
from borarun.engines.lammps.md_restart import cut_files, good_restarts
from borarun.engines.lammps.md_watch import Candidates, MdWatch
from borarun.engines.lammps.outcome import Outcome
from borarun.engines.potential.form import form
from borarun.records.endings import Ending, is_complete

INTERACTION = "fix_modify mtp energy yes virial yes\n"
"""Line of the deck after which ``fix external`` exists and before which nothing runs."""

SIGTERM_EXIT = 128 + signal.SIGTERM


def run(plan: MdPlan, restart: Path | None) -> int | None:
    """Run the deck from a restart file or from its start: the exit code, or None where the restart
    file is no good.
    """
    before, line, after = Path("in.lammps").read_text().partition(INTERACTION)
    lmp = start_lammps(restart)
    try:
        lmp.commands_string(before + line)
    except Exception as error:
        if restart:
            _pass_over(lmp, restart, str(error))
            return None
        raise
    first = int(lmp.extract_global("ntimestep")) if restart else 0
    if not restart:
        for name in (md_frames.NAME, "thermo.txt", "watch.txt", "candidates.extxyz"):
            Path(name).unlink(missing_ok=True)
    elif not cut_files(plan.frames, len(plan.numbers), plan.every, first):
        _pass_over(lmp, restart, "frames or lines of earlier steps are missing")
        return None
    elif (
        restart.name == "restart.a"
    ):  # LAMMPS writes this one first, and the newest must not be the one that it writes over
        restart.replace("restart.b")
    cores = int(os.environ["NUMBA_NUM_THREADS"])
    evaluator = form(plan.potential).evaluator(Path(), plan.numbers, plan.grade is not None, cores)
    candidates = Candidates(Path("candidates.extxyz"))
    candidates.load(first if restart else -1, len(plan.numbers))
    link = Link(lmp)
    frames = Frames(Path(md_frames.NAME), len(plan.numbers), plan.rotation, plan.frames)
    watch = MdWatch(link, plan, evaluator, candidates, frames, first)
    signal.signal(signal.SIGTERM, lambda *_: setattr(watch, "terminated", True))
    link.listen(watch)
    try:
        lmp.commands_string(after)
    except Exception as error:
        if not any(
            words in str(error) for words in ("Non-numeric", "Lost atoms", "tilted box too far")
        ):
            raise
        watch.stop, watch.reason = "exploded", f"LAMMPS: {error}"
    if watch.error:
        raise watch.error
    watch.close()
    if watch.stop == "exploded" and watch.last is None and restart:
        _pass_over(lmp, restart, watch.reason)
        return None
    if (
        not watch.stop and lmp.extract_global("ntimestep") < plan.steps
    ):  # it goes on from the last restart file: only there it is the same run
        return SIGTERM_EXIT if watch.terminated else TIME_UP
    _finish(link, watch)
    return 0


def _pass_over(lmp: Any, restart: Path, why: str) -> None:
    lmp.close()
    print(f"{restart} is not used: {why}", file=sys.stderr)


def _finish(link: Link, watch: MdWatch) -> None:
    """Say how it ended: the run is over from here on."""
    # Without any good configuration, it is still the first one that the run started from.
    last_step, positions, cell = watch.last or (-1, link.positions(), link.cell())
    outcome = Outcome(
        stop=watch.stop or "completed",
        reason=watch.reason,
        last_step=last_step,
        n_candidates=len(watch.candidates.kept),
        positions=positions.tolist(),
        cell=cell.tolist(),
    )
    link.lmp.close()  # its log ends here, before the sign that all is done
    Path("progress").write_text("1.0\n")
    Ending(result=outcome.model_dump(mode="json", exclude_none=True)).write(Path())


def main() -> int:
    """Run, or go on with, what this directory describes."""
    if is_complete(Path()):
        return 0
    plan = MdPlan.read(Path())
    for restart in good_restarts():
        code = run(plan, restart)
        if code is not None:
            return code
    code = run(plan, None)
    assert code is not None
    return code


if __name__ == "__main__":
    sys.exit(main())
