"""The unit cell that molecular dynamics starts from, and densities of ions in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from borarun.analysis.bonds import bonded
from borarun.analysis.trajectory import whole_images
from borarun.records.frames import Frames
from borarun.report.measured import DRAWN_ONLY, Array
from borarun.sections.study import Study
from borarun.structures.structure import find_anions


@dataclass(frozen=True)
class UnitCell:
    """The structure that molecular dynamics starts from, its anions in one piece.

    Attributes
    ----------
    symbols : (N,) elements
    positions : (N, 3) angstrom
    vectors : (3, 3) angstrom, rows are the cell's vectors
    bonds : (B, 2) int, bonded atoms
    single : elements of the framework's atoms that are in no anion
    """

    symbols: tuple[str, ...]
    positions: Array
    vectors: Array
    bonds: Array
    single: tuple[str, ...]


@dataclass(frozen=True)
class DensityMap:
    """Density of the mobile ions in the unit cell whose corner is an anion, or an atom of the
    framework.

    Attributes
    ----------
    cell : (3, 3) angstrom, the mean unit cell
    projection : (n, m) along c, ions per angstrom^2
    section : (n, k) plane that a + b and c span, ions per angstrom^3
    values : (n, m, k) ions per angstrom^3; not among the JSON values
    total : ions in the unit cell
    voxel_A, smoothed_A : longest edge of a voxel, and standard deviation of the Gaussian that both
        were smoothed by
    mark : what a point that the sites lie between is called: ``anion``, or ``framework`` where not
        all of them are molecules
    sites : kind -> (s, 3) scaled coordinates in the unit cell, with these points under ``mark``
    """

    cell: Array
    projection: Array
    section: Array
    total: float
    voxel_A: float
    smoothed_A: float
    mark: str
    sites: Mapping[str, Array]
    values: Array = field(metadata=DRAWN_ONLY)


def unit_cell(study: Study) -> UnitCell:
    """The first phase, its anions in one piece; bonds are drawn within them."""
    atoms = Frames.from_extxyz(study.phase_text(study.phase))[0]
    anions = [
        anion
        for kind in find_anions(atoms, study.material.anions, study.material.ions)
        for anion in kind
    ]
    cell = atoms.cell.array
    positions = atoms.positions + whole_images(atoms.positions, anions, cell) @ cell
    bonds = bonded(positions, anions, atoms.numbers)
    rest = np.isin(np.array(atoms.get_chemical_symbols()), study.material.ions, invert=True)
    rest[np.concatenate([[], *anions]).astype(int)] = False
    single = tuple(dict.fromkeys(atoms[rest].get_chemical_symbols()))
    return UnitCell(tuple(atoms.symbols), positions, cell, bonds, single)
