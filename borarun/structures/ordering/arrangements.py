"""Arrangements of species on the places of a lattice: all that symmetry tells apart where they are
few, and low-energy ones where they are many.

An arrangement is an array of species, one for each disordered place. Arrangements that a symmetry
of the lattice maps onto each other are one; the first of them in lexicographic order stands for
all, and their number is its multiplicity.

Source: derivative structures are counted in Hart and Forcade, Phys. Rev. B 77, 224115 (2008).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from borarun.structures.ordering.electrostatics import CLASH_EV, Interactions

Array = NDArray[Any]

MOST_LISTED = 20_000
"""Arrangements that are all looked at; of more, a sample."""

FEWEST_STARTS, MOST_STARTS = 20, 100
WORK = 2e6
"""Starts of a search times the square of the number of places; so a search takes seconds."""


LEAST_GAIN_EV = 1e-6
"""Of an exchange that is made."""


@dataclass(frozen=True)
class Slots:
    """Places of one orbit and how many of each species are on them.

    Attributes
    ----------
    places : (n,) int, indices among the disordered places
    counts : how many of each species, by its number; together n
    """

    places: Array
    counts: dict[int, int]

    @property
    def number(self) -> int:
        """Arrangements on these places."""
        found = math.factorial(len(self.places))
        for count in self.counts.values():
            found //= math.factorial(count)
        return found


@dataclass(frozen=True)
class Arrangement:
    """One of a set of arrangements that symmetry makes equal.

    Attributes
    ----------
    species : (D,) uint8, the first of the set in lexicographic order
    multiplicity : how many the set has
    energy_eV : electrostatic energy
    clashes : pairs of atoms that overlap
    """

    species: Array
    multiplicity: int
    energy_eV: float
    clashes: int

    @property
    def rank(self) -> tuple[int, float, bytes]:
        """By which arrangements are in order: overlaps, energy, then the arrangement itself."""
        return self.clashes, self.energy_eV, self.species.tobytes()


def number_of(slots: Sequence[Slots]) -> int:
    """All arrangements, symmetry aside."""
    return math.prod(each.number for each in slots)


def images(arrangement: Array, permutations: Array) -> Array:
    """(n, D) the different images of an arrangement under all symmetries, in order."""
    found: Array = np.unique(arrangement[permutations], axis=0)
    return found


def distinct(slots: Sequence[Slots], permutations: Array) -> Iterator[tuple[Array, int]]:
    """Every arrangement that symmetry tells apart, and its multiplicity.

    Parameters
    ----------
    slots : what is on which places
    permutations : (G, D) of the places
    """
    seen: set[bytes] = set()
    for arrangement in _all(slots, np.zeros(permutations.shape[1], dtype=np.uint8)):
        if arrangement.tobytes() in seen:
            continue
        same = images(arrangement, permutations)
        seen.update(each.tobytes() for each in same)
        yield same[0], len(same)


def _all(slots: Sequence[Slots], arrangement: Array) -> Iterator[Array]:
    """All arrangements: those of the first orbit, each with all of the others."""
    if not slots:
        yield arrangement.copy()
        return
    first, *rest = slots
    for filled in _filled(first.places, list(first.counts.items()), arrangement):
        yield from _all(rest, filled)


def _filled(places: Array, counts: list[tuple[int, int]], arrangement: Array) -> Iterator[Array]:
    (species, count), *rest = counts
    if not rest:
        arrangement[places] = species
        yield arrangement
        return
    for chosen in combinations(range(len(places)), count):
        arrangement[places[list(chosen)]] = species
        yield from _filled(np.delete(places, chosen), rest, arrangement)


def listed(
    slots: Sequence[Slots], permutations: Array, energies: Interactions
) -> list[Arrangement]:
    """Every arrangement that symmetry tells apart."""
    return [
        _known(species, multiplicity, energies)
        for species, multiplicity in distinct(slots, permutations)
    ]


def searched(
    slots: Sequence[Slots],
    permutations: Array,
    energies: Interactions,
    mobile: frozenset[int],
    seed: int,
) -> list[Arrangement]:
    """Arrangements of low energy: from random ones, the exchange of two species that lowers the
    energy most is made until none does.

    From every second start only mobile ions are moved, so that other frameworks than the best are
    found too.

    Parameters
    ----------
    mobile : numbers of the species that move, an empty place among them
    seed : of the random arrangements
    """
    size = permutations.shape[1]
    starts = int(min(max(WORK / size**2, FEWEST_STARTS), MOST_STARTS))
    random_numbers = random.Random(seed)
    found: dict[bytes, Arrangement] = {}
    for start in range(starts):
        arrangement = np.zeros(size, dtype=np.uint8)
        for each in slots:
            content = [kind for kind, count in each.counts.items() for _ in range(count)]
            random_numbers.shuffle(content)
            arrangement[each.places] = content
        only = mobile if start % 2 else None
        species = _lowered(arrangement, slots, energies, only)
        same = images(species, permutations)
        if same[0].tobytes() not in found:
            found[same[0].tobytes()] = _known(same[0], len(same), energies)
    return list(found.values())


def _known(species: Array, multiplicity: int, energies: Interactions) -> Arrangement:
    return Arrangement(
        species, multiplicity, energies.energy_eV(species), energies.clashes(species)
    )


def _lowered(
    arrangement: Array,
    slots: Sequence[Slots],
    energies: Interactions,
    only: frozenset[int] | None,
) -> Array:
    """The arrangement in which no exchange of two species of an orbit lowers the energy."""
    arrangement = arrangement.copy()
    q = energies.charges
    for _ in range(10 * len(arrangement)):
        fields = energies.fields(arrangement)
        best = (-LEAST_GAIN_EV, 0, 0)
        for each in slots:
            for s, t in combinations(each.counts, 2):
                if only is not None and not {s, t} <= only:
                    continue
                a = each.places[arrangement[each.places] == s]
                b = each.places[arrangement[each.places] == t]
                if not (len(a) and len(b)):
                    continue
                gain = (fields[a, t] - fields[a, s])[:, None] + (fields[b, s] - fields[b, t])[None]
                gain -= (q[s] - q[t]) ** 2 * energies.pair[np.ix_(a, b)]
                for one, other, sign in ((s, s, 1), (t, t, 1), (s, t, -2)):
                    gain -= sign * CLASH_EV * energies.clash[one, other][np.ix_(a, b)]
                at = int(np.argmin(gain))
                change = float(gain.flat[at])
                if change < best[0]:
                    best = (change, int(a[at // len(b)]), int(b[at % len(b)]))
        _, first, second = best
        if first == second:
            break
        arrangement[[first, second]] = arrangement[[second, first]]
    return arrangement


def framework(species: Array, mobile: frozenset[int], permutations: Array) -> tuple[bytes, int]:
    """What stands for the places of all that does not move, whatever the mobile ions do, and its
    multiplicity.
    """
    still = np.where(np.isin(species, list(mobile)), np.uint8(255), species)
    same = images(still, permutations)
    return bytes(same[0].tobytes()), len(same)
