"""Whether the framework holds still: a framework that diffuses makes a conductivity of the mobile
ion alone meaningless.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from borarun.analysis.msd import mean_squared_displacement

Array = NDArray[Any]

MOST_A = 1.5
"""Largest bound: a quarter of the distance between neighbours in Li2B12H12."""

BOUND_PART = 0.5
"""Of the distance between neighbours, beyond which a particle is nearer to another place than to
its own. Where neighbours are more than twice `MOST_A` apart, `MOST_A` is the bound.
"""


@dataclass(frozen=True)
class FrameworkCheck:
    """How far one kind of particle of the framework went: anions' centres, or atoms of an element.

    Attributes
    ----------
    moves : whether any particle left its place
    largest_displacement_A, rms_displacement_A : of their mean positions, from the first to the last
        tenth of the run, angstrom
    msd_A2 : mean squared displacement of the particles at half the run, angstrom^2; vibration
        included
    bound_A : displacement above which a particle counts as having left its place, angstrom
    reason : what moved; empty where nothing did
    """

    moves: bool
    largest_displacement_A: float
    rms_displacement_A: float
    msd_A2: float
    bound_A: float
    reason: str


def check_framework(centres: Array, cell: Array, what: str) -> FrameworkCheck:
    """Compare each particle's mean position in the last tenth of the run with that in the first.

    Of molecules the centres are judged, not the atoms: an anion that turns moves its atoms by
    several angstrom and diffuses not at all. Means over a tenth of the run leave vibration out.

    Parameters
    ----------
    centres : (A, 3, F) angstrom, centres of mass of the anions of one kind, or atoms of an element
        that are in no anion, unwrapped and without drift
    cell : (3, 3) angstrom, the mean cell that they are unwrapped in, rows are vectors
    what : for the reason, e.g. ``anions``
    """
    n_frames = centres.shape[2]
    tenth = max(n_frames // 10, 1)
    before = centres[:, :, :tenth].mean(axis=2)
    net = np.linalg.norm(centres[:, :, -tenth:].mean(axis=2) - before, axis=1)
    bound_A = min(MOST_A, BOUND_PART * nearest_A(before, cell))
    largest = float(net.max())
    gone = int(np.sum(net > bound_A))
    far = (
        f"{gone} of {len(net)} {what} moved by more than {bound_A:.2g} A, the farthest by "
        f"{largest:.1f} A"
    )
    return FrameworkCheck(
        moves=gone > 0,
        largest_displacement_A=largest,
        rms_displacement_A=float(np.sqrt(np.mean(net**2))),
        msd_A2=float(mean_squared_displacement(centres)[n_frames // 2]),
        bound_A=bound_A,
        reason=f"{far}: the framework diffuses" if gone else "",
    )


def nearest_A(positions: Array, cell: Array) -> float:
    """Smallest distance between two of (n, 3) positions under periodic boundaries, images of one
    and the same among them, angstrom.
    """
    scaled = positions @ np.linalg.inv(cell)
    scaled -= np.floor(scaled)
    shifts = np.array(list(product((-1, 0, 1), repeat=3)))
    tree = cKDTree((scaled[None] + shifts[:, None]).reshape(-1, 3) @ cell)
    return float(tree.query(scaled @ cell, k=2)[0][:, 1].min())
