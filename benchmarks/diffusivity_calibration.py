"""How honest the error bars of diffusivities are: trials on random walks whose diffusivity is
known.

    python benchmarks/diffusivity_calibration.py --trials 400 --output
    benchmarks/results/diffusivity_calibration.md

Each trial makes a new trajectory and asks `borarun.analysis.diffusion` for D with its error and 95
% interval. Over the trials:

* mean/true    mean of D over the known D; 1 is unbiased
* real sd      scatter of D, in per cent of the known D
* quoted/true  root mean square of the quoted errors over the real scatter; 1 is right
* coverage     share of the 95 % intervals that hold the known D
* accepted     share of trials that no rule of the module flags
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from borarun.analysis.diffusion import collective_diffusivity, diffusivity, haven_ratio
from borarun.analysis.regression import regression
from borarun.units import A2_PER_FS_IN_CM2_PER_S

INTERVAL_FS = 20.0
HOP_A = 3.0

Array = NDArray[np.float64]


def brownian(rng: np.random.Generator, n_ions: int, n_frames: int, group: int = 1) -> Array:
    """Walkers of one step an axis and frame, in groups that move as one; MSD = 3 t per frame, D =
    1/2 A^2 a frame.
    """
    steps = rng.normal(size=(n_ions // group, 3, n_frames))
    return np.repeat(steps, group, axis=0).cumsum(axis=2)


def hopping(rng: np.random.Generator, n_ions: int, n_frames: int, hops_per_ion: float) -> Array:
    """Ions that hop by `HOP_A` along the axes and vibrate about their sites by 0.25 A an axis,
    correlated over about five frames.
    """
    count = rng.poisson(hops_per_ion / n_frames, size=(n_ions, n_frames))
    ion, frame = (index.repeat(count[count > 0]) for index in np.nonzero(count))
    steps = np.zeros((n_ions, 3, n_frames))
    np.add.at(
        steps,
        (ion, rng.integers(3, size=len(ion)), frame),
        HOP_A * rng.choice([-1, 1], size=len(ion)),
    )
    vibration = lfilter([0.6], [1, -0.8], rng.normal(size=(n_ions, 3, n_frames)))
    return steps.cumsum(axis=2) + 0.25 * vibration


def per_frame(square_A2: float) -> float:
    """Diffusivity in cm^2/s of a walk whose mean square step is ``square_A2`` a frame."""
    return square_A2 / 6 / INTERVAL_FS * A2_PER_FS_IN_CM2_PER_S


@dataclass(frozen=True)
class Case:
    """A kind of walk and the quantity asked of it.

    Attributes
    ----------
    name : in words
    walk : makes a trajectory (N, 3, F), angstrom
    ask : diffusivity, collective_diffusivity, haven_ratio or regression
    true : the known answer
    """

    name: str
    walk: Callable[[np.random.Generator], Array]
    ask: Callable[[Array, float], object]
    true: float


CASES = (
    Case(
        "24 independent ions, 40 ps", lambda rng: brownian(rng, 24, 2000), diffusivity, per_frame(3)
    ),
    Case(
        "24 ions in groups of 12, 40 ps",
        lambda rng: brownian(rng, 24, 2000, 12),
        diffusivity,
        per_frame(3),
    ),
    Case(
        "24 ions, 40 hops each, vibration, 40 ps",
        lambda rng: hopping(rng, 24, 2000, 40),
        diffusivity,
        per_frame(HOP_A**2 * 40 / 2000),
    ),
    Case(
        "8 ions, 5 hops each, vibration, 20 ps",
        lambda rng: hopping(rng, 8, 1000, 5),
        diffusivity,
        per_frame(HOP_A**2 * 5 / 1000),
    ),
    Case(
        "8 ions, 5 hops each, vibration, 10 ps",
        lambda rng: hopping(rng, 8, 500, 5),
        diffusivity,
        per_frame(HOP_A**2 * 5 / 500),
    ),
    Case(
        "collective, 24 independent ions, 40 ps",
        lambda rng: brownian(rng, 24, 2000),
        collective_diffusivity,
        per_frame(3),
    ),
    Case(
        "collective, groups of 12, 40 ps",
        lambda rng: brownian(rng, 24, 2000, 12),
        collective_diffusivity,
        12 * per_frame(3),
    ),
    Case(
        "Haven ratio, groups of 12, 40 ps",
        lambda rng: brownian(rng, 24, 2000, 12),
        haven_ratio,
        1 / 12,
    ),
    Case(
        "second opinion, 24 independent ions, 40 ps",
        lambda rng: brownian(rng, 24, 2000),
        regression,
        per_frame(3),
    ),
    Case(
        "second opinion, groups of 12, 40 ps",
        lambda rng: brownian(rng, 24, 2000, 12),
        regression,
        per_frame(3),
    ),
    Case(
        "second opinion, 40 hops each, vibration, 40 ps",
        lambda rng: hopping(rng, 24, 2000, 40),
        regression,
        per_frame(HOP_A**2 * 40 / 2000),
    ),
    Case(
        "second opinion, 8 ions, 5 hops each, 20 ps",
        lambda rng: hopping(rng, 8, 1000, 5),
        regression,
        per_frame(HOP_A**2 * 5 / 1000),
    ),
)


@dataclass(frozen=True)
class Calibration:
    """What the trials of one case gave; see the head of this file."""

    mean_over_true: float
    real_sd: float
    quoted_over_true: float
    coverage: float
    accepted: float


def calibrate(case: Case, n_trials: int, seed: int = 1) -> Calibration:
    """Run the trials of one case."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n_trials):
        answer = case.ask(case.walk(rng), INTERVAL_FS)
        rows.append(
            (
                answer.value,
                answer.error,
                answer.low <= case.true <= answer.high,
                not getattr(answer, "reason", ""),
            )
        )
    value, error, covered, accepted = np.array(rows, float).T
    return Calibration(
        mean_over_true=value.mean() / case.true,
        real_sd=value.std(ddof=1) / case.true,
        quoted_over_true=np.sqrt(np.mean(error**2)) / value.std(ddof=1),
        coverage=covered.mean(),
        accepted=accepted.mean(),
    )


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description="Calibration of the error bars of diffusivities.")
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path)
    chosen = parser.parse_args()
    lines = [
        "# Error bars of diffusivities on walks of known diffusivity",
        "",
        f"`python benchmarks/diffusivity_calibration.py --trials {chosen.trials} --seed "
        f"{chosen.seed}`; {os.cpu_count()} cores, Python {platform.python_version()}, numpy "
        f"{np.__version__}. The columns are explained at the head of that file.",
        "",
        "| case | mean/true | real sd | quoted/true | coverage of 95 % | accepted |",
        "|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    for case in CASES:
        result = calibrate(case, chosen.trials, chosen.seed)
        lines.append(
            f"| {case.name} | {result.mean_over_true:.3f} | {100 * result.real_sd:.1f} % | "
            f"{result.quoted_over_true:.2f} | {100 * result.coverage:.1f} % | "
            f"{100 * result.accepted:.0f} % |"
        )
        print(lines[-1], flush=True)
    if chosen.output:
        chosen.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
