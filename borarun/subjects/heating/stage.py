"""Heating and cooling, at each rate: the lattice against temperature, and the transition where
there is one.
"""

from __future__ import annotations

from borarun.stage import (
    Expansion,
    Products,
    Records,
    derive_seed,
    md_task,
    plural,
    production_grade,
    production_starts,
)
from borarun.study import Study
from borarun.subjects.heating.section import Heating
from borarun.task import Ref

NAME = "heating"


def expand(study: Study, products: Products, records: Records, *, forecast: bool) -> Expansion:
    """A heating run, and a cooling run from where it ended, a functional, vacancy count and rate;
    all rates begin with the same atoms and velocities.

    Nothing is cooled that was not heated to the end.
    """
    section = study.section(Heating)
    if section is None:
        return Expansion()
    tasks = []
    for functional, text, start in production_starts(study, products):
        for vacancies in section.vacancies:
            seed = derive_seed(study.seed, NAME, functional, vacancies)
            cell = {
                "text": text,
                "supercell": study.supercell,
                "mobile": study.material.mobile,
                "vacancies": vacancies,
                "seed": seed,
            }
            for heating, cooling in section.ramps():
                at = f" at {heating:g} K/ps" if len(section.rate_K_per_ps) > 1 else ""
                place, inputs = cell, start
                for branch, begin, end, rate in (
                    ("heating", section.from_K, section.to_K, heating),
                    ("cooling", section.to_K, section.from_K, cooling),
                ):
                    task = md_task(
                        study,
                        {
                            "cell": place,
                            "segments": [
                                {
                                    "name": branch,
                                    "time_ps": section.ramp_ps(rate),
                                    "from_K": begin,
                                    "to_K": end,
                                    "sample_every_fs": section.sample_every_fs,
                                }
                            ],
                            "timestep_fs": section.timestep_fs,
                            "mode": section.cell,
                            "pressure_bar": section.pressure_bar,
                            "seed": seed,
                            "grade": production_grade(study),
                        },
                        inputs=inputs,
                        stage=NAME,
                        label=f"{functional}, {plural(vacancies, 'vacancy')}, {branch}{at}",
                        about={
                            "functional": functional,
                            "branch": branch,
                            "vacancies": vacancies,
                            "heating_K_per_ps": heating,
                        },
                        n_atoms=study.n_atoms(study.supercell),
                    )
                    tasks.append(task)
                    record = records.get(task.key)
                    if record is not None and record.done and record.facts["stop"] != "completed":
                        # what is left of it is no crystal at the temperature from which to cool
                        break
                    place = {}
                    inputs = {**start, "structure": Ref(task.key, "last")}
    return Expansion(tuple(tasks))
