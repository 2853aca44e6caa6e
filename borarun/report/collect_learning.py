"""Relaxed cells and the making of the potential, from the records."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from borarun.analysis.functionals import lattice_deviation, phases_below
from borarun.frames import Frames
from borarun.protocol import Relax, Study
from borarun.report.results import Array, Errors, Exploration, Learning, Parity, RelaxedCell, Round, Training
from borarun.report.source import Done, Source
from borarun.report.style import thin
from borarun.task import Json
from borarun.units import EV_PER_A3_IN_KBAR, FS_PER_PS

PARITY_POINTS = 3000


def cells(study: Study, source: Source, atoms_per_formula: int) -> tuple[RelaxedCell, ...]:
    """Relaxed cells in the order of the tasks; energies relative to the study's first phase."""
    found = source.of("relax")
    energies: dict[str, dict[str, float]] = {}
    for done in found:
        energies.setdefault(done.about("functional"), {})[done.about("phase")] = done.facts["energy_eV_per_atom"]
    return tuple(_cell(study, done, energies[done.about("functional")], atoms_per_formula) for done in found)


def _cell(study: Study, done: Done, energies: Mapping[str, float], atoms_per_formula: int) -> RelaxedCell:
    asked = study.relax or Relax()
    phase, facts = done.about("phase"), done.facts
    relative = 1e3 * (energies[phase] - energies[study.phase]) if study.phase in energies else None
    wrong = asked.ground_state is not None and phase in phases_below(energies, asked.ground_state)
    measured = asked.measured_A.get(phase)
    return RelaxedCell(
        phase=phase,
        functional=done.about("functional"),
        space_group=facts["space_group"],
        formula_units=len(Frames.from_extxyz(study.phase_text(phase))[0]) // atoms_per_formula,
        lattice_A=tuple(facts["lattice_A"]),
        angles_deg=tuple(facts["angles_deg"]),
        volume_A3=facts["volume_A3"],
        energy_eV_per_atom=facts["energy_eV_per_atom"],
        relative_meV=None if relative is None else relative * atoms_per_formula,
        relative_meV_per_atom=relative,
        max_force_eV_per_A=facts["max_force_eV_per_A"],
        below=asked.ground_state or "" if wrong else "",
        deviation_percent=None if measured is None else lattice_deviation(facts["lattice_A"], measured),
    )


def learning(source: Source, functional: str) -> Learning:
    """How the potential of a functional came to be, as far as it did."""
    trained = source.of("potential", functional=functional) + source.of("active_learning", functional=functional, operation="train")
    trained.sort(key=lambda d: d.about("round"))
    trainings = tuple(_training(d) for d in trained)
    numbers = sorted({d.about("round") for d in source.of("active_learning", functional=functional) if d.about("operation") == "explore"})
    by_number = {training.number: training for training in trainings}
    return Learning(
        functional=functional,
        n_initial=sum(d.facts["n_labels"] for d in source.of("training_set", functional=functional)),
        n_pushed=sum(d.facts["n_labels"] for d in source.of("training_set", functional=functional, operation="contacts")),
        trainings=trainings,
        rounds=tuple(_round(source, functional, number, by_number) for number in numbers),
        parity=_parity(source, trained[-1]) if trained else None,
    )


def _training(done: Done) -> Training:
    facts = done.facts
    return Training(
        functional=done.about("functional"),
        number=done.about("round"),
        n_train=facts["n_train"],
        n_valid=facts["n_valid"],
        level=facts["level"],
        n_parameters=facts["n_parameters"],
        evaluations=facts["evaluations"],
        train=_errors(facts["errors"]["train"]),
        valid=_errors(facts["errors"]["valid"]),
        ranges={name: (low, high) for name, (low, high) in facts["ranges"].items()},
    )


def _errors(facts: Mapping[str, Json]) -> Errors:
    return Errors(facts["energy_meV_per_atom"], facts["forces_eV_per_A"], facts["stress_kbar"])


def _round(source: Source, functional: str, number: int, trainings: Mapping[int, Training]) -> Round:
    def facts(operation: str, name: str) -> int | None:
        found = source.of("active_learning", functional=functional, round=number, operation=operation)
        return sum(int(d.facts[name]) for d in found) if found else None

    explorations = tuple(exploration(source, d) for d in source.of("active_learning", functional=functional, round=number, operation="explore"))
    before, after = trainings.get(number), trainings.get(number + 1)
    return Round(
        functional=functional,
        round=number,
        explorations=explorations,
        n_candidates=sum(run.n_candidates for run in explorations),
        n_selected=facts("select", "n_selected"),
        n_labelled=facts("label", "n_labels"),
        before=before.valid if before else None,
        after=after.valid if after else None,
    )


def exploration(source: Source, done: Done) -> Exploration:
    """A finished exploration with its grades against time."""
    settings, facts = done.task.settings, done.facts
    steps, values = source.store.array(done.key, "grade/step"), source.store.array(done.key, "grade/value")
    time_ps, grade = peaks(steps * settings["timestep_fs"] / FS_PER_PS, values)
    return Exploration(
        functional=done.about("functional"),
        round=done.about("round"),
        vacancies=done.about("vacancies"),
        run=done.about("run"),
        stop=facts["stop"],
        time_ps=facts["time_fs"] / FS_PER_PS,
        planned_ps=sum(segment["time_ps"] for segment in settings["segments"]),
        grade_max=facts["grade_max"],
        n_candidates=facts["n_candidates"],
        grade_time_ps=time_ps,
        grade=grade,
        threshold_save=settings["grade"]["threshold_save"],
        threshold_break=settings["grade"]["threshold_break"],
    )


def peaks(x: Array, y: Array, most: int = 500) -> tuple[Array, Array]:
    """A series thinned to ``most`` points without losing a peak: the largest value of each stretch, where it stands."""
    if len(x) <= most:
        return x, y
    starts = thin(len(x), most)
    places = [start + int(np.argmax(y[start:end])) for start, end in zip(starts, [*starts[1:], len(x)], strict=True)]
    return x[places], y[places]


def _parity(source: Source, done: Done) -> Parity:
    energy, forces, stress = (_parity_points(source, done, name) for name in ("energy", "forces", "stress"))
    return Parity(done.about("functional"), energy, forces, stress)


def _parity_points(source: Source, done: Done, name: str) -> Array:
    """(2, n) in the report's units, at most ``PARITY_POINTS`` of them, drawn with a fixed seed."""
    item = f"parity/{name}"
    values = source.store.array(done.key, item).reshape(2, -1)
    if source.store.unit(done.key, item) == "eV/angstrom^3":
        values = values * EV_PER_A3_IN_KBAR
    if values.shape[1] <= PARITY_POINTS:
        return values
    return values[:, np.sort(np.random.default_rng(1).choice(values.shape[1], PARITY_POINTS, replace=False))]
