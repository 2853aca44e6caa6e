"""The unit cell that molecular dynamics starts from, and densities of ions in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from borarun.analysis.bonds import bonded
from borarun.analysis.trajectory import whole_images
from borarun.frames import Frames
from borarun.report.measured import DRAWN_ONLY, Array
from borarun.structure import find_anions
from borarun.study import Study


@dataclass(frozen=True)
class UnitCell:
    """The structure that molecular dynamics starts from, its anions in one piece.

    Attributes
    ----------
    symbols : (N,) elements
    positions : (N, 3) angstrom
    vectors : (3, 3) angstrom, rows are the cell's vectors
    bonds : (B, 2) int, bonded atoms
    """

    symbols: tuple[str, ...]
    positions: Array
    vectors: Array
    bonds: Array


@dataclass(frozen=True)
class DensityMap:
    """Density of the mobile ions in the unit cell whose corner is an anion.

    Attributes
    ----------
    cell : (3, 3) angstrom, the mean unit cell
    projection : (n, m) along c, ions per angstrom^2
    section : (n, k) plane that a + b and c span, ions per angstrom^3
    values : (n, m, k) ions per angstrom^3; not among the JSON values
    total : ions in the unit cell
    voxel_A, smoothed_A : longest edge of a voxel, and standard deviation of the Gaussian that both
        were smoothed by
    sites : kind -> (s, 3) scaled coordinates in the unit cell, with the anions' centres under
        ``anion``
    """

    cell: Array
    projection: Array
    section: Array
    total: float
    voxel_A: float
    smoothed_A: float
    sites: Mapping[str, Array]
    values: Array = field(metadata=DRAWN_ONLY)


def unit_cell(study: Study) -> UnitCell:
    """The first phase, its anions in one piece."""
    atoms = Frames.from_extxyz(study.phase_text(study.phase))[0]
    anions, cell = find_anions(atoms, study.material.anion, study.material.mobile), atoms.cell.array
    positions = atoms.positions + whole_images(atoms.positions, anions, cell) @ cell
    bonds = bonded(positions, anions, atoms.numbers)
    return UnitCell(tuple(atoms.symbols), positions, cell, bonds)
