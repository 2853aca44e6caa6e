"""Mean squared displacement at every lag, over all time origins, by Fourier transform.

    MSD(m) = 1/(F - m) sum_t |x(t + m) - x(t)|^2 = S1(m) - 2 S2(m)

S1 is a running sum of squares and S2 the autocorrelation. The power spectra are summed over atoms
and directions *before* the one inverse transform. Each series is centred first and everything is
double precision: far from the origin S1 and S2 are large and nearly equal.

Source
------
Calandrini, Pellegrini, Calligari, Hinsen, Kneller, Collection SFN 12, 201 (2011), section 4.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Array = NDArray[Any]

_BLOCK_BYTES = 4 * 2**20
"""Size of the padded double-precision copy of one block of atoms; working memory is about three
times that. Larger ones leave the cache.
"""


def mean_squared_displacement(positions: Array) -> Array:
    """Mean squared displacement of atoms, averaged over atoms and all time origins.

    Parameters
    ----------
    positions : (N, 3, F) angstrom, unwrapped

    Returns
    -------
    (F,) angstrom^2, at lags of 0, 1, ... F - 1 frames
    """
    n_atoms, n_axes, n_frames = positions.shape
    length = fft.next_fast_len(2 * n_frames - 1, real=True)
    block = max(1, _BLOCK_BYTES // (8 * n_axes * length))
    parts = np.zeros(2 * (length // 2 + 1))  # squares of real and imaginary parts in turn
    square = np.zeros(n_frames)
    for start in range(0, n_atoms, block):
        series = positions[start : start + block].astype(float)
        series -= series.mean(axis=2, keepdims=True)
        square += np.einsum("nif,nif->f", series, series)
        spectrum = fft.rfft(series, length, axis=2).view(float)
        parts += np.einsum("nif,nif->f", spectrum, spectrum)
    origins = n_frames - np.arange(n_frames)
    correlation = fft.irfft(parts[::2] + parts[1::2], length)[:n_frames]
    total = np.cumsum(square)
    # Sum over origins of |x(t)|^2 + |x(t + m)|^2: the first F - m squares and the last F - m
    # squares.
    both = total[::-1] + np.concatenate([[total[-1]], total[-1] - total[:-1]])
    msd = (both - 2.0 * correlation) / (origins * n_atoms)
    msd[0] = 0.0
    return np.asarray(np.maximum(msd, 0.0))
