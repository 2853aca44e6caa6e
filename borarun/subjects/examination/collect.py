"""Errors on configurations of production, from the records."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from borarun import stage
from borarun.analysis.deviations import committee_spread, deviations, rmse_interval
from borarun.operations import examination as operations
from borarun.report.measured import Array, Measured
from borarun.report.results import Results
from borarun.report.source import Done, Source
from borarun.study import Study
from borarun.subjects.diffusion.arrhenius import DISORDERED_PHASE, MIXED, ORDERED_PHASE
from borarun.subjects.diffusion.results import DiffusionFound
from borarun.subjects.examination.results import ExaminationFound, Examined, GroupErrors
from borarun.subjects.examination.stage import Examining
from borarun.subjects.heating.results import HeatingFound, Transition
from borarun.units import EV_PER_A3_IN_KBAR

UNKNOWN = "phase unknown"
"""Where no transition was found, or the configuration lies within its hysteresis."""

BANDS = 3
"""Groups of temperature, each with as many configurations."""


def collect(study: Study, source: Source, results: Results) -> ExaminationFound:
    """Errors of each functional's potential, by group."""
    examined: list[Examined] = []
    errors: list[GroupErrors] = []
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
    return ExaminationFound(tuple(examined), tuple(errors))


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
