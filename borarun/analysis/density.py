"""Where mobile ions are: their density, folded into one unit cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Array = NDArray[Any]

VOXEL_A = 0.25
"""Edge of a voxel, at most, angstrom."""


@dataclass(frozen=True)
class Density:
    """Mean density of ions in the unit cell.

    Attributes
    ----------
    values : (na, nb, nc) ions per angstrom^3; voxel i of n is centred on the scaled coordinate (i +
        0.5)/n
    cell : (3, 3) angstrom, the mean unit cell, rows are vectors
    """

    values: Array
    cell: Array

    @property
    def voxel_A3(self) -> float:
        """Volume of a voxel, angstrom^3."""
        return float(abs(np.linalg.det(self.cell))) / self.values.size

    @property
    def total(self) -> float:
        """Ions in the unit cell."""
        return float(self.values.sum()) * self.voxel_A3


def fold(
    positions: Array, cell: Array, supercell: Sequence[int], origin: Array, voxel_A: float = VOXEL_A
) -> Density:
    """Density of ions over a run.

    Parameters
    ----------
    positions : (n, 3, F) angstrom in the mean cell, without drift of the framework
    cell : (3, 3) angstrom, mean cell of the run, rows are vectors
    supercell : repeats of the unit cell in it
    origin : (3,) angstrom, the point that becomes the corner of the unit cell
    voxel_A : longest edge of a voxel, angstrom

    Returns
    -------
    Density; a and b have the same number of voxels, so that the diagonal between them passes
    through voxels
    """
    unit = cell / np.asarray(supercell, float)[:, None]
    lengths = np.linalg.norm(unit, axis=1)
    lengths[:2] = lengths[:2].max()
    shape = np.ceil(lengths / voxel_A).astype(int)
    counts = np.zeros(int(np.prod(shape)))
    inverse = np.linalg.inv(unit)
    for ion in positions:
        scaled = (ion.T.astype(float) - origin) @ inverse
        index = np.minimum(((scaled - np.floor(scaled)) * shape).astype(int), shape - 1)
        counts += np.bincount(
            np.ravel_multi_index(tuple(index.T), tuple(shape)), minlength=len(counts)
        )
    voxel = abs(np.linalg.det(unit)) / len(counts)
    return Density(
        counts.reshape(tuple(shape)) / (positions.shape[2] * np.prod(supercell) * voxel), unit
    )


def smooth(density: Density, width_A: float) -> Density:
    """The density under a Gaussian of standard deviation ``width_A`` along each edge; it keeps the
    number of ions.
    """
    spacing = np.linalg.norm(density.cell, axis=1) / density.values.shape
    return Density(gaussian_filter(density.values, width_A / spacing, mode="wrap"), density.cell)


def projection(density: Density, axis: int = 2) -> Array:
    """(n, m) ions per angstrom^2: the density summed along one edge of the cell, over the area that
    the other two span.
    """
    first, second = (density.cell[k] for k in range(3) if k != axis)
    pixel = np.linalg.norm(np.cross(first, second)) / (
        density.values.size / density.values.shape[axis]
    )
    return np.asarray(density.values.sum(axis=axis) * density.voxel_A3 / pixel)


def diagonal_section(density: Density) -> Array:
    """The plane through the corner of the cell that a + b and c span: in an fcc lattice of anions
    it holds all kinds of sites.

    Returns
    -------
    (n, nc) ions per angstrom^3: along a + b, and along c
    """
    diagonal = np.arange(len(density.values))
    return np.asarray(density.values[diagonal, diagonal])


def unit_cell_places(points: Array, cell: Array, supercell: Sequence[int], origin: Array) -> Array:
    """Mean places in the unit cell of points that a supercell repeats.

    Parameters
    ----------
    points : (n, 3) angstrom, as many in every unit cell
    cell : (3, 3) angstrom, cell of the supercell, rows are vectors
    supercell : repeats of the unit cell in it
    origin : (3,) angstrom, the point that becomes the corner of the unit cell

    Returns
    -------
    (n / repeats, 3) angstrom; points within a sixth of the unit cell's shortest edge of each other
    are the same
    """
    unit = cell / np.asarray(supercell, float)[:, None]
    left = (points - origin) @ np.linalg.inv(unit)
    within = np.linalg.norm(unit, axis=1).min() / 6
    found = []
    while len(left):
        apart = left - left[0]
        apart -= np.round(apart)
        same = np.linalg.norm(apart @ unit, axis=1) < within
        found.append((left[0] + apart[same].mean(axis=0)) % 1.0)
        left = left[~same]
    return np.asarray(np.array(found) @ unit)
