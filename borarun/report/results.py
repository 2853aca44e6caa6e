"""What a study found, as plain values: figures, tables, the page and ``results.json`` are all made
from this. One module a subject.

Curves are already thinned for drawing; the full arrays stay in the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from math import isfinite
from typing import Any

import numpy as np
from pydantic import BaseModel

from borarun.published import Published
from borarun.report.checks.results import Check
from borarun.report.measured import DRAWN_ONLY
from borarun.report.provenance.results import Gap, Provenance
from borarun.report.structure.results import LocalStructure, OrderBranch, UnitCell
from borarun.subjects.diffusion.results import ArrheniusLine, Transport
from borarun.subjects.heating.results import Branch, LatticePoint, Transition
from borarun.subjects.phonons.results import Phonons
from borarun.subjects.potential.results import Learning, StandIn
from borarun.subjects.relax.results import RelaxedCell
from borarun.subjects.reorientation.results import Rotation
from borarun.subjects.vibrations.results import Vibrations
from borarun.task import Json


@dataclass(frozen=True)
class Results:
    """Everything that the report shows.

    Attributes
    ----------
    main_functional : the one that the key numbers are for
    mobile_per_formula : mobile ions in one formula unit
    units_a_cell : formula units in the unit cell
    n_atoms : of the supercell before vacancies
    reference : name of the reference engine
    potential : what kind it is, e.g. ``moment tensor potential of level 20``; empty without one
    sections : of the study file
    cubic : whether the first phase is cubic, so that one lattice parameter says it all
    unit_cell : the first phase
    warnings : of the study file
    measured_cells_A : measured lattice parameters of phases, from the study file or published
    measured_peaks_meV : measured vibrational peaks, from the study file
    """

    name: str
    formula: str
    phase: str
    mobile: str
    anion: str
    functionals: tuple[str, ...]
    main_functional: str
    mobile_per_formula: int
    units_a_cell: int
    supercell: tuple[int, int, int]
    n_atoms: int
    reference: str
    potential: str
    sections: frozenset[str]
    cubic: bool
    unit_cell: UnitCell
    warnings: tuple[str, ...] = ()
    stand_ins: tuple[StandIn, ...] = ()
    cells: tuple[RelaxedCell, ...] = ()
    measured_cells_A: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    phonons: tuple[Phonons, ...] = ()
    measured_peaks_meV: tuple[float, ...] = ()
    learning: tuple[Learning, ...] = ()
    branches: tuple[Branch, ...] = ()
    transitions: tuple[Transition, ...] = ()
    lattice: tuple[LatticePoint, ...] = ()
    transport: tuple[Transport, ...] = ()
    arrhenius: tuple[ArrheniusLine, ...] = ()
    rotation: tuple[Rotation, ...] = ()
    local: tuple[LocalStructure, ...] = ()
    order: tuple[OrderBranch, ...] = ()
    vibrations: tuple[Vibrations, ...] = ()
    checks: tuple[Check, ...] = ()
    published: Published = field(default_factory=lambda: Published({}))
    gaps: tuple[Gap, ...] = ()
    provenance: Provenance = field(default_factory=lambda: Provenance("", {}, ()))

    def missing(self, *stages: str) -> tuple[Gap, ...]:
        """Tasks of ``stages`` without a result."""
        return tuple(gap for gap in self.gaps if gap.stage in stages)

    def to_json(self) -> Json:
        """The same as JSON values; what is not a finite number becomes None."""
        return _json(self)


def _json(value: Any) -> Json:
    if isinstance(value, BaseModel):
        return _json(value.model_dump(exclude_defaults=True))
    if is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: _json(getattr(value, f.name)) for f in fields(value) if f.metadata != DRAWN_ONLY
        }
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _json(value.tolist())
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, np.generic):
        return _json(value.item())
    if isinstance(value, float):
        return float(f"{value:.8g}") if isfinite(value) else None
    return value
