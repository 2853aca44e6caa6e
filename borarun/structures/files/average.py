"""Average structures: crystals whose sites may be partly occupied, or shared by several elements.

A diffraction experiment sees the average over all cells. A calculation needs one arrangement of
whole atoms, which ``borarun.structures.ordering`` makes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from ase.cell import Cell
from numpy.typing import NDArray

from borarun.structures.files.text import wrong

Array = NDArray[Any]

SAME_PLACE_A = 0.02
"""Atoms of an average structure nearer than this share one place."""

MOST_POSITIONS = 3000
"""Of the cell of an average structure."""


@dataclass(frozen=True)
class Occupant:
    """An element at a place.

    Attributes
    ----------
    symbol : element
    share : its occupancy, above 0 and at most 1
    uncertainty : of the occupancy
    label : of its site in the file
    """

    symbol: str
    share: float
    uncertainty: float
    label: str


@dataclass(frozen=True)
class Position:
    """A place in the cell and what occupies it.

    Attributes
    ----------
    place : fractional coordinates
    occupants : elements that share the place; what is left of 1 is empty
    """

    place: tuple[float, ...]
    occupants: tuple[Occupant, ...]

    @property
    def filled(self) -> float:
        """The sum of the occupancies."""
        return sum(each.share for each in self.occupants)

    @property
    def uncertainty(self) -> float:
        """Of that sum."""
        return sum(each.uncertainty for each in self.occupants)

    @property
    def is_full(self) -> bool:
        """Whether the place is never empty."""
        return self.filled >= 1 - max(self.uncertainty, 1e-9)

    @property
    def is_ordered(self) -> bool:
        """Whether one element is always there."""
        return len(self.occupants) == 1 and self.is_full


@dataclass(frozen=True)
class Average:
    """A crystal as diffraction sees it.

    Attributes
    ----------
    cell : (3, 3) angstrom, rows are the cell vectors
    positions : all places of the cell
    remarks : what the reader took for something else
    """

    cell: Array
    positions: tuple[Position, ...]
    remarks: tuple[str, ...] = ()

    @property
    def is_ordered(self) -> bool:
        """Whether every place has one element."""
        return all(position.is_ordered for position in self.positions)

    @property
    def composition(self) -> dict[str, float]:
        """Atoms of each element in the cell, on average."""
        held: dict[str, float] = {}
        for position in self.positions:
            for each in position.occupants:
                held[each.symbol] = held.get(each.symbol, 0.0) + each.share
        return held

    @property
    def formula(self) -> str:
        """Of the cell, with fractions."""
        return fractional_formula(self.composition)

    def with_remarks(self, remarks: Sequence[str]) -> Self:
        """A copy that has these remarks."""
        return replace(self, remarks=tuple(remarks))


def fractional_formula(composition: dict[str, float]) -> str:
    """A formula of amounts that need not be whole: ``Li24.2Si0.2P3.8S20Br4``."""
    return "".join(
        f"{symbol}{amount:.4g}" if abs(amount - 1) > 1e-6 else symbol
        for symbol, amount in composition.items()
        if amount
    )


def merged(parameters: Sequence[float], listed: Sequence[Position]) -> Average:
    """An average structure whose atoms at one place are one position.

    Parameters
    ----------
    parameters : a, b, c in angstrom, alpha, beta, gamma in degrees
    listed : every atom of the cell as a position of its own

    Raises
    ------
    StudyError
        Where there are no atoms, too many, or more than one atom at a place.
    """
    if not listed:
        raise wrong("contains no atoms.")
    if len(listed) > MOST_POSITIONS:
        raise wrong(
            f"has {len(listed):,} sites in its cell (at most {MOST_POSITIONS:,} can be ordered). "
            "Use a smaller cell."
        )
    # one site whose images nearly coincide is one that lies on a symmetry element, but for rounding
    cell = Cell.fromcellpar(parameters).array
    places = np.array([each.place for each in listed])
    found: list[Position] = []
    taken = np.zeros(len(listed), dtype=bool)
    for index, first in enumerate(listed):
        if taken[index]:
            continue
        apart = places - places[index]
        near = np.linalg.norm((apart - np.round(apart)) @ cell, axis=1) < SAME_PLACE_A
        here = {
            listed[other].occupants[0].label: listed[other]
            for other in np.flatnonzero(near).tolist()
        }
        taken |= near
        position = Position(first.place, _shared([each.occupants[0] for each in here.values()]))
        if position.filled > 1 + max(position.uncertainty, 1e-9):
            labels = ", ".join(here)
            raise wrong(
                f"the occupancies of the sites {labels}, which share one place, add up to "
                f"{position.filled:.4g} (at most 1). Correct them."
                if len(here) > 1
                else f"site {labels}: has an occupancy above 1 (got {position.filled:.4g}). "
                "Correct the occupancy."
            )
        found.append(position)
    return Average(cell, tuple(found))


def _shared(occupants: Sequence[Occupant]) -> tuple[Occupant, ...]:
    """The occupants of a place, each element once."""
    found: dict[str, Occupant] = {}
    for each in occupants:
        there = found.get(each.symbol)
        found[each.symbol] = (
            replace(
                there,
                share=there.share + each.share,
                uncertainty=there.uncertainty + each.uncertainty,
            )
            if there
            else each
        )
    return tuple(found.values())
