"""Which site each mobile ion is on, how often it changes, and how long it stays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial import cKDTree

from borarun.analysis.estimate import CONFIDENCE
from borarun.analysis.sites import KINDS, Sites

Array = NDArray[Any]

SETTLE_FS = 300.0
"""An ion has changed its site when it stays nearest to another for this long: a vibration that
carries it across the border and back is no hop.
"""


@dataclass(frozen=True)
class Residence:
    """How long ions stay on sites of one kind.

    Attributes
    ----------
    kind : of the sites, of `sites.KINDS`
    time_fs : time that ions spent there, all together, fs
    departures : hops that left such a site
    mean_fs : mean residence time, fs; nan where nothing left
    low_fs, high_fs : exact 95 % interval for departures at random times, fs; the upper end is
        infinite where nothing left
    """

    kind: str
    time_fs: float
    departures: int
    mean_fs: float
    low_fs: float
    high_fs: float


def nearest_site(positions: Array, sites: Sites, cell: Array) -> Array:
    """The site that each ion is nearest to.

    Parameters
    ----------
    positions : (n, 3, F) angstrom in the mean cell, in the frame of the anions that the sites were
        found from
    sites : of that cell
    cell : (3, 3) angstrom, rows are vectors

    Returns
    -------
    (n, F) int32, numbers of sites
    """
    shifts = np.array(list(product((-1, 0, 1), repeat=3)))
    tree = cKDTree((sites.scaled[None] + shifts[:, None]).reshape(-1, 3) @ cell)
    inverse = np.linalg.inv(cell)
    found = np.empty((len(positions), positions.shape[2]), np.int32)
    for row, ion in zip(found, positions, strict=True):
        scaled = ion.T.astype(float) @ inverse
        row[:] = tree.query((scaled - np.floor(scaled)) @ cell)[1] % len(sites)
    return found


def settled(site: Array, interval_fs: float, settle_fs: float = SETTLE_FS) -> Array:
    """Sites with short visits left out: an ion stays on its site until it has been nearest to one
    other for ``settle_fs`` without a break.

    Parameters
    ----------
    site : (n, F) int, from `nearest_site`
    interval_fs : time between frames, fs
    settle_fs : fs; a visit as long as one frame counts where frames are farther apart than this

    Returns
    -------
    (n, F) int, same type
    """
    least = max(math.ceil(settle_fs / interval_fs), 1)
    out = np.empty_like(site)
    for row, ion in zip(out, site, strict=True):
        starts = np.concatenate([[0], np.flatnonzero(np.diff(ion)) + 1])
        lengths = np.diff(np.concatenate([starts, [len(ion)]]))
        stays = lengths >= least
        kept = ion[starts[stays]] if stays.any() else ion[:1]
        begins = starts[stays] if stays.any() else np.zeros(1, int)
        row[:] = kept[np.maximum(np.searchsorted(begins, np.arange(len(ion)), side="right") - 1, 0)]
    return out


def fractions(site: Array, sites: Sites) -> dict[str, Array]:
    """Share of the ions on sites of each kind against time.

    Parameters
    ----------
    site : (n, F) int
    sites : that the numbers mean

    Returns
    -------
    Kind -> (F,), in the order of `sites.KINDS`; kinds of which there is no site are left out, the
    others sum to 1
    """
    return {kind: np.mean(sites.of(kind)[site], axis=0) for kind in KINDS if sites.of(kind).any()}


def hops(site: Array, sites: Sites) -> dict[tuple[str, str], int]:
    """Changes of site by kind of the two sites; none that did not happen.

    Parameters
    ----------
    site : (n, F) int, from `settled`
    sites : that the numbers mean
    """
    rows, frames = np.nonzero(np.diff(site, axis=1))
    pairs, counts = np.unique(
        np.stack([sites.kinds[site[rows, frames]], sites.kinds[site[rows, frames + 1]]], axis=1)
        .astype(str)
        .reshape(-1, 2),
        axis=0,
        return_counts=True,
    )
    return {
        (str(before), str(after)): int(count)
        for (before, after), count in zip(pairs, counts, strict=True)
    }


def residence(site: Array, sites: Sites, interval_fs: float) -> tuple[Residence, ...]:
    """Mean residence times: all the time on sites of a kind, over the departures from there.

    Stays that the run cuts at its ends count with the time that was seen of them, so that they bias
    nothing. The interval is that of a Poisson process, which hops that follow each other at random
    are; hops that come in bursts make it too narrow.

    Parameters
    ----------
    site : (n, F) int, from `settled`
    sites : that the numbers mean
    interval_fs : time between frames, fs

    Returns
    -------
    One for each kind of site that an ion was on, in the order of `sites.KINDS`

    Source
    ------
    Garwood, Biometrika 28, 437 (1936), for the interval.
    """
    departures = hops(site, sites)
    time_fs = {kind: float(sites.of(kind)[site[:, :-1]].sum()) * interval_fs for kind in KINDS}
    gone = {
        kind: sum(count for (before, _), count in departures.items() if before == kind)
        for kind in KINDS
    }
    return tuple(
        residence_time(kind, time_fs[kind], gone[kind]) for kind in KINDS if time_fs[kind] > 0
    )


def residence_time(kind: str, time_fs: float, departures: int) -> Residence:
    """Mean residence time from the time on sites of a kind and the departures from there, which may
    be those of several runs.

    Parameters
    ----------
    kind : of the sites
    time_fs : of all ions together, fs
    departures : number of them
    """
    tail = (1 - CONFIDENCE) / 2
    low = time_fs / (stats.chi2.ppf(1 - tail, 2 * departures + 2) / 2)
    high = time_fs / (stats.chi2.ppf(tail, 2 * departures) / 2) if departures else math.inf
    return Residence(
        kind,
        time_fs,
        departures,
        time_fs / departures if departures else math.nan,
        float(low),
        float(high),
    )
