"""Relaxed cells, from the records."""

from __future__ import annotations

from collections.abc import Mapping

from borarun.analysis.functionals import lattice_deviation, phases_below
from borarun.records.frames import Frames
from borarun.records.operations.reference import Relaxed
from borarun.sections.study import Study
from borarun.subjects.common.results import Results
from borarun.subjects.common.source import Done, Source
from borarun.subjects.relax.results import RelaxedCell, RelaxFound
from borarun.subjects.relax.section import Relax
from borarun.subjects.relax.stage import Relaxation

Edges = tuple[float, float, float]


def collect(study: Study, source: Source, results: Results) -> RelaxFound:
    """Relaxed cells and what was measured of them."""
    measured = measured_cells(study, results.cubic)
    return RelaxFound(cells(study, source, measured, results.atoms_per_formula), measured)


def measured_cells(study: Study, cubic: bool) -> dict[str, Edges]:
    """Measured a, b and c of phases, angstrom: those of the study file; of a cubic first phase else
    the published one.
    """
    relax = study.section(Relax)
    if relax is None:
        return {}
    published = study.published.experiment("ordered_lattice_parameter")
    return (
        {study.phase: (published.number,) * 3} if published is not None and cubic else {}
    ) | relax.measured_lattice_A


def cells(
    study: Study, source: Source, measured: Mapping[str, Edges], atoms_per_formula: int
) -> tuple[RelaxedCell, ...]:
    """Relaxed cells in the order of the tasks; energies relative to the study's first phase."""
    found = source.of(Relaxation)
    energies: dict[str, dict[str, float]] = {}
    for done in found:
        energies.setdefault(done.about.functional, {})[done.about.phase] = done.facts(
            Relaxed
        ).energy_eV_per_atom
    return tuple(
        _cell(study, done, energies[done.about.functional], measured, atoms_per_formula)
        for done in found
    )


def _cell(
    study: Study,
    done: Done[Relaxation],
    energies: Mapping[str, float],
    measured: Mapping[str, Edges],
    atoms_per_formula: int,
) -> RelaxedCell:
    asked = study.section(Relax) or Relax()
    phase, facts = done.about.phase, done.facts(Relaxed)
    relative = 1e3 * (energies[phase] - energies[study.phase]) if study.phase in energies else None
    wrong = asked.ground_state is not None and phase in phases_below(energies, asked.ground_state)
    return RelaxedCell(
        phase=phase,
        functional=done.about.functional,
        space_group=facts.space_group,
        formula_units=len(Frames.from_extxyz(study.phase_text(phase))[0]) // atoms_per_formula,
        lattice_A=facts.lattice_A,
        angles_deg=facts.angles_deg,
        volume_A3=facts.volume_A3,
        energy_eV_per_atom=facts.energy_eV_per_atom,
        relative_meV=None if relative is None else relative * atoms_per_formula,
        relative_meV_per_atom=relative,
        max_force_eV_per_A=facts.max_force_eV_per_A,
        below=asked.ground_state or "" if wrong else "",
        deviation_percent=lattice_deviation(facts.lattice_A, measured[phase])
        if phase in measured
        else None,
    )
