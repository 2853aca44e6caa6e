"""What the engines that train potentials share: their settings, and which labels are held out."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveInt

from borarun.engines import base
from borarun.engines.base import Frames
from borarun.labels import gate


class TrainingSettings(base.Settings):
    """Settings of both operations: ``train`` a potential on labelled frames, ``select`` the
    candidates worth a label.

    Attributes
    ----------
    validation_fraction : part of the input ``labels`` that is held out; a configuration once held
        out stays so when others are added. The input
        ``selected`` is learnt whole: each of its configurations was chosen because the potential
        does not know its like
    seed : of what is drawn at random, and of what is held out
    max_selected : configurations that ``select`` gives at most
    """

    operation: Literal["train", "select"]
    validation_fraction: float = Field(0.1, gt=0.0, lt=0.9)
    seed: NonNegativeInt = 1
    max_selected: PositiveInt = 50


def split(inputs: base.Inputs, settings: TrainingSettings) -> tuple[Frames, Frames]:
    """The frames to train on and those held out for validation, from the inputs ``labels``, where
    each counts once, and ``selected``.
    """
    labels = Frames.join(inputs["labels"])
    labels = labels.take(gate.distinct(labels))
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
