"""Lattice against temperature, from the ramps."""

from __future__ import annotations

import numpy as np

from borarun.analysis import lattice, transition
from borarun.analysis.transition import Branch as Fit
from borarun.report.measured import Array, Measured
from borarun.report.results import Results
from borarun.report.source import Done, Source
from borarun.study import Study
from borarun.subjects.heating.order import ramps
from borarun.subjects.heating.ramps import bin_width_K, is_slowest, ramp_rate, set_temperature
from borarun.subjects.heating.results import Branch, HeatingFound, LatticePoint, Transition
from borarun.subjects.heating.stage import NAME

FEWEST_FRAMES = 50
ROOM_K = 300.0


def collect(study: Study, source: Source, results: Results) -> HeatingFound:
    """All ramps that are done, branch by branch and together."""
    branches: list[Branch] = []
    points: list[LatticePoint] = []
    published = (*study.published.find("lattice_parameter"), *study.published.find("volume"))
    compared = sorted(
        {ROOM_K, *(n.temperature_K for n in published if n.temperature_K is not None)}
    )
    fits: dict[tuple[str, int, float], dict[str, Fit]] = {}
    units = study.formula_units((1, 1, 1))
    for done in source.of(NAME):
        functional, vacancies, name, rate = (
            done.about(what) for what in ("functional", "vacancies", "branch", "heating_K_per_ps")
        )
        temperature_K = set_temperature(done, source.store.array(done.key, "step"))
        if len(temperature_K) < FEWEST_FRAMES:
            kept = f"it kept {len(temperature_K)} frames, at least {FEWEST_FRAMES} are needed"
            source.unusable(done, kept, "Lower heating.sample_every_fs, or see why it stopped.")
            continue
        cell = source.store.array(done.key, "cell")
        a = lattice.lattice_parameter(cell, study.supercell)
        fit = transition.fit_branch(temperature_K, a)
        fits.setdefault((functional, vacancies, rate), {})[name] = fit
        branches.append(_branch(study, source, done, temperature_K, cell, fit))
        if name == "heating" and is_slowest(source, done):
            points += [
                LatticePoint(
                    functional,
                    vacancies,
                    T,
                    _measured(mean),
                    _measured(lattice.at_temperature(temperature_K, a**3 / units, T)),
                )
                for T in compared
                if temperature_K.min() <= T <= temperature_K.max()
                if np.isfinite((mean := lattice.at_temperature(temperature_K, a, T)).value)
            ]
    together = tuple(
        _transition(*group, pair["heating"], pair.get("cooling"))
        for group, pair in fits.items()
        if "heating" in pair
    )
    return HeatingFound(tuple(branches), together, tuple(points), ramps(study, source))


def _measured(mean: lattice.Mean) -> Measured:
    return Measured(mean.value, mean.low, mean.high)


def _branch(
    study: Study, source: Source, done: Done, temperature_K: Array, cell: Array, fit: Fit
) -> Branch:
    units = study.formula_units((1, 1, 1))
    a, edges = (
        lattice.lattice_parameter(cell, study.supercell),
        lattice.lattice_parameters(cell, study.supercell),
    )

    def binned(values: Array) -> lattice.Binned:
        return lattice.binned(temperature_K, values, width_K=bin_width_K(done))

    parameter, volume = binned(a), binned(a**3 / units)
    return Branch(
        functional=done.about("functional"),
        vacancies=done.about("vacancies"),
        branch=done.about("branch"),
        rate_K_per_ps=ramp_rate(done),
        heating_K_per_ps=done.about("heating_K_per_ps"),
        n_atoms=len(source.store.array(done.key, "numbers")),
        seed=done.task.settings["seed"],
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
        stop=done.facts["stop"],
        reached_K=float(temperature_K[-1]),
    )


def _transition(
    functional: str, vacancies: int, heating_K_per_ps: float, heated: Fit, cooled: Fit | None
) -> Transition:
    found = transition.transition(heated, cooled)
    hysteresis = None
    if not found.found:
        statement = found.reason
    elif np.isfinite(found.hysteresis_K):
        if found.hysteresis_K < 0.0:  # no crystal orders above where it disorders
            halves = (
                f"half height at {found.bracket_K[0]:.0f} K on heating and "
                f"{found.bracket_K[1]:.0f} K on cooling"
            )
            statement = (
                f"{halves}, the wrong way round: single ramps of a cell of this size scatter by "
                "at least so much"
            )
        else:
            statement = (
                f"half height at {heated.temperature_K:.0f} K on heating, hysteresis "
                f"{found.hysteresis_K:.0f} K"
            )
        reach = 1.96 * found.hysteresis_error
        hysteresis = Measured(
            found.hysteresis_K, found.hysteresis_K - reach, found.hysteresis_K + reach
        )
    else:
        statement = f"half height at {found.bracket_K[0]:.0f} K; {found.reason}"
    return Transition(
        functional=functional,
        vacancies=vacancies,
        heating_K_per_ps=heating_K_per_ps,
        temperature_K=Measured(found.temperature_K, found.low, found.high) if found.found else None,
        heated_K=_half_height(heated),
        cooled_K=_half_height(cooled) if cooled else None,
        hysteresis_K=hysteresis,
        bracket_K=found.bracket_K if found.found else None,
        volume_step_percent=_volume_step(heated),
        statement=_sentence(statement),
    )


def _half_height(fit: Fit) -> Measured | None:
    return Measured(fit.temperature_K, fit.low, fit.high) if fit.found else None


def _volume_step(fit: Fit) -> Measured | None:
    """From the lattice parameter's: it is the cube root of the volume."""
    if not fit.found:
        return None
    value, low, high = (
        100 * ((1 + part) ** 3 - 1)
        for part in (fit.relative_step, fit.relative_low, fit.relative_high)
    )
    return Measured(value, low, high)


def _sentence(statement: str) -> str:
    return statement.rstrip(".") + "."
