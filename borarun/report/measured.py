"""What results of every subject are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


DRAWN_ONLY = {"json": False}
"""Metadata of a field that only a drawing needs."""


@dataclass(frozen=True)
class Measured:
    """A number with its 95 % interval, all in one unit. ``positive``: it cannot be negative,
    whatever the interval says.
    """

    value: float
    low: float
    high: float
    positive: bool = False

    @property
    def half_width(self) -> float:
        """Half the interval."""
        return (self.high - self.low) / 2
