"""Lattice against temperature, from the ramps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from borarun.analysis import lattice, transition
from borarun.analysis.estimate import Estimate, mean
from borarun.analysis.transition import Branch as Fit
from borarun.analysis.transition import Branches
from borarun.engines.lammps import engine as lammps
from borarun.records.operations.dynamics import MolecularDynamics
from borarun.report import text
from borarun.report.measured import Array, Measured
from borarun.sections.study import Study
from borarun.subjects.common.results import Results
from borarun.subjects.common.source import Done, Source
from borarun.subjects.heating import equilibrium, pressure
from borarun.subjects.heating.order import ramps
from borarun.subjects.heating.ramps import (
    FEWEST_FRAMES,
    FittedRamp,
    bin_width_K,
    is_slowest,
    ramp_rate,
    set_temperature,
    step_range_K,
)
from borarun.subjects.heating.results import (
    FEWEST_ATOMS,
    ROOM_K,
    HeatingFound,
    LatticePoint,
    RampBranch,
    Transition,
)
from borarun.subjects.heating.stage import Ramp


def collect(study: Study, source: Source, results: Results) -> HeatingFound:
    """All ramps that are done, branch by branch and together."""
    branches: list[RampBranch] = []
    published = (*study.published.find("lattice_parameter"), *study.published.find("volume"))
    compared = sorted(
        {ROOM_K, *(n.temperature_K for n in published if n.temperature_K is not None)}
    )
    values: dict[tuple[str, int, float], list[tuple[Estimate, Estimate]]] = {}
    fits: dict[tuple[str, int, float], dict[str, list[Fit]]] = {}
    units = study.formula_units((1, 1, 1))
    ramps_found: list[FittedRamp] = []
    for done in source.of(Ramp):
        functional, vacancies = done.about.functional, done.about.vacancies
        name, rate = done.about.branch, done.about.heating_K_per_ps
        temperature_K = set_temperature(
            done.task, source.store.array(done.key, MolecularDynamics.STEP)
        )
        if len(temperature_K) < FEWEST_FRAMES:
            kept = f"it kept {len(temperature_K)} frames, at least {FEWEST_FRAMES} are needed"
            source.unusable(done, kept, "Lower heating.sample_every_fs, or see why it stopped.")
            continue
        cell = source.store.array(done.key, MolecularDynamics.CELL)
        a = lattice.lattice_parameter(cell, study.supercell)
        fit = transition.fit_branch(temperature_K, a)
        group = fits.setdefault((functional, vacancies, rate), {"heating": [], "cooling": []})
        group[name].append(fit)
        ramps_found.append(FittedRamp(done, temperature_K, a, fit))
        branches.append(_branch(study, source, done, temperature_K, cell, fit))
        if name == "heating" and is_slowest(source, done):
            step = step_range_K(fit)
            for T in compared:
                edge, volume = (
                    lattice.at_temperature(temperature_K, of_frames, T, step_K=step)
                    for of_frames in (a, a**3 / units)
                )
                if np.isfinite(edge.value):
                    values.setdefault((functional, vacancies, T), []).append((edge, volume))
    points = tuple(
        LatticePoint(
            *key,
            *(_measured(mean(runs)) for runs in zip(*found, strict=True)),
        )
        for key, found in values.items()
    )
    n_atoms = study.n_atoms(study.supercell)
    together = tuple(
        _transition(*key, group["heating"], group["cooling"], n_atoms)
        for key, group in fits.items()
        if group["heating"]
    )
    held = equilibrium.held(study, source, ramps_found)
    latent_heat = tuple(pressure.latent_heat(study, source, ramps_found))
    return HeatingFound(
        branches=tuple(branches),
        transitions=together,
        lattice=points,
        order=ramps(study, source),
        latent_heat=latent_heat,
        held=held,
        held_transitions=tuple(
            equilibrium.transitions(held, latent_heat, study.formula_units(study.supercell))
        ),
    )


def _measured(found: Estimate) -> Measured:
    return Measured(found.value, found.low, found.high)


def _branch(
    study: Study, source: Source, done: Done[Ramp], temperature_K: Array, cell: Array, fit: Fit
) -> RampBranch:
    units = study.formula_units((1, 1, 1))
    a, edges = (
        lattice.lattice_parameter(cell, study.supercell),
        lattice.lattice_parameters(cell, study.supercell),
    )

    def binned(values: Array) -> lattice.Binned:
        return lattice.binned(temperature_K, values, width_K=bin_width_K(done.task))

    parameter, volume = binned(a), binned(a**3 / units)
    return RampBranch(
        functional=done.about.functional,
        vacancies=done.about.vacancies,
        branch=done.about.branch,
        run=done.about.run,
        rate_K_per_ps=ramp_rate(done.task),
        heating_K_per_ps=done.about.heating_K_per_ps,
        n_atoms=len(source.store.array(done.key, MolecularDynamics.NUMBERS)),
        seed=lammps.Settings.of(done.task).seed,
        temperature_K=parameter.temperature_K,
        lattice_A=parameter.value,
        error_A=parameter.error,
        volume_A3=volume.value,
        volume_error_A3=volume.error,
        edges_A=np.stack([binned(edge).value for edge in edges.T], axis=1),
        fit_temperature_K=fit.curve_temperature_K,
        fit_lattice_A=fit.curve,
        half_height_K=_half_height(fit),
        statement=fit.reason,
        stop=done.facts(MolecularDynamics).stop,
        reached_K=float(temperature_K[-1]),
    )


def _transition(
    functional: str,
    vacancies: int,
    heating_K_per_ps: float,
    heated: Sequence[Fit],
    cooled: Sequence[Fit],
    n_atoms: int,
) -> Transition:
    found = transition.transition(heated, cooled)
    if n_atoms < FEWEST_ATOMS and (found.heating or found.cooling):
        return Transition(
            functional=functional,
            vacancies=vacancies,
            heating_K_per_ps=heating_K_per_ps,
            n_runs=len(heated),
            temperature_K=None,
            heated_K=None,
            cooled_K=None,
            hysteresis_K=None,
            volume_step_percent=None,
            statement=_sentence(
                f"A step, but no transition can be told in a cell of {text.count(n_atoms, 'atom')}"
                f": its volume fluctuates as much. At least {FEWEST_ATOMS} are needed"
            ),
        )
    up, down = _direction(found.heating), _direction(found.cooling)
    hysteresis = None
    if found.heating is None and found.cooling is None:
        statement = found.reason
    elif found.found:
        reach = found.hysteresis_reach_K
        hysteresis = Measured(
            found.hysteresis_K, found.hysteresis_K - reach, found.hysteresis_K + reach
        )
        if found.hysteresis_K < 0.0:  # no crystal orders above where it disorders
            statement = (
                f"half height at {_kelvin(up)} on heating and {_kelvin(down)} on cooling, in "
                "reversed order: single ramps of a cell of this size scatter by at least this "
                "difference"
            )
        else:
            statement = (
                f"half height at {_kelvin(up)} on heating, hysteresis {found.hysteresis_K:.0f} K"
            )
    elif found.heating is not None:
        statement = (
            f"half height at {_kelvin(up)} on heating: an upper bound, because a crystal can be "
            f"superheated; {found.reason}"
        )
    else:
        statement = (
            f"half height at {_kelvin(down)} on cooling: a lower bound, because a crystal can be "
            f"supercooled; {found.reason}"
        )
    return Transition(
        functional=functional,
        vacancies=vacancies,
        heating_K_per_ps=heating_K_per_ps,
        n_runs=len(heated),
        temperature_K=Measured(found.temperature_K, found.low, found.high) if found.found else None,
        heated_K=up,
        cooled_K=down,
        hysteresis_K=hysteresis,
        volume_step_percent=_volume_step(heated),
        statement=_sentence(statement),
    )


def _direction(runs: Branches | None) -> Measured | None:
    if runs is None:
        return None
    return Measured(
        runs.temperature_K, runs.temperature_K - runs.reach_K, runs.temperature_K + runs.reach_K
    )


def _kelvin(value: Measured | None) -> str:
    return "" if value is None else f"{value.value:.0f} K"


def _half_height(fit: Fit) -> Measured | None:
    return Measured(fit.temperature_K, fit.low, fit.high) if fit.found else None


def _volume_step(heated: Sequence[Fit]) -> Measured | None:
    """From the lattice parameter's: it is the cube root of the volume."""
    steps = [
        Estimate(fit.relative_step, (fit.relative_high - fit.relative_low) / (2 * 1.96))
        for fit in heated
        if fit.found
    ]
    if not steps:
        return None
    found = mean(steps)
    value, low, high = (
        100 * ((1 + part) ** 3 - 1) for part in (found.value, found.low, found.high)
    )
    return Measured(value, low, high)


def _sentence(statement: str) -> str:
    return statement.rstrip(".") + "."
