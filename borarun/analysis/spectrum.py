"""Spectrum of ions' displacements under sine tapers: what diffusion leaves at zero frequency.

A step of an ion between two frames, weighed by sin(pi k t / T) and summed over the run, gives one
coefficient for each frequency k / 2T. Their mean square over ions is flat for a random walk, equal
to the slope of the mean squared displacement; motion to and fro adds to it at the frequencies at
which it happens, and nothing at zero. The tapers vanish at both ends of the run, so that a
vibration's last phase is not taken for a displacement.

Source
------
Riedel, Sidorenko, IEEE Trans. Signal Process. 43, 188 (1995), on sine tapers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Array = NDArray[Any]

_BLOCK_BYTES = 4 * 2**20
"""Size of the double-precision copy of one block of ions."""


def sine_spectrum(positions: Array, n_frequencies: int, n_blocks: int = 1) -> Array:
    """Mean square sine coefficients of the steps, in blocks of time of equal length.

    Parameters
    ----------
    positions : (N, 3, F) angstrom, unwrapped
    n_frequencies : K, lowest frequencies wanted of each block
    n_blocks : B; frames left over at the end are not used

    Returns
    -------
    (B, K) angstrom^2 a frame, summed over the three axes, averaged over ions
    """
    n_ions, n_axes, n_frames = positions.shape
    length = (n_frames - 1) // n_blocks
    power = np.zeros((n_blocks, n_frequencies))
    per_ion = 8 * n_axes * n_frames
    batch = max(1, _BLOCK_BYTES // per_ion)
    for start in range(0, n_ions, batch):
        steps = np.diff(positions[start : start + batch].astype(float), axis=2)
        parts = steps[..., : n_blocks * length].reshape(*steps.shape[:2], n_blocks, length)
        # DST-I of n points is fast where 2 (n + 1) is smooth: zeros at the end would lengthen the
        # taper, so the transform has the length that it has.
        found = fft.dst(parts, type=1, axis=3)[..., :n_frequencies]
        power += np.einsum("nibk,nibk->bk", found, found)
    return np.asarray(power / (2 * (length + 1) * n_ions))
