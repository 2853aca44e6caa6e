"""Power of a spectrum at zero frequency, with its error: the diffusivity, freed of motion to and
fro.

A particle that diffuses and also goes to and fro, forgetting each time within tau, has the power

    S(k) = S0 + sum_j A_j k^2 / (k^2 + g_j^2),    g_j = T / (pi tau_j),    A_j > 0

at sine taper k of a run of length T: the exact form for jumps that obey detailed balance, whose
mean squared displacement is S0 t + sum_j A_j tau_j (1 - exp(-t / tau_j)). S0 is wanted. Models
without, with one and with two terms, each for a ladder of g and of highest frequencies, are fitted
by maximum likelihood and averaged by Akaike weights, where a frequency left out costs as much as a
parameter. So the average chooses how much of the spectrum a run's own noise allows it to use.

The error adds three variances: that of the fit, from the scatter of neighbouring frequencies, which
knows of ions that move together; that of the number of hops, from the scatter of the power between
blocks of time beyond what the first explains; and that between the models.

Source
------
Jay, Neil, Phys. Rev. D 103, 114502 (2021), on averages over models and cuts; Toraman, Fauconnier,
Verstraelen, J. Chem. Inf. Model. 65, 10445 (2025), doi 10.1021/acs.jcim.5c01475, who fit the
low-frequency part of the spectrum likewise (STACIE).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[Any]

FEWEST_FREQUENCIES = 4
"""Below it no level can be told."""

_CUTS = (6, 8, 11, 16, 23, 32, 45, 64, 90)
_SLOWEST = 2.0  # g: what takes longer than T / 2 pi cannot be told from diffusion
_PRIOR = np.log([10.0, 1.0, 0.1])  # of the models with 0, 1 and 2 terms
_NOISE_FREQUENCIES = 48
_BURST_LIMIT = 1.5  # bursts are looked for where the power is below this times the level
_LEAST_SHARE = 0.5  # of the fit's variance that bursts too even to be true leave

_SHAPE = np.geomspace(0.2, 1e5, 3000)
_LOG_VARIANCE = special.polygamma(1, _SHAPE)


@dataclass(frozen=True)
class Level:
    """Power at zero frequency.

    Attributes
    ----------
    value, error : level and its standard error, in the spectrum's unit
    freedom : degrees of freedom of the error
    frequencies : highest frequency used, averaged over models
    share : level over the fitted power of the two lowest frequencies
    residual : (K,) spectrum over its fit
    """

    value: float
    error: float
    freedom: float
    frequencies: float
    share: float
    residual: Array


def level(power: Array, blocks: Array, least_noise: float = 0.0) -> Level:
    """Extrapolate a spectrum to zero frequency.

    Parameters
    ----------
    power : (K,) positive, spectrum of the whole run, from `spectrum.sine_spectrum`; K at least
        ``FEWEST_FREQUENCIES``
    blocks : (B, L) spectra of blocks of time
    least_noise : relative variance that one coefficient has at least
    """
    noise = max(dispersion(power[:_NOISE_FREQUENCIES]), least_noise)
    smooth = _smoothed(power)
    for _ in range(2):
        weight, value, variance, cut, fits = _models(power, smooth, noise)
        known = np.isfinite(fits)
        total = weight @ known
        smooth = np.where(
            total > 1e-6, weight @ np.where(known, fits, 0) / np.maximum(total, 1e-9), smooth
        )
    mean = float(weight @ value)
    fitted = float(weight @ variance)
    between = float(weight @ (value - mean) ** 2)
    frequencies = float(weight @ cut)
    scatter, bursts = _bursts(blocks, mean, frequencies, noise)
    total_variance = max(fitted + bursts, _LEAST_SHARE * fitted) + between
    n_noise = max(0.6 * min(frequencies, _NOISE_FREQUENCIES), 2.0)
    # Welch and Satterthwaite. What the choice of models adds is hardly known at all.
    spread = fitted**2 / n_noise + between**2 / 5
    if bursts > 0:
        spread += scatter**2 / (len(blocks) - 1)
    return Level(
        value=mean,
        error=float(np.sqrt(total_variance)),
        freedom=float(np.clip(total_variance**2 / max(spread, 1e-300), 4, 100)),
        frequencies=frequencies,
        share=mean / float(smooth[:2].mean()),
        residual=power / smooth,
    )


def dispersion(power: Array) -> float:
    """Relative variance of one coefficient about a smooth spectrum, from second differences of the
    logarithm of neighbours: 2 / 3 N for N ions that move each for itself, more for groups.

    Parameters
    ----------
    power : (K,) positive, K at least 3
    """
    logs = np.log(power)
    second = logs[2:] - 2 * logs[1:-1] + logs[:-2]
    # The logarithm of a gamma variable of shape a has the variance trigamma(a).
    return 1 / float(np.interp(-np.mean(second**2) / 6, -_LOG_VARIANCE, _SHAPE))


def _smoothed(power: Array) -> Array:
    """Running mean over a quarter of the frequency."""
    k = np.arange(len(power))
    half = np.maximum(2, k // 4)
    total = np.concatenate([[0], np.cumsum(power)])
    low, high = np.maximum(k - half, 0), np.minimum(k + half + 1, len(power))
    return np.asarray((total[high] - total[low]) / (high - low))


@lru_cache(maxsize=32)
def _designs(n_frequencies: int) -> tuple[tuple[int, tuple[Array, ...]], ...]:
    """For each cut the design matrices (models, terms, cut) of the three kinds."""
    out = []
    for cut in (*(cut for cut in _CUTS if cut < n_frequencies), n_frequencies):
        k = np.arange(1, cut + 1)
        steps = max(int(2 * np.log2(2 * cut / _SLOWEST)), 2)
        slow = np.geomspace(_SLOWEST, 2 * cut, steps)
        term = k**2 / (k**2 + slow[:, None] ** 2)
        kinds = [np.ones((1, 1, cut)), np.stack([np.ones_like(term), term], axis=1)]
        if cut >= 8:
            one, other = np.triu_indices(steps, 2)
            kinds.append(np.stack([np.ones((len(one), cut)), term[one], term[other]], axis=1))
        out.append((cut, tuple(kinds)))
    return tuple(out)


def _models(power: Array, smooth: Array, noise: float) -> tuple[Array, Array, Array, Array, Array]:
    """Weight, level, variance, cut and fit (nan beyond the cut) of each model whose terms are all
    positive.
    """
    n = len(power)
    weights = 1 / (noise * smooth**2)
    found: list[tuple[Array, Array, Array, Array, Array]] = []
    for cut, kinds in _designs(n):
        for terms, design in enumerate(kinds):
            weighted = design * weights[:cut]
            normal = weighted @ design.transpose(0, 2, 1)
            trace = np.trace(normal, axis1=1, axis2=2)[:, None, None]
            inverse = np.linalg.inv(normal + 1e-9 * trace * np.eye(terms + 1))
            solution = np.einsum("mpq,mq->mp", inverse, weighted @ power[:cut])
            good = (solution > 0).all(axis=1)
            if not good.any():
                continue
            fit = np.full((int(good.sum()), n), np.nan)
            fit[:, :cut] = np.einsum("mp,mpk->mk", solution[good], design[good])
            ratio = power[:cut] / fit[:, :cut]
            fault = 2 / noise * np.sum(ratio - 1 - np.log(ratio), axis=1)
            merit = (
                -0.5 * (fault + 2 * (terms + 1) + 2 * (n - cut))
                - np.log(len(design))
                + _PRIOR[terms]
            )
            found.append(
                (merit, solution[good, 0], inverse[good, 0, 0], np.full(len(fit), cut), fit)
            )
    merit, value, variance, cuts, fits = (np.concatenate(part) for part in zip(*found, strict=True))
    weight = np.exp(merit - merit.max())
    return weight / weight.sum(), value, variance, cuts, fits


def _bursts(blocks: Array, value: float, frequencies: float, noise: float) -> tuple[float, float]:
    """Variance of the mean power of the blocks, and its part that the noise of single coefficients
    does not explain.
    """
    n_blocks, longest = blocks.shape
    running = np.cumsum(blocks, axis=1) / np.arange(1, longest + 1)
    flat = np.flatnonzero(running.mean(axis=0) <= _BURST_LIMIT * value)
    used = min(round(frequencies / n_blocks), int(flat.max()) + 1 if len(flat) else 1, longest)
    used = max(used, 1)
    scatter = float(running[:, used - 1].var(ddof=1)) / n_blocks
    noise_part = noise * float(np.mean(blocks.mean(axis=0)[:used] ** 2)) / (used * n_blocks)
    return scatter, scatter - noise_part
