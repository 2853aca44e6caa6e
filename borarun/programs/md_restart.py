"""What an interrupted run left: restart files that are whole, and the other files cut back to their step."""

from __future__ import annotations

import mmap
from pathlib import Path

RESTART_MARK = b"LammpS RestartT"
"""A restart file begins with it, and ends with it when it is whole."""

DUMP_FRAME = b"ITEM: TIMESTEP\n"


def replace(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    new = file.with_name(file.name + ".new")
    new.write_text(text)
    new.replace(file)


def good_restarts() -> list[Path]:
    """Whole restart files, newest first."""
    found = [file for file in (Path("restart.a"), Path("restart.b")) if file.exists()]
    return [file for file in sorted(found, key=lambda file: -file.stat().st_mtime_ns) if _whole(file)]


def _whole(file: Path) -> bool:
    content = file.read_bytes()
    return content.startswith(RESTART_MARK) and content[-2 * len(RESTART_MARK) :].rstrip(b"\0").endswith(RESTART_MARK)


def cut_files(sampling: list[list[int]], every: int, step: int) -> bool:
    """Cut what an interrupted run wrote back to a step; whether all that should be there by then is there.

    Parameters
    ----------
    sampling : (first step, last step, steps between frames) of each segment
    every : steps between two looks
    step : where the run goes on
    """
    begun = [(first, min(last, step), each) for first, last, each in sampling if each and first < step]
    frames = {s for first, last, each in begun for s in range(-(-first // each) * each, last + 1, each)}
    looks = set(range(0, step + 1, every))
    dumped = _cut_dump(Path("dump.lammps"), step)
    printed, looked = (_cut_table(Path(name), step) for name in ("thermo.txt", "watch.txt"))
    return frames <= dumped and frames <= printed and looks <= looked


def _cut_dump(file: Path, step: int) -> set[int]:
    """Drop frames after a step; the steps that are left."""
    if not file.exists() or not file.stat().st_size:
        return set()
    seen: set[int] = set()
    with file.open("rb+") as handle:
        with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as text:
            at = text.find(DUMP_FRAME)
            while at >= 0:
                line = text[at + len(DUMP_FRAME) : at + len(DUMP_FRAME) + 24].split(b"\n")[0]
                if not line.isdigit() or int(line) > step:
                    break
                seen.add(int(line))
                at = text.find(DUMP_FRAME, at + 1)
        if at >= 0:
            handle.truncate(at)
    return seen


def _cut_table(file: Path, step: int) -> set[int]:
    """Drop lines after a step and a half-written one; the steps that are left."""
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    steps = [int(line.split(" ")[0]) if line.endswith("\n") and line[0].isdigit() else step + 1 for line in lines]
    replace(file, "".join(line for line, found in zip(lines, steps, strict=True) if found <= step))
    return {found for found in steps if found <= step}
