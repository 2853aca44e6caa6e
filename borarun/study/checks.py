"""Physics that a valid study must also make sense in: each check is a generator of (place, what is
wrong and what to do).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from pydantic import ValidationError

from borarun.basics.errors import StudyError
from borarun.engines.reference.base import Asked
from borarun.engines.registry import ENGINES
from borarun.input.messages import Section
from borarun.sections import dynamics
from borarun.sections.dynamics import Finding, Phases, as_far_as_known, elements, start
from borarun.sections.study import Study
from borarun.structures.files import doubts
from borarun.structures.structure import composition, find_anions, formula_units, unnamed_molecules
from borarun.study.ions import of_formulas, of_ions
from borarun.subjects import SUBJECTS
from borarun.subjects.examination.section import EXAMINED, Examination
from borarun.subjects.subject import Subject

MOBILE_ELSEWHERE = frozenset({"Li", "Na", "K", "Ag", "Cu"})
"""Cations that conduct in many materials."""


def findings(study: Study, phases: Phases) -> Iterator[Finding]:
    """Everything in a study that contradicts physics or itself, as far as its keys did validate.

    Parameters
    ----------
    phases : the structures that could be read, by phase
    """
    for check in CHECKS:
        yield from as_far_as_known(check(study, phases))
    for subject, section in _present(study):
        for look in getattr(subject.part("section"), "CHECKS", ()):
            yield from as_far_as_known(look(study, section, phases))
    yield from dynamics.findings(study, phases)


def _present(study: Study) -> list[tuple[Subject, Section]]:
    """Each subject that the study has, and its section."""
    present = dict(study.sections(Section))
    return [(subject, present[subject.name]) for subject in SUBJECTS if subject.name in present]


def warnings(study: Study, phases: Phases) -> Iterator[str]:
    """What is allowed but worth knowing."""
    unit = composition(study.material.formula).total()
    for phase, doubt in doubts(phases, unit):
        yield f"material.phases.{phase}: {study.material.phases[phase]}: {doubt}"
    yield from _unnamed(study, phases)
    yield from _still(study)
    for subject, section in _present(study):
        warn = getattr(subject.part("section"), "warnings", None)
        if warn is not None:
            yield from warn(study, section, phases)
    for key, warning in study.reference.warnings():
        yield f"reference.{key}: {warning}"
    yield from _holes(study)


def _material(study: Study, phases: Phases) -> Iterator[Finding]:
    yield from of_ions(study.material, study.material.formula)


def _phases(study: Study, phases: Phases) -> Iterator[Finding]:
    material = study.material
    if any(of_formulas(material, material.formula)):
        return
    for phase, atoms in phases.items():
        try:
            units = formula_units(atoms, material.formula)
            found = find_anions(atoms, material.anions, material.ions)
        except StudyError as error:
            yield (
                ("material", "phases", phase),
                f"{material.phases[phase]}: {error.problems[0].message}",
            )
            continue
        for anion, members in zip(material.anions, found, strict=True):
            if len(members) % units:
                which = "" if len(found) == 1 else f" {anion}"
                message = (
                    f"{material.phases[phase]}: {len(members)}{which} anions do not match {units} "
                    f"formula units of {material.formula}. Check both."
                )
                yield ("material", "phases", phase), message


def _unnamed(study: Study, phases: Phases) -> Iterator[str]:
    material = study.material
    for phase, atoms in phases.items():
        found = unnamed_molecules(atoms, material.anions, material.ions)
        if found:
            names = ", ".join([*material.anions, *found])
            names = f"[{names}]" if "," in names else names
            listed = " and ".join(f"{count} {formula}" for formula, count in found.items())
            yield (
                f"material.anions: {material.phases[phase]}: {listed} count as framework. If they "
                f"are molecules that may rotate, write `anions: {names}`."
            )
            return


def _still(study: Study) -> Iterator[str]:
    material = study.material
    bound = set(material.ions).union(*map(elements, material.anions))
    others = sorted((elements(material.formula) & MOBILE_ELSEWHERE) - bound)
    if others and any(material.charge(ion) > 0 for ion in material.ions):
        yield (
            f"material.mobile: {' and '.join(others)} counts as framework, which must not diffuse. "
            f"If it moves too, write `mobile: [{', '.join([*material.ions, *others])}]`."
        )


def _functionals(study: Study, phases: Phases) -> Iterator[Finding]:
    if repeated := {name for name in study.functionals if study.functionals.count(name) > 1}:
        yield (
            ("functionals",),
            f"must not repeat (got {', '.join(sorted(repeated))} more than once). Remove "
            "one of them.",
        )


def _reference(study: Study, phases: Phases) -> Iterator[Finding]:
    engine = study.reference.engine
    can: tuple[str, ...] = getattr(ENGINES[engine].Settings, "FUNCTIONALS", study.functionals)
    knows: frozenset[str] = getattr(
        ENGINES[engine].Settings, "ELEMENTS", frozenset(chemical_symbols)
    )
    if cannot := [name for name in study.functionals if name not in can]:
        yield (
            ("functionals",),
            f"the reference engine {engine} has {', '.join(can)} (got "
            f"{', '.join(cannot)}). Choose one of these, or another engine.",
        )
    if strange := sorted(elements(study.material.formula) - knows):
        yield (
            ("reference",),
            f"the engine {engine} does not know {', '.join(strange)}. Take another engine, "
            f"e.g. `{{engine: sevennet}}`.",
        )
    told = set()
    for functional in [name for name in study.functionals if name in can] or can[:1]:
        asked = Asked(operation="label", functional=functional)
        try:
            study.reference.settings(ENGINES[engine].Settings, asked)
        except ValidationError as error:
            told |= {
                (
                    ("reference", *map(str, problem["loc"])),
                    problem["msg"].removeprefix("Value error, "),
                )
                for problem in error.errors()
            }
    yield from sorted(told)


def _engine(study: Study, phases: Phases) -> Iterator[Finding]:
    """What the reference engine itself says of its keys."""

    def cells() -> Iterator[dict[int, int]]:
        mobile = atomic_numbers.get(study.material.vacancy_ion, 0)
        for vacancies, supercell in [((0,), (1, 1, 1)), *_labelled(study)]:
            electrons = int(start(study, phases).numbers.sum() * np.prod(supercell))
            yield {count: electrons - count * mobile for count in vacancies}

    for key, finding in study.reference.findings(elements(study.material.formula), cells()):
        yield ("reference", key), finding


def _charge(study: Study, phases: Phases) -> Iterator[Finding]:
    charge = getattr(study.reference, "charge", 0.0)
    counts = {vacancies for section, _ in _labelled(study) for vacancies in section}
    if charge and len(counts) > 1:
        message = (
            f"would be the charge of every cell, whatever its vacancies (got {charge:g} "
            f"and {', '.join(map(str, sorted(counts)))} vacancies). "
        )
        yield (
            ("reference", "charge"),
            message + "Set charge_per_vacancy, which follows the vacancies, instead.",
        )


def _holes(study: Study) -> Iterator[str]:
    """A charge of vacancies that is not that of the ions which leave."""
    found = getattr(study.reference, "charge_per_vacancy", 0.0)
    ion = study.material.vacancy_ion
    usual = -study.material.charge(ion)
    if found and usual and found != usual:
        yield (
            f"reference.charge_per_vacancy: {found:+g} is not what {ion} with its charge leaves "
            f"behind, {usual:+d}. The rest of the cell then gains or loses electrons."
        )


def _labelled(study: Study) -> list[tuple[tuple[int, ...], tuple[int, int, int]]]:
    """Vacancy counts and supercell of each section whose configurations the reference engine
    computes.
    """
    examination = study.section(Examination)
    examined = EXAMINED if examination is not None and examination.runs is None else ()
    return [
        (section.vacancies, section.cell_of(study))
        for place, section in dynamics.dynamics(study)
        if section.is_labelled or place[0] in examined
    ]


CHECKS: list[Callable[[Study, Phases], Iterator[Finding]]] = [
    _material,
    _phases,
    _functionals,
    _reference,
    _engine,
    _charge,
]
"""Checks of what every study says. To add one: a generator, its name here, a test. Those of a
section are in its subject's ``section.py``.
"""
