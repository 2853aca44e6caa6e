"""What is impossible in what a study or an analysis says of its ions: which move, with what charge,
and what its molecular anions are.
"""

from __future__ import annotations

from collections.abc import Iterator

from ase.data import chemical_symbols

from borarun.basics.errors import StudyError
from borarun.input.messages import did_you_mean
from borarun.sections.dynamics import Finding, elements
from borarun.sections.study import CHARGES, Moving
from borarun.structures.structure import composition


def of_ions(material: Moving, formula: str) -> Iterator[Finding]:
    """Everything that is wrong.

    Parameters
    ----------
    formula : of the material; empty where it is not known
    """
    yield from of_formulas(material, formula)
    yield from _charges(material)


def of_formulas(material: Moving, formula: str) -> Iterator[Finding]:
    """What is wrong in formulas and elements."""
    yield from _molecules(material, formula)
    yield from _mobile(material, formula)


def _molecules(material: Moving, formula: str) -> Iterator[Finding]:
    if formula:
        try:
            composition(formula)
        except StudyError as error:
            yield ("material", "formula"), error.problems[0].message
    for place, anion in _anions(material):
        try:
            atoms = composition(anion)
        except StudyError as error:
            yield place, error.problems[0].message
            continue
        if atoms.total() == 1:
            yield (
                place,
                f"is a single atom, not a molecule (got {anion}). Leave it out: atoms that are "
                "neither mobile nor in an anion are the framework.",
            )
        elif elements(formula) and (missing := sorted(atoms.keys() - elements(formula))):
            yield (
                place,
                f"must consist of elements of the formula {formula} (got {anion}, with "
                f"{', '.join(missing)}).",
            )
    if repeated := {anion for anion in material.anions if material.anions.count(anion) > 1}:
        yield (
            ("material", "anions"),
            f"must not repeat (got {', '.join(sorted(repeated))} more than once). Remove one of "
            "them.",
        )


def _anions(material: Moving) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The place and formula of each molecular anion."""
    anions = material.anions
    for index, anion in enumerate(anions):
        yield ("material", "anions", *([index] if len(anions) > 1 else [])), anion


def _mobile(material: Moving, formula: str) -> Iterator[Finding]:
    if len(set(material.ions)) < len(material.ions):
        yield (
            ("material", "mobile"),
            f"must not repeat (got {', '.join(material.ions)}). Name each element once.",
        )
    for place, ion in _ions(material):
        if ion not in chemical_symbols[1:]:
            way_out = did_you_mean(ion, chemical_symbols[1:]) or " Write its symbol, e.g. Li."
            yield place, f"is not a chemical element (got {ion!r}).{way_out}"
            continue
        if elements(formula) and ion not in elements(formula):
            yield place, f"must be an element of the formula {formula} (got {ion})."
            continue
        for anion in material.anions:
            if ion in elements(anion):
                yield place, f"must not be an element of the anion {anion} (got {ion})."
    if material.vacancies_of is not None and material.vacancies_of not in material.ions:
        yield (
            ("material", "vacancies_of"),
            f"must be a mobile ion, {' or '.join(material.ions)} (got {material.vacancies_of}).",
        )
    if not elements(formula) - set(material.ions) and elements(formula):
        yield (
            ("material", "mobile"),
            f"leaves no framework in {formula} (got {', '.join(material.ions)}). Name "
            "the ions that move.",
        )


def _ions(material: Moving) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The place and element of each mobile ion."""
    mobile = material.mobile
    if isinstance(mobile, str):
        yield ("material", "mobile"), mobile
    else:
        for index, ion in enumerate(mobile):
            yield ("material", "mobile", ion if isinstance(mobile, dict) else index), ion


def _charges(material: Moving) -> Iterator[Finding]:
    if material.mobile_charge is not None and not isinstance(material.mobile, str):
        charges = ", ".join(f"{ion}: {CHARGES.get(ion, (1,))[0]}" for ion in material.ions)
        yield (
            ("material", "mobile_charge"),
            "is for one element that moves. Write charges in material.mobile, as in "
            f"`mobile: {{{charges}}}`.",
        )
        return
    for place, ion in _ions(material):
        if material.mobile_charge is not None:
            place = ("material", "mobile_charge")
        charge, usual = material.charge(ion), CHARGES.get(ion, ())
        if (
            material.mobile_charge == 0
            or (usual and charge not in usual)
            or (charge == 0 and isinstance(material.mobile, dict))
        ):
            got = 0 if material.mobile_charge == 0 else charge
            words = " or ".join(f"{each:+d}" for each in usual)
            yield (
                place,
                f"is not the charge of a mobile ion (got {got})."
                + (f" Ions of {ion} have the charge {words}." if usual else ""),
            )
        elif charge == 0 and ion in chemical_symbols[1:]:
            yield (
                place,
                f"has no usual charge (got {ion}). Give it, as in `mobile: {{{ion}: 1}}`.",
            )
