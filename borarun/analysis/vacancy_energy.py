"""What a vacancy adds to the energy of its cell.

Energies of labelled configurations are those of their formula units, and an energy for each ion
that is missing. The second is what it costs to take the ion out; with charged vacancies it holds
the offset between cells of different charge, too, which has no physical meaning of its own. The
thermal scatter of an energy grows with the square root of the number of atoms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from borarun.analysis.estimate import Estimate

FEWEST = 4
"""Configurations, for a scatter."""


def vacancy_energy(
    units: NDArray[Any], vacancies: NDArray[Any], energies_eV: NDArray[Any]
) -> Estimate | None:
    """Energy of a vacancy by least squares, eV; None where the configurations do not tell.

    Parameters
    ----------
    units : (C,) formula units of each configuration, those with vacancies counted whole
    vacancies : (C,) ions that each lacks
    energies_eV : (C,) energy of each cell
    """
    weights = 1.0 / np.sqrt(units)
    factors = np.stack([units, vacancies], axis=1) * weights[:, None]
    left = len(units) - 2
    if len(units) < FEWEST or np.linalg.matrix_rank(factors) < 2:
        return None
    found = np.linalg.lstsq(factors, energies_eV * weights, rcond=None)[0]
    scatter = float(np.sum((energies_eV * weights - factors @ found) ** 2)) / left
    error = np.sqrt(scatter * np.linalg.inv(factors.T @ factors)[1, 1])
    return Estimate(float(found[1]), float(error), left)
