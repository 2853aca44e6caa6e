"""Heating and cooling, at each rate and pressure: the lattice against temperature, and the
transition where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from borarun.engines.lammps import engine as lammps
from borarun.engines.lammps.deck import Segment
from borarun.records.operations.dynamics import MolecularDynamics, snapshot
from borarun.records.task import About, Ref, Task
from borarun.sections.study import Study
from borarun.structures.structure import Cell
from borarun.subjects.common.stage import (
    PRODUCE,
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
from borarun.subjects.heating.section import Heating

NAME = "heating"


class Ramp(About):
    """A heating run, or the cooling run after it; the rate is that of the heating."""

    branch: str
    vacancies: int
    heating_K_per_ps: float
    run: int


class PressedRamp(About):
    """A ramp at another pressure than that of the results, to see how it moves the transition."""

    branch: str
    vacancies: int
    heating_K_per_ps: float
    run: int
    pressure_bar: float


class Holding(About):
    """A run at constant temperature from a configuration of a ramp; ``branch`` is the ramp's."""

    branch: str
    vacancies: int
    run: int
    temperature_K: float


def expand(study: Study, products: Products, records: Records, *, forecast: bool) -> Expansion:
    """A heating run, and a cooling run from where it ended, for each functional, vacancy count,
    repeated run, pressure and rate; and runs held at temperatures between. All rates and pressures
    of a run begin with the same atoms and velocities.
    """
    section = study.section(Heating)
    if section is None:
        return Expansion()
    tasks: list[Task] = []
    found: dict[str, list[Trajectory]] = {}
    for functional, text, start in production_starts(study, products):
        for vacancies, run in product(section.vacancies, range(section.runs)):
            # The first run keeps the seed that it has without others.
            again = (run,) if run else ()
            place = _Place(
                study=study,
                section=section,
                functional=functional,
                vacancies=vacancies,
                run=run,
                seed=derive_seed(study.seed, NAME, functional, vacancies, *again),
                text=text,
                inputs={**start, **potential_of_run(study, products, functional, run)},
            )
            slowest: dict[str, Task] = {}
            for heating, cooling in section.ramps():
                ramps = _ramps(place, records, heating, cooling, section.pressure_bar)
                slowest = slowest or ramps
                tasks += ramps.values()
                found.setdefault(functional, []).extend(
                    _trajectory(place, branch, task) for branch, task in ramps.items()
                )
                for pressure in section.other_pressures_bar():
                    tasks += _ramps(place, records, heating, cooling, pressure).values()
            tasks += _holds(place, slowest, records)
    ends: dict[str, Product] = {
        f"trajectories/{NAME}/{functional}": tuple(each) for functional, each in found.items()
    }
    return Expansion(tuple(tasks), ends)


@dataclass(frozen=True)
class _Place:
    """What all ramps of a functional, vacancy count and repeated run share."""

    study: Study
    section: Heating
    functional: str
    vacancies: int
    run: int
    seed: int
    text: str
    inputs: Mapping[str, Product]

    @property
    def name(self) -> str:
        """For labels."""
        return f"{self.functional}, {plural(self.vacancies, 'vacancy')}"

    @property
    def which(self) -> str:
        """Which of the repeated runs, for labels."""
        return f", run {self.run + 1}" if self.section.runs > 1 else ""

    def task(
        self,
        segment: Segment,
        cell: Cell,
        inputs: Mapping[str, Product],
        *,
        pressure_bar: float,
        label: str,
        about: About,
    ) -> Task:
        """A run of molecular dynamics."""
        settings = lammps.Settings(
            cell=cell,
            segments=(segment,),
            timestep_fs=self.section.timestep_fs,
            mode=self.section.cell,
            pressure_bar=pressure_bar,
            seed=self.seed,
            grade=production_grade(self.study),
        )
        return md_task(
            self.study,
            settings,
            inputs=inputs,
            stage=NAME,
            label=label,
            about=about,
            n_atoms=self.study.n_atoms(self.study.supercell),
        )


def _range(section: Heating, branch: str) -> tuple[float, float]:
    """Where a ramp begins and ends, K."""
    low, high = section.from_K, section.to_K
    return (low, high) if branch == "heating" else (high, low)


def _ramps(
    place: _Place, records: Records, heating: float, cooling: float, pressure_bar: float
) -> dict[str, Task]:
    """A heating run and the cooling run after it, by branch. Nothing is cooled that was not heated
    to the end.
    """
    section = place.section
    many = len(section.heating_rates_K_per_ps) > 1
    at = f" at {heating:g} K/ps" if many else ""
    pressed = pressure_bar != section.pressure_bar
    under = f" under {pressure_bar:g} bar" if pressed else ""
    cell = Cell(
        text=place.text,
        supercell=place.study.supercell,
        mobile=place.study.material.vacancy_ion,
        vacancies=place.vacancies,
        seed=place.seed,
    )
    inputs = place.inputs
    tasks: dict[str, Task] = {}
    for branch, rate in (("heating", heating), ("cooling", cooling)):
        begin, end = _range(section, branch)
        segment = Segment(
            name=branch,
            time_ps=section.ramp_ps(rate),
            from_K=begin,
            to_K=end,
            sample_every_fs=section.sample_every_fs,
        )
        told = {
            "functional": place.functional,
            "branch": branch,
            "vacancies": place.vacancies,
            "heating_K_per_ps": heating,
            "run": place.run,
        }
        about: About = Ramp.model_validate(told)
        if pressed:
            about = PressedRamp.model_validate({**told, "pressure_bar": pressure_bar})
        task = place.task(
            segment,
            cell,
            inputs,
            pressure_bar=pressure_bar,
            label=f"{place.name}, {branch}{at}{under}{place.which}",
            about=about,
        )
        tasks[branch] = task
        if _is_cut_short(records, task):
            # what is left of it is no crystal at the temperature from which to cool
            break
        cell = Cell()
        inputs = {**place.inputs, "structure": Ref(task.key, "last")}
    return tasks


def _trajectory(place: _Place, branch: str, task: Task) -> Trajectory:
    begin, end = _range(place.section, branch)
    return Trajectory(
        task.key,
        branch,
        from_K=begin,
        to_K=end,
        vacancies=place.vacancies,
        supercell=place.study.supercell,
        direction=branch,
        name=task.label,
    )


def _holds(place: _Place, ramps: Mapping[str, Task], records: Records) -> list[Task]:
    """Runs that hold a configuration of each ramp at its temperature."""
    section = place.section
    if section.holds is None:
        return []
    tasks = []
    for temperature_K in section.holds.temperatures_K:
        for branch, ramp in ramps.items():
            if _is_cut_short(records, ramp):
                continue
            begin, end = _range(section, branch)
            part = (temperature_K - begin) / (end - begin)
            segment = Segment(
                name=PRODUCE,
                time_ps=section.holds.time_ps,
                from_K=temperature_K,
                to_K=temperature_K,
                sample_every_fs=section.sample_every_fs,
            )
            tasks.append(
                place.task(
                    segment,
                    Cell(),
                    {**place.inputs, "structure": Ref(ramp.key, snapshot(branch, part))},
                    pressure_bar=section.pressure_bar,
                    label=f"{place.name}, held at {temperature_K:g} K from {branch}{place.which}",
                    about=Holding(
                        functional=place.functional,
                        branch=branch,
                        vacancies=place.vacancies,
                        run=place.run,
                        temperature_K=temperature_K,
                    ),
                )
            )
    return tasks


def _is_cut_short(records: Records, task: Task) -> bool:
    record = records.get(task.key)
    return record is not None and record.done and bool(record.facts(MolecularDynamics).cut_short)
