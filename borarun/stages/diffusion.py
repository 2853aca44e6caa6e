"""Diffusion: at each temperature and vacancy count, heat, equilibrate, and follow the mobile ions."""

from __future__ import annotations

from borarun.stages.base import Expansion, Products, Records, derive_seed, md_task, plural, production_grade, start_structure
from borarun.study import Study
from borarun.task import Ref, refs_of
from borarun.units import PS_PER_NS

NAME = "diffusion"


def expand(study: Study, products: Products, records: Records, *, forecast: bool) -> Expansion:
    """One run a functional, temperature, vacancy count and seed."""
    section = study.diffusion
    if section is None:
        return Expansion()
    tasks = []
    for functional in [section.functional] if section.functional else study.functionals:
        if f"final_potential/{functional}" not in products:
            continue
        text, start = start_structure(study, products, functional)
        potential = refs_of(products[f"final_potential/{functional}"])[0]
        for vacancies, temperature in section.points():
            heat_ps = max(temperature - section.from_K, 0.0) / section.heat_rate_K_per_ps
            for run in range(section.runs):
                seed = derive_seed(study.seed, NAME, functional, temperature, vacancies, run)
                segments = [
                    {"name": "heat", "time_ps": heat_ps, "from_K": section.from_K, "to_K": temperature},
                    {
                        "name": "equilibrate",
                        "time_ps": section.equilibrate_ns * PS_PER_NS,
                        "from_K": temperature,
                        "to_K": temperature,
                    },
                    {
                        "name": "produce",
                        "time_ps": section.time_ns * PS_PER_NS,
                        "from_K": temperature,
                        "to_K": temperature,
                        "sample_every_fs": section.sample_every_fs,
                    },
                ]
                task = md_task(
                    study,
                    {
                        "cell": {
                            "text": text,
                            "supercell": study.supercell,
                            "mobile": study.material.mobile,
                            "vacancies": vacancies,
                            "seed": seed,
                        },
                        "segments": segments,
                        "timestep_fs": section.timestep_fs,
                        "mode": section.cell,
                        "pressure_bar": section.pressure_bar,
                        "seed": seed,
                        "grade": production_grade(study),
                    },
                    inputs={"potential": potential, "active_set": Ref(potential.key, "active_set"), **start},
                    stage=NAME,
                    label=f"{functional}, {temperature:g} K, {plural(vacancies, 'vacancy')}" + (f", run {run}" if section.runs > 1 else ""),
                    about={"functional": functional, "temperature_K": temperature, "vacancies": vacancies, "run": run},
                    n_atoms=study.n_atoms(study.supercell),
                )
                tasks.append(task)
    return Expansion(tuple(tasks))
