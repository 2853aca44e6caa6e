"""Run the LAMMPS deck of this directory with the site's own LAMMPS, piece by piece, and say how the
run ended.

``python -m borarun.engines.lammps.lmp COMMAND ...`` reads ``md.json`` and starts ``COMMAND ... -in
in.lammps``. Started again after any accident, or where the deck's own time limit ended LAMMPS, it
goes on from the newest good restart file, and does again what came after that. Leaves the deck's
files, ``candidates.extxyz`` and, at the very end and whole, how it ended.
"""

from __future__ import annotations

import mmap
import re
import signal
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from borarun.basics.causes import Cause, cause_of_exit
from borarun.basics.errors import EngineError
from borarun.basics.file import replacing
from borarun.basics.job_time import TIME_UP, seconds_left
from borarun.engines.lammps.md_plan import MAX_CANDIDATES, MdPlan
from borarun.engines.lammps.md_restart import RESTART_MARK, frames_of, good_restarts, lines_of
from borarun.engines.lammps.outcome import Outcome
from borarun.records.endings import Ending, is_complete

if TYPE_CHECKING:
    from borarun.records.frames import Frames

# A process of its own for each run: what only a run with candidates needs is imported there, for it
# takes longer than a short run.

EVIDENCE_LINES = 20

RESERVE_S = 5.0
"""What LAMMPS gets to write its files when its time is up."""

NTIMESTEP, UNITS, VERSION = 5, 4, 0
"""Codes of LAMMPS's restart header; source: write_restart.cpp."""


@dataclass(frozen=True)
class Stop:
    """How one start of LAMMPS ended.

    Attributes
    ----------
    stop : ``completed``, ``wall``, ``extrapolation``, ``exploded`` or ``failed``
    reason : the same in LAMMPS's words
    remedy : what the user can do, where it failed
    cause : why it failed
    """

    stop: str
    reason: str = ""
    remedy: str = ""
    cause: Cause = Cause.FAILED


MEANINGS = (
    (
        r"(?:Rank \d+, )?Breaking threshold exceeded|ERROR.*Exceeded Break Threshold",
        "extrapolation",
        "",
        Cause.FAILED,
    ),
    (
        r"ERROR.*(?:Lost atoms|Non-numeric|tilted box too far|Bond atoms? .*missing|Out of "
        r"range atoms|fix-id evaporated)",
        "exploded",
        "",
        Cause.FAILED,
    ),
    (
        r"ERROR.*(?:Unrecognized pair style|Unknown pair style)",
        "failed",
        "This LAMMPS has no moment tensor potentials: build it with MLIP-3's interface "
        "(`flavour: mlip`) or the ML-MTP package (`flavour: mtp`), or leave `flavour: embedded` "
        "in the site file.",
        Cause.BAD_SETUP,
    ),
    (
        r"ERROR.*restart file",
        "failed",
        "The restart file cannot be read by this LAMMPS. Delete the task's directory and "
        "submit again.",
        Cause.FAILED,
    ),
    (r"ERROR", "failed", "Read log.lammps and screen.txt in the task's directory.", Cause.FAILED),
)
"""How a line begins that LAMMPS, MLIP-3 (which ends the process itself, and says so on the screen
alone) or ML-MTP prints, what it means for the run, the way out, and the cause of a failure; the
first that fits counts.
"""

MLIP_PIECES = b" ghost"
"""In the columns of what a rank of many keeps of MLIP-3's neighbourhoods: its own atoms and images
of others, without a cell.
"""


def ending(text: str, last_step: int, steps: int) -> Stop:
    """How LAMMPS ended, from what it printed.

    Parameters
    ----------
    text : log and screen
    last_step : of the deck's last line; -1 where that was not reached
    steps : of the whole run
    """
    if last_step >= steps:
        return Stop("completed")
    for pattern, stop, remedy, cause in MEANINGS:
        if match := re.search(rf"^(?:{pattern}).*$", text, re.MULTILINE):
            return Stop(stop, match.group().strip(), remedy, cause)
    if "Wall time limit reached" in text or last_step >= 0:
        return Stop("wall", "LAMMPS reached its time limit")
    return Stop(
        "failed",
        "LAMMPS ended early and did not say why",
        "Read log.lammps and screen.txt in the task's directory.",
    )


def restart_step(file: Path) -> int:
    """The time step that a restart file was written at."""
    with file.open("rb") as handle:
        handle.seek(
            len(RESTART_MARK) + 1 + 8
        )  # after the mark, its zero byte, the byte order and the format's revision
        while True:
            [code] = struct.unpack("=i", handle.read(4))
            if code == NTIMESTEP:
                return int(struct.unpack("=q", handle.read(8))[0])
            [value] = struct.unpack("=i", handle.read(4))
            if code in (VERSION, UNITS):
                handle.seek(value, 1)


def run(command: list[str], plan: MdPlan) -> tuple[Stop, int]:
    """Start LAMMPS as often as it takes: how it ended, and the last step of which all that was
    asked for is there.
    """
    before, starts_over = -1, 0
    while True:
        restart, begun = newest_restart()
        if seconds_left() < 2 * RESERVE_S:
            sys.exit(TIME_UP)
        starts_over += restart is None
        if begun <= before or starts_over > 1:
            return Stop(
                "failed",
                f"LAMMPS made no progress after step {begun}",
                "Raise max_hours in the site file, or read log.lammps.",
                Cause.NO_PROGRESS,
            ), begun
        before = begun
        if restart is None:
            for name in (
                "dump.lammps",
                "thermo.txt",
                "last.lammps",
                *(file.name for file in Path().glob("preselected*")),
            ):
                Path(name).unlink(missing_ok=True)
        elif (
            restart.name == "restart.a"
        ):  # LAMMPS writes this one first, and the newest must not be the one that it writes over
            restart = restart.replace("restart.b")
        for name in ("log.lammps", "ended.txt"):
            Path(name).unlink(missing_ok=True)
        _keep_preselected()
        begin = ["-var", "begin", f"read_restart {restart}"] if restart else []
        if (left := seconds_left() - RESERVE_S) < float("inf"):
            begin += [
                "-var",
                "limit",
                f"{left // 3600:.0f}:{left // 60 % 60:02.0f}:{left % 60:02.0f}",
            ]
        with Path("screen.txt").open("wb") as screen:
            code = subprocess.run(
                [*command, "-in", "in.lammps", "-log", "log.lammps", *begin],
                stdout=screen,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode
        reached = int(_read("ended.txt").split()[0]) if _read("ended.txt").split() else -1
        said = _read("log.lammps") + _read("screen.txt")
        found = ending(said, reached, plan.steps)
        if found.stop == "failed" and (cause := cause_of_exit(code, said)).may_pass:
            return Stop("failed", f"{found.reason} (exit code {code})", found.remedy, cause), begun
        if (
            found.stop == "failed"
            and restart is not None
            and "Per MPI rank" not in _read("log.lammps")
        ):
            print(f"{restart} is not used: {found.reason}", file=sys.stderr)
            restart.unlink()
            before = -1
        elif found.stop != "wall":
            return found, _last_whole_step(plan, found)


def newest_restart() -> tuple[Path | None, int]:
    """The file to go on from, and its step; 0 where there is none."""
    restart = next(iter(good_restarts()), None)
    return restart, restart_step(restart) if restart else 0


def _keep_preselected() -> None:
    """LAMMPS begins its file anew at every start; MLIP-3 with MPI adds the rank to its name."""
    for file in sorted(Path().glob("preselected.cfg*")):
        file.rename(f"preselected.{len(list(Path().glob('preselected.*.cfg')))}.cfg")


def _last_whole_step(plan: MdPlan, found: Stop) -> int:
    """The last step up to which every frame is there."""
    if found.stop == "completed":
        return plan.steps
    thermo = [
        int(line.split()[0])
        for line in _read("log.lammps").splitlines()
        if re.match(r"\s*\d+\s+[-+.\dneai]+\s", line)
    ]
    last = max(thermo, default=0)
    there = {step for step, _ in frames_of(Path("dump.lammps"))[:-1]} & {
        step for step, _ in lines_of(Path("thermo.txt"))
    }
    wanted = [
        s
        for first, end, every in plan.frames
        if every
        for s in range(-(-first // every) * every, min(end, last) + 1, every)
    ]
    missing = [step for step in wanted if step not in there]
    return min(last, min(missing) - 1) if missing else last


def candidates(explores: bool) -> tuple[Frames, float | None]:
    """The configurations that LAMMPS kept, with their grades, in its own orientation: the highest
    grade, and of many some that lie evenly; and that grade.

    Parameters
    ----------
    explores : whether the run was made for them

    Raises
    ------
    EngineError
        Where it was, and they are no whole configurations.
    """
    from borarun.mtp import cfg
    from borarun.mtp.potential import Potential
    from borarun.records.frames import Frames

    _keep_preselected()
    files = sorted(Path().glob("preselected.*.cfg"), key=lambda file: int(file.name.split(".")[1]))
    found = [place for file in files for place in _places(file)]
    whole = [place for place in found if place.whole]
    if explores and len(whole) < len(found):
        raise EngineError(
            "LAMMPS wrote the neighbourhoods of single ranks, and not whole configurations.",
            remedy="With MLIP-3's interface an exploration run must use one rank: write "
            "{launch} or {cores} in programs.lammps.command.",
            cause=Cause.BAD_SETUP,
        )
    best = max(range(len(whole)), key=lambda index: whole[index].grade, default=0)
    spacing = -(-len(whole) // MAX_CANDIDATES) or 1
    chosen = sorted({best, *range(len(whole) - 1, -1, -spacing)}) if whole else []
    species = Potential.read(Path("potential.mtp").read_text()).species
    return Frames.join(cfg.read(whole[index].text(), species) for index in chosen), max(
        (place.grade for place in found), default=None
    )


@dataclass(frozen=True)
class Place:
    """Where a configuration stands in a file: first byte and the one after the last; its grade;
    whether all of its atoms are there.
    """

    file: Path
    begin: int
    end: int
    grade: float
    whole: bool

    def text(self) -> str:
        """Its lines."""
        with self.file.open("rb") as handle:
            handle.seek(self.begin)
            return handle.read(self.end - self.begin).decode()


def _places(file: Path) -> list[Place]:
    """Every whole configuration of a file; LAMMPS may have been killed within the last."""
    found: list[Place] = []
    if not file.stat().st_size:
        return found
    with file.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as text:
        begin = text.find(b"BEGIN_CFG\n")
        while begin >= 0 and (end := text.find(b"END_CFG\n", begin)) >= 0:
            end += len(b"END_CFG\n")
            noted, columns = text.rfind(b"MV_grade", begin, end), text.find(b"AtomData", begin, end)
            whole = MLIP_PIECES not in text[columns : text.find(b"\n", columns)]
            found.append(Place(file, begin, end, float(text[noted:end].split(None, 2)[1]), whole))
            begin = text.find(b"BEGIN_CFG\n", end)
    return found


def _read(name: str) -> str:
    return Path(name).read_text(errors="replace") if Path(name).exists() else ""


def main() -> None:
    """Run, or go on with, what this directory describes."""
    if is_complete(Path()):
        return
    plan = MdPlan.read(Path())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        found, last = run(sys.argv[1:], plan)
    finally:
        with replacing(Path("progress")) as file:  # what a job to come can go on from
            file.write(f"{newest_restart()[1] / max(plan.steps, 1):.4f}\n".encode())
    kept: Frames | tuple[()] = ()
    grade_max = None
    try:
        if plan.grade and found.stop != "failed":
            kept, grade_max = candidates(explores=not any(every for *_, every in plan.frames))
    except EngineError as error:
        found = Stop("failed", str(error), error.remedy, error.cause)
    if found.stop == "failed":
        lines = _read("screen.txt").splitlines() or _read("log.lammps").splitlines()
        evidence = "\n".join(lines[-EVIDENCE_LINES:])
        ending = Ending(
            cause=found.cause,
            message=f"LAMMPS: {found.reason}",
            remedy=found.remedy,
            evidence=evidence,
        )
    else:
        with replacing(Path("candidates.extxyz")) as file:
            file.write(kept.to_extxyz().encode() if kept else b"")
        outcome = Outcome.model_validate(
            {
                "stop": found.stop,
                "reason": found.reason,
                "last_step": last,
                "n_candidates": len(kept),
                "grade_max": grade_max,
            }
        )
        ending = Ending(result=outcome.model_dump(mode="json", exclude_none=True))
    ending.write(Path())


if __name__ == "__main__":
    main()
