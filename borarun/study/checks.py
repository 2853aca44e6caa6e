"""Physics that a valid study must also make sense in: each check is a generator of (place, what is
wrong and what to do).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from math import prod
from typing import TypeVar

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols
from ase.formula import Formula
from numpy.typing import NDArray
from pydantic import ValidationError

from borarun.engines.potential.base import PotentialSection
from borarun.engines.quantum_espresso.section import EspressoReference
from borarun.engines.registry import ENGINES
from borarun.engines.vasp.inputs import KIND_OF_RUN, STUDY_KEYS
from borarun.engines.vasp.section import VaspReference
from borarun.errors import StudyError
from borarun.messages import WithheldError, did_you_mean
from borarun.structure import composition, find_anions, formula_units
from borarun.structure_files import doubts
from borarun.study.model import Study
from borarun.subjects.active_learning.section import ActiveLearning
from borarun.subjects.diffusion.section import Diffusion
from borarun.subjects.heating.section import Heating
from borarun.subjects.phonons.section import Phonons
from borarun.subjects.relax.section import Relax
from borarun.subjects.training_set.section import Aimd, TrainingSet
from borarun.subjects.vibrations.section import Vibrations
from borarun.units import FS_PER_NS, FS_PER_PS

Place = tuple[str, ...]
Finding = tuple[Place, str]
Dynamics = Aimd | ActiveLearning | Heating | Diffusion | Vibrations
Item = TypeVar("Item")
Phases = Mapping[str, Atoms]

LONGEST_STEP_FS = 5.0
LONGEST_STEP_WITH_HYDROGEN_FS = 1.0
"""The B-H stretch (about 2500 cm^-1) has a period of 13 fs; ten steps a period is the least that
conserves energy.
"""

FEWEST_FRAMES = 20

MOST_STEPS = 1e10
"""Of a run; years, where a step takes milliseconds."""

MOST_RUNS = 100_000
"""Of a section: what a driver was tried with (benchmarks/scale.py)."""

LARGEST_FORCE_FOR_PHONONS = 0.005
"""Left by relaxation, eV/angstrom, the default of ``relax``: farther from the minimum the softest
modes are another structure's.
"""

CHARGES = {
    **dict.fromkeys(["H", "Li", "Na", "K", "Rb", "Cs", "Ag"], (1,)),
    "Cu": (1, 2),
    **dict.fromkeys(["Mg", "Ca", "Sr", "Ba", "Zn"], (2,)),
    "Al": (3,),
    **dict.fromkeys(["F", "Cl", "Br", "I"], (-1,)),
    **dict.fromkeys(["O", "S"], (-2,)),
}
"""Charges of ions in solids, elementary charges, for elements that have been seen to move."""


def findings(study: Study, phases: Phases) -> Iterator[Finding]:
    """Everything in a study that contradicts physics or itself, as far as its keys did validate.

    Parameters
    ----------
    phases : the structures that could be read, by phase
    """
    for check in CHECKS:
        yield from as_far_as_known(check(study, phases))
    for place, section in _dynamics(study):
        for look in CHECKS_OF_DYNAMICS:
            yield from as_far_as_known(look(study, phases, place, section))


def as_far_as_known(found: Iterator[Item]) -> Iterator[Item]:
    """What is found until a key is asked for that did not validate, which is told elsewhere."""
    with suppress(WithheldError):
        yield from found


def warnings(study: Study, phases: Phases) -> Iterator[str]:
    """What is allowed but worth knowing."""
    unit = composition(study.material.formula).total()
    for phase, doubt in doubts(phases, unit):
        yield f"material.phases.{phase}: {study.material.phases[phase]}: {doubt}"
    relax = study.section(Relax)
    potential = study.section(PotentialSection)
    diffusion = study.section(Diffusion)
    if potential and (study.section(Heating) or diffusion or study.section(Vibrations)):
        width = _smallest_width(phases[study.phase], study.supercell)
        key, cutoff_A = potential.cutoff
        if cutoff_A > width / 2:
            yield (
                f"potential.{key}: {cutoff_A:g} A is more than half the "
                f"smallest width of the supercell, {width:.2f} A, so that atoms meet images of "
                "their neighbours and results depend on the size of the cell. A larger "
                "supercell is safer."
            )
    if learning := study.section(ActiveLearning):
        hotter = {
            section: temperature
            for section, temperature in _hottest(study).items()
            if temperature > learning.heat_to_K
        }
        if hotter:
            yield (
                f"active_learning.heat_to_K: {learning.heat_to_K:g} K is colder than "
                f"{' and '.join(hotter)}, up to {max(hotter.values()):g} K, where the "
                "potential meets what it has never seen. Explore hotter than anything that "
                "is to be known."
            )
    if diffusion and any(
        len(diffusion.temperatures_of(count)) == 1 for count in diffusion.vacancies
    ):
        yield (
            "diffusion.temperatures_K: one temperature gives no activation energy. Two do, and "
            "four show whether there is one."
        )
    if study.section(Phonons) and relax and relax.max_force_eV_per_A > LARGEST_FORCE_FOR_PHONONS:
        yield (
            f"relax.max_force_eV_per_A: {relax.max_force_eV_per_A:g} leaves forces that "
            "shift the softest phonons, and may make them imaginary. "
            f"{LARGEST_FORCE_FOR_PHONONS:g} or less is safer."
        )
    if isinstance(study.reference, VaspReference):
        for tag, value in study.reference.incar.items():
            if tag in STUDY_KEYS:
                yield f"reference.incar.{tag}: {value} overrules {STUDY_KEYS[tag]}."
            if tag in KIND_OF_RUN:
                yield (
                    f"reference.incar.{tag}: {value} holds for relaxations, labels and molecular "
                    "dynamics alike, which differ in it by nature."
                )


def _hottest(study: Study) -> dict[str, float]:
    """The highest temperature, K, of each section that runs the potential to know something."""
    heating = study.section(Heating)
    diffusion = study.section(Diffusion)
    vibrations = study.section(Vibrations)
    found = {
        "heating": heating and heating.to_K,
        "diffusion": diffusion
        and max(diffusion.temperatures_of(count)[-1] for count in diffusion.vacancies),
        "vibrations": vibrations and max(vibrations.temperatures_K),
    }
    return {section: temperature for section, temperature in found.items() if temperature}


def _formulas(study: Study, phases: Phases) -> Iterator[Finding]:
    material = study.material
    for key in ("formula", "anion"):
        try:
            composition(getattr(material, key))
        except StudyError as error:
            yield ("material", key), error.problems[0].message


def _mobile(study: Study, phases: Phases) -> Iterator[Finding]:
    material = study.material
    if material.mobile not in chemical_symbols[1:]:
        way_out = (
            did_you_mean(material.mobile, chemical_symbols[1:]) or " Write its symbol, e.g. Li."
        )
        yield ("material", "mobile"), f"no chemical element (got {material.mobile!r}).{way_out}"
    elif _elements(material.formula) and material.mobile not in _elements(material.formula):
        yield (
            ("material", "mobile"),
            f"must be an element of the formula {material.formula} (got {material.mobile}).",
        )
    elif material.mobile in _elements(material.anion):
        yield (
            ("material", "mobile"),
            f"must not be an element of the anion {material.anion} (got {material.mobile}).",
        )


def _mobile_charge(study: Study, phases: Phases) -> Iterator[Finding]:
    material = study.material
    charges = CHARGES.get(material.mobile, ())
    if material.mobile_charge == 0 or (charges and material.mobile_charge not in charges):
        usual = (
            f" Ions of {material.mobile} carry {' or '.join(f'{charge:+d}' for charge in charges)}."
            if charges
            else ""
        )
        yield (
            ("material", "mobile_charge"),
            f"is not the charge of a mobile ion (got {material.mobile_charge}).{usual}",
        )


def _phases(study: Study, phases: Phases) -> Iterator[Finding]:
    material = study.material
    if any(chain(_formulas(study, phases), _mobile(study, phases))):
        return
    for phase, atoms in phases.items():
        try:
            units = formula_units(atoms, material.formula)
            anions = len(find_anions(atoms, material.anion, material.mobile))
        except StudyError as error:
            yield (
                ("material", "phases", phase),
                f"{material.phases[phase]}: {error.problems[0].message}",
            )
            continue
        if anions % units:
            message = (
                f"{material.phases[phase]}: {anions} anions do not go into {units} formula units "
                f"of {material.formula}. Check both."
            )
            yield ("material", "phases", phase), message


def _vacancies(study: Study, phases: Phases, place: Place, section: Dynamics) -> Iterator[Finding]:
    supercell = _supercell(study, section)
    present = list(_start(study, phases).symbols).count(study.material.mobile) * int(
        np.prod(supercell)
    )
    most = max(section.vacancies)
    if most >= present > 0:
        size = "x".join(str(repeat) for repeat in supercell)
        yield (
            (*place, "vacancies"),
            f"must leave a mobile ion: the {size} supercell has {present} "
            f"{study.material.mobile} (got {most}). Take at most {present - 1}, or a larger "
            "supercell.",
        )


def _cutoff(study: Study, phases: Phases) -> Iterator[Finding]:
    potential = study.section(PotentialSection)
    if potential is None:
        return
    widths = {}
    for place, section in _dynamics(study):
        key = ".".join(
            (*place, "supercell") if isinstance(section, Aimd | ActiveLearning) else ("supercell",)
        )
        widths[key] = _smallest_width(_start(study, phases), _supercell(study, section))
    name, cutoff_A = potential.cutoff
    small = [key for key, width in widths.items() if cutoff_A > width]
    if small:
        yield (
            ("potential", name),
            "must not exceed the smallest width of the smallest cell, "
            f"{min(widths.values()):.2f} A (got {cutoff_A:g}). "
            f"Take a shorter cutoff, or larger cells: {', '.join(small)}.",
        )


def _number_of_runs(
    study: Study, phases: Phases, place: Place, section: Dynamics
) -> Iterator[Finding]:
    if isinstance(section, Diffusion):
        runs = (
            sum(len(section.temperatures_of(count)) for count in section.vacancies) * section.runs
        )
    else:
        sweeps = ("temperature_K", "temperatures_K", "rate_K_per_ps", "vacancies")
        runs = prod(
            len(getattr(section, sweep)) for sweep in sweeps if sweep in type(section).model_fields
        )
        runs *= section.runs if isinstance(section, ActiveLearning) else 1
    if runs > MOST_RUNS:
        yield (
            place,
            f"asks for {runs:,} runs of each functional; a section may have {MOST_RUNS:,}. "
            "Sweep over fewer values, or make several studies.",
        )


def _number_of_steps(
    study: Study, phases: Phases, place: Place, section: Dynamics
) -> Iterator[Finding]:
    for key, value, length_fs in _unsampled_lengths_fs(section) + (
        [] if isinstance(section, ActiveLearning) else _lengths_fs(section)
    ):
        if (steps := length_fs / section.timestep_fs) > MOST_STEPS:
            yield (
                (*place, key),
                f"makes a run of {steps:.3g} steps; {MOST_STEPS:g} are the most (got "
                f"{value:g}). Check the unit that stands in the key.",
            )


def _time_step(study: Study, phases: Phases, place: Place, section: Dynamics) -> Iterator[Finding]:
    hydrogen = "H" in _elements(study.material.formula)
    if hydrogen and section.timestep_fs > LONGEST_STEP_WITH_HYDROGEN_FS:
        yield (
            (*place, "timestep_fs"),
            f"must be at most {LONGEST_STEP_WITH_HYDROGEN_FS:g} with hydrogen, whose stretch "
            f"against boron has a period of 13 fs (got {section.timestep_fs:g}). Take 0.5 or 1.",
        )
    elif section.timestep_fs > LONGEST_STEP_FS:
        yield (
            (*place, "timestep_fs"),
            f"must be at most {LONGEST_STEP_FS:g} to follow the atoms (got "
            f"{section.timestep_fs:g}).",
        )


def _sampling(study: Study, phases: Phases, place: Place, section: Dynamics) -> Iterator[Finding]:
    if isinstance(section, ActiveLearning):
        steps = section.hold_ns * FS_PER_NS / section.timestep_fs
        if steps < section.grade_every:
            yield (
                (*place, "hold_ns"),
                f"ends after {steps:.0f} steps, before the first look at the grade. Hold longer.",
            )
        return
    steps = section.sample_every_fs / section.timestep_fs
    if round(steps) < 1 or abs(steps - round(steps)) > 1e-6 * steps:
        yield (
            (*place, "sample_every_fs"),
            f"must be a whole multiple of timestep_fs, {section.timestep_fs:g} (got "
            f"{section.sample_every_fs:g}).",
        )


def _frames(study: Study, phases: Phases, place: Place, section: Dynamics) -> Iterator[Finding]:
    if isinstance(section, ActiveLearning):
        return
    for key, value, length_fs in _lengths_fs(section):
        if length_fs / section.sample_every_fs < FEWEST_FRAMES:
            yield (
                (*place, key),
                f"gives a run of {length_fs:g} fs, only "
                f"{int(length_fs / section.sample_every_fs)} frames at one every "
                f"{section.sample_every_fs:g} fs (got {value:g}). At least {FEWEST_FRAMES} are "
                "needed: run longer or sample more often.",
            )


def _lengths_fs(section: Aimd | Heating | Diffusion | Vibrations) -> list[tuple[str, float, float]]:
    """Key that sets the length of a sampled run, its value, and that length in fs."""
    if isinstance(section, Aimd | Vibrations):
        return [("time_ps", section.time_ps, section.time_ps * FS_PER_PS)]
    if isinstance(section, Diffusion):
        return [("time_ns", section.time_ns, section.time_ns * FS_PER_NS)]
    span = section.to_K - section.from_K
    rates = {
        "rate_K_per_ps": section.rate_K_per_ps,
        "cooling_rate_K_per_ps": section.cooling_rate_K_per_ps,
    }
    return [
        (key, rate, span / rate * FS_PER_PS)
        for key, each in rates.items()
        for rate in dict.fromkeys((each[0], each[-1]))
        if span > 0
    ]


def _unsampled_lengths_fs(section: Dynamics) -> list[tuple[str, float, float]]:
    """The same of what comes before a sampled run."""
    if isinstance(section, ActiveLearning):
        return [
            (key, value, value * FS_PER_NS)
            for key, value in (("heat_ns", section.heat_ns), ("hold_ns", section.hold_ns))
        ]
    if not isinstance(section, Diffusion | Vibrations):
        return []
    span = max(section.temperatures_K[-1] - section.from_K, 0.0)
    heat = (
        "heat_rate_K_per_ps",
        section.heat_rate_K_per_ps,
        span / section.heat_rate_K_per_ps * FS_PER_PS,
    )
    if isinstance(section, Diffusion):
        return [
            heat,
            ("equilibrate_ns", section.equilibrate_ns, section.equilibrate_ns * FS_PER_NS),
        ]
    return [heat, ("equilibrate_ps", section.equilibrate_ps, section.equilibrate_ps * FS_PER_PS)]


def _ramps(study: Study, phases: Phases) -> Iterator[Finding]:
    if heating := study.section(Heating):
        up, down = len(heating.rate_K_per_ps), len(heating.cooling_rate_K_per_ps)
        if down not in (1, up):
            rates = (
                "one cooling rate for the heating rate"
                if up == 1
                else f"one cooling rate for all of the {up} heating rates, or {up}"
            )
            yield ("heating", "cooling_rate_K_per_ps"), f"must be {rates} (got {down})."


def _heating_range(study: Study, phases: Phases) -> Iterator[Finding]:
    if (heating := study.section(Heating)) and heating.from_K >= heating.to_K:
        yield (
            ("heating", "to_K"),
            f"must be above from_K, {heating.from_K:g} (got {heating.to_K:g}).",
        )


def _exploring_range(study: Study, phases: Phases) -> Iterator[Finding]:
    if (learning := study.section(ActiveLearning)) and learning.from_K >= learning.heat_to_K:
        yield (
            ("active_learning", "heat_to_K"),
            f"must be above from_K, {learning.from_K:g} (got {learning.heat_to_K:g}).",
        )


def _diffusion_range(study: Study, phases: Phases) -> Iterator[Finding]:
    if (diffusion := study.section(Diffusion)) and diffusion.from_K > (
        lowest := min(diffusion.temperatures_of(count)[0] for count in diffusion.vacancies)
    ):
        yield (
            ("diffusion", "from_K"),
            f"must not be above the lowest of temperatures_K, {lowest:g} (got "
            f"{diffusion.from_K:g}).",
        )


def _vibrations_range(study: Study, phases: Phases) -> Iterator[Finding]:
    if (section := study.section(Vibrations)) and section.from_K > (
        lowest := min(section.temperatures_K)
    ):
        yield (
            ("vibrations", "from_K"),
            f"must not be above the lowest of temperatures_K, {lowest:g} (got {section.from_K:g}).",
        )


def _thresholds(study: Study, phases: Phases) -> Iterator[Finding]:
    if (
        learning := study.section(ActiveLearning)
    ) and learning.threshold_save >= learning.threshold_break:
        message = (
            f"must be below threshold_break, {learning.threshold_break:g} (got "
            f"{learning.threshold_save:g})."
        )
        yield ("active_learning", "threshold_save"), message


def _potential(study: Study, phases: Phases) -> Iterator[Finding]:
    potential = study.section(PotentialSection)
    if potential is None:
        return
    for key, message in potential.findings():
        yield ("potential", key), message
    if study.section(ActiveLearning) and not potential.UNCERTAINTY:
        yield (
            ("active_learning",),
            f"needs extrapolation grades, which the engine {potential.engine} does not give. "
            "Remove this section, or take another engine for `potential`.",
        )


def _functionals(study: Study, phases: Phases) -> Iterator[Finding]:
    if repeated := {name for name in study.functionals if study.functionals.count(name) > 1}:
        yield (
            ("functionals",),
            f"must differ from each other (got {', '.join(sorted(repeated))} more than "
            "once). Remove the repeat.",
        )


def _functionals_of_labels(study: Study, phases: Phases) -> Iterator[Finding]:
    training = study.section(TrainingSet)
    if training and (strange := sorted(training.labels.keys() - set(study.functionals))):
        message = (
            f"must be one of this study's functionals, {', '.join(study.functionals)} (got "
            f"{strange[0]}). Name the one that they were computed with."
        )
        yield ("training_set", "labels", strange[0]), message


def _functional_of_diffusion(study: Study, phases: Phases) -> Iterator[Finding]:
    diffusion = study.section(Diffusion)
    if diffusion and diffusion.functional not in (
        None,
        *study.functionals,
    ):
        yield (
            ("diffusion", "functional"),
            _strange_functional(study, diffusion.functional),
        )


def _functional_of_vibrations(study: Study, phases: Phases) -> Iterator[Finding]:
    vibrations = study.section(Vibrations)
    if vibrations and vibrations.functional not in (
        None,
        *study.functionals,
    ):
        yield (
            ("vibrations", "functional"),
            _strange_functional(study, vibrations.functional),
        )


def _strange_functional(study: Study, functional: str | None) -> str:
    return (
        f"must be one of this study's functionals, {', '.join(study.functionals)} (got "
        f"{functional})."
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
            f"the reference engine {engine} has {', '.join(can)} (got {', '.join(cannot)}). "
            "Take one it has.",
        )
    if strange := sorted(_elements(study.material.formula) - knows):
        yield (
            ("reference",),
            f"the engine {engine} does not know {', '.join(strange)}. Take another engine, "
            f"e.g. `{{engine: sevennet}}`.",
        )
    said = study.reference.settings()
    try:
        ENGINES[engine].Settings(operation="label", functional=next(name for name in can), **said)
    except ValidationError as error:
        for problem in error.errors():
            yield (
                ("reference", *map(str, problem["loc"])),
                problem["msg"].removeprefix("Value error, "),
            )


def _espresso(study: Study, phases: Phases) -> Iterator[Finding]:
    reference = study.reference
    if not isinstance(reference, EspressoReference):
        return
    if lacking := sorted(_elements(study.material.formula) - set(reference.pseudopotentials)):
        yield (
            ("reference", "pseudopotentials"),
            "must name a file for every element of the formula (got none for "
            f"{', '.join(lacking)}).",
        )
    mobile = atomic_numbers.get(study.material.mobile, 0)
    if reference.degauss_Ry is not None:
        return
    for vacancies, supercell in [((0,), (1, 1, 1)), *_labelled(study)]:
        electrons = int(_start(study, phases).numbers.sum() * np.prod(supercell)) - reference.charge
        if odd := [count for count in vacancies if (electrons - count * mobile) % 2]:
            what = (
                f"{', '.join(map(str, odd))} neutral vacancies leave"
                if odd != [0]
                else "the cell has"
            )
            yield (
                ("reference", "degauss_Ry"),
                f"{what} an odd number of electrons, which fixed occupations cannot hold. "
                "Set it, e.g. to 0.0147 (0.2 eV).",
            )
            return


def _vasp(study: Study, phases: Phases) -> Iterator[Finding]:
    reference = study.reference
    if isinstance(reference, VaspReference) and (
        lacking := sorted(_elements(study.material.formula) - set(reference.potcar))
    ):
        yield (
            ("reference", "potcar"),
            "must name a TITEL for every element of the formula (got none for "
            f"{', '.join(lacking)}).",
        )


def _charge(study: Study, phases: Phases) -> Iterator[Finding]:
    charge = getattr(study.reference, "charge", 0.0)
    counts = {vacancies for section, _ in _labelled(study) for vacancies in section}
    if charge and len(counts) > 1:
        message = (
            f"every cell would carry it, whatever its vacancies (got {charge:g} and "
            f"{', '.join(map(str, sorted(counts)))} vacancies). "
        )
        yield (
            ("reference", "charge"),
            message + "Make it a study of its own for each number of vacancies, or take 0.",
        )


def _labelled(study: Study) -> list[tuple[tuple[int, ...], tuple[int, int, int]]]:
    """Vacancy counts and supercell of each section whose configurations the reference engine
    computes.
    """
    return [
        (section.vacancies, section.supercell)
        for _, section in _dynamics(study)
        if isinstance(section, Aimd | ActiveLearning)
    ]


def _compared(study: Study, phases: Phases) -> Iterator[Finding]:
    """What relaxed cells and phonons are compared with."""
    relax = study.section(Relax)
    phonons = study.section(Phonons)
    known = study.material.phases
    named: list[tuple[tuple[str, ...], str]] = []
    if relax:
        named += [(("relax", "measured_A", phase), phase) for phase in relax.measured_A]
        named += [(("relax", "ground_state"), relax.ground_state)] if relax.ground_state else []
    if phonons:
        named += [(("phonons", "phases"), phase) for phase in phonons.phases or ()]
        if phonons.peaks_meV and phonons.peaks_per_cm:
            yield (
                ("phonons", "peaks_per_cm"),
                "the measured peaks are given in meV already. Keep one of the two lists.",
            )
    for place, phase in named:
        if phase not in known:
            yield place, f"must be one of this study's phases, {', '.join(known)} (got {phase})."


def _dynamics(study: Study) -> Iterator[tuple[Place, Dynamics]]:
    """Each section that runs molecular dynamics, and its place."""
    learning = study.section(ActiveLearning)
    heating = study.section(Heating)
    diffusion = study.section(Diffusion)
    vibrations = study.section(Vibrations)
    yield from as_far_as_known(_aimd(study))
    if learning:
        yield ("active_learning",), learning
    if heating:
        yield ("heating",), heating
    if diffusion:
        yield ("diffusion",), diffusion
    if vibrations:
        yield ("vibrations",), vibrations


def _aimd(study: Study) -> Iterator[tuple[Place, Dynamics]]:
    training = study.section(TrainingSet)
    functionals = getattr(
        study, "functionals", ()
    )  # none where they did not validate: then dynamics is judged all the same
    if training and (not functionals or any(map(training.runs_dynamics, functionals))):
        yield ("training_set", "aimd"), training.dynamics


def _supercell(study: Study, section: Dynamics) -> tuple[int, int, int]:
    return section.supercell if isinstance(section, Aimd | ActiveLearning) else study.supercell


def _start(study: Study, phases: Phases) -> Atoms:
    """The structure that molecular dynamics starts from; withheld where it could not be read."""
    if study.phase not in phases:
        raise WithheldError(study.phase)
    return phases[study.phase]


def _elements(formula: str) -> set[str]:
    """Elements of a formula; none where it is no formula."""
    try:
        elements = set(Formula(formula, strict=True).count())
    except ValueError:
        return set()
    return elements if elements <= set(chemical_symbols[1:]) else set()


def _smallest_width(atoms: Atoms, supercell: tuple[int, int, int]) -> float:
    """Smallest distance between opposite faces of a supercell, angstrom."""
    inverse: NDArray[np.float64] = np.linalg.inv(atoms.cell.array)
    return float(np.min(np.array(supercell) / np.linalg.norm(inverse, axis=0)))


CHECKS: list[Callable[[Study, Phases], Iterator[Finding]]] = [
    _formulas,
    _mobile,
    _mobile_charge,
    _phases,
    _cutoff,
    _ramps,
    _heating_range,
    _exploring_range,
    _diffusion_range,
    _vibrations_range,
    _thresholds,
    _potential,
    _functionals,
    _functionals_of_labels,
    _functional_of_diffusion,
    _functional_of_vibrations,
    _compared,
    _reference,
    _espresso,
    _vasp,
    _charge,
]
CHECKS_OF_DYNAMICS: list[Callable[[Study, Phases, Place, Dynamics], Iterator[Finding]]] = [
    _number_of_runs,
    _number_of_steps,
    _vacancies,
    _time_step,
    _sampling,
    _frames,
]
"""Checks of the study, and of each section that runs molecular dynamics. To add one: a generator,
its name here, a test.
"""
