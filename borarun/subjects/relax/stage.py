"""Relaxation of every phase with every functional: lattice parameters and relative energies."""

from __future__ import annotations

from borarun.records.task import About, Ref
from borarun.sections.study import Study
from borarun.structures.structure import Cell
from borarun.subjects.common.stage import Expansion, Product, Products, Records, reference_task
from borarun.subjects.relax.section import Relax

NAME = "relax"


class Relaxation(About):
    """A phase with a functional."""

    phase: str


def expand(study: Study, products: Products, records: Records, *, forecast: bool) -> Expansion:
    """One task a phase and functional; products ``structure/PHASE/FUNCTIONAL``."""
    section = study.section(Relax)
    if section is None:
        return Expansion()
    tasks = []
    structures: dict[str, Product] = {}
    for functional in study.functionals:
        for phase in study.material.phases:
            task = reference_task(
                study,
                {
                    "operation": "relax",
                    "functional": functional,
                    "cell": Cell(text=study.phase_text(phase)),
                    "fmax_eV_per_A": section.max_force_eV_per_A,
                    "max_steps": section.max_steps,
                },
                stage=NAME,
                label=f"{phase} with {functional}",
                about=Relaxation(functional=functional, phase=phase),
                n_atoms=study.n_atoms((1, 1, 1)),
            )
            tasks.append(task)
            structures[f"structure/{phase}/{functional}"] = Ref(task.key, "structure")
    return Expansion(tuple(tasks), structures)
