"""How fast given trajectories become arrays: the readers of ``borarun analyse`` against ASE,
pymatgen and MDAnalysis.

One run of 2808 atoms, written as an own dump (sorted, wrapped with image flags), as another dump
(atoms in any order, unwrapped, elements), as extended XYZ and as XDATCAR. borarun checks every
frame, puts atoms in order and unwraps; the others read positions alone, in the order of the file.
CPU times of one thread, median of three rounds in which each has its turn.

    python benchmarks/given.py

writes ``benchmarks/results/given.md``. A package that is not installed is said to be missing.
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
from ase import Atoms

RESULTS = Path(__file__).parent / "results" / "given.md"
REPEATS, FRAMES = 3, 100
EDGE_A = 28.8
KINDS = ["Li"] * 216 + ["B"] * 1296 + ["H"] * 1296
Array = np.ndarray[Any, Any]


def run() -> Array:
    """(F, N, 3) positions that walk, in units of the cell."""
    rng = np.random.default_rng(1)
    steps = rng.normal(0, 0.004, (FRAMES, len(KINDS), 3))
    steps[0] = rng.random((len(KINDS), 3))
    return np.cumsum(steps, axis=0)


def write_dump(file: Path, places: Array, columns: str) -> Path:
    """A text dump; one with elements has its atoms in any order."""
    rng = np.random.default_rng(2)
    own = "element" not in columns
    types = {"Li": 1, "B": 2, "H": 3}
    with file.open("w") as handle:
        for frame, scaled in enumerate(places):
            handle.write(f"ITEM: TIMESTEP\n{100 * frame}\nITEM: NUMBER OF ATOMS\n{len(KINDS)}\n")
            handle.write("ITEM: BOX BOUNDS pp pp pp\n" + f"0.0 {EDGE_A}\n" * 3)
            handle.write(f"ITEM: ATOMS {columns}\n")
            image = np.floor(scaled).astype(int)
            order = range(len(KINDS)) if own else rng.permutation(len(KINDS))
            shown = (scaled - image if own else scaled) * EDGE_A
            for atom in order:
                place = " ".join(f"{x:.5f}" for x in shown[atom])
                crossed = " ".join(map(str, image[atom]))
                handle.write(
                    f"{atom + 1} {types[KINDS[atom]]} {place} {crossed}\n"
                    if own
                    else f"{atom + 1} {KINDS[atom]} {place}\n"
                )
    return file


def borarun(file: Path) -> Array:
    from borarun.given.formats import read_trajectory
    from borarun.given.frame import Told
    from borarun.given.gathered import Wanted

    told = Told(elements=("Li", "B", "H") if file.name == "own.dump" else ())
    return read_trajectory(file, told, Wanted(timestep_fs=1.0, interval_fs=100.0)).positions


def ase(file: Path, form: str) -> Array:
    from ase.io import iread

    return np.array([atoms.positions for atoms in iread(str(file), ":", format=form)])


def pymatgen_xdatcar(file: Path) -> Array:
    from pymatgen.io.vasp.outputs import Xdatcar

    return np.array([structure.frac_coords for structure in Xdatcar(str(file)).structures])


def pymatgen_dump(file: Path) -> Array:
    from pymatgen.io.lammps.outputs import parse_lammps_dumps

    columns = ["x", "y", "z"] if file.name == "own.dump" else ["xu", "yu", "zu"]
    return np.array([dump.data[columns].to_numpy() for dump in parse_lammps_dumps(str(file))])


def mdanalysis(file: Path) -> Array:
    import MDAnalysis

    universe = MDAnalysis.Universe(
        str(file), format="LAMMPSDUMP", topology_format="LAMMPSDUMP", atom_style="id type x y z"
    )
    return np.array([step.positions.copy() for step in universe.trajectory])


def main() -> None:
    """Time all and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="the table")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        from ase.io import write

        folder, places = Path(name), run()
        own = write_dump(folder / "own.dump", places, "id type x y z ix iy iz")
        other = write_dump(folder / "other.dump", places, "id element xu yu zu")
        frames = [
            Atoms(KINDS, scaled % 1.0 * EDGE_A, cell=[EDGE_A] * 3, pbc=True) for scaled in places
        ]
        write(folder / "run.xyz", frames, format="extxyz")
        write(folder / "XDATCAR", frames, format="vasp-xdatcar")
        ours = ("borarun", "borarun", borarun)
        tried = {
            own: [
                ours,
                ("ase", "ase", lambda file: ase(file, "lammps-dump-text")),
                ("pymatgen", "pymatgen", pymatgen_dump),
                ("MDAnalysis", "MDAnalysis", mdanalysis),
            ],
            other: [
                ours,
                ("ase", "ase", lambda file: ase(file, "lammps-dump-text")),
                ("pymatgen", "pymatgen", pymatgen_dump),
            ],
            folder / "run.xyz": [ours, ("ase", "ase", lambda file: ase(file, "extxyz"))],
            folder / "XDATCAR": [
                ours,
                ("ase", "ase", lambda file: ase(file, "vasp-xdatcar")),
                ("pymatgen", "pymatgen", pymatgen_xdatcar),
            ],
        }
        for file, readers in tried.items():
            candidates = {
                package: peers.Candidate(
                    package, module, lambda read=read, file=file: lambda: read(file)
                )
                for package, module, read in readers
            }
            times = peers.rounds(candidates, REPEATS)
            size = file.stat().st_size / 1e6
            rows += [
                f"| {file.name}, {size:.0f} MB | {package} | {one.version} | "
                + (
                    f"{times[package]:.2f} | {times[package] / times['borarun']:.1f} |"
                    if package in times
                    else "not measured | |"
                )
                for package, one in candidates.items()
            ]
    lines = [
        "# Given trajectories to arrays",
        "",
        f"`python benchmarks/given.py`: {len(KINDS)} atoms x {FRAMES} frames in four formats. CPU "
        f"time of one thread, median of {REPEATS}",
        "rounds in which each has its turn. borarun also checks every frame, puts the atoms in "
        "order and unwraps them;",
        "the others read positions.",
        "",
        peers.machine(),
        "",
        "| file | reader | version | CPU time, s | over borarun's |",
        "|---|---|---|---|---|",
        *rows,
    ]
    options.output.write_text("\n".join(lines) + "\n")
    print(options.output.read_text())


if __name__ == "__main__":
    main()
