"""Charges of the ions of a composition, guessed from the usual oxidation states."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from borarun.structures.files.average import fractional_formula
from borarun.structures.files.text import wrong

NEUTRAL = 0.01
"""A composition is neutral when its charge is below this part of all positive charge: occupancies
are known to about so much.
"""

UNBALANCED = 0.15
"""Up to this part of all positive charge, the most common oxidation states are taken although they
leave a charge: then the occupancies are wrong.
"""

ANIONS = {
    **dict.fromkeys(("F", "Cl", "Br", "I"), -1.0),
    **dict.fromkeys(("O", "S", "Se", "Te"), -2.0),
}
"""Charges of anions, where a composition is not neutral and others would only hide it."""

MOST_COMBINATIONS = 20_000


def charges_of(
    composition: Mapping[str, float], given: Mapping[str, float]
) -> tuple[dict[str, float], str]:
    """The charge of each element, and the one that has two oxidation states, if any.

    Of the assignments of one usual oxidation state to each element that leave the composition
    neutral, the one with the most common states is taken. Where there is none, one transition metal
    or rare earth may have a mixed valence; else the most common states are taken if they are nearly
    neutral.

    Parameters
    ----------
    composition : atoms of each element
    given : charges that are known, elementary charges

    Raises
    ------
    StudyError
        Where no assignment is nearly neutral.

    Source: oxidation states of pymatgen (Ong et al., Comput. Mater. Sci. 68, 314 (2013)).
    """
    from pymatgen.core.periodic_table import Element  # half a second, for disorder alone

    elements = sorted(composition)
    if unknown := sorted(set(given) - set(elements)):
        raise wrong(
            f"gets a charge for {', '.join(unknown)}, which it does not have (it has "
            f"{', '.join(elements)})."
        )
    ranked = {
        symbol: [given[symbol]]
        if symbol in given
        else list(
            dict.fromkeys(
                float(state)
                for state in (
                    *sorted(Element(symbol).common_oxidation_states, key=abs),
                    *Element(symbol).icsd_oxidation_states,
                )
            )
        )
        or [0.0]
        for symbol in elements
    }
    if set(given) >= set(elements):
        return dict(given), ""
    while math.prod(map(len, ranked.values())) > MOST_COMBINATIONS:
        longest = max(ranked, key=lambda symbol: len(ranked[symbol]))
        ranked[longest].pop()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of elements without an electronegativity
        pulls = {symbol: float(np.nan_to_num(Element(symbol).X, nan=2.0)) for symbol in elements}

    def rank(chosen: Sequence[float]) -> tuple[int, float, Sequence[float]]:
        """Uncommon states, then electropositive elements with a charge below zero, then size."""
        uncommon = sum(
            charge not in Element(symbol).common_oxidation_states and symbol not in given
            for symbol, charge in zip(elements, chosen, strict=True)
        )
        pull = sum(charge * pulls[symbol] for symbol, charge in zip(elements, chosen, strict=True))
        return uncommon, pull, chosen

    chosen: tuple[float, ...]
    neutral = [
        chosen
        for chosen in product(*(ranked[symbol] for symbol in elements))
        if is_neutral(composition, dict(zip(elements, chosen, strict=True)))
    ]
    if neutral:
        neutral.sort(key=rank)
        return dict(zip(elements, neutral[0], strict=True)), ""
    common = [
        chosen
        for chosen in sorted(product(*(ranked[symbol] for symbol in elements)), key=rank)
        if rank(chosen)[0] == 0
    ]
    for mixed in elements:
        one = Element(mixed)
        if mixed in given or not (one.is_transition_metal or one.is_rare_earth):
            continue
        for chosen in common:
            found = dict(zip(elements, chosen, strict=True))
            found[mixed] -= charge_of(composition, found)[1] / composition[mixed]
            if min(ranked[mixed]) <= found[mixed] <= max(ranked[mixed]):
                return found, mixed
    near: list[tuple[float, dict[str, float]]] = []
    for chosen in common:
        found = dict(zip(elements, chosen, strict=True))
        if any(found[each] != state for each, state in ANIONS.items() if each in found):
            continue
        positive, net = charge_of(composition, found)
        if positive > 0 and abs(net) <= UNBALANCED * positive:
            near.append((abs(net) / positive, found))
    if near:
        return min(near, key=lambda each: each[0])[1], ""
    raise wrong(
        f"the charges of its ions cannot be guessed: no usual oxidation states make "
        f"{fractional_formula(dict(composition))} neutral. Check the occupancies, or write the "
        f"charges of {', '.join(elements)} as "
        f"`material.order.charges: {{{elements[0]}: 1, ...}}`."
    )


def is_neutral(composition: Mapping[str, float], charges: Mapping[str, float]) -> bool:
    """Whether the charges of a composition balance, as far as occupancies are known."""
    positive, net = charge_of(composition, charges)
    return positive > 0 and abs(net) <= NEUTRAL * positive


def charge_of(
    composition: Mapping[str, float], charges: Mapping[str, float]
) -> tuple[float, float]:
    """The positive and the net charge of a composition, elementary charges."""
    parts = [amount * charges[symbol] for symbol, amount in composition.items()]
    return sum(part for part in parts if part > 0), sum(parts)
