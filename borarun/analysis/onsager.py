"""Transport of several mobile species: how the displacement of one goes with that of another.

The summed displacements X_a of the ions of each species define a symmetric matrix

    L_ab = lim <dX_a . dX_b> / 6 t

whose diagonal is the collective motion of one species and whose cross terms say whether two species
move together (positive), apart (negative) or each for itself (zero). With charges z in elementary
charges, the ionic conductivity is

    sigma = e^2 / (V k_B T) sum_ab z_a z_b L_ab

It is also that of one series, the summed displacement of all charge, which `charge_weights` makes
of the ions: its interval needs no errors of the matrix.

Source
------
Fong, Self, McCloskey, Persson, Macromolecules 54, 2575 (2021), on transport matrices from
molecular dynamics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from borarun.analysis.diffusion import CONFIDENCE, Diffusivity, collective_diffusivity

Array = NDArray[Any]


@dataclass(frozen=True)
class Coefficient:
    """One element of the matrix, cm^2/s.

    Attributes
    ----------
    value, error, low, high : the element, its standard error and 95 % interval; of a cross term
        ``low`` may be negative
    usable : whether the species that it belongs to diffuse, by the rules of `diffusion`
    """

    value: float
    error: float
    low: float
    high: float
    usable: bool


def charge_weights(charges: Array) -> Array:
    """(N,) charges of ions over their root mean square. Displacements of ions times these have the
    mean diffusivity by which all of them carry charge: with it, the number of all ions and the
    root mean square charge, the Nernst-Einstein relation gives the conductivity of all species.

    Parameters
    ----------
    charges : (N,) elementary charges, none of them zero
    """
    return np.asarray(charges / math.sqrt(np.mean(np.square(charges, dtype=float))))


def transport_matrix(
    species: Sequence[Array], interval_fs: float
) -> dict[tuple[int, int], Coefficient]:
    """Elements L_ab of the matrix, a <= b.

    A cross term is found from the sum and the difference of the two displacements, each over its
    own collective motion, so that the two spectra are of equal size; their errors are taken as
    independent.

    Parameters
    ----------
    species : of each species (n, 3, F) angstrom, unwrapped, relative to the framework
    interval_fs : time between frames, fs
    """
    summed = [positions.sum(axis=0, dtype=float) for positions in species]
    own = [_level(one, interval_fs) for one in summed]
    found = {
        (a, a): Coefficient(each.value, each.error, each.low, each.high, each.diffusive)
        for a, each in enumerate(own)
    }
    for b in range(len(summed)):
        for a in range(b):
            found[a, b] = _cross(summed[a], summed[b], own[a], own[b], interval_fs)
    return found


def pooled_coefficient(runs: Sequence[Coefficient]) -> Coefficient:
    """Mean of one element over independent runs of equal length; half the interval is that of the
    runs' own errors, or of their scatter where that is larger.
    """
    if len(runs) == 1:
        return runs[0]
    n, values = len(runs), np.array([run.value for run in runs])
    own = math.sqrt(sum(((run.high - run.low) / 2) ** 2 for run in runs)) / n
    error = math.sqrt(sum(run.error**2 for run in runs)) / n
    scatter = float(values.std(ddof=1)) / math.sqrt(n)
    half = max(own, scatter * float(stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1)))
    value = float(values.mean())
    usable = all(run.usable for run in runs)
    return Coefficient(value, max(error, scatter), value - half, value + half, usable)


def _level(displacement: Array, interval_fs: float) -> Diffusivity:
    """Collective motion of (3, F) summed displacements, cm^2/s."""
    # Two particles, one of them at rest: the mean over them is half of the sum.
    pair = np.stack([displacement, np.zeros_like(displacement)]) * math.sqrt(2)
    return collective_diffusivity(pair, interval_fs)


def _cross(
    one: Array, other: Array, own: Diffusivity, others: Diffusivity, interval_fs: float
) -> Coefficient:
    size = math.sqrt(own.value * others.value) if own.value > 0 and others.value > 0 else 0.0
    if not size > 0:
        return Coefficient(0.0, math.inf, -math.inf, math.inf, usable=False)
    u, v = one / math.sqrt(own.value), other / math.sqrt(others.value)
    together, apart = (_level(x, interval_fs) for x in (u + v, u - v))
    value = size * (together.value - apart.value) / 4
    error = size * math.hypot(together.error, apart.error) / 4
    freedom = min(together.freedom, apart.freedom)
    half = error * float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom))
    usable = own.diffusive and others.diffusive
    return Coefficient(value, error, value - half, value + half, usable)
