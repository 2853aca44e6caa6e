"""How fast the mean squared displacement at every lag is, and how much memory it takes: borarun
against packages of the field.

216 ions walk at random through 20,000 frames, in double precision, in the layout that each package
wants. kinisi has 20 lags, all others have every lag. All take turns in one process of one thread;
CPU times, median of three rounds. Memory is what the peak of a fresh process grows by in the call
alone. The floor is one real transform of the data padded with zeros to twice its length, which
every method by Fourier transform needs, and nothing else.

    pip install tidynamics pymatgen-analysis-diffusion freud-analysis MDAnalysis kinisi
    python benchmarks/msd.py

writes ``benchmarks/results/msd.md``. A package that is not installed is said to be missing.
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import peers

os.environ |= peers.ONE_THREAD  # before they load

import numpy as np

RESULTS = Path(__file__).parent / "results" / "msd.md"
N_IONS, N_FRAMES, LAGS, REPEATS = 216, 20_000, 20, 3
FLOOR_GOAL, MEMORY_GOAL_MB = 1.6, 64

Array = np.ndarray[Any, Any]


def walk(axes: tuple[int, int, int]) -> Array:
    """Positions, angstrom, with the axes ion, direction and frame in that order."""
    steps = np.random.default_rng(1).normal(0, 0.1, (N_IONS, 3, N_FRAMES))
    return np.ascontiguousarray(np.cumsum(steps, axis=2, out=steps).transpose(axes))


def borarun() -> peers.Job:
    from borarun.analysis.msd import mean_squared_displacement

    positions = walk((0, 1, 2))
    return lambda: mean_squared_displacement(positions)


def floor() -> peers.Job:
    from scipy import fft

    positions = walk((0, 1, 2))
    length = fft.next_fast_len(2 * N_FRAMES - 1, real=True)

    def transform() -> None:
        for start in range(0, N_IONS, 4):  # as many as stay in the cache: the fastest
            fft.rfft(positions[start : start + 4], length, axis=2)

    return transform


def tidynamics() -> peers.Job:
    import tidynamics

    positions = walk((0, 2, 1))
    return lambda: np.mean([tidynamics.msd(ion) for ion in positions], axis=0)


def pymatgen() -> peers.Job:
    from pymatgen.analysis.diffusion.analyzer import _msd_from_positions_fft

    positions = walk((0, 2, 1))
    return lambda: _msd_from_positions_fft(positions).sum(axis=2).mean(axis=0)


def freud() -> peers.Job:
    import freud

    freud.parallel.set_num_threads(1)
    positions = walk((2, 0, 1))
    return lambda: freud.msd.MSD(mode="window").compute(positions).msd


def mdanalysis() -> peers.Job:
    import MDAnalysis
    from MDAnalysis.analysis.msd import EinsteinMSD

    universe = MDAnalysis.Universe.empty(N_IONS, trajectory=True)
    universe.load_new(walk((2, 0, 1)))
    return lambda: EinsteinMSD(universe, msd_type="xyz", fft=True).run().results.timeseries


def kinisi() -> peers.Job:
    import scipp as sc
    from kinisi.displacement import calculate_msd

    # Displacements since the first frame, as its parsers leave them; the parsers' own time is not
    # counted.
    positions = walk((0, 2, 1))
    displacements = sc.array(
        dims=["particle", "obs", "dimension"],
        values=positions[:, 1:] - positions[:, :1],
        unit="angstrom",
    )
    lags = sc.array(dims=["time interval"], values=lags_of_kinisi())
    parsed = SimpleNamespace(
        displacements=displacements,
        dt_index=lags,
        dt=lags * sc.scalar(1.0, unit="ps"),
        dimensionality=sc.scalar(3),
    )
    return lambda: calculate_msd(parsed, progress=False)["da"].values


def lags_of_kinisi() -> Array:
    return np.unique(np.geomspace(2, N_FRAMES // 4, LAGS).astype(int))


CANDIDATES = {
    "borarun": peers.Candidate("borarun", "borarun", borarun),
    "the floor: one padded transform": peers.Candidate("scipy", "scipy", floor),
    "tidynamics, ion by ion": peers.Candidate("tidynamics", "tidynamics", tidynamics, 6),
    "pymatgen-analysis-diffusion": peers.Candidate(
        "pymatgen-analysis-diffusion", "pymatgen", pymatgen, 3.5
    ),
    "freud, windowed": peers.Candidate("freud-analysis", "freud", freud, 4),
    "MDAnalysis, by Fourier transform": peers.Candidate("MDAnalysis", "MDAnalysis", mdanalysis, 8),
    f"kinisi, {LAGS} lags": peers.Candidate("kinisi", "kinisi", kinisi, 15),
}


def difference(name: str, right: Array) -> float:
    """Largest relative difference from a sum over all origins in double precision, up to half the
    run.
    """
    found = np.asarray(CANDIDATES[name].prepare()(), float)
    if "kinisi" in name:
        lags = lags_of_kinisi()
        return float(
            np.abs(found / np.interp(lags, np.arange(len(right)), right) - 1)[lags > 5].max()
        )
    lags = np.unique(np.geomspace(1, N_FRAMES // 2, 30).astype(int))
    return float(np.abs(found[lags] / right[lags] - 1).max())


def direct() -> Array:
    """Mean squared displacement, angstrom^2, by its definition at the lags that are compared; nan
    at others.
    """
    positions = walk((0, 1, 2))
    out = np.full(N_FRAMES, np.nan)
    lags = np.concatenate(
        [np.geomspace(1, N_FRAMES // 2, 30).astype(int), lags_of_kinisi(), lags_of_kinisi() + 1]
    )
    for lag in np.unique(lags):
        out[lag] = np.mean(
            [np.sum((ion[:, lag:] - ion[:, :-lag]) ** 2, axis=0).mean() for ion in positions]
        )
    return out


def main() -> None:
    """Time all candidates and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="the table")
    parser.add_argument("--memory", choices=[*CANDIDATES], help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.memory:
        print(peers.call_MB(CANDIDATES[options.memory]))
        return
    there = {name: one for name, one in CANDIDATES.items() if one.there}
    memory_MB = {name: peers.call_MB_alone(__file__, name) for name in there}
    times = peers.rounds(CANDIDATES, REPEATS)
    right = direct()
    more = {
        name: (
            f"{memory_MB[name]:.0f}",
            "" if "floor" in name else f"{difference(name, right):.0e}",
        )
        for name in there
    }
    to_floor = times["borarun"] / times["the floor: one padded transform"]
    lines = [
        "# Mean squared displacement at every lag",
        "",
        f"`python benchmarks/msd.py`: {N_IONS} ions x {N_FRAMES:,} frames, "
        f"{8 * 3 * N_IONS * N_FRAMES / 1e6:.0f} MB in double precision. CPU time of one",
        f"thread, median of {REPEATS} rounds in which each has its turn. Memory: beside the input.",
        "",
        peers.machine(),
        "",
        f"borarun takes {to_floor:.2f} times one padded transform (goal: at most {FLOOR_GOAL})",
        f"and {memory_MB['borarun']:.0f} MB (goal: at most {MEMORY_GOAL_MB}).",
        "",
        "| | version | CPU time over borarun's | goal, at least | memory, MB | off by, relative |",
        "|---|---|---|---|---|---|",
        *peers.table(CANDIDATES, times, "borarun", more),
    ]
    options.output.write_text("\n".join(lines) + "\n")
    print(options.output.read_text())


if __name__ == "__main__":
    main()
