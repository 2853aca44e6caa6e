"""Diffusion: at each temperature and vacancy count, heat, equilibrate, and follow the
mobile ions.
"""

from __future__ import annotations

from borarun.records.task import About
from borarun.sections.study import Study
from borarun.subjects.common.stage import (
    Expansion,
    Product,
    Products,
    Records,
    Trajectory,
    derive_seed,
    held_run,
    held_trajectory,
    plural,
    potential_of_run,
    production_starts,
)
from borarun.subjects.diffusion.section import Diffusion

NAME = "diffusion"


class DiffusionRun(About):
    """A run at constant temperature."""

    temperature_K: float
    vacancies: int
    run: int
    model: str = ""


def expand(study: Study, products: Products, records: Records, *, forecast: bool) -> Expansion:
    """One run a functional, model, temperature, vacancy count and seed."""
    section = study.section(Diffusion)
    if section is None:
        return Expansion()
    tasks = []
    found: dict[str, list[Trajectory]] = {}
    starts = (
        (phase, *start)
        for phase in study.starts
        for start in production_starts(study, products, section.functional, phase)
    )
    for phase, functional, text, inputs in starts:
        # the first model keeps the seeds of a phase that is ordered
        which = () if phase == study.phase else (phase,)
        for vacancies, temperature in section.points():
            for run in range(section.runs):
                seed = derive_seed(
                    study.seed, NAME, functional, temperature, vacancies, run, *which
                )
                task = held_run(
                    study,
                    section,
                    text=text,
                    inputs={**inputs, **potential_of_run(study, products, functional, run)},
                    temperature_K=temperature,
                    vacancies=vacancies,
                    seed=seed,
                    stage=NAME,
                    label=f"{functional}, {temperature:g} K, {plural(vacancies, 'vacancy')}"
                    + (f", {phase}" if len(study.starts) > 1 else "")
                    + (f", run {run + 1}" if section.runs > 1 else ""),
                    about=DiffusionRun(
                        functional=functional,
                        temperature_K=temperature,
                        vacancies=vacancies,
                        run=run,
                        model=phase if len(study.starts) > 1 else "",
                    ),
                )
                tasks.append(task)
                found.setdefault(functional, []).append(
                    held_trajectory(study, section, task, temperature, vacancies)
                )
    ends: dict[str, Product] = {
        f"trajectories/{NAME}/{functional}": tuple(each) for functional, each in found.items()
    }
    return Expansion(tuple(tasks), ends)
