"""From a LAMMPS text dump to the mean squared displacement of the ions, whole: borarun against
MDAnalysis and pymatgen.

The dump of ``dump.py``: 2808 atoms, 216 of them ions, in a cell whose size changes. borarun reads
it, unwraps in the mean cell, takes off the framework's drift, and computes every lag. MDAnalysis
unwraps by image flags as it reads, and computes every lag by Fourier transform; pymatgen reads
tables, which are unwrapped with NumPy, and pymatgen-analysis-diffusion computes every lag. Neither
takes off drift. CPU times of one thread, median of three rounds in which each has its turn.

    pip install MDAnalysis pymatgen pymatgen-analysis-diffusion
    python benchmarks/dump_to_msd.py

writes ``benchmarks/results/dump_to_msd.md``. A package that is not installed is said to be missing.
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
from dump import ATOM_TYPES, ATOMS, FRAMES, write

RESULTS = Path(__file__).parent / "results" / "dump_to_msd.md"
REPEATS = 3

Array = np.ndarray[Any, Any]


def borarun(file: Path) -> Array:
    from borarun.analysis.msd import mean_squared_displacement
    from borarun.analysis.trajectory import framework_weights, unwrap, weighted_sum, without_drift
    from borarun.engines.lammps.output import read_dump

    cell, positions = read_dump(file, ATOMS, 100 * np.arange(FRAMES), np.eye(3))
    ions = np.array([ATOM_TYPES[atom % 13] == 1 for atom in range(1, ATOMS + 1)])
    framework = weighted_sum(positions, framework_weights(~ions, np.ones(ATOMS)))
    return mean_squared_displacement(
        without_drift(unwrap(positions[ions], cell), unwrap(framework[None], cell)[0])
    )


def mdanalysis(file: Path) -> Array:
    import MDAnalysis
    from MDAnalysis.analysis.msd import EinsteinMSD

    universe = MDAnalysis.Universe(
        str(file),
        format="LAMMPSDUMP",
        topology_format="LAMMPSDUMP",
        lammps_coordinate_convention="unscaled",
        unwrap_images=True,
    )
    return np.asarray(
        EinsteinMSD(universe, select="type 1", msd_type="xyz", fft=True).run().results.timeseries
    )


def pymatgen(file: Path) -> Array:
    from pymatgen.analysis.diffusion.analyzer import _msd_from_positions_fft
    from pymatgen.io.lammps.outputs import parse_lammps_dumps

    frames = []
    for dump in parse_lammps_dumps(str(file)):
        ions = dump.data[dump.data["type"] == 1]
        edges = np.diff(dump.box.bounds, axis=1)[:, 0]
        frames.append(
            ions[["x", "y", "z"]].to_numpy() + ions[["ix", "iy", "iz"]].to_numpy() * edges
        )
    return np.asarray(
        _msd_from_positions_fft(np.ascontiguousarray(np.moveaxis(frames, 0, 1)))
        .sum(axis=2)
        .mean(axis=0)
    )


def main() -> None:
    """Time all and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="the table")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dump.lammps"
        write(file)
        candidates = {
            "borarun": peers.Candidate("borarun", "borarun", lambda: lambda: borarun(file)),
            "MDAnalysis": peers.Candidate(
                "MDAnalysis", "MDAnalysis", lambda: lambda: mdanalysis(file), 50
            ),
            "pymatgen": peers.Candidate(
                "pymatgen-analysis-diffusion", "pymatgen", lambda: lambda: pymatgen(file), 20
            ),
        }
        times = peers.rounds(candidates, REPEATS)
        lag = FRAMES // 4
        values = {
            name: (f"{np.asarray(one.prepare()())[lag]:.3f}",)
            for name, one in candidates.items()
            if one.there
        }
    lines = [
        "# Text dump to mean squared displacement",
        "",
        f"`python benchmarks/dump_to_msd.py`: {ATOMS} atoms, 216 of them ions, x {FRAMES} "
        "frames of text.",
        f"CPU time of one thread, median of {REPEATS} rounds in which each has its turn; "
        f"borarun takes {times['borarun']:.2f} s.",
        "",
        peers.machine(),
        "",
        f"| | version | CPU time over borarun's | goal, at least | angstrom^2 at lag {lag} |",
        "|---|---|---|---|---|",
        *peers.table(candidates, times, "borarun", values),
    ]
    options.output.write_text("\n".join(lines) + "\n")
    print(options.output.read_text())


if __name__ == "__main__":
    main()
