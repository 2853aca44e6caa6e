"""Trajectories at constant pressure: unwrapping, drift, anions in one piece.

LAMMPS's unwrapped coordinates are the wrapped ones plus image flags times the *present* cell. When
the cell breathes, an ion that has crossed the boundary n times is shaken by n times that breathing,
which inflates its mean squared displacement. Here positions become scaled coordinates times the
mean cell; a second, independent way (toroidal view) is there to compare with.

An origin of the box that moves with time shifts all atoms alike; it leaves together with the drift.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from borarun.analysis.msd import mean_squared_displacement

Array = NDArray[Any]

_BLOCK_VALUES = 2**21
"""Numbers per block of atoms: 16 MB in double precision."""


def unwrap(positions: Array, cell: Array) -> Array:
    """Scaled coordinates times the mean cell.

    Parameters
    ----------
    positions : (N, 3, F) angstrom, unwrapped with image flags
    cell : (F, 3, 3) angstrom, rows are vectors

    Returns
    -------
    (N, 3, F) angstrom, same type as ``positions``

    Source
    ------
    Bullerjahn, von Bülow, Heidari, Hénin, Hummer, J. Chem. Theory Comput. 19, 3406 (2023), on what
    goes wrong with image flags.
    """
    to_mean = np.linalg.inv(cell) @ cell.mean(axis=0)
    out = np.empty_like(positions)
    for part in _blocks(positions):
        out[part] = _transformed(positions[part], to_mean)
    return out


def unwrap_toroidal(positions: Array, cell: Array) -> Array:
    """Toroidal-view unwrapping: wrapped coordinates, joined by the shortest displacement from frame
    to frame.

    Correct as long as no atom moves by half a cell between two frames.

    Parameters
    ----------
    positions : (N, 3, F) angstrom
    cell : (F, 3, 3) angstrom, rows are vectors

    Returns
    -------
    (N, 3, F) angstrom, same type as ``positions``; the first frame is wrapped into the cell

    Source
    ------
    Bullerjahn et al., J. Chem. Theory Comput. 19, 3406 (2023), where it is called TOR.
    """
    inverse = np.linalg.inv(cell)
    out = np.empty_like(positions)
    for part in _blocks(positions):
        scaled = _transformed(positions[part], inverse)
        scaled -= np.floor(scaled)
        wrapped = _transformed(scaled, cell)
        step = np.diff(wrapped, axis=2)
        images = _transformed(step, inverse[1:])
        step -= _transformed(np.round(images, out=images), cell[1:])
        out[part, :, 0] = wrapped[:, :, 0]
        out[part, :, 1:] = wrapped[:, :, :1] + np.cumsum(step, axis=2)
    return out


def _transformed(positions: Array, matrices: Array) -> Array:
    """(n, 3, F) positions, double precision, times (F, 3, 3) matrices, each frame with its own.
    Elements that are 0 in all frames, as most of a rectangular cell's, cost nothing.
    """
    out = np.zeros(positions.shape)
    for i, j in np.argwhere(matrices.any(axis=0)):
        out[:, j] += positions[:, i] * np.ascontiguousarray(matrices[:, i, j])
    return out


def remove_drift(positions: Array, framework: Array, masses: Array) -> Array:
    """Positions relative to the framework's centre of mass, which stays where it was in the first
    frame.

    The centre is weighted by mass because an anion that turns about its own centre of mass then
    leaves it at rest.

    Parameters
    ----------
    positions : (N, 3, F) angstrom, unwrapped
    framework : (N,) bool, the atoms that hold still: all but the mobile species
    masses : (N,) any unit

    Returns
    -------
    (N, 3, F) angstrom, same type as ``positions``
    """
    return without_drift(positions, weighted_sum(positions, framework_weights(framework, masses)))


def framework_weights(framework: Array, masses: Array) -> Array:
    """(N,) share of each atom in the framework's centre of mass; parameters as for
    `remove_drift`.
    """
    weights = np.where(framework, masses, 0.0)
    return np.asarray(weights / weights.sum())


def weighted_sum(positions: Array, weights: Array) -> Array:
    """(3, F) sum of (n, 3, F) positions times (n,) weights; sums over parts of all atoms add up to
    their centre.
    """
    total = np.zeros(positions.shape[1:])
    for part in _blocks(positions):
        total += np.einsum("n,nif->if", weights[part], positions[part].astype(float))
    return total


def without_drift(positions: Array, centre: Array) -> Array:
    """(n, 3, F) positions relative to a (3, F) centre, which stays where it was in the first frame;
    same type as ``positions``.
    """
    return np.asarray(positions - (centre - centre[:, :1]).astype(positions.dtype))


def parts(positions: Array, n_parts: int) -> Array:
    """Means over equal parts of the time: (n, 3, ``n_parts``) of (n, 3, F) positions."""
    n_frames = positions.shape[2]
    starts = np.linspace(0, n_frames, n_parts + 1).round().astype(int)[:-1]
    sizes = np.diff([*starts, n_frames])
    return np.asarray(np.add.reduceat(positions, starts, axis=2, dtype=float) / sizes)


def unwrapping_disagreement(first: Array, second: Array) -> float:
    """How far two ways of unwrapping differ in the mean squared displacement of the mobile ions.

    Parameters
    ----------
    first, second : (n, 3, F) angstrom, the mobile ions without drift, by either way

    Returns
    -------
    Largest difference, relative to the second, over lags from a twentieth to a fifth of the run
    """
    n_frames = first.shape[2]
    lags = slice(max(n_frames // 20, 1), max(n_frames // 5, 2))
    one, other = (mean_squared_displacement(way)[lags] for way in (first, second))
    return float(np.max(np.abs(one - other) / np.maximum(other, np.finfo(float).tiny)))


def whole_images(positions: Array, groups: Iterable[Array], cell: Array) -> Array:
    """Cell vectors to add to each atom so that every group of bonded atoms is in one piece.

    Each group grows from its first atom by the nearest atom not yet in it, so it may be larger than
    half the cell; only neighbours must be nearer than that.

    Parameters
    ----------
    positions : (N, 3) angstrom
    groups : A times (k,) int, atoms of each group
    cell : (3, 3) angstrom, rows are vectors

    Returns
    -------
    (N, 3) int; real shifts are these times the cell
    """
    scaled = positions @ np.linalg.inv(cell)
    images = np.zeros(positions.shape, int)
    for group in groups:
        inside, outside = [group[0]], list(group[1:])
        while outside:
            apart = scaled[outside][:, None] - (scaled + images)[inside][None]
            shift = -np.round(apart).astype(int)
            distance = np.linalg.norm((apart + shift) @ cell, axis=2)
            row, column = np.unravel_index(np.argmin(distance), distance.shape)
            images[outside[row]] = shift[row, column]
            inside.append(outside.pop(int(row)))
    return images


def anion_centres(positions: Array, anions: Array, masses: Array, mean_cell: Array) -> Array:
    """Centres of mass of the anions.

    Parameters
    ----------
    positions : (N, 3, F) angstrom, from `unwrap`
    anions : (A, k) int, atoms of each anion
    masses : (N,) any unit
    mean_cell : (3, 3) angstrom, mean of the cell over the run

    Returns
    -------
    (A, 3, F) angstrom
    """
    shift = whole_images(positions[:, :, 0], anions, mean_cell) @ mean_cell
    centres = np.empty((len(anions), *positions.shape[1:]))
    for index, anion in enumerate(anions):
        weights = masses[anion] / masses[anion].sum()
        centres[index] = (
            np.einsum("k,kif->if", weights, positions[anion].astype(float))
            + (weights @ shift[anion])[:, None]
        )
    return centres


def _blocks(positions: Array) -> list[slice]:
    """Slices over atoms whose double-precision copies stay small."""
    size = max(1, _BLOCK_VALUES // max(positions[0].size, 1))
    return [slice(start, start + size) for start in range(0, len(positions), size)]
