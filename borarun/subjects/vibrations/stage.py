"""Vibrations: a short run at each temperature whose frames are dense enough for the fastest of
them.
"""

from __future__ import annotations

from borarun.sections.study import Study
from borarun.subjects.common.stage import (
    Expansion,
    HeldRun,
    Products,
    Records,
    held_runs,
    production_starts,
)
from borarun.subjects.vibrations.section import Vibrations

NAME = "vibrations"


class VibrationsRun(HeldRun):
    """A short run with dense frames."""


def expand(study: Study, products: Products, records: Records, *, forecast: bool) -> Expansion:
    """One run a functional, temperature and vacancy count."""
    section = study.section(Vibrations)
    if section is None:
        return Expansion()
    return Expansion(
        tuple(
            task
            for start in production_starts(study, products, section.functional)
            for task, _ in held_runs(study, section, start, stage=NAME, kind=VibrationsRun)
        )
    )
