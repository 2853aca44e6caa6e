"""borarun's second opinion on diffusivities beside the package that it follows, kinisi, on the same
moments of the same walks.

    pip install kinisi && python benchmarks/second_opinion.py --output
    benchmarks/results/second_opinion.md

kinisi samples the posterior of a line through the mean squared displacements;
`borarun.analysis.regression` takes its mean and width in closed form. kinisi gets the mean square
displacements, their variances and the numbers of independent observations, computed here straight
from their definition. Where noise would make the covariance of lags impossible both put it right,
each in its own way: ours gives larger errors then, never smaller ones. Over the trials:

* D             mean of ours over mean of kinisi's; 1 is agreement
* apart         largest difference of the two D, in kinisi's standard errors
* error         ours over kinisi's standard error, mean
"""

from __future__ import annotations

import argparse
import os
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipp as sc
from diffusivity_calibration import Array, hopping
from kinisi.diffusion import Diffusion
from walks import brownian

from borarun.analysis.diffusion import onset_frames
from borarun.analysis.regression import LAGS, regression

INTERVAL_FS = 20.0

CASES = {
    "24 independent ions, 40 ps": lambda rng: brownian(rng, 24, 2000),
    "24 ions in groups of 12, 40 ps": lambda rng: brownian(rng, 24, 2000, 12),
    "24 ions, 40 hops each, vibration, 40 ps": lambda rng: hopping(rng, 24, 2000, 40),
}


def kinisi(positions: Array, seed: int, interval_fs: float = INTERVAL_FS) -> tuple[float, float]:
    """D and its standard error, cm^2/s, from kinisi's sampler."""
    n_ions, _, n_frames = positions.shape
    first = onset_frames(n_frames, interval_fs, 500.0)
    lags = np.unique(np.linspace(first, n_frames // 4, LAGS).round().astype(int))
    squares = [((positions[:, :, lag:] - positions[:, :, :-lag]) ** 2).sum(axis=1) for lag in lags]
    observed = n_ions * n_frames / lags
    moments = sc.array(
        dims=["time interval"],
        values=[square.mean() for square in squares],
        variances=[square.var() / count for square, count in zip(squares, observed, strict=True)],
        unit="angstrom**2",
    )
    coords = {
        "time interval": sc.array(dims=["time interval"], values=lags * interval_fs, unit="fs"),
        "n_samples": sc.array(dims=["time interval"], values=observed),
    }
    group = sc.DataGroup(
        {"da": sc.DataArray(moments, coords=coords), "dimensionality": sc.scalar(3.0)}
    )
    np.random.seed(seed)
    found = Diffusion(group)
    found.bayesian_regression(
        start_dt=sc.scalar(float(lags[0] * interval_fs), unit="fs"), progress=False
    )
    values = np.asarray(found.gradient.values) / 6 * 0.1  # angstrom^2/fs in cm^2/s
    return float(values.mean()), float(values.std(ddof=1))


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description="Our second opinion beside kinisi's.")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path)
    chosen = parser.parse_args()
    lines = [
        "# The second opinion on diffusivities beside kinisi",
        "",
        f"`python benchmarks/second_opinion.py --trials {chosen.trials} --seed "
        f"{chosen.seed}`; kinisi {version('kinisi')}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, numpy {np.__version__}. The columns are "
        "explained at the head of that file.",
        "",
        "| case | D, ours/kinisi's | apart (kinisi's errors) | error, ours/kinisi's |",
        "|---|---|---|---|",
    ]
    print("\n".join(lines))
    for name, walk in CASES.items():
        rng = np.random.default_rng(chosen.seed)
        walks = [walk(rng) for _ in range(chosen.trials)]
        ours = np.array(
            [(d.value, d.error) for d in (regression(own, INTERVAL_FS) for own in walks)]
        )
        theirs = np.array([kinisi(own, trial) for trial, own in enumerate(walks)])
        apart = np.abs(ours[:, 0] - theirs[:, 0]) / theirs[:, 1]
        lines.append(
            f"| {name} | {ours[:, 0].mean() / theirs[:, 0].mean():.4f} | {apart.max():.2f} | "
            f"{np.mean(ours[:, 1] / theirs[:, 1]):.2f} |"
        )
        print(lines[-1], flush=True)
    if chosen.output:
        chosen.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
