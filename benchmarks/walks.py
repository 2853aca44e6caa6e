"""Walks of ions whose diffusivity is known, for the calibrations.

Each function takes a random generator and gives positions (N, 3, F) in angstrom. ``INTERVAL_FS`` of
the case that uses a walk says how far apart its frames are.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[Any]
Rng = np.random.Generator

LATTICE = 6
"""Sites along each axis of the simple cubic lattice: 216, the Li sites of Li2B12H12 in 3x3x3 cells.
Its 8c sites are the tetrahedral holes of the anions' fcc lattice, half a cell's edge apart.
"""

SPACING_A = 4.85


def brownian(rng: Rng, n_ions: int, n_frames: int, group: int = 1) -> Array:
    """Walkers with one normal step of 1 A an axis and frame, in groups that move as one: the mean
    squared displacement is 3 A^2 a frame.
    """
    steps = rng.normal(size=(n_ions // group, 3, n_frames))
    return np.repeat(steps, group, axis=0).cumsum(axis=2)


def hopping(
    rng: Rng,
    n_ions: int,
    n_frames: int,
    hops_per_ion: float,
    hop_A: float = 3.0,
    axes: tuple[float, float, float] = (1, 1, 1),
) -> Array:
    """Ions on their sites, which hop at random times along the axes.

    Parameters
    ----------
    hops_per_ion : expected number in the run
    axes : how often each axis is taken, relative to the others
    """
    count = rng.poisson(hops_per_ion / n_frames, size=(n_ions, n_frames))
    ion, frame = (index.repeat(count[count > 0]) for index in np.nonzero(count))
    share = np.array(axes, float) / sum(axes)
    steps = np.zeros((n_ions, 3, n_frames))
    np.add.at(
        steps,
        (ion, rng.choice(3, size=len(ion), p=share), frame),
        hop_A * rng.choice([-1, 1], size=len(ion)),
    )
    return steps.cumsum(axis=2)


def vibration(rng: Rng, shape: tuple[int, ...], width_A: float, memory_frames: float) -> Array:
    """Displacements in a harmonic cage, which forget themselves within ``memory_frames``."""
    keep = float(np.exp(-1 / memory_frames))
    start = rng.normal(size=(*shape[:-1], 1))
    noise = np.sqrt(1 - keep**2) * rng.normal(size=shape)
    return width_A * lfilter([1], [1, -keep], noise, zi=keep * start)[0]


def rattling(rng: Rng, n_ions: int, n_frames: int, width_A: float, flips_per_frame: float) -> Array:
    """Ions that go to and fro between two sites, ``width_A`` apart along an axis of their own."""
    flips = rng.poisson(flips_per_frame, size=(n_ions, n_frames)).cumsum(axis=1)
    side = (flips + rng.integers(2, size=(n_ions, 1))) % 2
    out = np.zeros((n_ions, 3, n_frames))
    out[np.arange(n_ions), rng.integers(3, size=n_ions)] = width_A * side
    return out


def vacancies(
    rng: Rng,
    n_vacancies: int,
    n_frames: int,
    jumps_per_frame: float,
    spacing_A: float = SPACING_A,
    size: int = LATTICE,
) -> Array:
    """Ions on a simple cubic lattice, which move only into vacancies.

    Parameters
    ----------
    jumps_per_frame : rate at which a vacancy exchanges with its neighbours, all six together; an
        exchange with another vacancy is none
    """
    n_jumps = rng.poisson(jumps_per_frame * n_vacancies * n_frames)
    frame = np.sort(rng.integers(n_frames, size=n_jumps))
    return spacing_A * _exchange(
        rng.permutation(size**3),
        n_vacancies,
        n_frames,
        frame,
        rng.integers(n_vacancies, size=n_jumps),
        rng.integers(6, size=n_jumps),
        size,
    )


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _exchange(
    order: Array,
    n_vacancies: int,
    n_frames: int,
    frame: Array,
    which: Array,
    direction: Array,
    size: int,
) -> Array:
    ions = size**3 - n_vacancies
    at = np.empty(size**3, np.int64)
    for index in range(size**3):
        at[order[index]] = index  # numbers from ``ions`` on are vacancies
    place = order.copy()
    out = np.zeros((ions, 3, n_frames))
    now = np.zeros((ions, 3))
    jump = 0
    for f in range(n_frames):
        while jump < len(frame) and frame[jump] == f:
            vacancy = ions + which[jump]
            axis, sign = direction[jump] // 2, 2 * (direction[jump] % 2) - 1
            site = place[vacancy]
            stride = size ** (2 - axis)
            along = (site // stride) % size
            other = site + (((along + sign) % size) - along) * stride
            moved = at[other]
            if moved < ions:
                now[moved, axis] -= sign
                at[site], at[other] = moved, vacancy
                place[moved], place[vacancy] = site, other
            jump += 1
        out[:, :, f] = now
    return out
