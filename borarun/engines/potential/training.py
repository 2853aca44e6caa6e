"""What the engines that train potentials share: their settings, and which labels are held out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveInt

from borarun.engines import base
from borarun.engines.base import Frames
from borarun.labels import gate

EDGE = 8
"""One frame in so many of a held-out block, at each of its ends, is like its neighbours outside."""

HoldOut = Literal["runs", "configurations"]
"""What is held out of a fit. Keys hold nothing of the second, which was once the only one: records
made then stay valid.
"""


class TrainingSettings(base.Settings):
    """Settings of both operations: ``train`` a potential on labelled frames, ``select`` the
    candidates worth a label.

    Attributes
    ----------
    validation_fraction : part of the input ``labels`` that is held out. The input ``selected`` is
        learnt whole: each of its configurations was chosen because the potential does not know its
        like
    hold_out : what is held out: whole ``runs``, or parts of them where there are few; or single
        ``configurations``, drawn at random
    runs : which run each item of ``labels`` is from; only with ``runs``
    seed : of what is drawn at random, and of what is held out
    max_selected : configurations that ``select`` gives at most
    """

    operation: Literal["train", "select"]
    validation_fraction: float = Field(0.1, gt=0.0, lt=0.9)
    hold_out: Annotated[HoldOut, Field(exclude_if=lambda value: value == "configurations")] = (
        "configurations"
    )
    runs: Annotated[tuple[NonNegativeInt, ...], Field(exclude_if=lambda value: not value)] = ()
    seed: NonNegativeInt = 1
    max_selected: PositiveInt = 50


def split(inputs: base.Inputs, settings: TrainingSettings) -> tuple[Frames, Frames]:
    """The frames to train on and those held out for validation, from the inputs ``labels``, where
    each counts once, and ``selected``.
    """
    parts = base.frames_of(inputs, "labels")
    labels = Frames.join(parts)
    kept = gate.distinct(labels)
    runs = _runs([len(part) for part in parts], settings.runs)
    labels = labels.take(kept)
    if settings.hold_out == "runs":
        held_out, fitted = _by_runs(labels, runs[kept], settings)
    else:
        held_out = _held_out(labels, settings)
        fitted = ~held_out
    train = Frames.join([labels.take(np.flatnonzero(fitted)), *base.frames_of(inputs, "selected")])
    return train, labels.take(np.flatnonzero(held_out))


def _runs(lengths: Sequence[int], runs: Sequence[int]) -> NDArray[np.int64]:
    """(F, 2) run of each frame of the items, and its place in the run.

    Several items of one run are parts of it: part i of n has its frames i, i + n, i + 2 n ...
    """
    numbers = list(runs) if runs else list(range(len(lengths)))
    found = []
    for item, (number, length) in enumerate(zip(numbers, lengths, strict=True)):
        part, parts = numbers[:item].count(number), numbers.count(number)
        found.append(np.stack([np.full(length, number), part + parts * np.arange(length)], axis=1))
    return np.concatenate(found)


def _by_runs(
    labels: Frames, runs: NDArray[np.int64], settings: TrainingSettings
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(F,) which frames are held out, and which are fitted.

    With enough runs, whole ones are held out. Else one block of frames that follow each other is
    held out of each run. Frames at its edges are like their neighbours outside: they are neither
    held out nor fitted.
    """
    order = np.lexsort((runs[:, 1], runs[:, 0]))
    of_run = np.split(order, np.flatnonzero(np.diff(runs[order, 0])) + 1)
    lots = np.array([_lot(labels[int(rows[0])].positions, settings.seed) for rows in of_run])
    blocks = round(1 / settings.validation_fraction)
    held_out = np.zeros(len(labels), bool)
    left_out = np.zeros(len(labels), bool)
    if len(of_run) >= max(blocks, 2):
        drawn = lots < settings.validation_fraction
        if not drawn.any():
            drawn[np.argmin(lots)] = True
        if drawn.all():
            drawn[np.argmax(lots)] = False
        for rows in (rows for rows, is_drawn in zip(of_run, drawn, strict=True) if is_drawn):
            held_out[rows] = True
        return held_out, ~held_out
    for rows, lot in zip(of_run, lots, strict=True):
        parts = np.array_split(rows, min(max(blocks, 2), len(rows)))
        block = parts[int(lot * len(parts))]
        edge = len(block) // EDGE
        if len(rows) > 1:
            left_out[block] = True
            held_out[block[edge : len(block) - edge]] = True
    if not held_out.any():  # every run is one configuration
        held_out = left_out = np.arange(len(labels)) == of_run[int(np.argmin(lots))][0]
    return held_out, ~left_out


def _held_out(labels: Frames, settings: TrainingSettings) -> NDArray[np.bool_]:
    """(F,) which single frames are for validation: a matter of each frame's own positions, so that
    new frames move no old one.

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
