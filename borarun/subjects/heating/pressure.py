"""How pressure moves the transition: latent heat, and ramps at several pressures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

from borarun.analysis import clapeyron, lattice, transition
from borarun.analysis.clapeyron import AtPressure
from borarun.analysis.estimate import Estimate, mean
from borarun.analysis.transition import Branch as Fit
from borarun.basics.errors import BorarunError
from borarun.basics.units import EV_PER_A3_IN_BAR
from borarun.records.operations.dynamics import MolecularDynamics
from borarun.report.measured import Measured
from borarun.sections.study import Study
from borarun.subjects.common.source import Source
from borarun.subjects.common.trajectory import check, read
from borarun.subjects.heating.ramps import FEWEST_FRAMES, FittedRamp, set_temperature
from borarun.subjects.heating.results import LatentHeat
from borarun.subjects.heating.section import Heating
from borarun.subjects.heating.stage import PressedRamp

BAR_PER_KBAR = 1000.0

Group = tuple[str, int, float]
"""Functional, vacancies and heating rate."""

Directions = dict[str, list[Fit]]
"""Branch -> fits of its runs."""


def latent_heat(study: Study, source: Source, ramps: Sequence[FittedRamp]) -> Iterator[LatentHeat]:
    """Steps of volume and enthalpy, and dTc/dp, of each functional, vacancy count and rate with a
    transition.
    """
    section = study.section(Heating)
    if section is None:
        return
    groups: dict[Group, list[FittedRamp]] = {}
    for ramp in ramps:
        about = ramp.done.about
        key = about.functional, about.vacancies, about.heating_K_per_ps
        groups.setdefault(key, []).append(ramp)
    pressed = _pressed(study, source)
    for key, own in groups.items():
        fits: dict[float, Directions] = {section.pressure_bar: _by_branch(own)}
        fits |= pressed.get(key, {})
        if not any(ramp.fit.found for ramp in own):
            continue
        steps = list(_steps(study, source, own, section.pressure_bar))
        volume = mean([each for each, _ in steps]) if steps else None
        enthalpy = mean([each for _, each in steps]) if steps else None
        found = transition.transition(
            fits[section.pressure_bar]["heating"], fits[section.pressure_bar]["cooling"]
        )
        by_heat = (
            clapeyron.clapeyron(
                found.temperature_K,
                (found.high - found.low) / 2,
                volume,
                enthalpy,
            )
            if found.found and volume is not None and enthalpy is not None
            else None
        )
        slope = clapeyron.pressure_slope([_at(bar, each) for bar, each in sorted(fits.items())])
        yield LatentHeat(
            *key,
            pressures_kbar=tuple(bar / BAR_PER_KBAR for bar in sorted(fits)),
            volume_A3=_measured(volume),
            enthalpy_meV=_measured(enthalpy, 1e3),
            by_heat_K_per_kbar=_measured(by_heat),
            by_pressure_K_per_kbar=None
            if slope is None
            else Measured(slope.value, slope.value - slope.reach, slope.value + slope.reach),
            heated_K_per_kbar=_measured(slope.heating) if slope else None,
            cooled_K_per_kbar=_measured(slope.cooling) if slope else None,
        )


def _by_branch(ramps: Sequence[FittedRamp]) -> Directions:
    found: Directions = {"heating": [], "cooling": []}
    for ramp in ramps:
        found[ramp.done.about.branch].append(ramp.fit)
    return found


def _steps(
    study: Study, source: Source, ramps: Sequence[FittedRamp], pressure_bar: float
) -> Iterator[tuple[Estimate, Estimate]]:
    """Volume, A^3, and enthalpy, eV, that a formula unit takes up in the step of each ramp.

    Atoms of both phases have the same kinetic energy at one temperature, so that it makes no step.
    """
    units = study.formula_units(study.supercell)
    for ramp in ramps:
        if not ramp.fit.found or not source.store.has(
            ramp.done.key, MolecularDynamics.POTENTIAL_ENERGY
        ):
            continue
        volume = source.store.array(ramp.done.key, MolecularDynamics.VOLUME) / units
        energy = source.store.array(ramp.done.key, MolecularDynamics.POTENTIAL_ENERGY) / units
        enthalpy = energy + pressure_bar / EV_PER_A3_IN_BAR * volume
        steps = [
            clapeyron.step_at(ramp.temperature_K, values, ramp.fit.temperature_K, ramp.fit.width_K)
            for values in (volume, enthalpy)
        ]
        if all(isfinite(step.error) for step in steps):
            yield steps[0], steps[1]


def _pressed(study: Study, source: Source) -> dict[Group, dict[float, Directions]]:
    """Fits of the ramps at other pressures, by group and pressure, bar."""
    found: dict[Group, dict[float, Directions]] = {}
    for done in source.of(PressedRamp):
        about = done.about
        try:
            run = read(study, source, done, about.branch, toroidal=False)
        except BorarunError as error:
            source.unusable(done, f"its trajectory cannot be used: {error}")
            continue
        if run is None or not source.checked(done, check(done, run, constant=False)):
            continue
        step = source.store.array(done.key, MolecularDynamics.STEP)
        if len(step) < FEWEST_FRAMES:
            continue
        cell = source.store.array(done.key, MolecularDynamics.CELL)
        fit = transition.fit_branch(
            set_temperature(done.task, step), lattice.lattice_parameter(cell, study.supercell)
        )
        group = found.setdefault((about.functional, about.vacancies, about.heating_K_per_ps), {})
        group.setdefault(about.pressure_bar, {"heating": [], "cooling": []})[about.branch].append(
            fit
        )
    return found


def _at(bar: float, fits: Directions) -> AtPressure:
    found = transition.transition(fits["heating"], fits["cooling"])
    return AtPressure(bar / BAR_PER_KBAR, found.heating, found.cooling)


def _measured(found: Estimate | None, factor: float = 1.0) -> Measured | None:
    if found is None or not isfinite(found.error):
        return None
    value, reach = factor * found.value, factor * found.reach
    return Measured(value, value - reach, value + reach)
