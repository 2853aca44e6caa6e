"""From a study, its tasks and its store to `Results`: the only place where the report computes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from ase.formula import Formula
from ruamel.yaml import YAML

from borarun.analysis.bonds import bonded
from borarun.analysis.trajectory import whole_images
from borarun.engines import bundled
from borarun.errors import BorarunError, DamagedError
from borarun.frames import Frames
from borarun.protocol import Study
from borarun.report.collect_diffusion import diffusion, lines, with_phases
from borarun.report.collect_heating import heating, is_slowest, set_temperature
from borarun.report.collect_learning import cells, learning
from borarun.report.collect_phonons import measured_peaks, phonons
from borarun.report.collect_structure import cold_orientation, order_branch
from borarun.report.collect_vibrations import vibrations
from borarun.report.results import Array, Check, OrderBranch, Provenance, Results, Run, StandIn, UnitCell
from borarun.report.source import Source
from borarun.report.trajectory import check, read
from borarun.store import Store
from borarun.structure import find_anions
from borarun.task import Task

SECTIONS = ("relax", "phonons", "training_set", "potential", "active_learning", "heating", "diffusion", "reorientation", "vibrations")
_PREFERRED = ("rev-vdW-DF2", "PBE-D3", "PBE")


def collect(study: Study, tasks: Sequence[Task], store: Store) -> Results:
    """Everything that the report shows, as far as the store has it.

    What is missing, damaged or failed becomes a `Gap` with its reason; nothing missing raises.

    Parameters
    ----------
    study : the study
    tasks : every task of it that is known by now
    store : its records
    """
    lost: dict[str, str] = {}
    while True:
        try:
            return _collect(study, tasks, Source(tasks, store, lost))
        except DamagedError as error:  # seen only where an array is read: all begins anew without this record, so that nothing half read stays
            if error.key in lost:
                raise
            lost[error.key] = str(error)


def _collect(study: Study, tasks: Sequence[Task], source: Source) -> Results:
    hot = heating(study, source)
    moved = diffusion(study, source)
    transport = with_phases(moved.transport, hot.transitions, moved.rotation)
    order, ramp_checks = _ramps(study, source)
    vibrated = vibrations(study, source)
    unit = Formula(study.material.formula).count()
    return Results(
        name=study.name,
        formula=study.material.formula,
        phase=study.phase,
        mobile=study.material.mobile,
        anion=study.material.anion,
        functionals=tuple(study.functionals),
        main_functional=_main_functional(study),
        mobile_per_formula=unit[study.material.mobile],
        supercell=study.supercell,
        n_atoms=study.n_atoms(study.supercell if study.heating or study.diffusion or study.vibrations else (1, 1, 1)),
        reference=study.reference.engine,
        level=study.potential.level if study.potential is not None else None,
        sections=frozenset(name for name in SECTIONS if getattr(study, name) is not None),
        cubic=_cubic(study),
        unit_cell=_unit_cell(study),
        warnings=tuple(study.warnings),
        stand_ins=_stand_ins(study),
        cells=cells(study, source, sum(unit.values())),
        measured_cells_A=study.relax.measured_A if study.relax is not None else {},
        phonons=phonons(study, source, sum(unit.values())),
        measured_peaks_meV=measured_peaks(study),
        learning=tuple(learning(source, functional) for functional in study.functionals) if study.potential is not None else (),
        branches=hot.branches,
        transitions=hot.transitions,
        lattice=hot.lattice,
        transport=transport,
        arrhenius=lines(transport),
        rotation=moved.rotation,
        local=moved.local,
        order=order,
        vibrations=vibrated.spectra,
        checks=(*ramp_checks, *moved.checks, *vibrated.checks),
        published=study.published,
        gaps=tuple(source.gaps),
        provenance=_provenance(study, tasks, source),
    )


def _unit_cell(study: Study) -> UnitCell:
    atoms = Frames.from_extxyz(study.phase_text(study.phase))[0]
    anions, cell = find_anions(atoms, study.material.anion, study.material.mobile), atoms.cell.array
    positions = atoms.positions + whole_images(atoms.positions, anions, cell) @ cell
    bonds = bonded(positions, anions, atoms.numbers)
    return UnitCell(tuple(atoms.symbols), positions, cell, bonds)


def _main_functional(study: Study) -> str:
    if study.diffusion is not None and study.diffusion.functional is not None:
        return study.diffusion.functional
    return next(functional for functional in _PREFERRED if functional in study.functionals)


def _stand_ins(study: Study) -> tuple[StandIn, ...]:
    """What the bundled reference says of itself."""
    if study.reference.engine != bundled.NAME:
        return ()
    made = []
    for functional in study.functionals:
        if functional in bundled.POTENTIALS:
            record = bundled.record(functional)
            errors = record["errors"]["valid"]
            made.append(
                StandIn(
                    functional=functional,
                    statement=record["statement"],
                    level=record["level"],
                    n_train=record["n_train"],
                    n_valid=record["n_valid"],
                    energy_meV_per_atom=errors["energy_meV_per_atom"],
                    forces_eV_per_A=errors["forces_eV_per_A"],
                    stress_kbar=errors["stress_kbar"],
                    lattice_300K_A=record["lattice_parameter_300K_A"],
                )
            )
    return tuple(made)


def _cubic(study: Study) -> bool:
    """Whether the first phase has equal edges and right angles."""
    cell = Frames.from_extxyz(study.phase_text(study.phase))[0].cell.cellpar()
    return bool(np.ptp(cell[:3]) < 1e-3 * cell[0] and np.abs(cell[3:] - 90).max() < 0.1)


def _ramps(study: Study, source: Source) -> tuple[tuple[OrderBranch, ...], tuple[Check, ...]]:
    """Checks of every ramp, and order on the slowest ones. Orientations are compared with the cold start of the heating run of the same cell."""
    checks: list[Check] = []
    order: list[OrderBranch] = []
    cold: dict[tuple[str, int], Array] = {}
    for done in source.of("heating"):
        branch, group = done.about("branch"), (done.about("functional"), done.about("vacancies"))
        try:
            run = read(study, source, done, branch, toroidal=False)
        except BorarunError as error:
            source.unusable(done, f"its trajectory cannot be used: {error}")
            continue
        if run is None:
            continue
        checks.append(check(done, run, constant=False))
        if not is_slowest(source, done) or not checks[-1].intact or run.anions.shape[1] == 1:  # a single atom has no orientation
            continue
        if branch == "heating":
            cold[group] = cold_orientation(run)
        if group in cold:
            order.append(order_branch(done, run, set_temperature(done, source.store.array(done.key, "step")), cold[group]))
    return tuple(order), tuple(checks)


def _provenance(study: Study, tasks: Sequence[Task], source: Source) -> Provenance:
    text = io.StringIO()
    YAML().dump(study.model_dump(mode="json", by_alias=True, exclude_none=True), text)
    runs = tuple(Run(d.task.stage, d.task.label, d.task.engine, d.task.version, d.task.settings.get("seed"), d.key) for d in source.done)
    notes = [source.store.attributes(done.key)["provenance"] for done in source.done]
    starts = [datetime.fromisoformat(note["started"]) for note in notes if "started" in note]
    ends = [start + timedelta(seconds=note.get("seconds", 0.0)) for start, note in zip(starts, notes, strict=False)]
    versions = {f"engine {task.engine}": task.version for task in tasks}
    for name in {done.task.engine for done in source.done}:
        if told := sorted({str(done.facts["program"]) for done in source.done if done.task.engine == name and done.facts.get("program")}):
            versions[f"program of {name}"] = ", ".join(told)
    ours = sorted({note["borarun"] for note in notes if "borarun" in note})
    return Provenance(
        study=text.getvalue(),
        versions={**({"borarun": ", ".join(ours)} if ours else {}), **dict(sorted(versions.items()))},
        runs=runs,
        started=min(starts).isoformat(sep=" ", timespec="minutes") if starts else "",
        ended=max(ends).isoformat(sep=" ", timespec="minutes") if ends else "",
    )
