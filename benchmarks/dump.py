"""How fast a LAMMPS text dump becomes arrays: borarun's reader against polars, ASE, MDAnalysis, pymatgen and OVITO.

All read one dump of 2808 atoms, as the deck writes it (``id type x y z ix iy iz``, sorted), into positions of all frames. borarun also unwraps them, and
checks that every frame is whole. CPU times of one thread, in turn, the median of three. A reader that is not installed is left out.

    pip install polars MDAnalysis ovito
    python benchmarks/dump.py

writes ``benchmarks/results/dump.md``.
"""

from __future__ import annotations

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS", "OVITO_THREAD_COUNT"), "1")  # before they load

import importlib.util
import platform
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from borarun.engines.lammps_output import read_dump

RESULTS = Path(__file__).parent / "results" / "dump.md"
ATOMS, FRAMES, REPEATS = 2808, 200, 3
COLUMNS = ["id", "type", "x", "y", "z", "ix", "iy", "iz"]


def write(file: Path) -> None:
    """A dump of atoms that move at random in a cubic cell whose edge changes from frame to frame."""
    chance = np.random.default_rng(1)
    edge = 28.7
    positions = chance.uniform(0, edge, (ATOMS, 3))
    with file.open("w") as dump:
        for frame in range(FRAMES):
            positions += chance.normal(0, 0.05, (ATOMS, 3))
            size = edge * (1 + 0.002 * chance.normal())
            images = np.floor(positions / size).astype(int)
            inside = positions - images * size
            box = f"0.0000000000000000e+00 {size:.16e}\n" * 3
            dump.write(f"ITEM: TIMESTEP\n{100 * frame}\nITEM: NUMBER OF ATOMS\n{ATOMS}\nITEM: BOX BOUNDS pp pp pp\n{box}ITEM: ATOMS {' '.join(COLUMNS)}\n")
            rows = zip(inside.tolist(), images.tolist(), strict=True)
            dump.writelines(f"{atom} {atom % 3 + 1} {x:.5f} {y:.5f} {z:.5f} {i} {j} {k}\n" for atom, ((x, y, z), (i, j, k)) in enumerate(rows, 1))


def borarun(file: Path) -> NDArray[np.floating]:
    return read_dump(file, ATOMS, 100 * np.arange(FRAMES), np.eye(3))[1]


def polars(file: Path) -> NDArray[np.floating]:
    """The whole text as one table of strings split at spaces; headers drop out because they are no atoms."""
    import polars as pl

    lines = pl.read_csv(file, has_header=False, separator="\n", new_columns=["line"], quote_char=None)
    words = lines.select(pl.col("line").str.splitn(" ", 8).struct.rename_fields(COLUMNS)).unnest("line")
    rows = words.filter(pl.col("iz").is_not_null() & (pl.col("id") != "ITEM:"))
    return rows.select(pl.col("x", "y", "z").cast(pl.Float64)).to_numpy().reshape(FRAMES, ATOMS, 3)


def polars_bare(file: Path) -> NDArray[np.floating]:
    """The same numbers without headers, as a plain table: the fastest that polars can be, on a file that no LAMMPS writes."""
    import polars as pl

    table = pl.read_csv(file.with_suffix(".txt"), has_header=False, separator=" ", new_columns=COLUMNS)
    return table.select("x", "y", "z").to_numpy().reshape(FRAMES, ATOMS, 3)


def ase(file: Path) -> NDArray[np.floating]:
    from ase.io import read

    return np.array([image.positions for image in read(file, index=":", format="lammps-dump-text")])


def mdanalysis(file: Path) -> NDArray[np.floating]:
    import MDAnalysis

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        universe = MDAnalysis.Universe(str(file), format="LAMMPSDUMP", topology_format="LAMMPSDUMP")
        return np.array([step.positions.copy() for step in universe.trajectory])


def pymatgen(file: Path) -> NDArray[np.floating]:
    from pymatgen.io.lammps.outputs import parse_lammps_dumps

    return np.array([dump.data[["x", "y", "z"]].to_numpy() for dump in parse_lammps_dumps(str(file))])


def ovito(file: Path) -> NDArray[np.floating]:
    from ovito.io import import_file

    pipeline = import_file(str(file))
    return np.array([np.array(pipeline.compute(frame).particles.positions) for frame in range(pipeline.source.num_frames)])


READERS: dict[str, tuple[str, Callable[[Path], NDArray[np.floating]]]] = {
    "borarun": ("borarun", borarun),
    "polars, a table without headers": ("polars", polars_bare),
    "polars, the dump": ("polars", polars),
    "OVITO": ("ovito", ovito),
    "pymatgen": ("pymatgen", pymatgen),
    "ASE": ("ase", ase),
    "MDAnalysis": ("MDAnalysis", mdanalysis),
}


def main() -> None:
    """Time all readers and write the table."""
    there = {name: (package, read) for name, (package, read) in READERS.items() if importlib.util.find_spec(package)}
    times: dict[str, list[float]] = {name: [] for name in there}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dump.lammps"
        write(file)
        rows = [line for line in file.read_text().splitlines(keepends=True) if line.count(" ") == 7 and not line.startswith("ITEM")]
        file.with_suffix(".txt").write_text("".join(rows))
        megabytes = file.stat().st_size / 1e6
        for repeat in range(REPEATS + 1):
            for name, (_, read) in there.items():
                begun = time.process_time()
                found = read(file)
                if repeat:  # the first compiles and imports
                    times[name].append(time.process_time() - begun)
                assert found.size == ATOMS * FRAMES * 3, name
    ours = median(times["borarun"])
    lines = [
        "# Text dump to arrays",
        "",
        f"`python benchmarks/dump.py`: {ATOMS} atoms x {FRAMES} frames, {megabytes:.0f} MB of text, CPU time of one thread, median of {REPEATS}.",
        f"Python {platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores.",
        "",
        "| reader | version | CPU time, s | over borarun's |",
        "|---|---|---|---|",
    ]
    for name, (package, _) in there.items():
        lines.append(f"| {name} | {metadata.version(package)} | {median(times[name]):.2f} | {median(times[name]) / ours:.1f} |")
    RESULTS.write_text("\n".join(lines) + "\n")
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
