"""What the operations of all engines leave in a record: one frozen class an operation."""

from __future__ import annotations

from borarun.records.operations.base import Facts
from borarun.records.operations.dynamics import MolecularDynamics
from borarun.records.operations.examination import Examined
from borarun.records.operations.phonons import Displaced, HarmonicPhonons
from borarun.records.operations.potential import Selected, Trained
from borarun.records.operations.reference import Labelled, Relaxed, Sampled

OPERATIONS: tuple[type[Facts], ...] = (
    Relaxed,
    Labelled,
    Sampled,
    Trained,
    Selected,
    Examined,
    MolecularDynamics,
    Displaced,
    HarmonicPhonons,
)
"""Every operation. To add one: a class, a line here; DESIGN.md's table is made from it."""
