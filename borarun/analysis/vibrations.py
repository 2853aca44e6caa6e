"""Vibrational density of states from molecular dynamics: the power spectrum of the velocities.

Velocities are differences of positions between frames a time h apart, which is their mean over h: it weakens a motion of frequency f by
sinc(f h) = sin(pi f h)/(pi f h). The spectrum is divided by the square of that, so that only what lies above half the sampling rate is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from borarun.units import FS_PER_PS

Array = NDArray[Any]

LONGEST_INTERVAL_FS = 6.0
"""Half the sampling rate is then 83 THz (2780 cm^-1), above the stretch of B-H at about 2500 cm^-1."""

_BLOCK_SERIES = 256


@dataclass(frozen=True)
class Spectrum:
    """A vibrational density of states.

    Attributes
    ----------
    frequency_THz : (n,) from zero up
    total : (n,) states per THz and atom: its integral is 3, in equilibrium at any temperature of classical motion
    projected : atomic number -> (n,) share of that element in ``total``
    resolution_THz : width that a sharp line has
    n_windows : windows of time that were averaged
    """

    frequency_THz: Array
    total: Array
    projected: dict[int, Array]
    resolution_THz: float
    n_windows: int


def density_of_states(positions: Array, numbers: Array, masses: Array, interval_fs: float, resolution_THz: float = 0.5) -> Spectrum:
    """Mass-weighted power spectrum of the velocities of all atoms.

    Parameters
    ----------
    positions : (N, 3, F) angstrom, unwrapped, without drift
    numbers : (N,) atomic numbers
    masses : (N,) any unit
    interval_fs : time between frames, fs
    resolution_THz : wanted width of a sharp line, full at half maximum; a run shorter than its inverse gives a wider one

    Source
    ------
    Dickey, Paskin, Phys. Rev. 188, 1407 (1969). Windows of Hann, overlapping by half: Welch, IEEE Trans. Audio Electroacoust. 15, 70 (1967).
    """
    n_steps = positions.shape[2] - 1
    rate_THz = FS_PER_PS / interval_fs
    window = min(max(round(HANN_WIDTH * rate_THz / resolution_THz), 8), n_steps)
    frequency = np.fft.rfftfreq(window, 1 / rate_THz)
    projected = {int(number): np.zeros(len(frequency)) for number in np.unique(numbers)}
    for number, total in projected.items():
        atoms = np.flatnonzero(numbers == number)
        for start in range(0, len(atoms), _BLOCK_SERIES):
            part = atoms[start : start + _BLOCK_SERIES]
            step = np.diff(positions[part].astype(float), axis=2)
            power = signal.welch(step, rate_THz, nperseg=window, detrend="constant", axis=2)[1]
            total += np.einsum("n,nif->f", masses[part], power)
        total /= np.sinc(frequency / rate_THz) ** 2
    width = frequency[1]
    every: Array = np.sum(list(projected.values()), axis=0)
    scale = 3 / (width * every.sum())
    shares, every = {number: values * scale for number, values in projected.items()}, every * scale
    return Spectrum(frequency, every, shares, HANN_WIDTH * float(width), max(2 * n_steps // window - 1, 1))


HANN_WIDTH = 1.44
"""Full width at half maximum of a sharp line under a window of Hann, in inverse lengths of the window."""
