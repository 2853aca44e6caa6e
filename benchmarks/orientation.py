"""How fast the autocorrelation of the anions' orientations is: borarun against packages of the
field.

108 anions of 12 vertices tumble through 20,000 frames. borarun computes a curve of each anion,
because its intervals come from the scatter between anions;
*one curve for all* is what it would take to have only their mean. From stored orientations (9
    numbers an anion, not 36) the same curve
follows for an icosahedron, whose vertices together turn as three axes do. gemdat and tidynamics
compute a part of the vertices, and their time is multiplied; theirs is proportional to the number
of vertices. All take turns in one process of one thread; CPU times, median of three rounds.

    pip install gemdat tidynamics
    python benchmarks/orientation.py

writes ``benchmarks/results/orientation.md``. A package that is not installed is said to be missing.
"""

from __future__ import annotations

import argparse
import os
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import peers

os.environ |= peers.ONE_THREAD  # before they load

import numpy as np

RESULTS = Path(__file__).parent / "results" / "orientation.md"
ANIONS, FRAMES, REPEATS, PART = 108, 20_000, 3, 9
"""Peers compute a ninth of the anions."""

Array = np.ndarray[Any, Any]


@cache
def turns() -> Array:
    """(A, 3, 3, F) float32, rotation of each anion."""
    from scipy.spatial.transform import Rotation

    rng = np.random.default_rng(1)
    out = np.empty((ANIONS, 3, 3, FRAMES), np.float32)
    for anion in out:
        anion[:] = np.moveaxis(
            Rotation.from_rotvec(np.cumsum(rng.normal(0, 0.02, (FRAMES, 3)), axis=0)).as_matrix(),
            0,
            2,
        )
    return out


@cache
def vertices() -> Array:
    """(A, V, 3, F) float32, unit vectors to the corners of icosahedra."""
    golden = (1 + 5**0.5) / 2
    corners = np.array(
        [np.roll((0.0, a, b * golden), k) for k in range(3) for a in (-1, 1) for b in (-1, 1)]
    ) / np.sqrt(1 + golden**2)
    return np.einsum("aijf,vj->avif", turns(), corners.astype(np.float32))


def borarun() -> peers.Job:
    from borarun.analysis.rotation import autocorrelation

    return lambda: autocorrelation(vertices())


def stored() -> peers.Job:
    from borarun.analysis.rotation import autocorrelation

    axes = np.ascontiguousarray(turns().transpose(0, 2, 1, 3))  # where the three axes point
    return lambda: autocorrelation(axes)


def one_curve() -> peers.Job:
    from scipy import fft

    length = fft.next_fast_len(2 * FRAMES - 1, real=True)

    def job() -> Array:
        power = np.zeros(2 * (length // 2 + 1), np.float32)
        for anion in vertices():
            parts = fft.rfft(anion, length, axis=2).view(np.float32)
            power += np.einsum("vif,vif->f", parts, parts)
        found = fft.irfft(power[::2] + power[1::2], length)[:FRAMES] / (FRAMES - np.arange(FRAMES))
        return np.asarray(found / found[0])

    return job


def floor() -> peers.Job:
    from scipy import fft

    length = fft.next_fast_len(2 * FRAMES - 1, real=True)
    return lambda: all(fft.rfft(anion, length, axis=2).size for anion in vertices())


def gemdat() -> peers.Job:
    from gemdat.utils import fft_autocorrelation

    part = np.ascontiguousarray(
        np.moveaxis(vertices()[: ANIONS // PART].reshape(-1, 3, FRAMES), 2, 0)
    )
    return lambda: fft_autocorrelation(part).mean(axis=0)


def tidynamics() -> peers.Job:
    import tidynamics

    part = np.ascontiguousarray(
        np.moveaxis(vertices()[: ANIONS // PART].reshape(-1, 3, FRAMES), 2, 1)
    )
    return lambda: np.mean([tidynamics.acf(vertex) for vertex in part], axis=0)


CANDIDATES = {
    "borarun": peers.Candidate("borarun", "borarun", borarun),
    "borarun, from stored orientations": peers.Candidate("borarun", "borarun", stored),
    "one curve for all anions": peers.Candidate("scipy", "scipy", one_curve),
    "a padded transform alone": peers.Candidate("scipy", "scipy", floor),
    "gemdat": peers.Candidate("gemdat", "gemdat", gemdat, 15, 1 / PART),
    "tidynamics, vertex by vertex": peers.Candidate(
        "tidynamics", "tidynamics", tidynamics, 12, 1 / PART
    ),
}


def main() -> None:
    """Time all candidates and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="the table")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    times = peers.rounds(CANDIDATES, REPEATS)
    curves = borarun()()
    lags = slice(0, FRAMES // 2)
    more = {}
    for name, one in CANDIDATES.items():
        if one.there and "transform" not in name:
            found = np.asarray(one.prepare()())
            right = curves[: round(ANIONS * one.share)].mean(axis=0)
            more[name] = (
                f"{np.abs((found.mean(axis=0) if found.ndim == 2 else found) - right)[lags].max():.0e}",  # noqa: E501
            )
    ratio = times["borarun"] / times["borarun, from stored orientations"]
    share = times["borarun"] / times["one curve for all anions"] - 1
    lines = [
        "# Autocorrelation of orientations",
        "",
        f"`python benchmarks/orientation.py`: {ANIONS} anions x 12 vertices x {FRAMES:,} "
        f"frames in single precision, {vertices().nbytes / 1e6:.0f} MB.",
        f"CPU time of one thread, median of {REPEATS} rounds in which each has its turn; "
        f"peers on a {PART}th of the anions, times {PART}.",
        "",
        peers.machine(),
        "",
        f"From stored orientations borarun is {ratio:.1f} times faster (goal: at least 3). "
        "The curve of every anion, from which intervals come, costs",
        f"{100 * share:.0f} % more than one curve for all.",
        "",
        "| | version | CPU time over borarun's | goal, at least | differs by |",
        "|---|---|---|---|---|",
        *peers.table(CANDIDATES, times, "borarun", more),
    ]
    options.output.write_text("\n".join(lines) + "\n")
    print(options.output.read_text())


if __name__ == "__main__":
    main()
