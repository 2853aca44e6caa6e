"""Vibrational density of states from molecular dynamics: the power spectrum of the velocities.

Velocities are differences of positions between frames a time h apart, which is their mean over h:
it weakens a motion of frequency f by sinc(f h) = sin(pi f h)/(pi f h). The spectrum is divided by
the square of that, so that only what lies above half the sampling rate is lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from borarun.basics.units import FS_PER_PS

Array = NDArray[Any]


@dataclass(frozen=True)
class Spectrum:
    """A vibrational density of states.

    Attributes
    ----------
    frequency_THz : (n,) from zero up
    total : (n,) states per THz and atom: its integral is 3, in equilibrium at any temperature of
        classical motion
    projected : atomic number -> (n,) share of that element in ``total``
    resolution_THz : width that a sharp line has
    n_windows : windows of time that were averaged
    """

    frequency_THz: Array
    total: Array
    projected: dict[int, Array]
    resolution_THz: float
    n_windows: int


def density_of_states(
    positions: Iterable[Array],
    numbers: Array,
    masses: Array,
    interval_fs: float,
    resolution_THz: float = 0.5,
) -> Spectrum:
    """Mass-weighted power spectrum of the velocities of all atoms.

    Parameters
    ----------
    positions : (N, 3, F) angstrom, unwrapped, without drift; an iterator over the atoms, (3, F)
        each, does as well
    numbers : (N,) atomic numbers
    masses : (N,) any unit
    interval_fs : time between frames, fs
    resolution_THz : wanted width of a sharp line, full at half maximum; a run shorter than its
        inverse gives a wider one

    Source
    ------
    Dickey, Paskin, Phys. Rev. 188, 1407 (1969). Windows of Hann, overlapping by half: Welch, IEEE
    Trans. Audio Electroacoust. 15, 70 (1967).
    """
    rate_THz = FS_PER_PS / interval_fs
    longest = max(round(HANN_WIDTH * rate_THz / resolution_THz), 8)
    projected: dict[int, Array] = {}
    for atom, number, mass in zip(positions, numbers.tolist(), masses, strict=True):
        step = np.diff(atom.astype(float), axis=1)
        n_steps = step.shape[1]
        window = min(longest, n_steps)
        power = signal.welch(step, rate_THz, nperseg=window, detrend="constant", axis=1)[1].sum(
            axis=0
        )
        projected[number] = projected.get(number, 0.0) + mass * power
    frequency = np.fft.rfftfreq(window, 1 / rate_THz)
    projected = {
        number: projected[number] / np.sinc(frequency / rate_THz) ** 2
        for number in sorted(projected)
    }
    width = frequency[1]
    every: Array = np.sum(list(projected.values()), axis=0)
    scale = 3 / (width * every.sum())
    shares, every = {number: values * scale for number, values in projected.items()}, every * scale
    return Spectrum(
        frequency, every, shares, HANN_WIDTH * float(width), max(2 * n_steps // window - 1, 1)
    )


HANN_WIDTH = 1.44
"""Full width at half maximum of a sharp line under a window of Hann, in inverse lengths of the
window.
"""
