"""What a study found, as plain values: figures, tables, the page and ``results.json`` are all made
from this. What belongs to one subject is in the subject's own folder.

Curves are already thinned for drawing; the full arrays stay in the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from math import isfinite
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, JsonValue

from borarun.published import Published
from borarun.report.checks import Check
from borarun.report.measured import DRAWN_ONLY
from borarun.report.provenance import Gap, Provenance
from borarun.subjects import PRODUCTION
from borarun.subjects.common.unit_cell import UnitCell

Found = TypeVar("Found")

GIVEN = "given"
"""Stands for the reference where borarun ran nothing."""


@dataclass(frozen=True)
class Results:
    """Everything that the report shows.

    Attributes
    ----------
    main_functional : the one that the key numbers are for
    mobile : elements of the mobile ions in words, e.g. ``Li and Na``
    ions, anions : elements of all mobile ions, and formulas of the molecular anions
    atoms_per_formula : atoms in one formula unit
    mobile_per_formula : mobile ions in one formula unit
    units_a_cell : formula units in the unit cell
    n_atoms : of the supercell before vacancies
    reference : name of the reference engine
    stand_in : what computed instead of DFT, in words; empty where DFT did
    potential : what kind it is, in words; empty without one
    is_fitted : whether it was fitted to the reference's labels
    sections : of the study file
    cubic : whether the first phase is cubic, so that one lattice parameter says it all
    unit_cell : the first phase
    warnings : of the study file
    found : what each subject found, an object of its own class each
    checks : whether the framework held, run by run
    """

    name: str
    formula: str
    phase: str
    mobile: str
    ions: tuple[str, ...]
    anions: tuple[str, ...]
    functionals: tuple[str, ...]
    main_functional: str
    atoms_per_formula: int
    mobile_per_formula: int
    units_a_cell: int
    supercell: tuple[int, int, int]
    n_atoms: int
    reference: str
    stand_in: str
    potential: str
    is_fitted: bool
    sections: frozenset[str]
    cubic: bool
    unit_cell: UnitCell
    warnings: tuple[str, ...] = ()
    found: tuple[Any, ...] = ()
    checks: tuple[Check, ...] = ()
    published: Published = field(default_factory=lambda: Published({}))
    gaps: tuple[Gap, ...] = ()
    provenance: Provenance = field(default_factory=lambda: Provenance("", {}, ()))

    def missing(self, *stages: str) -> tuple[Gap, ...]:
        """Tasks of ``stages`` without a result."""
        return tuple(gap for gap in self.gaps if gap.stage in stages)

    def of(self, kind: type[Found]) -> Found:
        """What a subject found, e.g. ``results.of(HeatingFound)``; an empty one where the study
        does not have the subject.
        """
        return next((each for each in self.found if isinstance(each, kind)), kind())

    def having(self, found: object) -> Results:
        """These results with what a subject found, in place of what it had found."""
        others = tuple(each for each in self.found if type(each) is not type(found))
        return replace(self, found=(*others, found))

    @property
    def molecular(self) -> bool:
        """Whether the framework is molecular anions and nothing else."""
        return not self.unit_cell.single

    @property
    def produces(self) -> bool:
        """Whether the study has runs in its supercell."""
        return bool(PRODUCTION & self.sections)

    def to_json(self) -> JsonValue:
        """The same as JSON values; what is not a finite number becomes None."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "found"}
        for found in self.found:
            values |= {
                f.name: getattr(found, f.name) for f in fields(found) if f.metadata != DRAWN_ONLY
            }
        return _json(values)


def _json(value: Any) -> JsonValue:
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
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"{type(value).__name__} is no JSON value")
