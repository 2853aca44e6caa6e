"""What moment tensor potentials cost, for estimates."""

from __future__ import annotations

from functools import cache

import numpy as np

CONFIGURATIONS = 150
"""In a training set, for estimates: how many there will be is not known before."""

MICROSECONDS_PER_ATOM = {6: 3.3, 8: 3.7, 12: 5.9, 16: 10.0, 20: 18.0, 24: 38.0, 28: 90.0}
"""Core time a step and atom by level of the potential, on 104 atoms of a closo-borate: evaluation,
measured on a shared machine, and 1 microsecond for all else in LAMMPS (benchmarks/md_step.py).
"""


@cache
def step_microseconds(level: int) -> float:
    """Core time of a step of molecular dynamics for each atom, in microseconds."""
    known = sorted(MICROSECONDS_PER_ATOM)
    return float(np.exp(np.interp(level, known, np.log([MICROSECONDS_PER_ATOM[k] for k in known]))))
