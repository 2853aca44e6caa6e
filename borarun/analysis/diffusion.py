"""Diffusivity of ions with an interval that covers what it claims, also for ions that jump back.

Estimator. Steps of the ions are weighed by sine tapers (`spectrum`); the mean square of the
weighed sums against frequency is extrapolated to zero frequency (`zero_frequency`), where cages,
rattling between two sites and jumps straight back leave nothing. That level over 6 is D. It is the
slope that the mean squared displacement has in the end, found without waiting for the end.

Interval. The error holds the scatter between frequencies, the scatter between blocks of time, the
doubt which part of the spectrum to use and, where ions hop less than about once in a run, the doubt
how many of their hops will be taken back (`UNSEEN_RETURNS`). The interval is exp(+-t s) times the
value, with s the relative error and t Student's for the error's degrees of freedom.

Rules for "not diffusive", each with its reason in words:

* the run is too short: less than twenty times ``onset_fs``;
* too few hops: 6 D t N, the square displacements of all ions together, is worth fewer than five
  hops; the interval is then a bound, that of a Poisson process of so many hops;
* sub-diffusive: at the lowest frequencies of the run less than half of the motion is diffusion;
* uncertain: the upper end of the interval is more than five times the lower.

Runs with too few hops, and those that are uncertain, are not wrong; they only know little. In an
Arrhenius line they count by ``counted_hops``, the number of independent hops that their error is
worth. To leave them out would keep those that happened to hop more.

Source
------
He, Zhu, Epstein, Mo, npj Comput. Mater. 4, 18 (2018), on how many hops a diffusivity needs. How
well the intervals hold on walks of known diffusivity is measured by
benchmarks/diffusivity_calibration.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from borarun.analysis.estimate import CONFIDENCE, Estimate, mean, student
from borarun.analysis.spectrum import sine_spectrum
from borarun.analysis.zero_frequency import FEWEST_FREQUENCIES, Level, level
from borarun.basics.units import A2_PER_FS_IN_CM2_PER_S, FS_PER_PS

Array = NDArray[Any]

ESTIMATOR = "sine spectrum, 4"
"""Name and version, for the report: 1 was the slope of the mean squared displacement between a
hundredth and a fiftieth of the run; 3 has `UNSEEN_RETURNS`; 4 knows `_NOISE_OF_ONE`.
"""

BLOCKS = 10
FEWEST_HOPS = 5.0
SHORTEST_ONSETS = 20
LEAST_SHARE = 0.5
WIDEST_INTERVAL = 5.0
_MOST_FREQUENCIES = 128
_NOISE_OF_ONE = 2 / 3
"""Relative variance that a coefficient of one particle, as of the summed displacement, has at
least: that of three axes. From the scatter of so few coefficients it may be found much too small,
and then the spectrum's noise is taken for motion to and fro.
"""

UNSEEN_RETURNS = 0.35
"""Relative doubt of a tracer diffusivity from a run in which ions have hardly hopped, falling as
exp(-hops an ion): that many hops may yet be taken back, as with vacancies, of whose hops 35 % are.
"""


HOP_LENGTH_A = 3.0
"""Between neighbouring places of an ion; in most electrolytes 2 to 4 A."""


@dataclass(frozen=True)
class Diffusivity:
    """A diffusivity with its uncertainty.

    Attributes
    ----------
    value : cm^2/s; nan where the run is too short for any
    error : standard error, cm^2/s
    low, high : 95 % interval, cm^2/s; with too few hops ``low`` is zero
    freedom : degrees of freedom of the error
    n_blocks : blocks of time, of all runs
    fit_from_fs, fit_to_fs : times that the spectrum used stands for, T / pi k, fs
    share : part of the motion at the lowest frequencies that is diffusion
    hops : number of hops that the square displacements of all ions are worth
    diffusive : whether the value may be used
    reason : why not; empty where it may
    per_hop : cm^2/s that one hop in the run stands for
    counted_hops : of a run that has too few hops, or is uncertain: number of independent hops that
        the value is known as well as, (value / error)^2, at most ``hops``; None of any other
    hop_length_A : length of the hops that are counted, angstrom
    """

    value: float
    error: float
    low: float
    high: float
    freedom: float
    n_blocks: int
    fit_from_fs: float
    fit_to_fs: float
    share: float
    hops: float
    diffusive: bool
    reason: str
    per_hop: float
    counted_hops: float | None = None
    hop_length_A: float = HOP_LENGTH_A


@dataclass(frozen=True)
class Haven:
    """Haven ratio: tracer over charge diffusivity.

    Attributes
    ----------
    value, error, low, high : ratio, its standard error and 95 % interval
    freedom : degrees of freedom of the error
    usable : whether both diffusivities are
    reason : why not; empty where they are
    """

    value: float
    error: float
    low: float
    high: float
    freedom: float
    usable: bool
    reason: str


def diffusivity(
    positions: Array,
    interval_fs: float,
    *,
    onset_fs: float = 500.0,
    hop_length_A: float = HOP_LENGTH_A,
) -> Diffusivity:
    """Tracer diffusivity of the ions.

    Parameters
    ----------
    positions : (N, 3, F) angstrom, ions of one kind, unwrapped, relative to the framework
    interval_fs : time between frames, fs
    onset_fs : time in which a vibration is forgotten, fs; frequencies above 2 / ``onset_fs`` (in
        radians) are not used
    hop_length_A : length of a hop for the count of hops, angstrom

    Returns
    -------
    Diffusivity, flagged where one of the module's rules says that it is none
    """
    found = _level(positions, interval_fs, onset_fs)
    return _diffusivity(found, positions, 1.0, interval_fs, onset_fs, hop_length_A)


def collective_diffusivity(
    positions: Array,
    interval_fs: float,
    *,
    onset_fs: float = 500.0,
    hop_length_A: float = HOP_LENGTH_A,
) -> Diffusivity:
    """Charge diffusivity: that of the summed displacement of all ions, per ion. Parameters as for
    `diffusivity`.
    """
    found = _level(_summed(positions), interval_fs, onset_fs)
    return _diffusivity(
        found, _summed(positions), 1.0 / len(positions), interval_fs, onset_fs, hop_length_A
    )


def haven_ratio(
    positions: Array,
    interval_fs: float,
    *,
    onset_fs: float = 500.0,
    hop_length_A: float = HOP_LENGTH_A,
) -> Haven:
    """Tracer over charge diffusivity. The errors of the two go together as far as the two spectra
    scatter together about their fits.

    Parameters
    ----------
    positions : (N, 3, F) angstrom, ions of one kind, unwrapped, relative to the framework
    interval_fs : time between frames, fs
    onset_fs, hop_length_A : as in `diffusivity`
    """
    total = _summed(positions)
    single, summed = (
        _level(x, interval_fs, onset_fs) for x in (positions.astype(float, copy=False), total)
    )
    tracer = _diffusivity(single, positions, 1.0, interval_fs, onset_fs, hop_length_A)
    charge = _diffusivity(summed, total, 1.0 / len(positions), interval_fs, onset_fs, hop_length_A)
    reason = tracer.reason or (f"collective: {charge.reason}" if charge.reason else "")
    if single is None or summed is None:
        return _haven(math.nan, math.nan, math.nan, reason)
    together = float(np.corrcoef(single.residual, summed.residual)[0, 1])
    one, other = tracer.error / tracer.value, summed.error / summed.value
    relative = math.sqrt(max(one**2 + other**2 - 2 * together * one * other, 0.0))
    value = tracer.value / charge.value
    freedom = min(single.freedom, summed.freedom)
    return _haven(value, relative, freedom, reason)


def pooled_haven(runs: Sequence[Haven]) -> Haven:
    """One Haven ratio from independent runs: the mean of their logarithms by `estimate.mean`,
    because ratios that are known badly scatter by factors. A run that is not usable refuses it.
    """
    refused = next((run for run in runs if not run.usable), None)
    if refused is not None:
        return refused
    found = mean(
        [Estimate(math.log(run.value), run.error / run.value, run.freedom) for run in runs]
    )
    return _haven(math.exp(found.value), found.error, found.freedom, "")


def _haven(value: float, relative: float, freedom: float, reason: str) -> Haven:
    low, high = _interval(value, relative, freedom)
    return Haven(value, value * relative, low, high, freedom, usable=not reason, reason=reason)


def pooled(runs: Sequence[Diffusivity]) -> Diffusivity:
    """One diffusivity from independent runs of equal length: their mean by `estimate.mean`.

    To leave out only the runs with few hops would favour the lucky ones. So runs with few hops, and
    uncertain ones, are judged together by the hops and the interval of all; one that is refused for
    another reason refuses the pool.
    """
    if len(runs) == 1:
        return runs[0]
    n = len(runs)
    found = mean([Estimate(run.value, run.error, run.freedom) for run in runs])
    value, error = found.value, found.error
    hops = float(sum(run.hops for run in runs))
    low, high = _interval(value, error / value if value else 0.0, found.freedom)
    refused = [
        f"run {number}: {run.reason}"
        for number, run in enumerate(runs, 1)
        if run.reason and run.counted_hops is None
    ]
    little, counted = (
        ("", None)
        if refused
        else _knows_little(value, error, hops, low, high, runs[0].hop_length_A)
    )
    if hops < FEWEST_HOPS:
        per_hop = sum(run.per_hop for run in runs) / n**2
        low, high = 0.0, _poisson_bound(hops) * per_hop
    reason = (*refused, little)[0]
    return replace(
        runs[0],
        value=value,
        error=error,
        low=low,
        high=high,
        freedom=found.freedom,
        n_blocks=sum(run.n_blocks for run in runs),
        share=min(run.share for run in runs),
        hops=hops,
        diffusive=not reason,
        reason=reason,
        per_hop=sum(run.per_hop for run in runs) / n**2,
        counted_hops=counted,
    )


def onset_frames(n_frames: int, interval_fs: float, onset_fs: float) -> int:
    """The shortest lag at which a run tells of diffusion: ``onset_fs``, or a hundredth of the run
    where that is longer, in frames.
    """
    return max(math.ceil(onset_fs / interval_fs), n_frames // 100)


def _level(positions: Array, interval_fs: float, onset_fs: float) -> Level | None:
    """The level at zero frequency, angstrom^2 a frame; None where the run is too short for any."""
    n_frames = positions.shape[2]
    n_frequencies = min(
        int(2 * n_frames * interval_fs / (math.pi * onset_fs)),
        (n_frames - 1) // 4,
        _MOST_FREQUENCIES,
    )
    if n_frequencies < FEWEST_FREQUENCIES or (n_frames - 1) // BLOCKS < 1:
        return None
    power = sine_spectrum(positions, n_frequencies)[0]
    # Ions that do not move at all have no logarithm.
    if not (power > 0).all():
        return Level(0.0, 0.0, 1.0, n_frequencies, 0.0, np.ones(n_frequencies))
    blocks = sine_spectrum(positions, max(n_frequencies // BLOCKS, 1), BLOCKS)
    return level(power, blocks, _NOISE_OF_ONE if len(positions) == 1 else 0.0)


def _diffusivity(
    found: Level | None,
    positions: Array,
    scale: float,
    interval_fs: float,
    onset_fs: float,
    hop_length_A: float,
) -> Diffusivity:
    """Diffusivity of ``positions`` times ``scale``, which is 1/N for the summed displacement of N
    ions.
    """
    n_frames = positions.shape[2]
    length_fs = n_frames * interval_fs
    if found is None:
        found = Level(math.nan, math.nan, math.nan, math.nan, math.nan, np.zeros(0))
    # Square displacement of all ions, in hops; a summed particle of scale 1/N stands for N ions.
    hops = found.value * n_frames * len(positions) / hop_length_A**2
    to_cm2_per_s = scale * A2_PER_FS_IN_CM2_PER_S / interval_fs / 6
    value, error = found.value * to_cm2_per_s, found.error * to_cm2_per_s
    if scale == 1.0:  # the charge that has moved with a vacancy is not taken back with it
        error = math.hypot(error, value * UNSEEN_RETURNS * math.exp(-hops / len(positions)))
    low, high = _interval(value, error / value if value else 0.0, found.freedom)
    per_hop = hop_length_A**2 / (n_frames * len(positions)) * to_cm2_per_s
    little, counted = _knows_little(value, error, hops, low, high, hop_length_A)
    if hops < FEWEST_HOPS:
        low, high = 0.0, _poisson_bound(hops) * per_hop
    if length_fs < SHORTEST_ONSETS * onset_fs or math.isnan(value):
        needed_fs = max(SHORTEST_ONSETS * onset_fs, 4 * FEWEST_FREQUENCIES * interval_fs)
        reason = (
            f"too short: the run has {length_fs / FS_PER_PS:.3g} ps, at least "
            f"{needed_fs / FS_PER_PS:.3g} ps are needed"
        )
    elif hops >= FEWEST_HOPS and found.share < LEAST_SHARE:
        reason = (
            f"sub-diffusive: {100 * found.share:.0f} % of the slowest motion that the run shows is "
            f"diffusion, at least {100 * LEAST_SHARE:g} % are needed"
        )
    else:
        reason = little
    return Diffusivity(
        value=value,
        error=error,
        low=low,
        high=high,
        freedom=found.freedom,
        n_blocks=BLOCKS,
        fit_from_fs=length_fs / (math.pi * found.frequencies),
        fit_to_fs=length_fs / math.pi,
        share=found.share,
        hops=hops,
        diffusive=not reason,
        reason=reason,
        per_hop=per_hop,
        counted_hops=counted if reason == little else None,
        hop_length_A=hop_length_A,
    )


def _knows_little(
    value: float, error: float, hops: float, low: float, high: float, hop_length_A: float
) -> tuple[str, float | None]:
    """Why a value is too uncertain to be used as such, and the hops that it counts for; an empty
    reason and None where it is not.
    """
    if hops < FEWEST_HOPS:
        reason = (
            f"too few hops: the displacements are worth {hops:.1f} hops of {hop_length_A:g} A, at "
            f"least {FEWEST_HOPS:g} are needed"
        )
    elif high > WIDEST_INTERVAL * low:
        reason = (
            f"uncertain: the 95 % interval is {low:.1e} to {high:.1e} cm2/s, its ends may differ "
            f"by a factor of {WIDEST_INTERVAL:g} at most"
        )
    else:
        return "", None
    return reason, max(min(hops, (value / error) ** 2), 0.0) if error > 0 else 0.0


def _interval(value: float, relative: float, freedom: float) -> tuple[float, float]:
    """95 % interval of a positive quantity."""
    reach = relative * student(freedom)
    return value * math.exp(-min(reach, 700.0)), value * math.exp(min(reach, 700.0))


def _poisson_bound(hops: float) -> float:
    """Upper end of the exact 95 % interval for the expected number of hops."""
    return float(stats.chi2.ppf(0.5 + CONFIDENCE / 2, 2 * max(hops, 0.0) + 2)) / 2


def _summed(positions: Array) -> Array:
    """The ions' summed displacement as one particle, (1, 3, F)."""
    return np.asarray(positions.sum(axis=0, dtype=float)[None])
