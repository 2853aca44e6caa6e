"""Ordered models of an average structure: whole atoms in a supercell, in order of their energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from borarun.basics.errors import StudyError
from borarun.structures.files.average import Average, fractional_formula
from borarun.structures.files.checks import checked
from borarun.structures.files.text import wrong
from borarun.structures.ordering import arrangements, counts
from borarun.structures.ordering.arrangements import Arrangement, Slots
from borarun.structures.ordering.charges import NEUTRAL, charge_of, charges_of
from borarun.structures.ordering.electrostatics import interactions
from borarun.structures.ordering.lattice import Lattice, lattice, space_group

MOST_SITES = 800
"""Of a supercell that is ordered."""

MOST_DISORDERED = 600
"""Of these, sites that are not ordered."""


ROUNDED = 5e-4
"""Part of all positive charge that is rounding."""

MIXED = 0.2
"""By how much the mean charge of an element of mixed valence may differ in a supercell."""


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes
    ----------
    supercell : repeats of the cell along a, b and c
    models : how many, at most
    seed : of the search
    charges : of elements, elementary charges; the others are guessed
    nearest : whether the nearest composition may be taken that the supercell can hold
    mobile : elements of the mobile ions
    """

    supercell: tuple[int, int, int] = (1, 1, 1)
    models: int = 5
    seed: int = 1
    charges: Mapping[str, float] = field(default_factory=dict)
    nearest: bool = False
    mobile: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Model:
    """One ordered model.

    Attributes
    ----------
    atoms : the structure; atoms of an element in the order of the places of the lattice
    energy_eV_per_atom : electrostatic energy
    multiplicity : arrangements that symmetry makes equal to it; of the framework, where that is
        disordered
    space_group : symbol and number
    """

    atoms: Atoms
    energy_eV_per_atom: float
    multiplicity: int
    space_group: str


@dataclass(frozen=True)
class Ordered:
    """The models of a structure.

    Attributes
    ----------
    models : from the lowest energy up
    charges : of the elements, elementary charges
    formula : of a model
    arrangements : all arrangements in the supercell, symmetry aside
    distinct : of those, how many were found that symmetry tells apart
    complete : whether these are all
    remarks : what a user should know
    """

    models: tuple[Model, ...]
    charges: dict[str, float]
    formula: str
    arrangements: int
    distinct: int
    complete: bool
    remarks: tuple[str, ...]


def ordered_models(average: Average, request: Request) -> Ordered:
    """Ordered models of an average structure.

    Where something else than the mobile ions is disordered, the models differ in that, and each has
    the best arrangement of mobile ions that was found for it: mobile ions find their places in
    molecular dynamics, the framework does not.

    Parameters
    ----------
    average : the structure
    request : what is asked for

    Raises
    ------
    StudyError
        Where the supercell is too large or cannot hold the composition, charges are unknown or do
        not balance, or atoms overlap in every model.
    """
    _within_bounds(average, request.supercell)
    charges, mixed = charges_of(average.composition, request.charges)
    held = lattice(average, request.supercell)
    fixed: dict[str, int] = {}
    for symbol in held.fixed.values():
        fixed[symbol] = fixed.get(symbol, 0) + 1
    shares = [
        counts.Share(
            len(orbit.places),
            {each.symbol: each.share * len(orbit.places) for each in orbit.occupants},
            {each.symbol: each.uncertainty * len(orbit.places) for each in orbit.occupants},
            orbit.is_full,
            orbit.label,
        )
        for orbit in held.orbits
    ]
    chosen = _chosen(average, request, shares, fixed, charges, mixed)
    charges = _balanced(_total(chosen, fixed), charges, mixed)
    placed = {
        symbol: sum(count.get(symbol, 0) for count in chosen)
        for symbol in sorted({symbol for count in chosen for symbol in count})
    }
    energies = interactions(held, charges, placed)
    number = {symbol: index for index, symbol in enumerate(energies.species)}
    empty = len(number)
    rank = {int(place): index for index, place in enumerate(held.disordered)}
    slots = []
    for orbit, count in zip(held.orbits, chosen, strict=True):
        content = {number[symbol]: many for symbol, many in count.items() if many}
        if vacant := len(orbit.places) - sum(count.values()):
            content[empty] = vacant
        slots.append(Slots(np.array([rank[int(place)] for place in orbit.places]), content))
    moving = frozenset(number[each] for each in request.mobile & number.keys()) | {empty}
    all_of_them = arrangements.number_of(slots)
    complete = all_of_them <= arrangements.MOST_LISTED
    found = (
        arrangements.listed(slots, held.permutations, energies)
        if complete
        else arrangements.searched(slots, held.permutations, energies, moving, request.seed)
    )
    models = _models(held, found, energies.species, moving, request.models)
    remarks = [
        *average.remarks,
        *(
            [f"{mixed} has the mean charge {charges[mixed]:+.3g}: its valence is mixed."]
            if mixed
            else []
        ),
        *(
            [f"the composition is the nearest that the supercell holds: {missing}."]
            if (missing := counts.misses(shares, chosen, fixed))
            else []
        ),
        *(
            ["whole atoms change occupancies: " + "; ".join(shifted[:4]) + "."]
            if (shifted := counts.moved(shares, chosen))
            else []
        ),
        *(
            [
                f"{len(models)} of {request.models} models were found: "
                + (
                    "there are no other arrangements."
                    if len(models) == len(found)
                    else "other arrangements differ only in the mobile ions."
                )
            ]
            if len(models) < request.models
            else []
        ),
    ]
    return Ordered(
        models=models,
        charges=charges,
        formula=counts.formula_of(chosen, fixed),
        arrangements=all_of_them,
        distinct=len(found),
        complete=complete,
        remarks=tuple(remarks),
    )


def supercells_for(
    average: Average, given: Mapping[str, float] | None = None
) -> list[tuple[int, int, int]]:
    """The smallest supercells that hold the composition of a structure in whole atoms that are
    neutral: at most three.

    Parameters
    ----------
    average : the structure
    given : charges that are known; the others are guessed

    Raises
    ------
    StudyError
        Where charges cannot be guessed.
    """
    charges, mixed = charges_of(average.composition, given or {})
    slack = _slack(average.composition, charges, mixed)
    return counts.holding(average, MOST_SITES, charges, slack + 1e-6)


def _within_bounds(average: Average, supercell: tuple[int, int, int]) -> None:
    size = "x".join(map(str, supercell))
    cells = int(np.prod(supercell))
    loose = sum(not position.is_ordered for position in average.positions)
    for count, most, kind in (
        (len(average.positions), MOST_SITES, "sites"),
        (loose, MOST_DISORDERED, "disordered sites"),
    ):
        if count * cells > most:
            raise wrong(
                f"a {size} supercell has {count * cells:,} {kind} (at most {most} can be ordered). "
                + (
                    f"Use a smaller supercell: a cell has {count}."
                    if count <= most
                    else "Use a smaller cell."
                )
            )


def _chosen(
    average: Average,
    request: Request,
    shares: list[counts.Share],
    fixed: dict[str, int],
    charges: dict[str, float],
    mixed: str,
) -> list[dict[str, int]]:
    """Whole atoms on each orbit.

    Raises
    ------
    StudyError
        Where the supercell cannot hold the composition; it says which can, and the nearest one.
    """
    found = counts.whole_counts(shares, fixed, charges, nearest=False)
    if found is not None and abs(charge_of(total := _total(found, fixed), charges)[1]) <= _slack(
        total, charges, mixed
    ):
        return found
    cells = int(np.prod(request.supercell))
    slack = _slack(
        {each: cells * amount for each, amount in average.composition.items()}, charges, mixed
    )
    near = counts.whole_counts(shares, fixed, charges, nearest=True, slack=slack)
    if request.nearest and near is not None:
        return near
    size = "x".join(map(str, request.supercell))
    ways = [
        f"[{', '.join(map(str, supercell))}]"
        for supercell in supercells_for(average, request.charges)
        if int(np.prod(supercell)) != cells
    ]
    offer = (
        f"With `material.order.nearest: true`, {counts.formula_of(near, fixed)} is taken "
        f"({counts.misses(shares, near, fixed) or 'with other occupancies'})."
        if near is not None
        else "No neutral composition is near it in this supercell. Use a larger one with "
        "`nearest: true`."
    )
    ions = ", ".join(f"{symbol} {charge:+g}" for symbol, charge in sorted(charges.items()))
    if found is not None:
        net = charge_of(_total(found, fixed), charges)[1]
        raise wrong(
            f"its composition, {counts.formula_of(found, fixed)} in a {size} supercell, is not "
            f"neutral (got a charge of {net:+.3g} with {ions}). Correct the occupancies, or write "
            f"other charges as `material.order.charges`. {offer}"
        )
    positive, net = charge_of(average.composition, charges)
    raise wrong(
        f"a {size} supercell cannot hold its composition in whole atoms (got "
        f"{fractional_formula({each: cells * n for each, n in average.composition.items()})}). "
        + (f"These supercells can: {', '.join(ways)}. " if ways else "")
        + (
            f"Its occupancies are not neutral: a cell has a charge of {net:+.3g} with {ions}. "
            if abs(net) > NEUTRAL * positive
            else ""
        )
        + offer
    )


def _total(chosen: list[dict[str, int]], fixed: Mapping[str, int]) -> dict[str, float]:
    total: dict[str, float] = {symbol: float(count) for symbol, count in fixed.items()}
    for count in chosen:
        for symbol, many in count.items():
            total[symbol] = total.get(symbol, 0.0) + many
    return total


def _slack(total: Mapping[str, float], charges: Mapping[str, float], mixed: str) -> float:
    """Charge of whole atoms that is no imbalance: rounding of given charges, and what the valence
    of an element that has two can take up.
    """
    return ROUNDED * charge_of(total, charges)[0] + MIXED * total.get(mixed, 0.0)


def _balanced(
    total: Mapping[str, float], charges: dict[str, float], mixed: str
) -> dict[str, float]:
    """Charges that balance in whole atoms: what is left goes to the element of mixed valence, or is
    spread over all cations.
    """
    positive, left = charge_of(total, charges)
    if abs(left) < 1e-9:
        return charges
    if mixed:
        return {**charges, mixed: charges[mixed] - left / total[mixed]}
    return {
        symbol: charge * (1 - left / positive) if charge > 0 else charge
        for symbol, charge in charges.items()
    }


def _models(
    held: Lattice,
    found: list[Arrangement],
    species: tuple[str, ...],
    moving: frozenset[int],
    most: int,
) -> tuple[Model, ...]:
    """The best arrangements as structures; of those with one framework, the best."""
    best: dict[bytes, Arrangement] = {}
    for each in sorted(found, key=lambda each: each.rank):
        name, multiplicity = each.species.tobytes(), each.multiplicity
        if any(kind not in moving for kind in each.species.tolist()):
            name, multiplicity = arrangements.framework(each.species, moving, held.permutations)
        best.setdefault(name, replace(each, multiplicity=multiplicity))
        if len(best) == most:
            break
    return tuple(_model(held, each, species) for each in best.values())


def _model(held: Lattice, arrangement: Arrangement, species: tuple[str, ...]) -> Model:
    content = dict(held.fixed)
    for place, kind in zip(held.disordered.tolist(), arrangement.species.tolist(), strict=True):
        if kind < len(species):
            content[place] = species[kind]
    order = sorted(content, key=lambda place: (content[place], place))
    atoms = Atoms(
        [content[place] for place in order],
        scaled_positions=held.places[order],
        cell=held.cell,
        pbc=True,
    )
    try:
        atoms = checked(atoms)
    except StudyError as error:
        raise wrong(
            "no arrangement was found in which atoms do not overlap. In the best one, "
            f"{error.problems[0].message.split('. ')[0]}. Check the occupancies of split sites; or "
            "try another supercell, or another seed."
        ) from error
    numbers = [atomic_numbers[content[place]] for place in order]
    return Model(
        atoms,
        arrangement.energy_eV / len(atoms),
        arrangement.multiplicity,
        space_group(held.cell, held.places[order], numbers),
    )
