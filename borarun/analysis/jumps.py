"""Jumps between sites as a third opinion on diffusion: rates by path, and the correlation factor.

A jump takes an ion from one hole between the anions to another; the window that it goes through is
no stop. Were every jump independent of those before, the ions would diffuse with

    D_jump = (sum of squared jump lengths) / 6 N t

The correlation factor f = D / D_jump says how far they are not: f = 1 for independent jumps, 0.653
for one vacancy on a simple cubic lattice, near 0 where ions only rattle between two sites.

Source
------
Mehrer, Diffusion in Solids (Springer, 2007), chapters 6 and 7; Morgan, J. Open Source Softw. 6,
2970 (2021), doi 10.21105/joss.02970, on site occupations; Garwood, Biometrika 28, 437 (1936), on
the interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from borarun.analysis.estimate import CONFIDENCE
from borarun.analysis.sites import WINDOW, Sites
from borarun.basics.units import A2_PER_FS_IN_CM2_PER_S

Array = NDArray[Any]


@dataclass(frozen=True)
class Path:
    """Jumps from holes of one kind to holes of another.

    Attributes
    ----------
    before, after : kinds of the holes, of `sites.KINDS`
    count : jumps
    time_fs : time that ions spent on holes of kind ``before``, all together, fs
    square_A2 : sum of the squared lengths of the jumps, angstrom^2
    """

    before: str
    after: str
    count: int
    time_fs: float
    square_A2: float

    @property
    def length_A(self) -> float:
        """Root mean square length of a jump, angstrom."""
        return float(np.sqrt(self.square_A2 / self.count))

    @property
    def rate_per_fs(self) -> tuple[float, float, float]:
        """Jumps per ion on such a hole, 1/fs, and the exact 95 % interval for jumps at random
        times.
        """
        tail = (1 - CONFIDENCE) / 2
        low = float(stats.chi2.ppf(tail, 2 * self.count)) / 2
        high = float(stats.chi2.ppf(1 - tail, 2 * self.count + 2)) / 2
        return self.count / self.time_fs, low / self.time_fs, high / self.time_fs


def holes(site: Array, sites: Sites) -> Array:
    """The hole that each ion was on last; before its first one, the one that it comes to.

    Parameters
    ----------
    site : (n, F) int, from `occupancy.settled`
    sites : that the numbers mean

    Returns
    -------
    (n, F) int; an ion that was on windows only stays on its first window
    """
    on_hole = ~sites.of(WINDOW)[site]
    frames = np.where(on_hole, np.arange(site.shape[1]), -1)
    last = np.maximum.accumulate(frames, axis=1)
    first = np.where(on_hole.any(axis=1), on_hole.argmax(axis=1), 0)
    return np.take_along_axis(site, np.where(last < 0, first[:, None], last), axis=1)


def paths(site: Array, sites: Sites, cell: Array, interval_fs: float) -> tuple[Path, ...]:
    """Jumps by the kinds of the two holes.

    Parameters
    ----------
    site : (n, F) int, from `occupancy.settled`
    sites : that the numbers mean
    cell : (3, 3) angstrom, rows are vectors; an ion jumps by less than half of it
    interval_fs : time between frames, fs
    """
    on = holes(site, sites)
    ion, frame = np.nonzero(np.diff(on, axis=1))
    before, after = on[ion, frame], on[ion, frame + 1]
    step = sites.scaled[after] - sites.scaled[before]
    square = (((step - np.round(step)) @ cell) ** 2).sum(axis=1)
    kinds = sites.kinds.astype(str)
    stayed = kinds[on[:, :-1]]
    ways = np.char.add(np.char.add(kinds[before], ">"), kinds[after])
    found = []
    for way in np.unique(ways):
        first, second = str(way).split(">")
        of = ways == way
        time_fs = float((stayed == first).sum()) * interval_fs
        found.append(Path(first, second, int(of.sum()), time_fs, float(square[of].sum())))
    return tuple(found)


def together(
    runs: Sequence[Sequence[Path]], time_fs: Sequence[dict[str, float]]
) -> tuple[Path, ...]:
    """Paths of several runs as those of one.

    Parameters
    ----------
    runs : from `paths`
    time_fs : of each run, the time on holes of each kind, fs; from `time_on`
    """
    ways = dict.fromkeys((path.before, path.after) for run in runs for path in run)
    return tuple(
        Path(
            *way,
            sum(path.count for path in of),
            sum(time.get(way[0], 0.0) for time in time_fs),
            sum(path.square_A2 for path in of),
        )
        for way in sorted(ways)
        for of in [[p for run in runs for p in run if (p.before, p.after) == way]]
    )


def time_on(site: Array, sites: Sites, interval_fs: float) -> dict[str, float]:
    """Time that ions spent on holes of each kind, all together, fs. Parameters as for `paths`."""
    kinds, counts = np.unique(
        sites.kinds.astype(str)[holes(site, sites)[:, :-1]], return_counts=True
    )
    return {
        str(kind): float(count) * interval_fs for kind, count in zip(kinds, counts, strict=True)
    }


def jump_diffusivity(found: Sequence[Path], n_ions: int, time_fs: float) -> float:
    """Diffusivity that the jumps would make if each were independent of those before, cm^2/s.

    Parameters
    ----------
    found : all paths
    n_ions : of the runs
    time_fs : of all runs together, fs
    """
    square = sum(path.square_A2 for path in found)
    return square / (6 * n_ions * time_fs) * A2_PER_FS_IN_CM2_PER_S
