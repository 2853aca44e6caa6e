"""From a study, its tasks and its store to `Results`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.formula import Formula

from borarun.engines.potential.base import PotentialSection
from borarun.errors import DamagedError
from borarun.frames import Frames
from borarun.report.provenance.collect import provenance
from borarun.report.results import Results
from borarun.report.source import Source
from borarun.report.structure.collect import unit_cell
from borarun.store import Store
from borarun.study import Study
from borarun.subjects.diffusion.arrhenius import lines, with_phases
from borarun.subjects.diffusion.collect import diffusion
from borarun.subjects.diffusion.section import Diffusion
from borarun.subjects.heating.collect import heating
from borarun.subjects.heating.order import ramps
from borarun.subjects.heating.section import Heating
from borarun.subjects.phonons.collect import measured_peaks, phonons
from borarun.subjects.potential.collect import learning, stand_ins
from borarun.subjects.relax.collect import cells, measured_cells
from borarun.subjects.vibrations.collect import vibrations
from borarun.subjects.vibrations.section import Vibrations
from borarun.task import Task

SECTIONS = (
    "relax",
    "phonons",
    "training_set",
    "potential",
    "active_learning",
    "heating",
    "diffusion",
    "reorientation",
    "vibrations",
)
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
        # seen only where an array is read: all begins anew without this record, so that nothing
        # half read stays
        except DamagedError as error:
            if error.key in lost:
                raise
            lost[error.key] = str(error)


def _collect(study: Study, tasks: Sequence[Task], source: Source) -> Results:
    potential = study.section(PotentialSection)
    hot = heating(study, source)
    moved = diffusion(study, source)
    transport = with_phases(moved.transport, hot.transitions, moved.rotation)
    order, ramp_checks = ramps(study, source)
    vibrated = vibrations(study, source)
    unit = Formula(study.material.formula).count()
    cubic = _cubic(study)
    measured = measured_cells(study, cubic)
    return Results(
        name=study.name,
        formula=study.material.formula,
        phase=study.phase,
        mobile=study.material.mobile,
        anion=study.material.anion,
        functionals=tuple(study.functionals),
        main_functional=_main_functional(study),
        mobile_per_formula=unit[study.material.mobile],
        units_a_cell=study.formula_units((1, 1, 1)),
        supercell=study.supercell,
        n_atoms=study.n_atoms(
            study.supercell
            if study.section(Heating) or study.section(Diffusion) or study.section(Vibrations)
            else (1, 1, 1)
        ),
        reference=study.reference.engine,
        potential=potential.title if potential is not None else "",
        sections=frozenset(name for name in SECTIONS if getattr(study, name) is not None),
        cubic=cubic,
        unit_cell=unit_cell(study),
        warnings=tuple(study.warnings),
        stand_ins=stand_ins(study),
        cells=cells(study, source, measured, sum(unit.values())),
        measured_cells_A=measured,
        phonons=phonons(study, source, sum(unit.values())),
        measured_peaks_meV=measured_peaks(study),
        learning=tuple(learning(study, source, functional) for functional in study.functionals)
        if potential is not None
        else (),
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
        provenance=provenance(study, tasks, source),
    )


def _main_functional(study: Study) -> str:
    diffusion = study.section(Diffusion)
    if diffusion is not None and diffusion.functional is not None:
        return diffusion.functional
    return next(functional for functional in _PREFERRED if functional in study.functionals)


def _cubic(study: Study) -> bool:
    """Whether the first phase has equal edges and right angles."""
    cell = Frames.from_extxyz(study.phase_text(study.phase))[0].cell.cellpar()
    return bool(np.ptp(cell[:3]) < 1e-3 * cell[0] and np.abs(cell[3:] - 90).max() < 0.1)
