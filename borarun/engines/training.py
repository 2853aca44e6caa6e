"""What the engines that train potentials share: their settings, and which labels are held out."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from borarun.engines import base
from borarun.engines.base import Frames

AGAIN = "Submit again: it is done anew."

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


class TrainingSettings(base.Settings):
    """Settings of both operations: ``train`` a potential on labelled frames, ``select`` the
    candidates worth a label.

    Attributes
    ----------
    level, cutoff_A, radial_basis_size : shape of the potential, where it does not start from an
        earlier one
    energy_weight, force_weight, stress_weight : weights of squared errors, as in MLIP-3
    validation_fraction : part of the input ``labels`` that is held out; a configuration once held
        out stays so when others are added. The input
        ``selected`` is learnt whole: each of its configurations was chosen because the potential
        does not know its like
    seed : of the untrained radial functions and of what is held out
    max_selected : configurations that ``select`` gives at most
    """

    operation: Literal["train", "select"]
    level: Literal[6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28] = 20
    cutoff_A: PositiveFloat = 5.0
    radial_basis_size: PositiveInt = 8
    energy_weight: NonNegativeFloat = 1.0
    force_weight: NonNegativeFloat = 0.01
    stress_weight: NonNegativeFloat = 0.001
    validation_fraction: float = Field(0.1, gt=0.0, lt=0.9)
    seed: NonNegativeInt = 1
    max_selected: PositiveInt = 50


def split(inputs: base.Inputs, settings: TrainingSettings) -> tuple[Frames, Frames]:
    """The frames to train on and those held out for validation, from the inputs ``labels`` and
    ``selected``.
    """
    labels = Frames.join(inputs["labels"])
    held_out = _held_out(labels, settings)
    train = Frames.join([labels.take(np.flatnonzero(~held_out)), *inputs.get("selected", ())])
    return train, labels.take(np.flatnonzero(held_out))


def _held_out(labels: Frames, settings: TrainingSettings) -> NDArray[np.bool_]:
    """(F,) which frames are for validation: a matter of each frame's own positions, so that new
    frames move no old one.

    Identical frames fall together, so none is in both sets.
    """
    lots = np.array([_lot(labels[index].positions, settings.seed) for index in range(len(labels))])
    held_out = lots < settings.validation_fraction
    if len(lots) > 1 and not held_out.any():
        held_out[np.argmin(lots)] = True
    if held_out.all():
        held_out[np.argmax(lots)] = False
    return held_out


def _lot(positions: NDArray[Any], seed: int) -> float:
    """A number in 0..1 that is drawn for these positions."""
    content = np.round(positions, 6).astype("<f8").tobytes() + str(seed).encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:6], "big") / 2**48
