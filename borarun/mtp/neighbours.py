"""Neighbours of every atom within a cutoff, from a list with a skin that is rebuilt only when it must be.

The list comes from vesin; each configuration after that is one pass of a compiled kernel over it, which keeps only the pairs inside the cutoff.
Atoms with about equally many neighbours are put into one block, because motep's engine takes rectangular arrays and computes padding like neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from vesin import NeighborList

Array = NDArray[Any]

N_BLOCKS = 8
"""Blocks of atoms: with eight, the padding of a closo-borate falls from 12..15 % to 1.5 %; each costs 10 us a step."""

REBUILD, GROW, DONE = 0, 1, 2


@dataclass(frozen=True)
class Block:
    """Atoms whose neighbours lie in one rectangular array, M wide.

    Attributes
    ----------
    atoms : (n,) int, their indices
    types : (n,) int32
    neighbours : (n, M) int32, -1 in padding
    neighbour_types : (n, M) int32
    vectors : (n, M, 3) angstrom, from the atom to its neighbour; padding lies outside the cutoff
    """

    atoms: Array
    types: Array
    neighbours: Array
    neighbour_types: Array
    vectors: Array


class Neighbours:
    """Neighbours of N atoms of fixed types.

    Parameters
    ----------
    cutoff_A : float, angstrom
    types : (N,) int32, index of each atom's species
    skin_A : float, angstrom; the list is built with cutoff + skin

    Attributes
    ----------
    blocks : the neighbours of the last configuration
    min_distance : float, angstrom; infinite where no pair is within the cutoff
    n_builds : how often the list was built
    """

    def __init__(self, cutoff_A: float, types: Array, skin_A: float) -> None:
        self.cutoff = float(cutoff_A)
        self.skin = float(skin_A)
        self.types = np.ascontiguousarray(types, np.int32)
        self.blocks: list[Block] = []
        self.min_distance = np.inf
        self.n_builds = 0
        self._search = NeighborList(cutoff=self.cutoff + self.skin, full_list=True, sorted=True, n_threads=1)
        self._reference: tuple[Array, Array] | None = None
        self._counts = np.zeros(len(self.types), np.int64)
        self._row = np.zeros(len(self.types), np.int64)
        self._js, self._jtypes, self._vectors = np.empty(0, np.int32), np.empty(0, np.int32), np.empty((0, 3))

    def update(self, positions: Array, cell: Array) -> list[Block]:
        """Neighbours at new positions and cell; images may have been wrapped in between.

        Parameters
        ----------
        positions : (N, 3) angstrom
        cell : (3, 3) angstrom, rows are vectors

        Returns
        -------
        list of Block, overwritten by the next call

        Raises
        ------
        FloatingPointError
            Where positions or cell are not finite or the cell has no volume.
        """
        positions = np.ascontiguousarray(positions, np.float64)
        cell = np.ascontiguousarray(cell, np.float64)
        if not (np.isfinite(positions).all() and np.isfinite(cell).all()) or abs(np.linalg.det(cell)) < 1e-6:
            raise FloatingPointError("positions or cell are not finite, or the cell has no volume")
        state = self._gather(positions, cell) if self._reference is not None else REBUILD
        if state == REBUILD:
            self._build(positions, cell)
            state = self._gather(positions, cell)
        if state == GROW:
            self._plan()
            self._gather(positions, cell)
        return self.blocks

    def _build(self, positions: Array, cell: Array) -> None:
        first, second, shifts = self._search.compute(positions, cell, True, "ijS")
        self._first = np.concatenate([[0], np.cumsum(np.bincount(first.astype(np.int64), minlength=len(positions)))])
        self._second = second.astype(np.int32)
        reach = int(np.abs(shifts).max(initial=0))
        side = 2 * reach + 1
        self._shift = (shifts + reach) @ np.array([side * side, side, 1], np.int32)  # which of the images below each pair needs
        self._shifts = np.stack(np.indices((side, side, side)), axis=-1).reshape(-1, 3) - float(reach)
        self._reference = (positions.copy(), cell.copy())
        self._width = np.zeros(len(positions), np.int64)  # the next gathering only counts
        self._most = np.zeros(len(positions), np.int64)
        self.n_builds += 1

    def _plan(self) -> None:
        """Lay out blocks for the most neighbours that each atom has had since the list was built."""
        self._most = np.maximum(self._most, self._counts)
        order = np.argsort(self._most, kind="stable")
        parts = [part for part in np.array_split(order, N_BLOCKS) if len(part)]
        widths = [max(int(self._most[part].max()), 1) for part in parts]
        starts = np.cumsum([0] + [len(part) * width for part, width in zip(parts, widths, strict=True)])
        self._js = np.empty(starts[-1], np.int32)
        self._jtypes = np.empty(starts[-1], np.int32)
        self._vectors = np.empty((starts[-1], 3))
        self.blocks = []
        for part, width, start in zip(parts, widths, starts[:-1], strict=True):
            rows = slice(start, start + len(part) * width)
            self._row[part] = start + width * np.arange(len(part))
            self._width[part] = width
            shape = (len(part), width)
            self.blocks.append(
                Block(part, self.types[part], self._js[rows].reshape(shape), self._jtypes[rows].reshape(shape),
                      self._vectors[rows].reshape(*shape, 3))
            )  # fmt: skip

    def _gather(self, positions: Array, cell: Array) -> int:
        assert self._reference is not None
        state, self.min_distance = _gather(
            positions, cell, *self._reference, self.cutoff, self.skin, self.types,
            self._first, self._second, self._shift, self._shifts, self._row, self._width, self._counts, self._js, self._jtypes, self._vectors,
        )  # fmt: skip
        return int(state)


@njit(cache=True)
def _inverse(m: Array) -> Array:
    """Inverse of a 3x3 matrix."""
    out = np.empty((3, 3))
    for i in range(3):
        a, b = (i + 1) % 3, (i + 2) % 3
        for j in range(3):
            c, d = (j + 1) % 3, (j + 2) % 3
            out[j, i] = m[a, c] * m[b, d] - m[a, d] * m[b, c]
    return out / (m[0, 0] * out[0, 0] + m[0, 1] * out[1, 0] + m[0, 2] * out[2, 0])


@njit(cache=True)
def _product(a: Array, b: Array) -> Array:
    """Product of two 3x3 matrices."""
    out = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            for k in range(3):
                out[i, j] += a[i, k] * b[k, j]
    return out


@njit(cache=True)
def _gather(
    positions: Array, cell: Array, old_positions: Array, old_cell: Array, cutoff: float, skin: float, types: Array,
    first: Array, second: Array, shift: Array, shifts: Array, row: Array, width: Array, counts: Array, js: Array, jtypes: Array, vectors: Array,
) -> tuple[int, float]:  # fmt: skip
    """Fill the blocks from the list; say whether the list is too old or a block too narrow."""
    n = len(positions)
    inverse = _inverse(cell)
    deformation = _product(_inverse(old_cell), cell)
    # A pair at distance d now was at most |F^-1| (d + u1 + u2) apart when the list was built: F the deformation of the cell, u1 and u2 the two
    # largest displacements from the affinely deformed old positions. While that is below cutoff + skin for every d below the cutoff, no pair is missed.
    back = _product(inverse, old_cell)
    change = 0.0
    for i in range(3):
        for j in range(3):
            change += (back[i, j] - (1.0 if i == j else 0.0)) ** 2
    allowed = (cutoff + skin) / (1.0 + np.sqrt(change)) - cutoff
    if allowed < 0.0:
        return REBUILD, 0.0
    largest, second_largest = 0.0, 0.0
    place = np.empty((n, 3))  # positions in the image that the list was built for
    for i in range(n):
        for a in range(3):
            place[i, a] = old_positions[i, 0] * deformation[0, a] + old_positions[i, 1] * deformation[1, a] + old_positions[i, 2] * deformation[2, a]
        x, y, z = positions[i, 0] - place[i, 0], positions[i, 1] - place[i, 1], positions[i, 2] - place[i, 2]
        u = np.sqrt(x * x + y * y + z * z)
        if u > allowed:  # perhaps only wrapped into another image
            for b in range(3):
                turns = np.round(x * inverse[0, b] + y * inverse[1, b] + z * inverse[2, b])
                x -= turns * cell[b, 0]
                y -= turns * cell[b, 1]
                z -= turns * cell[b, 2]
            u = np.sqrt(x * x + y * y + z * z)
        second_largest = max(second_largest, min(u, largest))
        largest = max(largest, u)
        if largest + second_largest > allowed:
            return REBUILD, 0.0
        place[i, 0] += x
        place[i, 1] += y
        place[i, 2] += z
    translation = np.empty((len(shifts), 3))
    for s in range(len(shifts)):
        for a in range(3):
            translation[s, a] = shifts[s, 0] * cell[0, a] + shifts[s, 1] * cell[1, a] + shifts[s, 2] * cell[2, a]
    narrow = False
    cutoff2 = cutoff * cutoff
    nearest = cutoff2
    longest = 1
    for i in range(n):
        longest = max(longest, first[i + 1] - first[i])
    kept = np.empty(longest, np.int32)
    pair = np.empty((longest, 3))
    for i in range(n):
        x, y, z = place[i, 0], place[i, 1], place[i, 2]
        k = 0
        for p in range(first[i], first[i + 1]):  # every pair is written, the next one over it unless it counted: no branch to mispredict
            j, s = second[p], shift[p]
            dx = place[j, 0] - x + translation[s, 0]
            dy = place[j, 1] - y + translation[s, 1]
            dz = place[j, 2] - z + translation[s, 2]
            r2 = dx * dx + dy * dy + dz * dz
            kept[k] = j
            pair[k, 0] = dx
            pair[k, 1] = dy
            pair[k, 2] = dz
            k += r2 < cutoff2
            nearest = min(nearest, r2)
        start, space = row[i], width[i]
        for m in range(min(k, space)):
            js[start + m] = kept[m]
            jtypes[start + m] = types[kept[m]]
            vectors[start + m, 0] = pair[m, 0]
            vectors[start + m, 1] = pair[m, 1]
            vectors[start + m, 2] = pair[m, 2]
        counts[i] = k
        narrow = narrow or k > space
        for m in range(start + k, start + space):
            js[m] = -1
            jtypes[m] = 0
            vectors[m, 0] = 2.0 * cutoff
            vectors[m, 1] = 0.0
            vectors[m, 2] = 0.0
    return (GROW if narrow else DONE), (np.sqrt(nearest) if nearest < cutoff2 else np.inf)
