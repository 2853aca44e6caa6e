"""Diffusivity of ions with an interval that covers what it claims.

Estimator. D is the slope of the mean squared displacement (MSD) over all time origins between the
lags m1 and m2, divided by 6: a straight line through 16 lags there. Taking a slope instead of
MSD/6t removes the constant that vibration adds. m1 is the larger of a hundredth of the run and
``onset_fs``, by which an ion has forgotten its vibration; m2 is twice m1. That is 10 to 20 ps in a
run of 1 ns, 0.5 to 1 ps in one of 20 ps.

Interval. Every time origin gives its own slope. Their mean is D; the scatter of the means of ten
blocks of time (fewer where a block would be shorter than twice m2) gives the standard error, and
Student's t with that many blocks less one the 95 % interval. That holds for ions that move together
as for ions that move one by one; the standard error of a regression holds for neither.

Rules for "not diffusive", each with its reason in words:

* the run is too short: fewer than five blocks of twice m2;
* too few hops: 6 D t N, the square displacements of all ions together, is worth fewer than five
  hops;
* sub-diffusive: the MSD grows more slowly than t^0.5 between m2 and a fifth of the run;
* the 95 % interval includes zero.

Source
------
He, Zhu, Epstein, Mo, npj Comput. Mater. 4, 18 (2018), on how many hops a diffusivity needs. How
well the intervals hold on random walks of known diffusivity is measured by
benchmarks/diffusivity_calibration.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from borarun.analysis.msd import mean_squared_displacement
from borarun.units import A2_PER_FS_IN_CM2_PER_S, FS_PER_PS

Array = NDArray[Any]

CONFIDENCE = 0.95
MOST_BLOCKS = 10
FEWEST_BLOCKS = 5
FEWEST_HOPS = 5.0
LOWEST_EXPONENT = 0.5
_FIT_LAGS = 16


@dataclass(frozen=True)
class Diffusivity:
    """A diffusivity with its uncertainty.

    Attributes
    ----------
    value : cm^2/s; nan where the run holds no slope at all
    error : standard error, cm^2/s
    low, high : 95 % interval, cm^2/s
    blocks : cm^2/s in each block of time
    fit_from_fs, fit_to_fs : lags between which the slope was taken, fs
    exponent : slope of ln MSD over ln t from ``fit_to_fs`` to a fifth of the run
    hops : number of hops that the square displacements of all ions are worth
    diffusive : whether the value may be used
    reason : why not; empty where it may
    """

    value: float
    error: float
    low: float
    high: float
    blocks: tuple[float, ...]
    fit_from_fs: float
    fit_to_fs: float
    exponent: float
    hops: float
    diffusive: bool
    reason: str

    @property
    def n_blocks(self) -> int:
        """Number of time blocks."""
        return len(self.blocks)


@dataclass(frozen=True)
class Haven:
    """Haven ratio: tracer over charge diffusivity.

    Attributes
    ----------
    value, error, low, high : ratio, its standard error and 95 % interval
    usable : whether both diffusivities are
    reason : why not; empty where they are
    """

    value: float
    error: float
    low: float
    high: float
    usable: bool
    reason: str


def diffusivity(
    positions: Array, interval_fs: float, *, onset_fs: float = 500.0, hop_length_A: float = 3.0
) -> Diffusivity:
    """Tracer diffusivity of the ions.

    Parameters
    ----------
    positions : (N, 3, F) angstrom, ions of one kind, unwrapped, relative to the framework
    interval_fs : time between frames, fs
    onset_fs : shortest lag used, fs
    hop_length_A : length of a hop for the count of hops, angstrom

    Returns
    -------
    Diffusivity, flagged where one of the module's rules says that it is none
    """
    return _diffusivity(positions, 1.0, interval_fs, onset_fs, hop_length_A)


def collective_diffusivity(
    positions: Array, interval_fs: float, *, onset_fs: float = 500.0, hop_length_A: float = 3.0
) -> Diffusivity:
    """Charge diffusivity: that of the summed displacement of all ions, per ion. Parameters as for
    `diffusivity`.
    """
    return _diffusivity(
        _summed(positions), 1.0 / len(positions), interval_fs, onset_fs, hop_length_A
    )


def haven_ratio(positions: Array, interval_fs: float, *, onset_fs: float = 500.0) -> Haven:
    """Tracer over charge diffusivity, by the jackknife over blocks of time.

    Parameters
    ----------
    positions : (N, 3, F) angstrom, ions of one kind, unwrapped, relative to the framework
    interval_fs : time between frames, fs
    onset_fs : shortest lag used, fs
    """
    tracer = diffusivity(positions, interval_fs, onset_fs=onset_fs)
    charge = collective_diffusivity(positions, interval_fs, onset_fs=onset_fs)
    reason = tracer.reason or (f"collective: {charge.reason}" if charge.reason else "")
    n = tracer.n_blocks
    if n < 2 or charge.value == 0:
        return Haven(math.nan, math.nan, math.nan, math.nan, usable=False, reason=reason)
    top, bottom = np.array(tracer.blocks), np.array(charge.blocks)
    ratio = top.sum() / bottom.sum()
    without = (top.sum() - top) / (bottom.sum() - bottom)
    value = n * ratio - (n - 1) * without.mean()
    error = math.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2))
    reach = error * stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1)
    return Haven(
        float(value),
        error,
        float(value - reach),
        float(value + reach),
        usable=not reason,
        reason=reason,
    )


def onset_frames(n_frames: int, interval_fs: float, onset_fs: float) -> int:
    """The shortest lag at which a run tells of diffusion: ``onset_fs``, or a hundredth of the run
    where that is longer, in frames.
    """
    return max(math.ceil(onset_fs / interval_fs), n_frames // 100)


def _diffusivity(
    positions: Array, scale: float, interval_fs: float, onset_fs: float, hop_length_A: float
) -> Diffusivity:
    """Diffusivity of ``positions`` times ``scale``, which is 1/N for the summed displacement of N
    ions.
    """
    n_frames = positions.shape[2]
    first = onset_frames(n_frames, interval_fs, onset_fs)
    last = 2 * first
    n_blocks = min(MOST_BLOCKS, n_frames // (2 * last))
    to_cm2_per_s = scale * A2_PER_FS_IN_CM2_PER_S / interval_fs
    slopes = _slopes(positions, first, last) * to_cm2_per_s / 6
    blocks = (
        np.array([part.mean() for part in np.array_split(slopes, n_blocks)])
        if n_blocks
        else np.zeros(0)
    )
    value = float(slopes.mean()) if len(slopes) else math.nan
    error = float(blocks.std(ddof=1)) / math.sqrt(n_blocks) if n_blocks > 1 else math.nan
    reach = (
        error * float(stats.t.ppf(0.5 + CONFIDENCE / 2, n_blocks - 1)) if n_blocks > 1 else math.nan
    )
    exponent = _exponent(positions, last, n_frames // 5)
    # 6 D t for each ion, in hops; a single summed particle of scale 1/N stands for N ions.
    hops = (
        6
        * value
        / A2_PER_FS_IN_CM2_PER_S
        * n_frames
        * interval_fs
        * len(positions)
        / scale
        / hop_length_A**2
    )
    if n_blocks < FEWEST_BLOCKS:
        needed_ps, length_ps = (
            2 * FEWEST_BLOCKS * last * interval_fs / FS_PER_PS,
            n_frames * interval_fs / FS_PER_PS,
        )
        reason = (
            f"too short: the run has {length_ps:.3g} ps, at least {needed_ps:.3g} ps are needed"
        )
    elif hops < FEWEST_HOPS:
        worth = f"the displacements are worth {max(hops, 0):.1f} hops of {hop_length_A:g} A"
        reason = f"too few hops: {worth}, at least {FEWEST_HOPS:g} are needed"
    elif exponent < LOWEST_EXPONENT:
        reason = (
            f"sub-diffusive: the mean squared displacement grows as t^{exponent:.2f}, at least "
            f"t^{LOWEST_EXPONENT:g} is needed"
        )
    elif value <= reach:
        reason = f"the 95 % interval includes zero: ({value:.1e} +- {reach:.1e}) cm2/s"
    else:
        reason = ""
    return Diffusivity(
        value=value,
        error=error,
        low=value - reach,
        high=value + reach,
        blocks=tuple(blocks.tolist()),
        fit_from_fs=first * interval_fs,
        fit_to_fs=last * interval_fs,
        exponent=exponent,
        hops=hops,
        diffusive=not reason,
        reason=reason,
    )


def _slopes(positions: Array, first: int, last: int) -> Array:
    """Slope of the square displacement between two lags, for each time origin, averaged over atoms.

    Returns
    -------
    (F - last,) angstrom^2 per frame; empty where the run is shorter than ``last``
    """
    n_atoms, _, n_frames = positions.shape
    n_origins = max(n_frames - last, 0)
    lags = np.unique(np.linspace(first, last, _FIT_LAGS).round().astype(int))
    away = lags - lags.mean()
    weights = away / np.sum(away**2)
    slopes: Array = np.zeros(n_origins)
    for atom in positions if n_origins else ():
        series = atom - atom.mean(axis=1, keepdims=True, dtype=float)
        for lag, weight in zip(lags, weights, strict=True):
            step = series[:, lag : lag + n_origins] - series[:, :n_origins]
            slopes += weight * np.einsum("if,if->f", step, step)
    return np.asarray(slopes / n_atoms)


def _exponent(positions: Array, first: int, last: int) -> float:
    """Slope of ln MSD over ln t between two lags; nan where they do not lie apart."""
    if last <= first:
        return math.nan
    msd = mean_squared_displacement(positions)
    if msd[first] == 0:
        return 0.0
    lags = np.unique(np.geomspace(first, last, _FIT_LAGS).round().astype(int))
    return float(np.polyfit(np.log(lags), np.log(msd[lags]), 1)[0])


def _summed(positions: Array) -> Array:
    """The ions' summed displacement as one particle, (1, 3, F)."""
    return np.asarray(positions.sum(axis=0, dtype=float)[None])
