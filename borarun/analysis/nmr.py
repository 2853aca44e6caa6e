"""What nuclear magnetic resonance measures of anions that turn: a correlation time of second order.

Dipolar and quadrupolar couplings turn with P_2, so that the spin-lattice relaxation sees

    C_2(t) = <P_2(u(t) . u(0))>,    1 / T1 ~ J(omega) + 4 J(2 omega),
    J(omega) = tau / (1 + (omega tau)^2)

for an exponential decay of time tau. For small random turns tau is a third of the time of the first
order; for jumps that forget the orientation both are equal.

Source
------
Bloembergen, Purcell, Pound, Phys. Rev. 73, 679 (1948); Abragam, The Principles of Nuclear Magnetism
(1961), chapter VIII.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Array = NDArray[Any]


def second_autocorrelation(vectors: Array) -> Array:
    """C_2(t) of each anion, over its vertices and all time origins.

    Parameters
    ----------
    vectors : (A, V, 3, F) unit vectors, from `rotation.vertex_vectors`

    Returns
    -------
    (A, F) at lags of 0, 1, ... F - 1 frames; 1 at lag 0
    """
    n_frames = vectors.shape[3]
    length = fft.next_fast_len(2 * n_frames - 1, real=True)
    out = np.empty((len(vectors), n_frames))
    weights = 1.0 / (n_frames - np.arange(n_frames))
    for anion, found in zip(vectors, out, strict=True):
        power = np.zeros(length // 2 + 1)
        for i in range(3):
            for j in range(i, 3):
                # (u . v)^2 is the scalar product of the two tensors u_i u_j and v_i v_j.
                spectrum = fft.rfft(anion[:, i] * anion[:, j], length, axis=1)
                power += (1 if i == j else 2) * np.sum(np.abs(spectrum) ** 2, axis=0)
        square = fft.irfft(power, length)[:n_frames] * weights
        found[:] = (3 * square / square[0] - 1) / 2
    return out


def relaxation_rate(time_ps: float, frequency_MHz: float) -> float:
    """J(omega) + 4 J(2 omega) of an exponential decay, ps: 1 / T1 but for the coupling's strength.
    It is largest where omega tau = 0.616.

    Parameters
    ----------
    time_ps : correlation time of second order, ps
    frequency_MHz : Larmor frequency
    """
    phase = 2 * np.pi * frequency_MHz * 1e-6 * time_ps
    return float(time_ps / (1 + phase**2) + 4 * time_ps / (1 + 4 * phase**2))
