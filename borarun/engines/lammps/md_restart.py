"""What an interrupted run left: restart files that are whole, and the other files cut back to their
step.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from borarun.basics.file import replacing
from borarun.engines.lammps import md_frames

RESTART_MARK = b"LammpS RestartT"
"""A restart file begins with it, and ends with it when it is whole."""

DUMP_FRAME = b"ITEM: TIMESTEP\n"


def good_restarts() -> list[Path]:
    """Whole restart files, newest first."""
    found = [file for file in (Path("restart.a"), Path("restart.b")) if file.exists()]
    return [
        file for file in sorted(found, key=lambda file: -file.stat().st_mtime_ns) if _whole(file)
    ]


def _whole(file: Path) -> bool:
    content = file.read_bytes()
    return content.startswith(RESTART_MARK) and content[-2 * len(RESTART_MARK) :].rstrip(
        b"\0"
    ).endswith(RESTART_MARK)


def cut_files(sampling: list[list[int]], n_atoms: int, every: int, step: int) -> bool:
    """Cut what an interrupted run wrote back to a step; whether all that should be there by then is
    there.

    Parameters
    ----------
    sampling : (first step, last step, steps between frames) of each segment
    n_atoms : N
    every : steps between two looks
    step : where the run goes on
    """
    begun = [
        (first, min(last, step), each) for first, last, each in sampling if each and first < step
    ]
    frames = {
        s for first, last, each in begun for s in range(-(-first // each) * each, last + 1, each)
    }
    looks = set(range(0, step + 1, every))
    kept = md_frames.cut(Path(md_frames.NAME), n_atoms, step)
    printed, looked = (_cut_table(Path(name), step) for name in ("thermo.txt", "watch.txt"))
    return frames <= kept and frames <= printed and looks <= looked


def frames_of(file: Path) -> list[tuple[int, int]]:
    """(step, byte) of every frame of a text dump that begins whole, in their order; the last may be
    cut short.
    """
    if not file.exists() or not file.stat().st_size:
        return []
    found = []
    with file.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as text:
        at = text.find(DUMP_FRAME)
        while at >= 0:
            line, end, _ = text[at + len(DUMP_FRAME) : at + len(DUMP_FRAME) + 24].partition(b"\n")
            if not (end and line.isdigit()):
                break
            found.append((int(line), at))
            at = text.find(DUMP_FRAME, at + 1)
    return found


def lines_of(file: Path) -> list[tuple[int, str]]:
    """(step, line) of every whole line of a table."""
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [
        (int(line.split(" ")[0]), line)
        for line in lines
        if line.endswith("\n") and line[0].isdigit()
    ]


def _cut_table(file: Path, step: int) -> set[int]:
    """Drop lines after a step and a half-written one; the steps that are left."""
    kept = [(found, line) for found, line in lines_of(file) if found <= step]
    with replacing(file) as handle:
        handle.write("".join(line for _, line in kept).encode())
    return {found for found, _ in kept}
