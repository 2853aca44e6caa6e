"""Fewer points, for curves that are drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from borarun.report.measured import Array

MOST_DRAWN = 3000
"""Points of a cloud that are drawn; what is told of it is of all."""


def thin(n: int, most: int = 1000) -> NDArray[np.intp]:
    """At most ``most`` evenly spaced indices into ``n`` points, both ends among them."""
    return (
        np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.intp))
        if n
        else np.zeros(0, np.intp)
    )


def thin_log(n: int, most: int = 200) -> NDArray[np.intp]:
    """At most ``most`` indices into ``n`` points, evenly spaced on a logarithmic axis; index 0
    comes first.
    """
    if n < 2:
        return np.arange(n)
    return np.unique(
        np.concatenate([[0], np.geomspace(1, n - 1, min(n - 1, most)).round()]).astype(np.intp)
    )


def drawn(n: int, most: int = MOST_DRAWN) -> NDArray[np.intp]:
    """At most ``most`` indices into ``n`` points, in order, drawn with a fixed seed: for clouds of
    points.
    """
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(1).choice(n, most, replace=False))


def peaks(x: Array, y: Array, most: int = 500) -> tuple[Array, Array]:
    """A series thinned to ``most`` points without losing a peak: the largest value of each stretch,
    where it stands.
    """
    if len(x) <= most:
        return x, y
    starts = thin(len(x), most)
    places = [
        start + int(np.argmax(y[start:end]))
        for start, end in zip(starts, [*starts[1:], len(x)], strict=True)
    ]
    return x[places], y[places]
