"""How small a stored trajectory is against LAMMPS's text dump, and how fast the ions' part of it is
read.

Runs NPT dynamics of Li2B12H12 through ``borarun.engines.lammps`` and stores the frames as a task
would. The text is what LAMMPS writes for ``dump custom id type xu yu zu`` in its default format.
Reading is timed on a longer, larger trajectory made of the same motion (repeated in space and time,
each atom shifted in both), against zarr's own default layout with one frame a chunk. Times are CPU
times, taken in turn.

    python benchmarks/store_size.py

writes ``benchmarks/results/store_size.md``.
"""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import zarr
from numpy.typing import NDArray

from borarun.basics.file import write_files
from borarun.engines.lammps import engine as lammps
from borarun.records.attributes import Provenance
from borarun.records.frames import Frames
from borarun.records.operations.base import Facts, quantities
from borarun.records.operations.dynamics import MolecularDynamics
from borarun.records.store import RESOLUTION_A, Store
from borarun.records.task import Result, Task
from borarun.structures.files import read_structure

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "store_size.md"
EVERY_FS, PICOSECONDS, KELVIN = 5, 5.0, 600
REPEAT, LOOPS = 3, 4
"""How often the trajectory is repeated along each cell vector, and in time, for the reading test.
"""

Array = NDArray[np.float32]


def simulate() -> Result:
    """Frames of one NPT run, as the engine parses them."""
    structure = Frames.of(
        [read_structure(ROOT / "studies" / "structures" / "Li2B12H12-Pa-3.cif")]
    ).to_extxyz()
    settings = lammps.Settings(
        cell={"text": structure},
        timestep_fs=1.0,
        segments=[
            {"name": "heat", "time_ps": 0.5, "from_K": KELVIN, "to_K": KELVIN},
            {
                "name": "hold",
                "time_ps": PICOSECONDS,
                "from_K": KELVIN,
                "to_K": KELVIN,
                "sample_every_fs": EVERY_FS,
            },
        ],
    )
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        inputs = {"potential": (ROOT / "tests" / "data" / "li2b12h12_level8.mtp").read_text()}
        write_files(directory, lammps.render(settings, inputs, lammps.Program()))
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(
            lammps.command(settings, 1, lammps.Program()),
            cwd=directory,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return lammps.parse(settings, directory)


def text_bytes(positions: Array, numbers: NDArray[np.int32], cell: NDArray[np.float64]) -> int:
    """Size of the dump as text, B."""
    size = 0
    kinds = np.unique(numbers, return_inverse=True)[1] + 1
    for frame in range(positions.shape[2]):
        box = "".join(f"0.0000000000000000e+00 {length:.16e}\n" for length in np.diag(cell[frame]))
        lines = [
            f"{atom + 1} {kinds[atom]} {x:g} {y:g} {z:g} \n"
            for atom, (x, y, z) in enumerate(positions[:, :, frame].tolist())
        ]
        head = (
            f"ITEM: TIMESTEP\n{frame}\nITEM: NUMBER OF ATOMS\n{len(lines)}\nITEM: BOX BOUNDS pp "
            f"pp pp\n{box}"
        )
        size += len(head) + len("ITEM: ATOMS id type xu yu zu \n") + sum(map(len, lines))
    return size


class Positions(Facts):
    """A record of positions alone."""

    POSITIONS = MolecularDynamics.POSITIONS


class Run(Positions):
    """A record of positions, cells and atomic numbers."""

    CELL, NUMBERS = MolecularDynamics.CELL, MolecularDynamics.NUMBERS


def stored(root: Path, every: int, result: Result) -> tuple[int, float, float]:
    """Bytes of the record of every so many frames, those of the text, and the largest error in
    angstrom.
    """
    positions = result.arrays["positions"].values[:, :, ::every]
    cell, numbers = result.arrays["cell"].values[::every], result.arrays["numbers"].values
    arrays = quantities({Run.POSITIONS: positions, Run.CELL: cell, Run.NUMBERS: numbers})
    task = Task("lammps", {"every": every})
    store = Store(root)
    store.write(task, Result(Run(), arrays=arrays), Provenance())
    error = float(np.abs(store.array(task.key, "positions") - positions).max())
    return (
        (root / f"{task.key}.zarr.zip").stat().st_size,
        text_bytes(positions, numbers, cell),
        error,
    )


def cpu_seconds(job: Callable[[], object]) -> float:
    """CPU time of a call, s."""
    begin = time.process_time()
    job()
    return time.process_time() - begin


def reading(root: Path, result: Result) -> list[str]:
    """Rows of the table of reading times."""
    positions = np.tile(result.arrays["positions"].values, (REPEAT**3, 1, LOOPS))
    rng = np.random.default_rng(1)
    for (
        atom
    ) in positions:  # copies that move at another time and place, so that no codec finds them out
        atom[:] = np.roll(atom, rng.integers(atom.shape[1]), axis=1) + rng.uniform(0, 20, (3, 1))
    numbers = np.tile(result.arrays["numbers"].values, REPEAT**3)
    ions = np.flatnonzero(numbers == 3)
    task, store = Task("lammps", {}), Store(root)
    store.write(
        task, Result(Positions(), arrays=quantities({Run.POSITIONS: positions})), Provenance()
    )
    by_frame = np.ascontiguousarray(np.moveaxis(positions, 2, 0))
    plain = zarr.create_array(root / "plain.zarr", data=by_frame, chunks=(1, *by_frame.shape[1:]))
    jobs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "Li atoms": (
            lambda: store.array(task.key, "positions", ions),
            lambda: np.moveaxis(plain.oindex[:, ions], 0, 2),
        ),
        "all atoms": (
            lambda: store.array(task.key, "positions"),
            lambda: np.moveaxis(plain[...], 0, 2),
        ),
    }
    rows = []
    for name, (ours, theirs) in jobs.items():
        pairs = [(cpu_seconds(ours), cpu_seconds(theirs)) for _ in range(5)]
        mine, other = (median(times) for times in zip(*pairs, strict=True))
        rows.append(f"| {name} | {mine:.2f} | {other:.2f} | {other / mine:.1f} |")
    files = [path for path in (root / "plain.zarr").rglob("*") if path.is_file()]
    mine, other = (
        (root / f"{task.key}.zarr.zip").stat().st_size / 1e6,
        sum(path.stat().st_size for path in files) / 1e6,
    )
    rows.append(f"| size, MB | {mine:.1f} | {other:.1f} | {other / mine:.1f} |")
    rows.append(f"| files | 1 | {len(files)} | {len(files)} |")
    return [f"{len(numbers)} atoms, {positions.shape[2]} frames", *rows]


def main() -> None:
    """Measure and write the tables."""
    result = simulate()
    n_atoms, _, n_frames = result.arrays["positions"].values.shape
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for every in (1, 2, 4, 10):
            record, text, error = stored(Path(folder) / "sizes", every, result)
            frames = -(-n_frames // every)
            sizes = (
                f"{text / 1e6:.2f} | {record / 1e6:.2f} | {record / n_atoms / frames:.2f} | "
                f"{record / text:.3f}"
            )
            rows.append(f"| {EVERY_FS * every} | {frames} | {sizes} | {error:.1e} |")
        shape, *times = reading(Path(folder) / "reading", result)
    cpu = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "?",
    )
    lines = [
        "# Size of a stored trajectory, and time to read it",
        "",
        "`python benchmarks/store_size.py`",
        "",
        f"Machine: {cpu}, {os.cpu_count()} cores, shared with other work; Python "
        f"{platform.python_version()}, zarr {zarr.__version__}.",
        "",
        f"Li2B12H12, {n_atoms} atoms, NPT at {KELVIN} K. A record holds positions (rounded "
        f"to {RESOLUTION_A:.2e} A), cell, numbers and",
        "attributes; the text is that of `dump custom id type xu yu zu`. Goal: at most 0.22 "
        "of the text, at most 6.2e-5 A off.",
        "",
        "| frame every, fs | frames | text, MB | record, MB | B/atom/frame | record / text | "
        "largest error, A |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"Reading {shape}: CPU seconds, median of five. *Frame-wise*: zarr's defaults with "
        "one frame a chunk.",
        "",
        "| | store | frame-wise | ratio |",
        "|---|---|---|---|",
        *times,
    ]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("\n".join(lines) + "\n")
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
