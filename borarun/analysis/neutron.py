"""What neutrons see of vibrations and of anions that turn.

* Vibrations: each element counts by its cross section over its mass: hydrogen is nearly all.
* Reorientation: the elastic incoherent structure factor (EISF) is the part of the quasi-elastic
  intensity that stays elastic: a hydrogen that only turns stays on its sphere for ever.

For an atom at a distance R from the centre about which it turns, averaged over the directions of a
powder,

    I(Q, t) = sum_l (2 l + 1) j_l(Q R)^2 C_l(t),    C_l(t) = <P_l(u(t) . u(0))>

with the spherical Bessel functions j_l; the EISF is the same with C_l at infinite time, which is
sum_m |<Y_lm>|^2 4 pi / (2 l + 1).

Source
------
Sears, Neutron News 3, 26 (1992), for cross sections; Squires, Introduction to the Theory of Thermal
Neutron Scattering (1978), section 4.4, for the one-phonon weights; Bée, Quasielastic Neutron
Scattering (1988), chapters 3 and 6; Sears, Can. J. Phys. 45, 237 (1967), for the expansion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase.data import atomic_masses, atomic_numbers
from numpy.typing import NDArray
from scipy.special import sph_harm_y, spherical_jn

Array = NDArray[Any]

CROSS_SECTION_BARN = {
    "H": 82.02,
    "Li": 1.37,
    "B": 5.24,
    "C": 5.551,
    "N": 11.51,
    "O": 4.232,
    "F": 4.018,
    "Na": 3.28,
    "Mg": 3.71,
    "Al": 1.503,
    "Si": 2.167,
    "P": 3.312,
    "S": 1.026,
    "Cl": 16.8,
    "K": 1.96,
    "Ca": 2.83,
    "Ti": 4.35,
    "Ge": 8.6,
    "Se": 8.3,
    "Br": 5.9,
    "Zr": 6.46,
    "Sn": 4.892,
    "I": 3.81,
    "La": 9.66,
}
"""Bound scattering cross sections of natural isotopes, coherent and incoherent together."""

HBAR_MEV_PS = 0.6582119569

HIGHEST = 12
"""Of the expansion; enough up to Q R = 8."""


def weighted(projected: Mapping[str, Array]) -> Array | None:
    """Density of states as neutrons weigh it: shares of the elements times cross section over mass.

    Parameters
    ----------
    projected : element -> (n,) share in the density of states

    Returns
    -------
    (n,) with the same sum over all points as the density of states; None where an element's cross
    section is not known here
    """
    if not projected or any(element not in CROSS_SECTION_BARN for element in projected):
        return None
    total = sum(projected.values())
    seen = sum(
        CROSS_SECTION_BARN[element] / atomic_masses[atomic_numbers[element]] * share
        for element, share in projected.items()
    )
    return np.asarray(seen * (np.sum(total) / np.sum(seen)))


def eisf(vectors: Array, distance_A: float, q_per_A: Array) -> Array:
    """Elastic incoherent structure factor of atoms that turn, averaged over a powder.

    A run that is too short for all orientations gives too much of it: what was not reached counts
    as out of reach.

    Parameters
    ----------
    vectors : (A, V, 3, F) unit vectors from the centres, from `rotation.vertex_vectors`
    distance_A : of the atoms from the centre, angstrom
    q_per_A : (q,) momentum transfer, 1/angstrom

    Returns
    -------
    (q,) from 1 at Q = 0
    """
    x, y, z = np.moveaxis(np.asarray(vectors, float), 2, 0)
    theta, phi = np.arccos(z.clip(-1, 1)), np.arctan2(y, x)
    argument = np.asarray(q_per_A, float) * distance_A
    out = spherical_jn(0, argument) ** 2
    for degree in range(1, HIGHEST + 1):
        # Of m and -m alike: their moments are conjugates.
        power = [
            (1 if m == 0 else 2)
            * float(np.mean(np.abs(sph_harm_y(degree, m, theta, phi).mean(axis=2)) ** 2))
            for m in range(degree + 1)
        ]
        lasting = 4 * np.pi / (2 * degree + 1) * sum(power)
        out = out + (2 * degree + 1) * spherical_jn(degree, argument) ** 2 * lasting
    return np.asarray(out)


def quasi_elastic_width_meV(relaxation_ps: float) -> float:
    """Half width at half maximum of the Lorentzian of an exponential decay, hbar / tau, meV.

    Parameters
    ----------
    relaxation_ps : tau, ps
    """
    return HBAR_MEV_PS / relaxation_ps
