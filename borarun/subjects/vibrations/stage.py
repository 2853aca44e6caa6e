"""Vibrations: a short run at each temperature whose frames are dense enough for the fastest of
them.
"""

from __future__ import annotations

from borarun.stage import (
    Expansion,
    Products,
    Records,
    derive_seed,
    held_run,
    plural,
    production_starts,
)
from borarun.study import Study
from borarun.subjects.vibrations.section import Vibrations
from borarun.task import About

NAME = "vibrations"


class VibrationsRun(About):
    """A short run with dense frames."""

    temperature_K: float
    vacancies: int


def expand(study: Study, products: Products, records: Records, *, forecast: bool) -> Expansion:
    """One run a functional, temperature and vacancy count."""
    section = study.section(Vibrations)
    if section is None:
        return Expansion()
    tasks = []
    for functional, text, inputs in production_starts(study, products, section.functional):
        for vacancies in section.vacancies:
            for temperature in section.temperatures_K:
                task = held_run(
                    study,
                    section,
                    text=text,
                    inputs=inputs,
                    temperature_K=temperature,
                    vacancies=vacancies,
                    seed=derive_seed(study.seed, NAME, functional, temperature, vacancies),
                    stage=NAME,
                    label=f"{functional}, {temperature:g} K, {plural(vacancies, 'vacancy')}",
                    about=VibrationsRun(
                        functional=functional, temperature_K=temperature, vacancies=vacancies
                    ),
                )
                tasks.append(task)
    return Expansion(tuple(tasks))
