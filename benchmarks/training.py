"""CPU time and held-out error of a whole training task, against an earlier commit.

Runs the training program, as a study does, in this tree and in another one, each in a process of
its own on one core, on the labels that borarun's own potentials were trained on: from nothing
(``cold``), and from a potential that was trained on all but ten of the configurations (``warm``, a
round of active learning). All of the task counts: reading, neighbours, brief starts, fit, active
set.

    git worktree add --detach OTHER COMMIT
    python benchmarks/training.py OTHER --level 12 [--every 1] [--pairs 1] [--cases cold]

adds rows to ``benchmarks/results/training.md``.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import platform
import resource
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from borarun.records import endings
from borarun.records.frames import Frames

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "training.md"
LABELS = HERE.parent / "studies" / "bundled-reference-PBE-D3.extxyz.xz"
N_HELD_OUT, N_NEW = 19, 10
PROGRAM = """\
import importlib.util, runpy
names = ("borarun.engines.borarun_mtp.fit", "borarun.programs.fit")
for name in names:
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        found = None
    if found:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
        break
"""
HEAD = """\
# Training: this commit against an earlier one

Machine: {machine}; {versions}; shared with other work, so that seconds vary and ratios count.

Whole tasks on one core, CPU seconds of all their processes; compiled code is cached. Labels:
`studies/{labels}`, the last 19 held out. Errors are those of the held-out configurations: energy in
meV/atom, forces in eV/A, stress in kbar. *evaluations*: of the derivatives of the whole set, before
and now. OTHER was commit ee26cb9.

| command | case | configurations | before, CPU s | now, CPU s | before / now | before: energy, forces, stress | now | evaluations |
|---|---|---|---|---|---|---|---|---|
"""  # noqa: E501


def run(tree: Path, job: dict[str, Any], train: Frames, valid: Frames, start: str) -> Any:
    """CPU seconds, what the task says of itself, its potential."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "job.json").write_text(json.dumps(job))
        (folder / "train.extxyz").write_text(train.to_extxyz())
        (folder / "valid.extxyz").write_text(valid.to_extxyz())
        if start:
            (folder / "start.mtp").write_text(start)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-c", PROGRAM], cwd=folder, check=True,
            env={**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            told(folder),
            (folder / "potential.mtp").read_text(),
        )


def told(folder: Path) -> Any:
    """What a training says of itself, also one of a commit from before there were endings."""
    before = folder / "result.json"
    return json.loads(before.read_text()) if before.exists() else endings.ending_of(folder).result


def main() -> None:
    """Run pairs of tasks, one after the other, and add their rows."""
    parser = argparse.ArgumentParser(description="Compare training tasks of two commits.")
    parser.add_argument("other", type=Path)
    parser.add_argument("--level", type=int, default=12)
    parser.add_argument("--radial-basis-size", type=int, default=8)
    parser.add_argument("--every", type=int, default=1, help="take every n-th configuration")
    parser.add_argument("--evaluations", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--cases", nargs="+", default=["cold", "warm"])
    options = parser.parse_args()
    frames = Frames.from_extxyz(lzma.decompress(LABELS.read_bytes()).decode())
    n = len(frames) - N_HELD_OUT
    train = frames.take(range(0, n, options.every))
    valid = frames.take(range(n, len(frames)))
    job = {
        "operation": "train", "level": options.level, "cutoff_A": 5.0,
        "radial_basis_size": options.radial_basis_size, "energy_weight": 2.0,
        "force_weight": 0.01, "stress_weight": 0.02, "seed": 1, "starts": 4,
        "max_evaluations": options.evaluations,
    }  # fmt: skip
    here = HERE.parent
    tiny = {**job, "level": 6, "max_evaluations": 1, "starts": 2}
    for tree in (options.other, here):
        run(tree, tiny, train.take([0, 1]), valid.take([0]), "")  # compiles
    if not RESULTS.exists():
        cpu = next(
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        )
        RESULTS.write_text(
            HEAD.format(
                machine=f"{cpu}, {os.cpu_count()} cores",
                labels=LABELS.name,
                versions=f"Python {platform.python_version()}, numba {metadata.version('numba')}",
            )
        )
    start = ""
    for case in options.cases:
        new = (
            np.linspace(0, len(train) - 1, N_NEW).round().astype(int)
            if case == "warm"
            else np.arange(0)
        )
        if case == "warm":
            old = train.take(np.setdiff1d(np.arange(len(train)), new))
            start = run(here, job, old, valid, "")[2]
        for _ in range(options.pairs):
            (t_0, said_0, _), (t_1, said_1, _) = (
                run(tree, job, train, valid, start) for tree in (options.other, here)
            )
            errors = [
                ", ".join(f"{value:.3g}" for value in said["errors"]["valid"].values())
                for said in (said_0, said_1)
            ]
            row = (
                f"| `training.py OTHER {' '.join(sys.argv[2:])}` | {case} | {len(train)} | "
                f"{t_0:.0f} | {t_1:.0f} | {t_0 / t_1:.1f} | {errors[0]} | {errors[1]} | "
                f"{said_0['evaluations']}, {said_1['evaluations']} |"
            )
            print(row, flush=True)
            with RESULTS.open("a") as file:
                file.write(row + "\n")


if __name__ == "__main__":
    main()
