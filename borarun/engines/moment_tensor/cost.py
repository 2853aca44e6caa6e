"""What moment tensor potentials cost, for estimates."""

from __future__ import annotations

from functools import cache

import numpy as np

GRADIENT_SECONDS = {
    6: 0.01,
    8: 0.02,
    10: 0.03,
    12: 0.05,
    14: 0.1,
    16: 0.2,
    18: 0.4,
    20: 0.8,
    22: 1.6,
    24: 3.2,
    26: 6.4,
    28: 13.0,
}
"""Core time of the derivatives of 104 atoms by level, s, in borarun's kernels; measured at 8 and
12.
"""

CONFIGURATIONS = 150
"""In a training set, for estimates: how many there will be is not known before."""

MICROSECONDS_PER_ATOM = {6: 5.0, 8: 5.5, 12: 8.5, 16: 17.0, 20: 38.0, 24: 120.0, 28: 410.0}
"""Core time a step and atom by level of the potential, on 104 atoms of a closo-borate:
benchmarks/md_step.py.
"""


@cache
def step_microseconds(level: int) -> float:
    """Core time of a step of molecular dynamics for each atom, in microseconds."""
    known = sorted(MICROSECONDS_PER_ATOM)
    return float(np.exp(np.interp(level, known, np.log([MICROSECONDS_PER_ATOM[k] for k in known]))))
