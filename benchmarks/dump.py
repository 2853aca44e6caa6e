"""How fast a LAMMPS text dump becomes arrays: borarun's reader against polars, pandas, ASE,
MDAnalysis, pymatgen and OVITO.

All read one dump of 2808 atoms, as the deck writes it (``id type x y z ix iy iz``, sorted), into
positions of all frames. borarun also unwraps them, and checks that every frame is whole. CPU times
of one thread, in turn, the median of five. A reader that is not installed is said to be missing. Of
borarun's time more than half goes into lines and more than a quarter into the copy of the text from
the page cache.

    pip install polars pandas MDAnalysis pymatgen ovito
    python benchmarks/dump.py

writes ``benchmarks/results/dump.md``.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import warnings
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import peers

os.environ |= {**peers.ONE_THREAD, "OVITO_THREAD_COUNT": "1"}  # before they load

import numpy as np
from numpy.typing import NDArray

from borarun.engines.lammps.output import read_dump

RESULTS = Path(__file__).parent / "results" / "dump.md"
ATOMS, FRAMES, REPEATS = 2808, 200, 5
ATOM_TYPES = (2, 1, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 3)
"""216 of 2808 atoms are of the first type, the ions."""

COLUMNS = ["id", "type", "x", "y", "z", "ix", "iy", "iz"]


def write(file: Path) -> None:
    """A dump of atoms that move at random in a cubic cell whose edge changes from frame to
    frame.
    """
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
            dump.write(
                f"ITEM: TIMESTEP\n{100 * frame}\nITEM: NUMBER OF ATOMS\n{ATOMS}\nITEM: BOX "
                f"BOUNDS pp pp pp\n{box}ITEM: ATOMS {' '.join(COLUMNS)}\n"
            )
            rows = zip(inside.tolist(), images.tolist(), strict=True)
            dump.writelines(
                f"{atom} {ATOM_TYPES[atom % 13]} {x:.5f} {y:.5f} {z:.5f} {i} {j} {k}\n"
                for atom, ((x, y, z), (i, j, k)) in enumerate(rows, 1)
            )


def borarun(file: Path) -> NDArray[np.floating]:
    return read_dump(file, ATOMS, 100 * np.arange(FRAMES), np.eye(3))[1]


def polars(file: Path) -> NDArray[np.floating]:
    """The whole text as one table of strings split at spaces; headers drop out because they are no
    atoms.
    """
    import polars as pl

    lines = pl.read_csv(
        file, has_header=False, separator="\n", new_columns=["line"], quote_char=None
    )
    words = lines.select(pl.col("line").str.splitn(" ", 8).struct.rename_fields(COLUMNS)).unnest(
        "line"
    )
    rows = words.filter(pl.col("iz").is_not_null() & (pl.col("id") != "ITEM:"))
    return rows.select(pl.col("x", "y", "z").cast(pl.Float64)).to_numpy().reshape(FRAMES, ATOMS, 3)


def polars_bare(file: Path) -> NDArray[np.floating]:
    """The same numbers without headers, as a plain table: the fastest that polars can be, on a file
    that no LAMMPS writes.
    """
    import polars as pl

    table = pl.read_csv(
        file.with_suffix(".txt"), has_header=False, separator=" ", new_columns=COLUMNS
    )
    return table.select("x", "y", "z").to_numpy().reshape(FRAMES, ATOMS, 3)


def pandas(file: Path) -> NDArray[np.floating]:
    """Frame by frame: the header tells how many lines to read."""
    import pandas as pd

    found = []
    with file.open() as dump:
        for _ in range(FRAMES):
            for _ in range(9):
                dump.readline()
            lines = io.StringIO(
                "".join(islice(dump, ATOMS))
            )  # by itself it reads on into the next frame
            found.append(
                pd.read_csv(
                    lines, sep=" ", header=None, names=COLUMNS, usecols=["x", "y", "z"]
                ).to_numpy()
            )
    return np.array(found)


def pandas_bare(file: Path) -> NDArray[np.floating]:
    """The same numbers without headers, as a plain table: the fastest that pandas can be, on a file
    that no LAMMPS writes.
    """
    import pandas as pd

    table = pd.read_csv(
        file.with_suffix(".txt"), sep=" ", header=None, names=COLUMNS, usecols=["x", "y", "z"]
    )
    return table.to_numpy().reshape(FRAMES, ATOMS, 3)


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

    return np.array(
        [dump.data[["x", "y", "z"]].to_numpy() for dump in parse_lammps_dumps(str(file))]
    )


def ovito(file: Path) -> NDArray[np.floating]:
    from ovito.io import import_file

    pipeline = import_file(str(file))
    return np.array(
        [
            np.array(pipeline.compute(frame).particles.positions)
            for frame in range(pipeline.source.num_frames)
        ]
    )


CANDIDATES: dict[str, tuple[str, str, Callable[[Path], NDArray[np.floating]], float | None]] = {
    "borarun": ("borarun", "borarun", borarun, None),
    "polars, a table without headers": ("polars", "polars", polars_bare, None),
    "polars, the dump": ("polars", "polars", polars, 4),
    "pandas, a table without headers": ("pandas", "pandas", pandas_bare, None),
    "pandas, the dump": ("pandas", "pandas", pandas, 8),
    "OVITO": ("ovito", "ovito", ovito, None),
    "pymatgen": ("pymatgen", "pymatgen", pymatgen, None),
    "ASE": ("ase", "ase", ase, 20),
    "MDAnalysis": ("MDAnalysis", "MDAnalysis", mdanalysis, 60),
}


def main() -> None:
    """Time all readers and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="the table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dump.lammps"
        write(file)
        rows = [
            line
            for line in file.read_text().splitlines(keepends=True)
            if line.count(" ") == 7 and not line.startswith("ITEM")
        ]
        file.with_suffix(".txt").write_text("".join(rows))
        megabytes = file.stat().st_size / 1e6

        def job(read: Callable[[Path], NDArray[np.floating]]) -> peers.Job:
            return lambda: read(file)

        readers = {
            name: peers.Candidate(package, module, lambda read=read: job(read), goal)  # type: ignore[misc]
            for name, (package, module, read, goal) in CANDIDATES.items()
        }
        for name, (_, _, read, _) in CANDIDATES.items():
            assert not readers[name].there or read(file).size == ATOMS * FRAMES * 3, name
        times = peers.rounds(readers, REPEATS)
    lines = [
        "# Text dump to arrays",
        "",
        f"`python benchmarks/dump.py`: {ATOMS} atoms x {FRAMES} frames, {megabytes:.0f} MB "
        f"of text. CPU time of one thread, median of {REPEATS} rounds",
        f"in which each has its turn; borarun takes {times['borarun']:.2f} s.",
        "",
        peers.machine(),
        "",
        "| reader | version | CPU time over borarun's | goal, at least |",
        "|---|---|---|---|",
        *peers.table(readers, times, "borarun"),
    ]
    options.output.write_text("\n".join(lines) + "\n")
    print(options.output.read_text())


if __name__ == "__main__":
    main()
