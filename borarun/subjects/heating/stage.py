"""Heating and cooling, at each rate: the lattice against temperature, and the transition where
there is one.
"""

from __future__ import annotations

from itertools import product

from borarun.engines.lammps import engine as lammps
from borarun.engines.lammps.deck import Segment
from borarun.operations.dynamics import MolecularDynamics
from borarun.stage import (
    Expansion,
    Product,
    Products,
    Records,
    Trajectory,
    derive_seed,
    md_task,
    plural,
    potential_of_run,
    production_grade,
    production_starts,
)
from borarun.structure import Cell
from borarun.study import Study
from borarun.subjects.heating.section import Heating
from borarun.task import About, Ref

NAME = "heating"


class Ramp(About):
    """A heating run, or the cooling run after it; the rate is that of the heating."""

    branch: str
    vacancies: int
    heating_K_per_ps: float
    run: int


def expand(study: Study, products: Products, records: Records, *, forecast: bool) -> Expansion:
    """A heating run, and a cooling run from where it ended, for each functional, vacancy count,
    repeated run and rate. All rates of a run begin with the same atoms and velocities.

    Nothing is cooled that was not heated to the end.
    """
    section = study.section(Heating)
    if section is None:
        return Expansion()
    tasks = []
    found: dict[str, list[Trajectory]] = {}
    ramps = section.ramps()
    for functional, text, start in production_starts(study, products):
        for vacancies, run, (heating, cooling) in product(
            section.vacancies, range(section.runs), ramps
        ):
            # The first run keeps the seed that it has without others.
            again = (run,) if run else ()
            seed = derive_seed(study.seed, NAME, functional, vacancies, *again)
            what = f"{functional}, {plural(vacancies, 'vacancy')}"
            at = f" at {heating:g} K/ps" if len(ramps) > 1 else ""
            which = f", run {run + 1}" if section.runs > 1 else ""
            place = Cell(
                text=text,
                supercell=study.supercell,
                mobile=study.material.vacancy_ion,
                vacancies=vacancies,
                seed=seed,
            )
            own = {**start, **potential_of_run(study, products, functional, run)}
            inputs = own
            for branch, begin, end, rate in (
                ("heating", section.from_K, section.to_K, heating),
                ("cooling", section.to_K, section.from_K, cooling),
            ):
                segment = Segment(
                    name=branch,
                    time_ps=section.ramp_ps(rate),
                    from_K=begin,
                    to_K=end,
                    sample_every_fs=section.sample_every_fs,
                )
                settings = lammps.Settings(
                    cell=place,
                    segments=(segment,),
                    timestep_fs=section.timestep_fs,
                    mode=section.cell,
                    pressure_bar=section.pressure_bar,
                    seed=seed,
                    grade=production_grade(study),
                )
                task = md_task(
                    study,
                    settings,
                    inputs=inputs,
                    stage=NAME,
                    label=f"{what}, {branch}{at}{which}",
                    about=Ramp(
                        functional=functional,
                        branch=branch,
                        vacancies=vacancies,
                        heating_K_per_ps=heating,
                        run=run,
                    ),
                    n_atoms=study.n_atoms(study.supercell),
                )
                tasks.append(task)
                found.setdefault(functional, []).append(
                    Trajectory(
                        task.key,
                        branch,
                        from_K=begin,
                        to_K=end,
                        vacancies=vacancies,
                        supercell=study.supercell,
                        direction=branch,
                        name=task.label,
                    )
                )
                record = records.get(task.key)
                if record is not None and record.done and record.facts(MolecularDynamics).cut_short:
                    # what is left of it is no crystal at the temperature from which to cool
                    break
                place = Cell()
                inputs = {**own, "structure": Ref(task.key, "last")}
    ends: dict[str, Product] = {
        f"trajectories/{NAME}/{functional}": tuple(each) for functional, each in found.items()
    }
    return Expansion(tuple(tasks), ends)
