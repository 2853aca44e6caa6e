"""Whether the framework holds still: a framework that diffuses makes a conductivity of the mobile
ion alone meaningless.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from borarun.analysis.msd import mean_squared_displacement

Array = NDArray[Any]


@dataclass(frozen=True)
class FrameworkCheck:
    """How far the anions' centres went.

    Attributes
    ----------
    moves : whether any anion left its place
    largest_displacement_A, rms_displacement_A : of the anions' mean positions, from the first to
        the last tenth of the run, angstrom
    msd_A2 : mean squared displacement of the centres at half the run, angstrom^2; vibration
        included
    bound_A : displacement above which an anion counts as having left its place, angstrom
    reason : what moved; empty where nothing did
    """

    moves: bool
    largest_displacement_A: float
    rms_displacement_A: float
    msd_A2: float
    bound_A: float
    reason: str


def check_framework(centres: Array, *, bound_A: float = 1.5) -> FrameworkCheck:
    """Compare each anion's mean position in the last tenth of the run with that in the first.

    The centres are judged, not the atoms: an anion that turns moves its atoms by several angstrom
    and diffuses not at all. Means over a tenth of the run leave vibration out.

    Parameters
    ----------
    centres : (A, 3, F) angstrom, centres of mass of the anions, unwrapped and without drift
    bound_A : angstrom; the default is a quarter of the distance between neighbours in Li2B12H12
    """
    n_frames = centres.shape[2]
    tenth = max(n_frames // 10, 1)
    net = np.linalg.norm(
        centres[:, :, -tenth:].mean(axis=2) - centres[:, :, :tenth].mean(axis=2), axis=1
    )
    largest = float(net.max())
    gone = int(np.sum(net > bound_A))
    far = (
        f"{gone} of {len(net)} anions moved by more than {bound_A:g} A, the farthest by "
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
