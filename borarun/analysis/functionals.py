"""How well functionals do: the order of phases, lattice parameters, and positions of vibrational
peaks against measured ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.signal import find_peaks

Array = NDArray[Any]

PROMINENCE = 0.02
"""A maximum counts as a peak when it rises this part of the tallest one above the valleys beside
it.
"""


def phases_below(energies: Mapping[str, float], ground_state: str) -> frozenset[str]:
    """The phases that a functional puts below the one that is measured to be stable; none where it
    orders them rightly.

    Parameters
    ----------
    energies : phase -> energy per atom, eV
    ground_state : the measured phase; where its energy is not known, nothing can be said and
        nothing is returned
    """
    if ground_state not in energies:
        return frozenset()
    return frozenset(phase for phase, energy in energies.items() if energy < energies[ground_state])


def lattice_deviation(lattice: ArrayLike, measured: ArrayLike) -> float:
    """Root-mean-square deviation of lattice parameters from measured ones, percent of the measured.

    Parameters
    ----------
    lattice, measured : (3,) angstrom
    """
    calculated, reference = np.asarray(lattice, float), np.asarray(measured, float)
    return float(100 * np.sqrt(np.mean((calculated / reference - 1) ** 2)))


def peaks(frequency: ArrayLike, dos: ArrayLike) -> Array:
    """Positions of the peaks of a density of states.

    Parameters
    ----------
    frequency : (n,) evenly spaced
    dos : (n,) density of states, broadened as the measurement is

    Returns
    -------
    (p,) in the unit of ``frequency``, rising; the vertex of the parabola through the three points
    at each maximum
    """
    x, y = np.asarray(frequency, float), np.asarray(dos, float)
    at, _ = find_peaks(y, prominence=PROMINENCE * y.max())
    left, top, right = y[at - 1], y[at], y[at + 1]
    curvature = left - 2 * top + right
    shift = np.divide(0.5 * (left - right), curvature, out=np.zeros(len(at)), where=curvature < 0)
    return np.asarray(x[at] + shift * (x[1] - x[0]))


@dataclass(frozen=True)
class Match:
    """Measured peaks and the computed ones that they are paired with.

    Attributes
    ----------
    measured, computed : (m,) positions, rising; ``computed[i]`` belongs to ``measured[i]``
    score : root-mean-square difference of the pairs, in the same unit; smaller is better
    """

    measured: Array
    computed: Array
    score: float


def match(computed: ArrayLike, measured: ArrayLike) -> Match | None:
    """Pair every measured peak with a computed one of its own so that the sum of squared
    differences is least.

    Computed peaks may be left over: a measurement shows not all of them. None where there are fewer
    computed peaks than measured.

    Parameters
    ----------
    computed : (p,) positions of computed peaks
    measured : (m,) positions of measured peaks, in the same unit

    Source: the assignment problem as scipy solves it; Crouse, IEEE Trans. Aerosp. Electron. Syst.
    52, 1679 (2016).
    """
    ours, theirs = np.sort(np.asarray(computed, float)), np.sort(np.asarray(measured, float))
    if len(ours) < len(theirs):
        return None
    rows, columns = linear_sum_assignment((theirs[:, None] - ours[None, :]) ** 2)
    paired = ours[columns]
    return Match(theirs[rows], paired, float(np.sqrt(np.mean((paired - theirs[rows]) ** 2))))
