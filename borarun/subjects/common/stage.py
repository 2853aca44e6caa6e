"""What a stage is, and the few gestures that all stages share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NotRequired, Protocol, TypedDict, Unpack

from borarun.engines.lammps import engine as lammps
from borarun.engines.lammps.deck import Grade, Segment
from borarun.engines.potential.base import HeldOut, PotentialSection
from borarun.engines.reference.base import Asked, Crystal
from borarun.engines.registry import ENGINES
from borarun.records.operations.base import changed
from borarun.records.task import About, Input, Record, Ref, Settings, Task, items_of, ref_of
from borarun.sections.dynamics import Held, HeldSweep
from borarun.sections.study import Study
from borarun.structures.structure import Cell
from borarun.subjects.active_learning.section import ActiveLearning
from borarun.subjects.training_set.section import TrainingSet

Records = Mapping[str, Record]
"""The records that exist, by task key; failures among them."""

Product = Input | tuple[Input, ...]
Products = Mapping[str, Product]
"""What earlier stages offer, e.g. ``potential/PBE-D3``. A Ref may point at a task that has not run
yet.
"""


@dataclass(frozen=True)
class Trajectory(Ref):
    """A segment of a production run, from which frames may be taken; ``item`` is its name.

    Attributes
    ----------
    from_K, to_K : temperature at its begin and at its end
    vacancies : in its cell
    supercell : its cell, in repeats of the first phase's
    direction : ``heating`` or ``cooling``; empty at constant temperature
    name : what it is, for people
    """

    from_K: float = 0.0
    to_K: float = 0.0
    vacancies: int = 0
    supercell: tuple[int, int, int] = (1, 1, 1)
    direction: str = ""
    name: str = ""

    def temperature_K(self, part: float) -> float:
        """Where its thermostat stands after a part of it."""
        return self.from_K + part * (self.to_K - self.from_K)


@dataclass(frozen=True)
class Expansion:
    """What a stage knows so far.

    Attributes
    ----------
    tasks : every task known by now, those already done included, in a sensible order of work
    products : what later stages may build on
    waiting : why more tasks may follow once results are there; empty when the stage is fully known
    stuck : why the stage cannot go on although nothing of it is left to run; empty when all is well
    """

    tasks: tuple[Task, ...] = ()
    products: Products = field(default_factory=dict)
    waiting: str = ""
    stuck: str = ""


class Stage(Protocol):
    """A module for one section of the study."""

    NAME: str

    def expand(
        self, study: Study, products: Products, records: Records, *, forecast: bool
    ) -> Expansion:
        """Tasks and products as far as ``records`` allow. Pure.

        With ``forecast``, results that are not there yet are taken to be the good ones, so that a
        plan can show what will follow.
        """


def derive_seed(seed: int, *parts: object) -> int:
    """A seed between 1 and 2^31 - 1 that depends on the study's seed and on what it is for, and on
    nothing else.
    """
    text = "/".join(str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % (2**31 - 1) + 1


class ToldOfTask(TypedDict):
    """What is told of a task beside its settings."""

    stage: str
    label: str
    about: About
    inputs: NotRequired[Mapping[str, Product]]


def make_task(
    engine: str,
    settings: Settings,
    *,
    stage: str,
    label: str,
    about: About,
    n_atoms: int,
    inputs: Mapping[str, Product] | None = None,
    cores: int = 1,
    **priced_by: float,
) -> Task:
    """A task with its engine's version and its cost, which may depend on more than settings and
    atoms (``priced_by``).
    """
    module = ENGINES[engine]
    return Task(
        engine=engine,
        settings=settings.model_dump(mode="json"),
        inputs=dict(inputs or {}),
        version=module.version(settings),
        stage=stage,
        label=label,
        about=about,
        cores=cores,
        cost=module.cost(settings, n_atoms, **priced_by),
    )


def reference_task(study: Study, asked: Asked, *, n_atoms: int, **told: Unpack[ToldOfTask]) -> Task:
    """A task of the study's reference engine: what is ``asked`` of it, and what the study says of
    the engine.
    """
    crystal = Crystal(
        study.phase_text(study.phase), study.material.formula, study.material.vacancy_ion
    )
    engine = study.reference.engine
    settings = study.reference.settings(ENGINES[engine].Settings, asked, crystal)
    return make_task(engine, settings, n_atoms=n_atoms, **told)


def md_task(
    study: Study, run: lammps.Settings, *, n_atoms: int, **told: Unpack[ToldOfTask]
) -> Task:
    """A run of LAMMPS with the study's potential, and priced by it."""
    potential = study.section(PotentialSection)
    assert potential is not None
    run = changed(run, potential=potential.FORM)
    price = potential.atom_step_us
    cores = lammps.usable_cores(n_atoms, price)
    return make_task("lammps", run, n_atoms=n_atoms, cores=cores, atom_step_us=price, **told)


def potential_inputs(study: Study, potential: Ref) -> dict[str, Product]:
    """A potential as inputs of molecular dynamics, with what its extrapolation grades follow
    from.
    """
    section = study.section(PotentialSection)
    assert section is not None
    found: dict[str, Product] = {"potential": potential}
    if section.UNCERTAINTY:
        found[lammps.UNCERTAINTY] = Ref(potential.key, section.UNCERTAINTY)
    return found


PRODUCE = "produce"
"""Segment of a run at constant temperature that is used for results."""


def held_trajectory(
    study: Study, section: Held, task: Task, temperature_K: float, vacancies: int
) -> Trajectory:
    """What a run of ``held_run`` gives to take frames from."""
    return Trajectory(
        task.key,
        PRODUCE,
        from_K=temperature_K,
        to_K=temperature_K,
        vacancies=vacancies,
        supercell=section.cell_of(study),
        name=task.label,
    )


def held_run(
    study: Study,
    section: Held,
    *,
    text: str,
    inputs: Mapping[str, Product],
    temperature_K: float,
    vacancies: int,
    seed: int,
    stage: str,
    label: str,
    about: About,
) -> Task:
    """A run that is heated to a temperature, equilibrated there, and then sampled as ``section``
    says, in the segment `PRODUCE`.
    """
    supercell = section.cell_of(study)
    held_K = {"from_K": temperature_K, "to_K": temperature_K}
    run = lammps.Settings(
        cell=Cell(
            text=text,
            supercell=supercell,
            mobile=study.material.vacancy_ion,
            vacancies=vacancies,
            seed=seed,
        ),
        segments=(
            Segment(
                name="heat",
                time_ps=section.heat_ps(temperature_K),
                from_K=section.from_K,
                to_K=temperature_K,
            ),
            Segment(name="equilibrate", time_ps=section.equilibration_ps, **held_K),
            Segment(
                name=PRODUCE,
                time_ps=section.time_ps,
                **held_K,
                sample_every_fs=section.sample_every_fs,
            ),
        ),
        timestep_fs=section.timestep_fs,
        mode=section.cell,
        pressure_bar=section.pressure_bar,
        seed=seed,
        grade=production_grade(study),
    )
    n_atoms = study.n_atoms(supercell)
    return md_task(
        study, run, n_atoms=n_atoms, stage=stage, label=label, about=about, inputs=inputs
    )


class HeldRun(About):
    """A run at constant temperature, one of those with each temperature and vacancy count."""

    temperature_K: float
    vacancies: int


def held_runs(
    study: Study,
    section: HeldSweep,
    start: tuple[str, str, Mapping[str, Product]],
    *,
    stage: str,
    kind: type[HeldRun],
) -> list[tuple[Task, HeldRun]]:
    """A run at each temperature of a section with each of its vacancy counts.

    Parameters
    ----------
    start : functional, text and inputs of where they start, of ``production_starts``
    kind : of what the tasks are about
    """
    functional, text, inputs = start
    found = []
    for vacancies in section.vacancies:
        for temperature in section.temperatures_K:
            about = kind(functional=functional, temperature_K=temperature, vacancies=vacancies)
            task = held_run(
                study,
                section,
                text=text,
                inputs=inputs,
                temperature_K=temperature,
                vacancies=vacancies,
                seed=derive_seed(study.seed, stage, functional, temperature, vacancies),
                stage=stage,
                label=f"{functional}, {temperature:g} K, {plural(vacancies, 'vacancy')}",
                about=about,
            )
            found.append((task, about))
    return found


def potential_of_run(
    study: Study, products: Products, functional: str, run: int
) -> dict[str, Product]:
    """The potential of a repeated run, as inputs of molecular dynamics: the final one for the
    first, then each member of the committee in turn, so that the scatter of runs holds that of
    potentials.
    """
    members = items_of(products.get(f"committee/{functional}", ()))
    potentials = [ref_of(products[f"final_potential/{functional}"]), *map(ref_of, members)]
    return potential_inputs(study, potentials[run % len(potentials)])


def start_structure(
    study: Study, products: Products, functional: str, phase: str | None = None
) -> tuple[str, dict[str, Product]]:
    """Where runs of a functional start: (text for ``Cell.text``, inputs).

    The relaxed phase, the first where none is given, if the study relaxes; the structure file
    itself otherwise.
    """
    phase = phase or study.phase
    relaxed = products.get(f"structure/{phase}/{functional}")
    if relaxed is None:
        return study.phase_text(phase), {}
    return "", {"structure": relaxed}


def production_starts(
    study: Study,
    products: Products,
    functional: str | None = None,
    phase: str | None = None,
) -> Iterator[tuple[str, str, dict[str, Product]]]:
    """Where production starts with each functional, or with one, whose potential is final:
    (functional, text for ``Cell.text``, inputs). From the first phase where none is given.
    """
    for name in [functional] if functional else study.functionals:
        if f"final_potential/{name}" in products:
            text, start = start_structure(study, products, name, phase)
            potential = ref_of(products[f"final_potential/{name}"])
            yield (
                name,
                text,
                {**potential_inputs(study, potential), **start},
            )


def plural(count: int, noun: str) -> str:
    """``1 vacancy``, ``2 vacancies``, ``0 vacancies``."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("y") else f"{count} {noun}s"


class Training(About):
    """A training of a functional's potential."""

    round: int
    operation: Literal["train"] = "train"


class MemberTraining(About):
    """A training of a member of a functional's committee."""

    member: int
    operation: Literal["train"] = "train"


def train_task(
    study: Study,
    functional: str,
    labels: tuple[Input, ...],
    *,
    stage: str,
    number: int,
    selected: tuple[Input, ...] = (),
    start: Ref | None = None,
    member: int = 0,
) -> Task:
    """Training number ``number`` of a functional on ``labels``, of which some are held out, and on
    all that was ``selected``; of a member of its committee, from 1.

    It starts from the potential ``start`` or from an untrained one.
    """
    which = ("committee", member) if member else ()
    training = study.section(TrainingSet)
    potential = study.section(PotentialSection)
    assert potential is not None and training is not None
    inputs: dict[str, Product] = {"labels": labels}
    if selected:
        inputs["selected"] = selected
    if start is not None:
        inputs["potential"] = start
    settings = potential.training(
        ENGINES[potential.engine].Settings,
        {
            **_held_out(training, labels),
            "validation_fraction": training.validation_fraction,
            "seed": derive_seed(study.seed, "training", functional, *which),
        },
    )
    return make_task(
        potential.engine,
        settings,
        inputs=inputs,
        stage=stage,
        label=f"{functional}, member {member}" if member else f"{functional}, training {number}",
        about=MemberTraining(functional=functional, member=member)
        if member
        else Training(functional=functional, round=number),
        n_atoms=study.n_atoms((1, 1, 1)),
        cores=2,
    )


def _held_out(training: TrainingSet, labels: tuple[Input, ...]) -> HeldOut:
    """What of a training's settings says which labels are held out of its fit."""
    if training.hold_out == "configurations":
        return {"hold_out": training.hold_out}
    names = [(item.run or item.key) if isinstance(item, Ref) else item.sha256 for item in labels]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return {"hold_out": training.hold_out, "runs": tuple(numbers[name] for name in names)}


def select_task(
    study: Study,
    potential: Ref,
    candidates: tuple[Ref, ...],
    *,
    stage: str,
    label: str,
    about: About,
) -> Task:
    """Selection among ``candidates`` of those that ``potential`` should learn, by the engine that
    trained it.
    """
    section = study.section(PotentialSection)
    learning = study.section(ActiveLearning)
    assert section is not None and learning is not None
    state = section.SELECTION
    settings = section.selecting(
        ENGINES[section.engine].Settings, {"max_selected": learning.max_labels_per_round}
    )
    return make_task(
        section.engine,
        settings,
        inputs={"potential": potential, state: Ref(potential.key, state), "candidates": candidates},
        stage=stage,
        label=label,
        about=about,
        n_atoms=study.n_atoms(learning.supercell),
    )


PRODUCTION_GRADE_EVERY = 50
"""Steps between two looks at the extrapolation grade in production, where it guards and does not
search.
"""


def production_grade(study: Study) -> Grade | None:
    """Grade settings of production runs: the thresholds of active learning, watched less often;
    None without active learning.
    """
    section = study.section(ActiveLearning)
    if section is None:
        return None
    return Grade(
        every=PRODUCTION_GRADE_EVERY,
        threshold_save=section.threshold_break,
        threshold_break=section.threshold_break,
    )
