"""One canonical unit a quantity, and the factors that lead to it.

| quantity | unit inside borarun | note |
|---|---|---|
| length, energy, force | angstrom, eV, eV/angstrom | |
| stress | eV/angstrom^3 | ASE's sign (tension positive) and Voigt order xx yy zz yz xz xy |
| time | fs | study keys say ps and ns where the field does |
| temperature | K | |
| charge | e | |
| diffusivity | cm^2/s | |
| conductivity | S/cm | |
| activation energy | eV | |
| frequency of a vibration | THz | shown as meV and cm^-1; an imaginary one is negative |

Source: 2022 CODATA through scipy.constants.
"""

from __future__ import annotations

from scipy import constants

FS_PER_PS = 1e3
FS_PER_NS = 1e6
PS_PER_NS = 1e3
S_PER_HOUR = 3600.0

BOLTZMANN_EV_PER_K: float = constants.value("Boltzmann constant in eV/K")
ELEMENTARY_CHARGE_C: float = constants.e

EV_PER_A3_IN_BAR: float = constants.e / constants.angstrom**3 / constants.bar
"""1 eV/angstrom^3 in bar, LAMMPS's ``metal`` unit of pressure."""

EV_PER_A3_IN_KBAR: float = EV_PER_A3_IN_BAR / 1e3
"""1 eV/angstrom^3 in kbar, VASP's unit of stress."""

A2_PER_FS_IN_CM2_PER_S = 1e-16 / 1e-15
"""1 angstrom^2/fs in cm^2/s."""

THZ_IN_MEV: float = constants.h / constants.e * constants.tera * 1e3
"""Energy of a quantum of 1 THz, meV."""

PER_CM_IN_MEV: float = constants.h * constants.c / constants.centi / constants.e * 1e3
"""Energy of a quantum of 1 cm^-1, meV."""

KJ_PER_MOL_IN_EV: float = constants.kilo / constants.N_A / constants.e
"""1 kJ/mol in eV a particle."""
