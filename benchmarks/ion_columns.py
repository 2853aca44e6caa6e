"""How fast the ions' part of a stored trajectory is read: borarun's store against zarr's default
layout, HDF5 as H5MD writes it, and xtc.

2808 atoms, the first 216 of them ions, as in the supercells that borarun builds; 4000 frames of
vibrations and hops. Each file holds the same positions, rounded as the store rounds them but for
xtc, which keeps 0.005 angstrom; and gives (ion, axis, frame) of the ions. zarr: one frame a chunk,
its default codec. HDF5: one frame a chunk, shuffled and compressed by gzip 4. xtc: MDTraj, which
picks atoms as it reads. CPU times of one thread, median of three rounds in which each has its turn;
files are in the page cache.

    pip install h5py mdtraj
    python benchmarks/ion_columns.py

writes ``benchmarks/results/ion_columns.md``. A package that is not installed is said to be missing.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import peers

os.environ |= peers.ONE_THREAD  # before they load

import numpy as np
import zarr

from borarun.records.attributes import Provenance
from borarun.records.operations.base import Facts
from borarun.records.operations.dynamics import MolecularDynamics
from borarun.records.store import RESOLUTION_A, Store
from borarun.records.task import Result, Task

RESULTS = Path(__file__).parent / "results" / "ion_columns.md"
ATOMS, IONS, FRAMES, REPEATS, EDGE_A = 2808, 216, 4000, 3, 28.7
TASK = Task("lammps", {})

Array = np.ndarray[Any, Any]


def motion() -> Array:
    """(N, 3, F) float32, angstrom: vibrations of a few frames' memory around places; ions hop now
    and then.
    """
    rng = np.random.default_rng(1)
    out = np.empty((ATOMS, 3, FRAMES), np.float32)
    for atom in range(len(out)):
        noise = rng.normal(0, 0.04, (3, FRAMES + 4))
        path = sum(noise[:, shift : shift + FRAMES] for shift in range(5)) + rng.uniform(
            0, EDGE_A, (3, 1)
        )
        if atom < IONS:
            path = path + 4.8 * np.cumsum(
                (rng.random((3, FRAMES)) < 0.002) * rng.choice((-1, 1), (3, FRAMES)), axis=1
            )
        out[atom] = np.round(path / RESOLUTION_A) * RESOLUTION_A
    return out


class Positions(Facts):
    """A record of positions alone."""

    POSITIONS = MolecularDynamics.POSITIONS


def main() -> None:
    """Write all files, read the ions from each, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="the table")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    ions = np.arange(IONS)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        positions = motion()
        right = positions[ions]
        by_frame = np.ascontiguousarray(np.moveaxis(positions, 2, 0))
        store = Store(root / "store")
        arrays = {Positions.POSITIONS: Positions.POSITIONS.of(positions)}
        store.write(TASK, Result(Positions(), arrays=arrays), Provenance())

        def frame_wise() -> peers.Job:
            array = zarr.create_array(
                root / "plain.zarr", data=by_frame, chunks=(1, *by_frame.shape[1:])
            )
            return lambda: np.moveaxis(array[:, :IONS], 0, 2)

        def h5md() -> peers.Job:
            import h5py

            with h5py.File(root / "plain.h5", "w") as file:
                chunk = (1, *by_frame.shape[1:])
                file.create_dataset(
                    "particles/all/position/value",
                    data=by_frame,
                    chunks=chunk,
                    compression="gzip",
                    compression_opts=4,
                    shuffle=True,
                )

            def read() -> Array:
                with h5py.File(root / "plain.h5") as file:
                    value = file["particles/all/position/value"]
                    # A frame is a chunk, and is unpacked whole.
                    return np.moveaxis(
                        np.concatenate(
                            [value[start : start + 100, :IONS] for start in range(0, FRAMES, 100)]
                        ),
                        0,
                        2,
                    )

            return read

        def xtc() -> peers.Job:
            from mdtraj.formats import XTCTrajectoryFile

            with XTCTrajectoryFile(str(root / "plain.xtc"), "w") as file:
                file.write(
                    by_frame / 10,
                    box=np.repeat(EDGE_A / 10 * np.eye(3, dtype=np.float32)[None], FRAMES, axis=0),
                )

            def read() -> Array:
                with XTCTrajectoryFile(str(root / "plain.xtc")) as file:
                    return np.moveaxis(10 * file.read(atom_indices=ions)[0], 0, 2)

            return read

        candidates = {
            "borarun's store": peers.Candidate(
                "borarun", "borarun", lambda: lambda: store.array(TASK.key, "positions", ions)
            ),
            "zarr, its default layout by frames": peers.Candidate("zarr", "zarr", frame_wise, 20),
            "HDF5 by frames, gzip": peers.Candidate("h5py", "h5py", h5md, 10),
            "xtc": peers.Candidate("mdtraj", "mdtraj", xtc, 10),
        }
        times = peers.rounds(candidates, REPEATS)
        sizes = {
            "borarun's store": "store",
            "zarr, its default layout by frames": "plain.zarr",
            "HDF5 by frames, gzip": "plain.h5",
            "xtc": "plain.xtc",
        }
        more = {}
        for name in times:
            path = root / sizes[name]
            size = sum(
                part.stat().st_size
                for part in (path.rglob("*") if path.is_dir() else [path])
                if part.is_file()
            )
            more[name] = [f"{size / positions.size * 3:.2f}"]
        assert np.array_equal(store.array(TASK.key, "positions", ions), right)
    lines = [
        "# Ions from a stored trajectory",
        "",
        f"`python benchmarks/ion_columns.py`: {len(ions)} of {ATOMS} atoms, {FRAMES} frames. "
        f"CPU time of one thread, median of {REPEATS} rounds",
        f"in which each has its turn; borarun takes {times[next(iter(candidates))]:.2f} s.",
        "",
        peers.machine(),
        "",
        "| | version | CPU time over borarun's | goal, at least | B/atom/frame |",
        "|---|---|---|---|---|",
        *peers.table(candidates, times, next(iter(candidates)), more),
    ]
    options.output.write_text("\n".join(lines) + "\n")
    print(options.output.read_text())


if __name__ == "__main__":
    main()
