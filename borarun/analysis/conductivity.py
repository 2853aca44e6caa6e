"""Ionic conductivity from diffusivity."""

from __future__ import annotations

from dataclasses import dataclass

from borarun.analysis.diffusion import Diffusivity
from borarun.basics.units import BOLTZMANN_EV_PER_K, ELEMENTARY_CHARGE_C

_CM3_PER_A3 = 1e-24


@dataclass(frozen=True)
class Conductivity:
    """An ionic conductivity with its uncertainty.

    Attributes
    ----------
    value : S/cm
    error : standard error, S/cm
    low, high : 95 % interval, S/cm
    temperature_K : K
    diffusive : whether the diffusivity that it rests on is one
    reason : why not; empty where it is
    """

    value: float
    error: float
    low: float
    high: float
    temperature_K: float
    diffusive: bool
    reason: str


def nernst_einstein(
    diffusivity_cm2_per_s: float,
    n_ions: int,
    volume_A3: float,
    temperature_K: float,
    charge: float = 1.0,
    haven_ratio: float = 1.0,
) -> float:
    """Conductivity of ions of one kind, sigma = n q^2 D / (H_R k_B T).

    Parameters
    ----------
    diffusivity_cm2_per_s : tracer diffusivity, cm^2/s
    n_ions : ions in the volume
    volume_A3 : angstrom^3
    temperature_K : K
    charge : of one ion, e
    haven_ratio : tracer over charge diffusivity; 1 for ions that move independently

    Returns
    -------
    S/cm

    Source
    ------
    Maltsev, Chepkasov, Oganov, ACS Appl. Mater. Interfaces 15 (2023), eq. (2), which takes a Haven
    ratio of 1.
    """
    density_per_cm3 = n_ions / (volume_A3 * _CM3_PER_A3)
    # With k_B T in eV one elementary charge is left of two: C cm^-3 cm^2 s^-1 V^-1 = S/cm.
    thermal_V = BOLTZMANN_EV_PER_K * temperature_K
    return (
        density_per_cm3
        * charge**2
        * ELEMENTARY_CHARGE_C
        * diffusivity_cm2_per_s
        / (haven_ratio * thermal_V)
    )


def conductivity(
    diffusivity: Diffusivity,
    n_ions: int,
    volume_A3: float,
    temperature_K: float,
    charge: float = 1.0,
    haven_ratio: float = 1.0,
) -> Conductivity:
    """Conductivity with the interval of the diffusivity.

    A tracer diffusivity gives the Nernst-Einstein conductivity, a collective one the conductivity
    of the charge itself. Parameters are those of `nernst_einstein`; volume and temperature are
    taken as exact.
    """
    factor = nernst_einstein(1.0, n_ions, volume_A3, temperature_K, charge, haven_ratio)
    return Conductivity(
        value=factor * diffusivity.value,
        error=factor * diffusivity.error,
        low=factor * diffusivity.low,
        high=factor * diffusivity.high,
        temperature_K=temperature_K,
        diffusive=diffusivity.diffusive,
        reason=diffusivity.reason,
    )
