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
molecular dynamics; Zou, Donner, Stat. Med. 27, 1693 (2008), on the interval of a difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from borarun.analysis.diffusion import Diffusivity, collective_diffusivity
from borarun.analysis.estimate import Estimate, mean, summed

Array = NDArray[Any]


@dataclass(frozen=True)
class Coefficient:
    """One element of the matrix, cm^2/s.

    Attributes
    ----------
    value, error, low, high : the element, its standard error and 95 % interval; of a cross term
        ``low`` may be negative
    freedom : degrees of freedom of the error
    usable : whether the species that it belongs to diffuse, by the rules of `diffusion`
    """

    value: float
    error: float
    low: float
    high: float
    freedom: float
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
    own collective motion, so that the two spectra are of equal size. Their errors are taken as
    independent; the interval is made of the ends of their own ones, which reach further up than
    down (Zou and Donner).

    Parameters
    ----------
    species : of each species (n, 3, F) angstrom, unwrapped, relative to the framework
    interval_fs : time between frames, fs
    """
    summed = [positions.sum(axis=0, dtype=float) for positions in species]
    own = [_level(one, interval_fs) for one in summed]
    found = {
        (a, a): Coefficient(
            each.value, each.error, each.low, each.high, each.freedom, each.diffusive
        )
        for a, each in enumerate(own)
    }
    for b in range(len(summed)):
        for a in range(b):
            found[a, b] = _cross(summed[a], summed[b], own[a], own[b], interval_fs)
    return found


def pooled_coefficient(runs: Sequence[Coefficient]) -> Coefficient:
    """Mean of one element over independent runs of equal length, by `estimate.mean`."""
    if len(runs) == 1:
        return runs[0]
    found = mean([Estimate(run.value, run.error, run.freedom) for run in runs])
    return _coefficient(found, usable=all(run.usable for run in runs))


def _coefficient(found: Estimate, *, usable: bool) -> Coefficient:
    return Coefficient(found.value, found.error, found.low, found.high, found.freedom, usable)


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
        return _coefficient(Estimate(0.0, math.inf), usable=False)
    u, v = one / math.sqrt(own.value), other / math.sqrt(others.value)
    together, apart = (_level(x, interval_fs) for x in (u + v, u - v))
    found = summed(
        [
            Estimate(sign * size * each.value / 4, size * each.error / 4, each.freedom)
            for sign, each in ((1, together), (-1, apart))
        ]
    )
    below = math.hypot(together.value - together.low, apart.high - apart.value)
    above = math.hypot(together.high - together.value, apart.value - apart.low)
    return Coefficient(
        found.value,
        found.error,
        found.value - size * below / 4,
        found.value + size * above / 4,
        found.freedom,
        usable=own.diffusive and others.diffusive,
    )
