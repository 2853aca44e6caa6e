"""One run of molecular dynamics on one core and on two, and a model of more.

Runs the embedded engine on one core and on two in turns, each in a process of its own: wall time,
so the machine should be idle.

    python benchmarks/cores.py [--levels 12 16] [--repeats 2 3]

writes ``benchmarks/results/cores.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import step

from borarun.basics.file import write_files
from borarun.mtp.parts import MAX_PARTS

RESULTS = Path(__file__).parent / "results" / "cores.md"
MODELLED = (16, 64)

TEXT = """\
# One run on several cores

`python benchmarks/cores.py`

Machine: {machine}, {n_cores} cores, {state}; {versions}.

LAMMPS whole with the embedded engine, NPT at 600 K, 0.5 fs, a frame every 20 fs: milliseconds a
step of wall time, the runs on one and on two cores in turns, the lowest of {pairs}. *efficiency*:
one core's time over twice that of two; the goal was 0.85.

| level | atoms | one core | two cores | times as fast | efficiency |
|---|---|---|---|---|---|
{rows}

A model of more cores, not a measurement: {n_cores} are all that was there. *serial*: the part of a
step that by Amdahl's law explains what two cores gain; it has LAMMPS itself, the calls through
Python, checks, and threads that wait for each other. The rest is divided by the cores, in {parts}
parts at most; that many threads wait no longer is assumed. Times as fast as one core:

| level | atoms | serial | {modelled} |
|---|---|---|{dashes}|
{models}
"""


def step_ms(files: dict[str, Any], cores: int) -> float:
    """Wall time of a step, ms, by LAMMPS's own clock, which starts after the start."""
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), files)
        subprocess.run(
            [sys.executable, "-m", "borarun.engines.lammps.md", "--cores", str(cores)],
            cwd=folder,
            check=True,
        )
        loops = re.findall(
            r"^Loop time of (\S+) on .* for (\d+) steps", (Path(folder) / "log.lammps").read_text(),
            re.MULTILINE,
        )  # fmt: skip
    seconds, steps = (sum(float(loop[k]) for loop in loops) for k in (0, 1))
    return seconds / steps * 1e3


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--levels", type=int, nargs="+", default=[12, 16])
    parser.add_argument("--repeats", type=int, nargs="+", default=[2, 3])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--state", default="idle", help="of the machine, for the page")
    arguments = parser.parse_args()
    rows, models = [], []
    for level in arguments.levels:
        text = step.potential_of(level)
        for repeat in arguments.repeats:
            n_atoms = 104 * repeat**3
            run = step.rendered(text, repeat, {2: 300, 3: 100}[repeat])
            taken: dict[int, list[float]] = {1: [], 2: []}
            for _ in range(arguments.pairs):
                for cores in (1, 2):
                    taken[cores].append(step_ms(run, cores))
            one, two = min(taken[1]), min(taken[2])
            rows.append(
                f"| {level} | {n_atoms} | {one:.2f} | {two:.2f} | {one / two:.2f} | "
                f"{one / two / 2:.2f} |"
            )
            serial = max(2.0 * two / one - 1.0, 0.0)
            largest = [-(-MAX_PARTS // cores) / MAX_PARTS for cores in MODELLED]
            gains = [1.0 / (serial + (1.0 - serial) * part) for part in largest]
            models.append(
                f"| {level} | {n_atoms} | {serial:.0%} | "
                + " | ".join(f"{gain:.0f}" for gain in gains)
                + " |"
            )
            print(rows[-1], models[-1], flush=True)
    cpu_name = Path("/proc/cpuinfo").read_text().partition("model name")[2].split(":")[1]
    RESULTS.write_text(
        TEXT.format(
            machine=cpu_name.split("\n")[0].strip(),
            n_cores=os.cpu_count(),
            state=arguments.state,
            versions=f"Python {platform.python_version()}, LAMMPS {metadata.version('lammps')}, "
            f"numba {metadata.version('numba')}",
            pairs=arguments.pairs,
            rows="\n".join(rows),
            parts=MAX_PARTS,
            modelled=" | ".join(f"{cores} cores" for cores in MODELLED),
            dashes="|".join("---" for _ in MODELLED),
            models="\n".join(models),
        )
    )


if __name__ == "__main__":
    main()
