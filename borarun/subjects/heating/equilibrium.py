"""The transition between runs at constant temperature that began in either phase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from borarun.analysis import lattice
from borarun.analysis.clapeyron import Hold, Phase, equilibrium
from borarun.basics.errors import BorarunError
from borarun.records.operations.dynamics import MolecularDynamics
from borarun.report.measured import Measured
from borarun.sections.study import Study
from borarun.subjects.common.source import Done, Source
from borarun.subjects.common.stage import PRODUCE
from borarun.subjects.common.trajectory import check, read
from borarun.subjects.heating.ramps import FittedRamp, is_slowest, step_range_K
from borarun.subjects.heating.results import Held, HeldTransition, LatentHeat
from borarun.subjects.heating.stage import Holding

ORDERED_SHARE, DISORDERED_SHARE = 0.3, 0.7
"""A lattice so far on its way from one phase to the other is that of a phase."""


def held(study: Study, source: Source, ramps: Sequence[FittedRamp]) -> tuple[Held, ...]:
    """How each run at constant temperature began and ended, by its lattice parameter between those
    of the heating and the cooling of the same atoms. Those that began behind the step of their
    ramp, or where a ramp has no step, say nothing and are left out.
    """
    slowest = {
        (r.done.about.functional, r.done.about.vacancies, r.done.about.run, r.done.about.branch): r
        for r in ramps
        if r.fit.found and is_slowest(source, r.done)
    }
    found = []
    for done in source.of(Holding):
        about = done.about
        same = about.functional, about.vacancies, about.run
        pair = slowest.get((*same, "heating")), slowest.get((*same, "cooling"))
        if pair[0] is None or pair[1] is None or not _is_intact(study, source, done):
            continue
        cold, hot = step_range_K(pair[0].fit), step_range_K(pair[1].fit)
        assert cold is not None and hot is not None
        if not hot[1] < about.temperature_K < cold[0]:
            continue
        ordered, disordered = (
            lattice.at_temperature(
                ramp.temperature_K, ramp.lattice_A, about.temperature_K, step_K=step
            ).value
            for ramp, step in ((pair[0], cold), (pair[1], hot))
        )
        cell = source.store.array(done.key, MolecularDynamics.CELL)
        a = lattice.lattice_parameter(cell, study.supercell)
        share = float((a[len(a) // 2 :].mean() - ordered) / (disordered - ordered))
        if np.isfinite(share):
            found.append(
                Held(
                    functional=about.functional,
                    vacancies=about.vacancies,
                    run=about.run,
                    temperature_K=about.temperature_K,
                    started="ordered" if about.branch == "heating" else "disordered",
                    ended=_phase(share),
                    share=share,
                )
            )
    return tuple(found)


def _is_intact(study: Study, source: Source, done: Done[Any]) -> bool:
    try:
        run = read(study, source, done, PRODUCE, toroidal=False)
    except BorarunError as error:
        source.unusable(done, f"its trajectory cannot be used: {error}")
        return False
    return run is not None and source.checked(done, check(done, run, constant=False))


def _phase(share: float) -> Phase:
    if share < ORDERED_SHARE:
        return "ordered"
    return "disordered" if share > DISORDERED_SHARE else "undecided"


def transitions(
    runs: Sequence[Held], latent_heat: Sequence[LatentHeat], units: int
) -> Iterator[HeldTransition]:
    """Bounds of the transition, and its place where there are both.

    Parameters
    ----------
    runs : at constant temperature
    latent_heat : from the ramps; that of the slowest counts
    units : formula units in the cell
    """
    for key in dict.fromkeys((run.functional, run.vacancies) for run in runs):
        functional, vacancies = key
        own = [run for run in runs if (run.functional, run.vacancies) == key]
        found = equilibrium(
            [Hold(run.temperature_K, _as(run.started), _as(run.ended)) for run in own],
            _of_cell([h for h in latent_heat if (h.functional, h.vacancies) == key], units),
        )
        yield HeldTransition(
            functional=functional,
            vacancies=vacancies,
            n_runs=len(own),
            lower_K=found.lower_K,
            upper_K=found.upper_K,
            temperature_K=Measured(found.temperature_K, found.low, found.high)
            if np.isfinite(found.temperature_K)
            else None,
        )


def _of_cell(found: Sequence[LatentHeat], units: int) -> float | None:
    """Latent heat of the whole cell from the slowest ramps, eV; None where it is not known to be
    more than zero.
    """
    slowest = min(found, key=lambda each: each.heating_K_per_ps, default=None)
    enthalpy = slowest and slowest.enthalpy_meV
    return 1e-3 * enthalpy.value * units if enthalpy and enthalpy.low > 0 else None


def _as(name: str) -> Phase:
    return "ordered" if name == "ordered" else "disordered" if name == "disordered" else "undecided"
