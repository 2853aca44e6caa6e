"""Whole atoms on the sites of a supercell, from occupancies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from borarun.structures.files.average import Average
from borarun.structures.files.checks import formula_text

WHOLE = 0.25
"""The number of atoms of an element, from its occupancies, is whole within their uncertainty, and
within this at most.
"""

MOST_CELLS = 64
"""Up to which supercells are looked for that hold a composition."""

TOTALS_FIRST = 1000.0
"""How much more the number of atoms of an element weighs than where they are."""


@dataclass(frozen=True)
class Share:
    """What is to be placed on the sites of one orbit.

    Attributes
    ----------
    size : sites in the supercell
    amounts : atoms of each element on them, by the occupancies
    uncertainty : of each of these numbers
    is_full : whether no site is empty
    label : of the sites
    """

    size: int
    amounts: Mapping[str, float]
    uncertainty: Mapping[str, float]
    is_full: bool
    label: str


def whole_counts(
    shares: Sequence[Share],
    fixed: Mapping[str, int],
    charges: Mapping[str, float],
    *,
    nearest: bool,
    slack: float = 0.0,
) -> list[dict[str, int]] | None:
    """Atoms of each element on each orbit, as near as can be to the occupancies; None where there
    is no such choice.

    The number of atoms of each element is that of the occupancies, within their uncertainty; with
    ``nearest``, the nearest that leaves the cell neutral.

    Parameters
    ----------
    shares : the orbits
    fixed : atoms of each element on ordered sites
    charges : of each element
    nearest : whether the composition may differ
    slack : charge that is no imbalance, as that of an element of mixed valence
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # slow to load, rarely needed

    names = sorted({symbol for share in shares for symbol in share.amounts})
    totals = {symbol: sum(share.amounts.get(symbol, 0.0) for share in shares) for symbol in names}
    places = [(index, symbol) for index, share in enumerate(shares) for symbol in share.amounts]
    n, m = len(places), len(names)
    # variables: counts (n), their deviations (n), deviations of the totals (m)
    target = np.array([shares[index].amounts[symbol] for index, symbol in places])
    cost = np.concatenate([1e-5 * np.arange(n), np.ones(n), np.full(m, TOTALS_FIRST)])
    rows, low, high = [], [], []

    def demand(entries: Mapping[int, float], least: float, most: float) -> None:
        row = np.zeros(2 * n + m)
        for column, value in entries.items():
            row[column] = value
        rows.append(row)
        low.append(least)
        high.append(most)

    for index in range(n):
        demand({index: 1.0, n + index: -1.0}, -np.inf, target[index])
        demand({index: 1.0, n + index: 1.0}, target[index], np.inf)
    for index, share in enumerate(shares):
        held = {column: 1.0 for column, (at, _) in enumerate(places) if at == index}
        demand(held, share.size if share.is_full else 0, share.size)
    for rank, symbol in enumerate(names):
        here = {column: 1.0 for column, (_, each) in enumerate(places) if each == symbol}
        if not nearest:
            if not is_whole(totals[symbol], _uncertainty(shares, symbol)):
                return None
            demand(here, round(totals[symbol]), round(totals[symbol]))
        demand({**here, 2 * n + rank: -1.0}, -np.inf, totals[symbol])
        demand({**here, 2 * n + rank: 1.0}, totals[symbol], np.inf)
    if nearest:
        charge = sum(charges[symbol] * count for symbol, count in fixed.items())
        wanted = {column: charges[symbol] for column, (_, symbol) in enumerate(places)}
        demand(wanted, -charge - slack - 1e-6, -charge + slack + 1e-6)
    capacity = np.array([float(shares[index].size) for index, _ in places])
    solved = milp(
        cost,
        constraints=LinearConstraint(np.array(rows), low, high),
        bounds=Bounds(0.0, np.concatenate([capacity, np.full(n + m, np.inf)])),
        integrality=np.concatenate([np.ones(n), np.zeros(n + m)]),
    )
    if solved.x is None:
        return None
    found: list[dict[str, int]] = [{} for _ in shares]
    for (index, symbol), count in zip(places, np.rint(solved.x[:n]).astype(int), strict=True):
        found[index][symbol] = int(count)
    return found


def _uncertainty(shares: Sequence[Share], symbol: str) -> float:
    return sum(share.uncertainty.get(symbol, 0.0) for share in shares)


def is_whole(amount: float, uncertainty: float) -> bool:
    """Whether a number of atoms is whole."""
    return abs(amount - round(amount)) <= min(max(uncertainty, 1e-6), WHOLE)


def holding(
    average: Average, largest: int, charges: Mapping[str, float], slack: float
) -> list[tuple[int, int, int]]:
    """The smallest supercells that hold the composition of an average structure in whole atoms that
    are neutral: at most three, of different size, each the most compact of its size.

    Parameters
    ----------
    average : the structure
    largest : number of sites that a supercell may have
    charges : of the elements
    slack : charge of a cell that is no imbalance
    """
    amounts: dict[str, tuple[float, float]] = {}
    for position in average.positions:
        for each in position.occupants:
            amount, uncertainty = amounts.get(each.symbol, (0.0, 0.0))
            error = 0.0 if position.is_ordered else each.uncertainty
            amounts[each.symbol] = (amount + each.share, uncertainty + error)
    found = []
    for cells in range(1, min(MOST_CELLS, largest // len(average.positions)) + 1):
        net = sum(charges[each] * round(cells * amount) for each, (amount, _) in amounts.items())
        if abs(net) <= cells * slack and all(
            is_whole(cells * amount, cells * error) for amount, error in amounts.values()
        ):
            found.append(_compact(average, cells))
    return found[:3]


def _compact(average: Average, cells: int) -> tuple[int, int, int]:
    """The supercell of so many cells whose faces are the farthest apart."""
    width = 1 / np.linalg.norm(np.linalg.inv(average.cell), axis=0)

    def compact(repeats: tuple[int, int, int]) -> tuple[float, float, tuple[int, int, int]]:
        widths = np.round(np.array(repeats) * width, 6)
        return float(widths.min()), -float(widths.max()), repeats

    return max(
        (
            (a, b, cells // (a * b))
            for a in range(1, cells + 1)
            for b in range(1, cells // a + 1)
            if cells % (a * b) == 0
        ),
        key=compact,
    )


def misses(
    shares: Sequence[Share], counts: Sequence[Mapping[str, int]], fixed: Mapping[str, int]
) -> str:
    """How the composition of whole atoms differs from that of the occupancies; empty where it does
    not, within their uncertainty.
    """
    told = []
    for symbol in sorted({symbol for share in shares for symbol in share.amounts}):
        asked = sum(share.amounts.get(symbol, 0.0) for share in shares)
        held = sum(count.get(symbol, 0) for count in counts)
        if abs(asked - held) > min(max(_uncertainty(shares, symbol), 1e-6), WHOLE):
            base = fixed.get(symbol, 0)
            told.append(f"{symbol} {base + held} instead of {base + asked:.4g}")
    return ", ".join(told)


def moved(shares: Sequence[Share], counts: Sequence[Mapping[str, int]]) -> list[str]:
    """Occupancies of sites that whole atoms cannot have, and those that they get."""
    told = []
    for share, count in zip(shares, counts, strict=True):
        for symbol, amount in share.amounts.items():
            if abs(amount - count[symbol]) > max(share.uncertainty[symbol], 0.02 * share.size):
                told.append(
                    f"{share.label}: {symbol} {count[symbol] / share.size:.3g} instead of "
                    f"{amount / share.size:.3g}"
                )
    return told


def formula_of(counts: Sequence[Mapping[str, int]], fixed: Mapping[str, int]) -> str:
    """The formula of the supercell."""
    total: Counter[str] = Counter()
    for part in (*counts, fixed):
        total.update(part)
    return formula_text(total)
