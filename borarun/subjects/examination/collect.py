"""Errors on configurations of production, from the records."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from borarun.analysis.clapeyron import shift_by_errors
from borarun.analysis.deviations import committee_spread, deviations, rmse_interval
from borarun.basics.units import EV_PER_A3_IN_KBAR
from borarun.records.operations import examination as operations
from borarun.report.measured import Array, Measured
from borarun.sections.study import Study
from borarun.subjects.common import stage
from borarun.subjects.common.results import Results
from borarun.subjects.common.source import Done, Source
from borarun.subjects.diffusion.arrhenius import DISORDERED_PHASE, MIXED, ORDERED_PHASE
from borarun.subjects.diffusion.results import DiffusionFound
from borarun.subjects.examination.results import (
    ExaminationFound,
    Examined,
    GroupErrors,
    TransitionError,
)
from borarun.subjects.examination.stage import Examining
from borarun.subjects.heating.results import HeatingFound, Transition

UNKNOWN = "phase unknown"
"""Where no transition was found, or the configuration lies within its hysteresis."""

BANDS = 3
"""Groups of temperature, each with as many configurations."""


def collect(study: Study, source: Source, results: Results) -> ExaminationFound:
    """Errors of each functional's potential, by group."""
    examined: list[Examined] = []
    errors: list[GroupErrors] = []
    moved: list[TransitionError] = []
    for done in source.of(Examining):
        phases = tuple(_phases(done.about, results))
        energy, forces, stress, atoms = (
            source.store.array(done.key, item)
            for item in (
                operations.Examined.ENERGY,
                operations.Examined.FORCES,
                operations.Examined.STRESS,
                operations.Examined.ATOMS,
            )
        )
        stress = stress * EV_PER_A3_IN_KBAR
        frame = np.repeat(np.arange(len(atoms)), atoms)
        for name, inside in _groups(done.about, phases):
            errors += _errors(done, name, inside, (1e3 * energy, forces, stress), frame)
        examined.append(
            Examined(
                functional=done.about.functional,
                n_frames=len(atoms),
                n_members=len(energy) - 2,
                temperature_K=np.array(done.about.temperatures_K),
                vacancies=np.array(done.about.vacancies),
                phase=phases,
                energy_eV_per_atom=energy[:2],
                forces_eV_per_A=forces[:2].reshape(2, -1),
                stress_kbar=stress[:2].reshape(2, -1),
                force_frame=np.repeat(frame, 3),
            )
        )
        moved += _transitions(done, phases, energy, results)
    return ExaminationFound(tuple(examined), tuple(errors), tuple(moved))


def _groups(about: Examining, phases: tuple[str, ...]) -> Iterator[tuple[str, Array]]:
    """Name of each group, and which configurations are in it: (C,) bool."""
    count = len(phases)
    yield "all", np.ones(count, bool)
    for phase in dict.fromkeys((ORDERED_PHASE, MIXED, DISORDERED_PHASE, UNKNOWN)):
        if (inside := np.array([each == phase for each in phases])).any() and not inside.all():
            yield phase, inside
    vacancies = np.array(about.vacancies)
    if len(numbers := np.unique(vacancies)) > 1:
        for number in numbers:
            yield stage.plural(int(number), "vacancy"), vacancies == number
    temperature = np.array(about.temperatures_K)
    edges = np.unique(np.quantile(temperature, np.linspace(0, 1, BANDS + 1)))
    for low, high in pairwise(edges) if len(edges) > 2 else ():
        last = high == edges[-1]
        inside = (temperature >= low) & ((temperature <= high) if last else (temperature < high))
        if inside.any():
            yield f"{low:.0f} to {high:.0f} K", inside


def _errors(
    done: Done[Examining],
    group: str,
    inside: Array,
    values: tuple[Array, Array, Array],
    frame: Array,
) -> Iterator[GroupErrors]:
    """Errors of a group: energy (meV/atom), forces (eV/angstrom) and stress (kbar)."""
    frames = np.arange(len(inside))
    names, of_quantity = ("energy", "forces", "stress"), (frames, frame, frames)
    for name, each, numbers in zip(names, values, of_quantity, strict=True):
        kept = inside[numbers]
        reference, predicted = each[0][kept], each[1][kept]
        found = rmse_interval(reference, predicted, numbers[kept])
        mean = None
        if name == "energy":
            mean = float((predicted - reference).mean())
        elif name == "stress":
            mean = float((predicted - reference)[:, :3].mean())
        yield GroupErrors(
            functional=done.about.functional,
            group=group,
            n_frames=int(inside.sum()),
            quantity=name,
            deviations=deviations(reference, predicted),
            rmse=Measured(found.value, found.low, found.high, positive=True)
            if np.isfinite(found.low)
            else None,
            mean=mean,
            spread=committee_spread(each[1:, kept]) if len(each) > 2 else None,
        )


def _transitions(
    done: Done[Examining], phases: tuple[str, ...], energy: Array, results: Results
) -> Iterator[TransitionError]:
    """What errors of the energy, (S, C) eV per atom, do to the transition at the slowest rate."""
    functional = done.about.functional
    heat = [
        each
        for each in results.of(HeatingFound).latent_heat
        if each.functional == functional and each.by_heat_K_per_kbar is not None
    ]
    if not heat:
        return
    first = min(heat, key=lambda each: (each.vacancies, each.heating_K_per_ps))
    transition = next(
        each
        for each in results.of(HeatingFound).transitions
        if (each.functional, each.vacancies, each.heating_K_per_ps)
        == (functional, first.vacancies, first.heating_K_per_ps)
    )
    if transition.temperature_K is None or first.enthalpy_meV is None:
        return
    kept = np.array(
        [
            phase in (ORDERED_PHASE, DISORDERED_PHASE) and vacancies == first.vacancies
            for phase, vacancies in zip(phases, done.about.vacancies, strict=True)
        ]
    )
    hot = np.array([phase == DISORDERED_PHASE for phase in phases])[kept]
    found = [
        shift_by_errors(
            np.array(done.about.temperatures_K)[kept],
            results.atoms_per_formula * (each - energy[0])[kept],
            hot,
            transition.temperature_K.value,
            first.enthalpy_meV.value / 1000,
        )
        for each in energy[1:]
    ]
    shifts = [each for each in found if each is not None]
    if not shifts:
        return
    own = shifts[0]
    yield TransitionError(
        functional=functional,
        vacancies=first.vacancies,
        transition_K=transition.temperature_K.value,
        n_frames=int(kept.sum()),
        shift_K=Measured(own.value, own.value - own.reach, own.value + own.reach),
        committee_K=float(np.std([each.value for each in shifts], ddof=1))
        if len(shifts) > 1
        else None,
    )


def _phases(about: Examining, results: Results) -> Iterator[str]:
    """The phase of each configuration, as far as transitions and the order of the runs tell it."""
    transitions = [
        each for each in results.of(HeatingFound).transitions if each.functional == about.functional
    ]
    of_runs = {
        (point.temperature_K, point.vacancies): point.phase
        for point in results.of(DiffusionFound).transport
        if point.functional == about.functional
    }
    for temperature_K, vacancies, direction in zip(
        about.temperatures_K, about.vacancies, about.directions, strict=True
    ):
        if not direction and (found := of_runs.get((temperature_K, vacancies))):
            yield found
            continue
        near = min(
            transitions,
            key=lambda each: (abs(each.vacancies - vacancies), each.heating_K_per_ps),
            default=None,
        )
        yield UNKNOWN if near is None else _by_temperature(near, temperature_K, direction)


def _by_temperature(near: Transition, temperature_K: float, direction: str) -> str:
    """Below or above the step of the ramp itself; at constant temperature outside the bracket."""
    step = {"heating": near.heated_K, "cooling": near.cooled_K}.get(direction)
    low, high = (step.low, step.high) if step is not None else near.bracket_K or (0.0, np.inf)
    if temperature_K < low:
        return ORDERED_PHASE
    return DISORDERED_PHASE if temperature_K > high else UNKNOWN
