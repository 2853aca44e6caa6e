"""From a study, its tasks and its store to `Results`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from ase.formula import Formula

from borarun.basics.errors import DamagedError
from borarun.engines.potential.base import PotentialSection
from borarun.input.messages import Section
from borarun.page.provenance.collect import provenance
from borarun.records.frames import Frames
from borarun.records.store import Store
from borarun.records.task import Task
from borarun.report import text
from borarun.sections.study import Study
from borarun.subjects import PRODUCTION, SUBJECTS
from borarun.subjects.common.results import Results
from borarun.subjects.common.source import Source
from borarun.subjects.common.unit_cell import unit_cell
from borarun.subjects.common.verdicts import Verdicts

_PREFERRED = ("rev-vdW-DF2", "PBE-D3", "PBE")


def collect(study: Study, tasks: Sequence[Task], store: Store) -> Results:
    """Everything that the report shows, as far as the store has it.

    What is missing, damaged or failed becomes a `Gap` with its reason; nothing missing raises.
    Whether finished production runs can be used is kept in the store (`Verdicts`).

    Parameters
    ----------
    study : the study
    tasks : every task of it that is known by now
    store : its records
    """
    lost: dict[str, str] = {}
    while True:
        try:
            return _collect(study, tasks, Source(tasks, store, lost, whole=True))
        # seen only where an array is read: all begins anew without this record, so that nothing
        # half read stays
        except DamagedError as error:
            if error.key in lost:
                raise
            lost[error.key] = str(error)


def _collect(study: Study, tasks: Sequence[Task], source: Source) -> Results:
    potential = study.section(PotentialSection)
    present = {name for name, _ in study.sections(Section)}
    asked = [subject for subject in SUBJECTS if subject.name in present]
    unit = Formula(study.material.formula).count()
    results = Results(
        name=study.name,
        formula=study.material.formula,
        phase=study.phase,
        mobile=text.listed(list(study.material.ions)),
        ions=study.material.ions,
        anions=study.material.anions,
        functionals=tuple(study.functionals),
        main_functional=_main_functional(study),
        atoms_per_formula=sum(unit.values()),
        mobile_per_formula=unit[study.material.vacancy_ion],
        units_a_cell=study.formula_units((1, 1, 1)),
        supercell=study.supercell,
        n_atoms=study.n_atoms(study.supercell if PRODUCTION & present else (1, 1, 1)),
        reference=study.reference.engine,
        stand_in=study.reference.stand_in(text.listed(list(study.functionals))),
        potential=potential.title if potential is not None else "",
        is_fitted=potential is not None and potential.IS_FITTED,
        sections=frozenset(subject.name for subject in asked),
        cubic=_cubic(study),
        unit_cell=unit_cell(study),
        warnings=tuple(study.warnings),
        published=study.published,
        provenance=provenance(study, tasks, source),
    )
    for subject in asked:
        part = subject.part("collect")
        if part is not None:
            results = results.having(part.collect(study, source, results))
    verdicts = Verdicts(study, source.store)
    for key, failure in source.verdicts.items():
        verdicts.keep(key, failure)
    return replace(results, checks=tuple(source.checks), gaps=tuple(source.gaps))


def _main_functional(study: Study) -> str:
    """The functional that a section asks for alone, else the first of the preferred, else the
    first.
    """
    alone = (getattr(section, "functional", None) for _, section in study.sections(Section))
    preferred = (functional for functional in _PREFERRED if functional in study.functionals)
    return next(filter(None, alone), None) or next(preferred, study.functionals[0])


def _cubic(study: Study) -> bool:
    """Whether the first phase has equal edges and right angles."""
    cell = Frames.from_extxyz(study.phase_text(study.phase))[0].cell.cellpar()
    return bool(np.ptp(cell[:3]) < 1e-3 * cell[0] and np.abs(cell[3:] - 90).max() < 0.1)
