"""Structures: find the anions in them, make supercells and vacancies."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from ase.formula import Formula
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveInt, model_validator

from borarun.basics.errors import Problem, StudyError
from borarun.records.frames import Frames
from borarun.records.task import Settings

BOND_TOLERANCE = 1.35
TORN_TOLERANCE = 1.65
"""Atoms are bonded below this many times the sum of their covalent radii: bonds stretched by heat
are, contacts between anions are not.
"""

Array = NDArray[Any]


def find_anions(
    atoms: Atoms,
    anions: Sequence[str],
    mobile: Sequence[str],
    tolerance: float = BOND_TOLERANCE,
) -> tuple[Array, ...]:
    """The molecular anions of a structure, by connectivity under periodic boundaries.

    Atoms of the anions' elements are bonded when nearer than ``tolerance`` times the sum of their
    covalent radii; bonded atoms make a group, and every group must have the formula of an anion.
    Other elements (the mobile ion, a second cation, a halide) take part in no bond. Atoms without a
    bond are ions of their own, as the sulfide of Li6PS5Cl beside PS4, unless an anion could be made
    of them: then it fell apart.

    Parameters
    ----------
    atoms : periodic structure
    anions : formulas, e.g. ``["B12H12"]``; none where the structure has no molecules
    mobile : symbols of the mobile ions, e.g. ``["Li"]``, which no anion may hold

    Returns
    -------
    For each formula (n_anions, atoms of an anion) int, indices of atoms; ascending within an anion,
    anions in order of their first atom

    Raises
    ------
    StudyError
        Where an anion is missing or something else is found (the message says what), an anion is
        bonded to its own image, or a formula is none.

    Source: covalent radii of Cordero et al., Dalton Trans. 2832 (2008), as in ASE.
    """
    if not anions:
        return ()
    wanted = [composition(anion) for anion in anions]
    for anion, unit in zip(anions, wanted, strict=True):
        if held := [symbol for symbol in mobile if symbol in unit]:
            raise _wrong(
                f"the mobile ion {held[0]} is part of the anion {anion}. They must differ."
            )
    elements = list(dict.fromkeys(element for unit in wanted for element in unit))
    members = np.flatnonzero(np.isin(atoms.symbols, elements))
    groups = [members[group] for group in _groups(atoms[members], tolerance)[0]]
    formulas = [Counter(atoms.symbols[group]) for group in groups]
    found = [
        [group for group, formula in zip(groups, formulas, strict=True) if formula == unit]
        for unit in wanted
    ]
    alone = Counter(
        str(atoms.symbols[group[0]])
        for group, formula in zip(groups, formulas, strict=True)
        if formula not in wanted and len(group) == 1
    )
    known = sum(map(len, found)) + alone.total()
    if not all(found) or known < len(groups) or any(alone >= unit for unit in wanted):
        kinds = Counter(
            _text({element: formula[element] for element in elements}) for formula in formulas
        )
        listing = ", ".join(f"{count} x {kind}" for kind, count in kinds.most_common(6)) + (
            ", ..." if len(kinds) > 6 else ""
        )
        what = (
            f"found {len(groups)} groups: {listing}"
            if groups
            else f"found none of {'its' if len(anions) == 1 else 'their'} elements in "
            f"{_text(Counter(atoms.symbols))}"
        )
        raise _wrong(
            f"its anions are not {' and '.join(anions)} ({what}). Check material.anions, or the "
            "structure for missing atoms."
        )
    return tuple(np.array(groups, dtype=np.int64) for groups in found)


def unnamed_molecules(atoms: Atoms, anions: Sequence[str], mobile: Sequence[str]) -> Counter[str]:
    """Molecules of a structure that are neither mobile nor among its anions, by their formula and
    how many there are; none where the other atoms are a network.

    Parameters as for ``find_anions``, whose errors this has too.
    """
    rest = ~np.isin(atoms.symbols, mobile)
    for kind in find_anions(atoms, anions, mobile):
        rest[kind.ravel()] = False
    others = atoms[rest]
    try:
        groups = _groups(others, BOND_TOLERANCE)[0]
    except StudyError:
        return Counter()
    return Counter(_text(Counter(others.symbols[group])) for group in groups if len(group) > 1)


def is_torn(atoms: Atoms, anions: Sequence[str], mobile: Sequence[str]) -> bool:
    """Whether an anion has lost an atom, beyond what vibration stretches a bond to: a B-H bond over
    1.9 angstrom, a third more than at 1000 K.

    Anions that are whole by the bonds of rest are so even where atoms of two of them meet within a
    stretched bond's length, as sulfur atoms do.
    """
    for tolerance in (BOND_TOLERANCE, TORN_TOLERANCE):
        with suppress(StudyError):
            find_anions(atoms, anions, mobile, tolerance)
            return False
    return True


class Tearing:
    """Tells when an anion of a run comes apart, cheaply enough to be asked every few steps.

    Parameters
    ----------
    atoms : the run's first configuration, whose anions are whole
    anions, mobile : as for ``find_anions``
    """

    def __init__(self, atoms: Atoms, anions: Sequence[str], mobile: Sequence[str]) -> None:
        self.anions, self.mobile = anions, mobile
        elements = [element for anion in anions for element in composition(anion)]
        members = np.flatnonzero(np.isin(atoms.symbols, elements))
        radii = covalent_radii[atoms.numbers]
        first, second = neighbor_list("ij", atoms[members], BOND_TOLERANCE * radii[members])
        self._first, self._second = members[first], members[second]
        self._longest = TORN_TOLERANCE * (radii[self._first] + radii[self._second])

    def torn(self, atoms: Atoms) -> bool:
        """Whether an anion has come apart: a bond of the start broke, and no others hold the anion
        together.
        """
        apart = (atoms.positions[self._second] - atoms.positions[self._first]) @ np.linalg.inv(
            atoms.cell.array
        )
        lengths = np.linalg.norm((apart - np.round(apart)) @ atoms.cell.array, axis=1)
        return bool((lengths > self._longest).any()) and is_torn(atoms, self.anions, self.mobile)


def whole_anions(atoms: Atoms, anions: Array) -> Array:
    """Positions of anions joined across the cell's boundary.

    Parameters
    ----------
    atoms : periodic structure
    anions : (n_anions, atoms of an anion) int, from ``find_anions``

    Returns
    -------
    (n_anions, atoms of an anion, 3) angstrom; the first atom of each anion stays where it is

    Raises
    ------
    StudyError
        Where the atoms of an anion are not bonded to each other.
    """
    groups, images = _groups(atoms[anions.ravel()], BOND_TOLERANCE)
    if {len(group) for group in groups} != {anions.shape[1]} or (
        np.concatenate(groups) != np.arange(anions.size)
    ).any():
        raise _wrong("an anion broke, or two joined: the bonds differ from those of the start.")
    whole: Array = atoms.positions[anions] + images.reshape(*anions.shape, 3) @ atoms.cell.array
    return whole


def _groups(molecules: Atoms, tolerance: float) -> tuple[list[Array], Array]:
    """Indices of each group of bonded atoms, and the (N, 3) cell images that put every atom beside
    the rest of its group.
    """
    bonds: list[list[tuple[int, Array]]] = [[] for _ in molecules]
    # Given a cutoff per atom, ASE takes two atoms for neighbours when nearer than the sum of
    # theirs.
    for i, j, image in zip(
        *neighbor_list("ijS", molecules, tolerance * covalent_radii[molecules.numbers]), strict=True
    ):
        bonds[i].append((int(j), image))
    images = np.zeros((len(molecules), 3), dtype=np.int64)
    groups, seen = [], set()
    for start in range(len(molecules)):
        if start in seen:
            continue
        seen.add(start)
        group = [start]
        for i in group:  # grows while it is walked
            for j, image in bonds[i]:
                if j not in seen:
                    seen.add(j)
                    group.append(j)
                    images[j] = images[i] + image
                elif (images[j] != images[i] + image).any():
                    raise _wrong(
                        f"its {molecules.symbols[i]} and {molecules.symbols[j]} atoms are "
                        "bonded to their own periodic images: the structure is a "
                        "network, or the cell is smaller than a molecule. Anions must be "
                        "molecules."
                    )
        groups.append(np.sort(group))
    return groups, images


def formula_units(atoms: Atoms, formula: str) -> int:
    """Number of formula units in a structure.

    Parameters
    ----------
    atoms : structure
    formula : e.g. ``Li2B12H12``

    Raises
    ------
    StudyError
        Where the structure is no whole multiple of the formula, or the formula is none.
    """
    unit, held = composition(formula), Counter(atoms.symbols)
    units = min(held[element] // count for element, count in unit.items())
    if units == 0 or held != Counter({element: units * count for element, count in unit.items()}):
        unwanted = ", ".join(sorted(held.keys() - unit.keys()))
        hint = (
            f"The formula has no {unwanted}."
            if unwanted
            else "Check material.formula. Check the structure for missing atoms and, in a "
            "CIF, the setting of the space group."
        )
        raise _wrong(f"holds {_text(held)}, which is not an integer multiple of {formula}. {hint}")
    return units


class Cell(Settings):
    """The configuration that a task starts from.

    Attributes
    ----------
    text : extended XYZ of one structure; empty = the task's input ``structure``
    supercell : repeats along the three cell vectors
    mobile : symbol of the ion that vacancies are made of
    vacancies : how many of them are removed from the supercell
    seed : decides which
    """

    text: str = ""
    supercell: tuple[PositiveInt, PositiveInt, PositiveInt] = (1, 1, 1)
    mobile: str = ""
    vacancies: NonNegativeInt = 0
    seed: int = 1

    @model_validator(mode="after")
    def _vacancies_have_an_ion(self) -> Self:
        if self.vacancies and not self.mobile:
            raise ValueError("vacancies need a mobile ion")
        return self


def build(cell: Cell, base: Atoms | None = None) -> Atoms:
    """The supercell with its vacancies.

    The mobile ions come first, so that they lie together in a store and are read at once. Otherwise
    the order is that of the base, repeated with the last cell vector fastest. Vacancies are the
    first ions of a random order that the seed alone decides, so that two vacancies of one seed
    contain its one vacancy. An ion leaves as a neutral atom.

    Parameters
    ----------
    cell : what to build
    base : structure to repeat where ``cell.text`` is empty

    Raises
    ------
    StudyError
        Where there is no structure, or there are fewer mobile ions than vacancies.
    """
    if cell.text:
        base = Frames.from_extxyz(cell.text)[0]
    if base is None:
        raise _wrong("no structure: the task has none, as text or as input.")
    whole: Atoms = Atoms(base.numbers, base.positions, cell=base.cell, pbc=True).repeat(
        cell.supercell
    )
    rest = np.array([symbol != cell.mobile for symbol in whole.symbols])
    atoms: Atoms = whole[np.argsort(rest, kind="stable")]
    ions = range(np.count_nonzero(~rest))
    if cell.vacancies > len(ions):
        raise _wrong(
            f"{cell.vacancies} vacancies, but the supercell holds {len(ions)} "
            f"{cell.mobile}. Use fewer vacancies."
        )
    # Python promises the same stream of random() for a seed in every version; neither it nor NumPy
    # does so for sample or choice.
    stream = random.Random(cell.seed)
    shuffled = sorted(ions, key=lambda _: stream.random())
    del atoms[shuffled[: cell.vacancies]]
    return atoms


def composition(formula: str) -> Counter[str]:
    """Elements of a formula and how many atoms of each.

    Raises
    ------
    StudyError
        Where it is no formula.
    """
    try:
        counts = Counter(Formula(formula, strict=True).count()) if formula else Counter()
    except ValueError:
        counts = Counter()
    if not counts or not set(counts) <= set(chemical_symbols[1:]):
        raise _wrong(f"is not a chemical formula (got {formula!r}). {_meant(formula)}")
    return counts


def _meant(formula: str) -> str:
    """What to write for a formula as it is printed: with subscripts, blanks or a charge."""
    plain = re.sub(
        r"(?:[\s^]\d*[+-]|[⁰¹²³⁴⁵⁶⁷⁸⁹]*[⁺⁻]|[+-])$", "", formula.strip().replace("−", "-")
    )
    plain = plain.translate(str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789", " _·"))
    if plain != formula:
        with suppress(StudyError):
            composition(plain)
            return f"Write {plain}."
    return "Write it as in Li2B12H12."


def _text(composition: Mapping[str, int]) -> str:
    return Formula.from_dict(
        {element: count for element, count in composition.items() if count}
    ).format("metal")


def _wrong(message: str, file: str = "structure") -> StudyError:
    return StudyError(Problem(file, 0, "", message))
