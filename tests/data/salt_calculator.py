"""A salt of two elements: unlike ions bind, like ions repel."""

from contextlib import contextmanager

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from borarun.engines.pair.form import rows_of

CUTOFF_A = 4.0


def radial(distance):
    """A bond of 2 angstrom, and a repulsion, which both end at the cutoff."""
    bond = np.exp(-1.5 * (distance - 2.0))
    push = np.exp(-2.0 * (distance - 2.0))
    value = np.stack([0.5 * (bond**2 - 2 * bond), 0.3 * push], axis=1)
    slope = np.stack([1.5 * (bond - bond**2), -0.6 * push], axis=1)
    end = (1 - distance / CUTOFF_A)[:, None]
    return value * end**2, slope * end**2 - 2 * value * end / CUTOFF_A


class Salt(Calculator):
    implemented_properties = ("energy", "forces", "stress")

    def calculate(self, atoms=None, properties=(), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        rows = rows_of(self.atoms, (1, 3), CUTOFF_A, radial)
        weights = np.array([0, 1, 1, 0, 0, 1, 0, 0])
        self.results = {
            "energy": float(rows.energy @ weights),
            "forces": (rows.forces @ weights).reshape(-1, 3),
            "stress": rows.stress @ weights,
        }


@contextmanager
def opened(directory, functional, cores, command):
    yield Salt()
