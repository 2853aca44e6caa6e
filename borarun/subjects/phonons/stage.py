"""Phonons of the relaxed phases: displace atoms, have the reference engine give the forces, find
the frequencies.
"""

from __future__ import annotations

import math
from typing import Literal

from borarun.basics.units import THZ_IN_MEV
from borarun.engines.phonopy import engine as phonopy
from borarun.engines.phonopy.engine import count_displacements
from borarun.records.operations.phonons import Displaced
from borarun.records.task import About, Ref, Task
from borarun.sections.study import Study
from borarun.subjects.common.stage import (
    Expansion,
    Product,
    Products,
    Records,
    make_task,
    reference_task,
)
from borarun.subjects.phonons.section import Phonons

NAME = "phonons"


class Displacements(About):
    """The displacements of a phase."""

    phase: str
    operation: Literal["displace"] = "displace"


class Forces(About):
    """A part of the forces of the displacements."""

    phase: str
    operation: Literal["label"] = "label"
    part: int


class Frequencies(About):
    """The frequencies that follow from the forces."""

    phase: str
    operation: Literal["phonons"] = "phonons"


def expand(study: Study, products: Products, records: Records, *, forecast: bool) -> Expansion:
    """The tasks of every functional and phase; the forces are asked for once it is known how many
    displacements there are.
    """
    section = study.section(Phonons)
    if section is None:
        return Expansion()
    tasks: list[Task] = []
    waiting: list[str] = []
    for functional in study.functionals:
        for phase in section.phases or (study.phase,):
            structure = products[f"structure/{phase}/{functional}"]
            displace = _task(study, "displace", phase, functional, {"structure": structure})
            tasks.append(displace)
            record = records.get(displace.key)
            if record is not None and record.done:
                count = record.facts(Displaced).n_displacements
            elif forecast:
                count = count_displacements(study.phase_text(phase), section.supercell)
            else:
                waiting.append(f"{phase} with {functional}")
                continue
            labels = _labels(study, displace, phase, functional, count)
            tasks += labels
            forces = tuple(Ref(label.key, "labels") for label in labels)
            tasks.append(
                _task(
                    study, "phonons", phase, functional, {"structure": structure, "labels": forces}
                )
            )
    return Expansion(
        tuple(tasks),
        {},
        f"waiting for the displacements of {', '.join(waiting)}" if waiting else "",
    )


def _task(
    study: Study,
    operation: Literal["displace", "phonons"],
    phase: str,
    functional: str,
    inputs: dict[str, Product],
) -> Task:
    section = study.section(Phonons)
    assert section is not None
    settings = phonopy.Settings(
        operation=operation, supercell=section.supercell, displacement_A=section.displacement_A
    )
    if operation == "phonons":
        settings = phonopy.Settings(
            operation=operation,
            supercell=section.supercell,
            displacement_A=section.displacement_A,
            mesh=section.mesh,
            width_THz=section.width_meV / THZ_IN_MEV,
            path=section.band_path or "",
            temperatures_K=section.temperatures_K,
        )
    about = Displacements if operation == "displace" else Frequencies
    return make_task(
        "phonopy",
        settings,
        inputs=inputs,
        stage=NAME,
        label=f"{phase} with {functional}, "
        f"{'displacements' if operation == 'displace' else 'frequencies'}",
        about=about(functional=functional, phase=phase),
        n_atoms=study.n_atoms(section.supercell),
    )


def _labels(study: Study, displace: Task, phase: str, functional: str, count: int) -> list[Task]:
    section = study.section(Phonons)
    assert section is not None
    parts = math.ceil(count / study.reference.labels_per_task)
    return [
        reference_task(
            study,
            {"operation": "label", "functional": functional, "part": (part, parts)},
            inputs={"frames": Ref(displace.key, "displaced")},
            stage=NAME,
            label=f"{phase} with {functional}, forces {part + 1} of {parts}",
            about=Forces(functional=functional, phase=phase, part=part),
            n_atoms=study.n_atoms(section.supercell) * math.ceil(count / parts),
        )
        for part in range(parts)
    ]
