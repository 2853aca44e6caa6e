"""What the report of a large run needs: memory, CPU time, and how often it reads the data.

A run of 2808 atoms and 20,000 frames (216 Li that vibrate and hop between tetrahedral sites, 108
anions that tumble, a cell that breathes; 50 fs apart, 1 ns) is put into a store as a task would
leave it. A process of its own then collects its results and writes the report, and says how large
it ever was (``getrusage``) and how much it read, against reading all positions once.

    python benchmarks/large_report.py [--frames 20000]

writes ``benchmarks/results/large_report.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from borarun.records.attributes import Provenance
from borarun.subjects.diffusion.results import DiffusionFound
from borarun.subjects.reorientation.results import ReorientationFound

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "large_report.md"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
REPEAT, EDGE_A, INTERVAL_FS = 3, 9.58, 50
HOP_EVERY_FS, MEMORY_GOAL_MB = 20_000, 2000


def task() -> Any:
    """The run's task: one of the study, as far as the report asks."""
    from borarun.engines.lammps.deck import Grade, Segment, Settings
    from borarun.records.task import Task
    from borarun.subjects.diffusion.stage import DiffusionRun

    produce = Segment(name="produce", time_ps=1000.0, from_K=700.0, to_K=700.0)
    grade = Grade(every=10, threshold_save=2.1, threshold_break=11.0)
    settings = Settings(segments=(produce,), timestep_fs=1.0, grade=grade).model_dump(mode="json")
    about = DiffusionRun(functional="rev-vdW-DF2", temperature_K=700.0, vacancies=0, run=0)
    return Task("lammps", settings, {}, "1", "diffusion", "rev-vdW-DF2, 700 K", about)


def build(root: Path, n_frames: int) -> None:
    """Make the run and store it."""
    import numpy as np
    from scipy.spatial.transform import Rotation

    from borarun.records.frames import Frames
    from borarun.records.operations.base import quantities
    from borarun.records.operations.dynamics import MolecularDynamics
    from borarun.records.store import Store
    from borarun.records.task import Result

    rng = np.random.default_rng(1)
    golden = (1 + 5**0.5) / 2
    corners = np.array(
        [np.roll((0.0, a, b * golden), k) for k in range(3) for a in (-1, 1) for b in (-1, 1)]
    ) / np.sqrt(1 + golden**2)
    cage = np.concatenate([1.70 * corners, 2.90 * corners])
    scale = (1 + 0.002 * rng.normal(size=n_frames)).astype(np.float32)
    places, numbers, moving = [], [], []
    for shift in np.ndindex(
        REPEAT, REPEAT, REPEAT
    ):  # unit cell by unit cell, as ASE repeats one: Li, then each anion
        for site in np.ndindex(2, 2, 2):
            hops = rng.random((3, n_frames)) < INTERVAL_FS / HOP_EVERY_FS
            steps = np.cumsum(hops * rng.choice((-1, 1), (3, n_frames)), axis=1)
            places.append(
                (EDGE_A * (0.25 + 0.5 * np.array(site) + shift))[:, None]
                + EDGE_A / 2 * steps
                + rng.normal(0, 0.15, (3, n_frames))
            )
        numbers += [3] * 8
        for corner in ((0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)):
            turn = Rotation.from_rotvec(
                np.cumsum(rng.normal(0, 0.05, (n_frames, 3)), axis=0)
            ).as_matrix()
            atoms = (
                np.einsum("fij,kj->kif", turn, cage)
                + (EDGE_A * (np.array(corner) + shift))[:, None]
                + rng.normal(0, 0.03, (24, 3, n_frames))
            )
            moving.append(atoms.astype(np.float32))
            numbers += [5] * 12 + [1] * 12
        places += [atom for anion in moving for atom in anion]
        moving.clear()
    positions = np.empty((len(places), 3, n_frames), np.float32)
    for atom in range(len(places)):
        positions[atom] = places[atom] * scale
        places[atom] = np.zeros(0)
    cell = (REPEAT * EDGE_A * np.eye(3))[None] * scale.astype(float)[:, None, None]
    step = INTERVAL_FS * np.arange(n_frames)
    facts = MolecularDynamics(
        stop="completed",
        reason="",
        steps=int(step[-1]),
        time_fs=float(step[-1]),
        n_frames=n_frames,
        n_candidates=0,
        n_torn=0,
        grade_max=1.5,
        min_distance_A=1.1,
        segments=("produce",),
    )
    arrays = {
        MolecularDynamics.STEP: step,
        MolecularDynamics.SEGMENT: np.zeros(n_frames, np.int32),
        MolecularDynamics.CELL: cell,
        MolecularDynamics.POSITIONS: positions,
        MolecularDynamics.NUMBERS: np.array(numbers, np.int32),
        MolecularDynamics.TEMPERATURE: np.full(n_frames, 700.0),
        MolecularDynamics.POTENTIAL_ENERGY: np.zeros(n_frames),
        MolecularDynamics.PRESSURE: np.zeros(n_frames),
        MolecularDynamics.VOLUME: np.linalg.det(cell),
        MolecularDynamics.GRADE_STEP: step,
        MolecularDynamics.GRADE_VALUE: np.full(n_frames, 1.5),
    }
    none = Frames.of([])
    frames = {MolecularDynamics.CANDIDATES: none, MolecularDynamics.LAST: none}
    result = Result(facts, arrays=quantities(arrays), frames=frames)
    Store(root).write(task(), result, Provenance(borarun="0"))


def bytes_read() -> int:
    """What this process asked files for by now, B."""
    return int(Path("/proc/self/io").read_text().split()[1])


def measure(root: Path) -> dict[str, float]:
    """Collect and write the report; what that took."""
    from borarun.page import collect, write_report
    from borarun.records.store import Store
    from borarun.study import load_study

    study = load_study(ROOT / "studies" / "li2b12h12.yaml")
    store, begun, read = Store(root), time.process_time(), bytes_read()
    before_MB = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    results = collect(study, [task()], store)
    assert (
        results.of(DiffusionFound).transport
        and results.of(ReorientationFound).rotation
        and results.of(DiffusionFound).local
        and results.checks[0].intact
    ), results.gaps
    collected = {
        "collect_s": time.process_time() - begun,
        "peak_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "read_B": bytes_read() - read,
    }
    begun = time.process_time()
    write_report(results, root / "report")
    written = {
        "write_s": time.process_time() - begun,
        "report_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    read = bytes_read()
    store.array(task().key, "positions")
    return {**collected, **written, "before_MB": before_MB, "once_B": bytes_read() - read}


def main() -> None:
    """Build, measure and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=20_000, help="frames of the run")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the table")
    parser.add_argument(
        "--store",
        type=Path,
        help="directory of the store; kept, and used again where it has the run",
    )
    parser.add_argument("--part", choices=("build", "measure"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part == "build":
        build(options.store, options.frames)
        return
    if options.part == "measure":
        print(json.dumps(measure(options.store)))
        return
    with tempfile.TemporaryDirectory() as folder:
        root = options.store or Path(folder)
        again = [
            sys.executable,
            __file__,
            "--frames",
            str(options.frames),
            "--store",
            str(root),
            "--part",
        ]
        environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
        key = task().key
        if not (root / f"{key}.zarr.zip").exists():
            subprocess.run([*again, "build"], check=True, env=environment)
        found = json.loads(
            subprocess.run(
                [*again, "measure"], check=True, env=environment, capture_output=True, text=True
            ).stdout.splitlines()[-1]
        )
        record_MB = (root / f"{key}.zarr.zip").stat().st_size / 1e6
    raw_MB = 4 * 3 * 2808 * options.frames / 1e6
    lines = [
        "# Memory of the report of a large run",
        "",
        f"`python benchmarks/large_report.py`: 2808 atoms x {options.frames:,} frames, "
        f"{raw_MB:.0f} MB of positions, in a record",
        f"of {record_MB:.0f} MB; one thread. Python {platform.python_version()} on "
        f"{platform.machine()}, {os.cpu_count()} cores, shared with other work.",
        "",
        "| | measured | goal |",
        "|---|---|---|",
        f"| memory, peak of collecting the results, MB | {found['peak_MB']:.0f} | |",
        f"| memory, peak of the whole report, MB | {found['report_MB']:.0f} | {MEMORY_GOAL_MB} |",
        f"| of it, the program before it reads anything, MB | {found['before_MB']:.0f} | |",
        "| read from files, over what reading all positions once takes | "
        f"{found['read_B'] / found['once_B']:.2f} | 1 |",
        f"| CPU time to collect, s | {found['collect_s']:.0f} | |",
        f"| CPU time of figures and page, s | {found['write_s']:.0f} | |",
    ]
    options.output.write_text("\n".join(lines) + "\n")
    print(options.output.read_text())


if __name__ == "__main__":
    main()
