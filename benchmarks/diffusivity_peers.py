"""Diffusivities from borarun, kinisi, GEMDAT and MDAnalysis on the same walks of known diffusivity.

    pip install kinisi gemdat MDAnalysis tidynamics
    python benchmarks/diffusivity_peers.py --output benchmarks/results/diffusivity_peers.md

Each is used as its documentation shows, with nothing tuned to the walks:

* kinisi      Bayesian regression of the mean squared displacement from 0.5 ps or a hundredth of the
              run on; interval from the posterior
* GEMDAT      mean square displacement at the end of ten parts of the run, over their time; interval
              from the scatter of the parts, as its `TrajectoryMetricsStd` gives it
* MDAnalysis  straight line through `EinsteinMSD` from a tenth to half of the run; interval from the
              line's standard error

Columns as in diffusivity_calibration.py; quoted/true is over the root mean square error here, so
that a bias counts.
"""

from __future__ import annotations

import argparse
import os
import platform
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import MDAnalysis
import numpy as np
from diffusivity_calibration import CASES, Array
from gemdat import Trajectory
from gemdat.metrics import TrajectoryMetricsStd
from MDAnalysis.analysis.msd import EinsteinMSD
from pymatgen.core import Lattice
from scipy import stats
from second_opinion import kinisi

from borarun.analysis.diffusion import diffusivity

NAMES = (
    "64 ions, 20 hops each, 500 ps",
    "64 ions rattle, 4 hops each, 1 ns",
    "4 vacancies, 0.3 jumps/ps each",
)

BOX_A = 10_000.0
NORMAL_95 = 1.96

Answer = tuple[float, float, float]
"""D and its 95 % interval, cm^2/s."""


def ours(positions: Array, interval_fs: float, seed: int) -> Answer:
    """borarun's own."""
    found = diffusivity(positions, interval_fs)
    return found.value, found.low, found.high


def of_kinisi(positions: Array, interval_fs: float, seed: int) -> Answer:
    """kinisi's posterior."""
    value, error = kinisi(positions, seed, interval_fs)
    return value, value - NORMAL_95 * error, value + NORMAL_95 * error


def of_gemdat(positions: Array, interval_fs: float, seed: int) -> Answer:
    """GEMDAT's tracer diffusivity of ten parts."""
    trajectory = Trajectory(
        species=["Li"] * len(positions),
        coords=np.moveaxis(positions, 2, 0) / BOX_A + 0.5,
        lattice=Lattice.cubic(BOX_A).matrix,
        time_step=interval_fs * 1e-15,
        constant_lattice=True,
        metadata={"temperature": 500},
    )
    found = TrajectoryMetricsStd(trajectory.split(10)).tracer_diffusivity(dimensions=3)
    value, error = 1e4 * found.nominal_value, 1e4 * found.std_dev / np.sqrt(10)
    half = error * float(stats.t.ppf(0.975, 9))
    return value, value - half, value + half


def of_mdanalysis(positions: Array, interval_fs: float, seed: int) -> Answer:
    """A line through MDAnalysis's mean squared displacement."""
    universe = MDAnalysis.Universe.empty(len(positions), trajectory=True)
    universe.load_new(np.moveaxis(positions, 2, 0).astype(np.float32), dt=1e-3 * interval_fs)
    series = EinsteinMSD(universe, msd_type="xyz").run(verbose=False).results.timeseries
    part = slice(len(series) // 10, len(series) // 2)
    line = stats.linregress(np.arange(len(series))[part] * interval_fs, series[part])
    value, error = line.slope / 6 * 0.1, line.stderr / 6 * 0.1
    return value, value - NORMAL_95 * error, value + NORMAL_95 * error


PEERS: dict[str, Callable[[Array, float, int], Answer]] = {
    "borarun": ours,
    "kinisi": of_kinisi,
    "gemdat": of_gemdat,
    "MDAnalysis": of_mdanalysis,
}


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description="Diffusivities beside those of other packages.")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path)
    chosen = parser.parse_args()
    warnings.filterwarnings("ignore")
    versions = ", ".join(f"{name} {version(name)}" for name in PEERS if name != "borarun")
    lines = [
        "# Diffusivities beside kinisi, GEMDAT and MDAnalysis",
        "",
        f"`python benchmarks/diffusivity_peers.py --trials {chosen.trials} --seed {chosen.seed}`; "
        f"{versions}, {os.cpu_count()} cores, Python {platform.python_version()}. How each is used "
        "stands at the head of that file.",
        "",
        "| case | by | mean/true | real sd | quoted/true | coverage of 95 % |",
        "|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    for case in (case for case in CASES if case.name in NAMES):
        rng = np.random.default_rng(chosen.seed)
        walks = [case.walk(rng) for _ in range(chosen.trials)]
        for name, peer in PEERS.items():
            found = np.array([peer(walk, case.interval_fs, i) for i, walk in enumerate(walks)])
            value, low, high = found.T / case.true
            wrong = np.sqrt(np.mean((value - 1) ** 2))
            quoted = np.sqrt(np.mean(((high - low) / (2 * NORMAL_95)) ** 2))
            covered = np.mean((low <= 1) & (high >= 1))
            lines.append(
                f"| {case.name} | {name} | {value.mean():.2f} | {100 * value.std(ddof=1):.1f} % | "
                f"{quoted / wrong:.2f} | {100 * covered:.0f} % |"
            )
            print(lines[-1], flush=True)
    if chosen.output:
        chosen.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
