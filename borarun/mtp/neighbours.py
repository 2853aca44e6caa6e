"""Neighbours of every atom within a cutoff, from a list with a skin that is searched again only
when it must be.

Each configuration is one pass of a compiled kernel over the list, which keeps only the pairs inside
the cutoff. Cells may be smaller than the cutoff.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from borarun.mtp.lanes import LANES
from borarun.mtp.parts import Threads, bounds, first_of_part, n_parts

Array = NDArray[Any]

ROUNDING = 1e-9
"""Least skin, angstrom, so that a list knows at least the configuration it was made of."""


class Pairs(NamedTuple):
    """The neighbours of N atoms: of atom i those at ``[i, ..., :counts[i]]``, sorted by type.

    Up to the next multiple of ``lanes.LANES`` follow places beyond the cutoff, so that kernels can
    look at whole lanes; W is such a multiple.

    Attributes
    ----------
    types : (N,) int32
    counts : (N,) int64
    js : (N, W) int32, index of the neighbour
    vectors : (N, 3, W) angstrom, from the atom to its neighbour
    """

    types: Array
    counts: Array
    js: Array
    vectors: Array


class Neighbours:
    """Neighbours of N periodic atoms of fixed types.

    Parameters
    ----------
    cutoff_A : angstrom
    types : (N,) int32, index of each atom's species
    skin_A : angstrom; the list is searched with cutoff + skin
    threads : share the work

    Attributes
    ----------
    pairs : of the last configuration
    min_distance : angstrom; infinite where no pair is within the cutoff
    volume : of the cell, angstrom^3
    n_builds : how often the list was searched
    """

    pairs: Pairs

    def __init__(
        self, cutoff_A: float, types: Array, skin_A: float, threads: Threads | None = None
    ) -> None:
        self.threads = threads or Threads(1)
        self.cutoff = float(cutoff_A)
        self.skin = max(float(skin_A), ROUNDING)
        self.types = np.ascontiguousarray(types, np.int32)
        self.min_distance = np.inf
        self.volume = 0.0
        self.n_builds = 0
        self._reference: tuple[Array, Array] | None = None

    def update(self, positions: Array, cell: Array) -> Pairs:
        """Neighbours at new positions and cell; images may have been wrapped in between.

        Parameters
        ----------
        positions : (N, 3) angstrom
        cell : (3, 3) angstrom, rows are vectors

        Returns
        -------
        Pairs, overwritten by the next call

        Raises
        ------
        FloatingPointError
            Where positions or cell are not finite or the cell has no volume.
        """
        positions = np.ascontiguousarray(positions, np.float64)
        cell = np.ascontiguousarray(cell, np.float64)
        self.volume = abs(float(np.linalg.det(cell)))
        if not (np.isfinite(positions).all() and np.isfinite(cell).all()) or self.volume < 1e-6:
            raise FloatingPointError("positions or cell are not finite, or the cell has no volume")
        if self._reference is None or not self._gather(positions, cell):
            self._build(positions, cell)
            self._gather(positions, cell)
        return self.pairs

    def forget(self) -> None:
        """Search the list at the next configuration: the order of its pairs, in which forces are
        added up, then depends on nothing before.
        """
        self._reference = None

    def _build(self, positions: Array, cell: Array) -> None:
        """Search the pairs within cutoff and skin."""
        wrapped = np.ascontiguousarray((positions @ np.linalg.inv(cell)) % 1.0 @ cell)
        bins = _bins(wrapped, cell, self.cutoff + self.skin)
        found = self.threads.map(
            lambda part: _search(wrapped, cell, self.cutoff + self.skin, self.types, bins, *part),
            bounds(len(wrapped)),
        )
        counts = np.concatenate([of_part[0] for of_part in found])
        self._first = np.concatenate([[0], np.cumsum(counts)])
        self._second, self._image = (
            np.concatenate([of_part[k] for of_part in found]) for k in (1, 2)
        )
        self._images = bins.images
        self._reference = (wrapped, cell.copy())
        n, width = len(positions), -(-max(1, int(counts.max(initial=0))) // LANES) * LANES
        self.pairs = Pairs(
            self.types,
            np.zeros(n, np.int64),
            np.empty((n, width), np.int32),
            np.empty((n, 3, width)),
        )
        self.n_builds += 1

    def _gather(self, positions: Array, cell: Array) -> bool:
        """Keep the pairs within the cutoff; False where the list is too old to know them all."""
        assert self._reference is not None
        valid, place, translation = _places(
            positions, cell, *self._reference, self.cutoff, self.skin, self._images
        )
        if not valid:
            return False
        nearest = np.empty(n_parts(len(positions)))
        gather = gather_parts_together if self.threads.number > 1 else gather_parts
        gather(
            place,
            translation,
            self.cutoff,
            self._first,
            self._second,
            self._image,
            *self.pairs[1:],
            nearest,
        )
        found = float(nearest.min())
        self.min_distance = float(np.sqrt(found)) if found < self.cutoff**2 else np.inf
        return True


@njit(cache=True)
def _inverse(m: Array) -> Array:
    """Inverse of a 3x3 matrix."""
    out = np.empty((3, 3))
    for i in range(3):
        a, b = (i + 1) % 3, (i + 2) % 3
        for j in range(3):
            c, d = (j + 1) % 3, (j + 2) % 3
            out[j, i] = m[a, c] * m[b, d] - m[a, d] * m[b, c]
    out /= m[0, 0] * out[0, 0] + m[0, 1] * out[1, 0] + m[0, 2] * out[2, 0]
    return out


@njit(cache=True)
def _product(a: Array, b: Array) -> Array:
    """Product of two 3x3 matrices."""
    out = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            for k in range(3):
                out[i, j] += a[i, k] * b[k, j]
    return out


class Bins(NamedTuple):
    """Atoms inside the cell by the bins that they lie in.

    Attributes
    ----------
    number, span, far : (3,) bins along each cell vector, how many of them a search looks at to
        either side, and how many cells it reaches by that
    images : (I, 3) cells that a search reaches, in cell vectors
    home : (N, 3) bin of each atom
    start : atoms of bin b are ``start[b]:start[b + 1]`` of the following
    atoms : (N,) int32
    place : (3, N) their positions, angstrom
    """

    number: Array
    span: Array
    far: Array
    images: Array
    home: Array
    start: Array
    atoms: Array
    place: Array


@njit(cache=True)
def _bins(positions: Array, cell: Array, reach: float) -> Bins:
    """Atoms inside the cell by bins that are half as wide as ``reach``."""
    n = len(positions)
    inverse = _inverse(cell)
    bins, span, far = np.empty(3, np.int64), np.empty(3, np.int64), np.empty(3, np.int64)
    for a in range(3):
        height = 1.0 / np.sqrt(inverse[0, a] ** 2 + inverse[1, a] ** 2 + inverse[2, a] ** 2)
        bins[a] = min(max(int(2.0 * height / reach), 1), 64)
        span[a] = int(np.ceil(reach * bins[a] / height))
        far[a] = (span[a] + bins[a] - 1) // bins[a]
    images = np.empty((np.prod(2 * far + 1), 3))
    s = 0
    for s0 in range(-far[0], far[0] + 1):
        for s1 in range(-far[1], far[1] + 1):
            for s2 in range(-far[2], far[2] + 1):
                images[s, 0], images[s, 1], images[s, 2] = s0, s1, s2
                s += 1
    home = np.empty((n, 3), np.int64)
    start = np.zeros(bins[0] * bins[1] * bins[2] + 1, np.int64)
    for i in range(n):
        for a in range(3):
            scaled = (
                positions[i, 0] * inverse[0, a]
                + positions[i, 1] * inverse[1, a]
                + positions[i, 2] * inverse[2, a]
            )
            home[i, a] = min(max(int(np.floor(scaled * bins[a])), 0), bins[a] - 1)
        start[(home[i, 0] * bins[1] + home[i, 1]) * bins[2] + home[i, 2]] += 1
    start[:] = np.cumsum(start)
    atoms, place = (
        np.empty(n, np.int32),
        np.empty((3, n)),
    )  # bin by bin, those of one bin next to each other
    for i in range(n):
        bin_ = (home[i, 0] * bins[1] + home[i, 1]) * bins[2] + home[i, 2]
        start[bin_] -= 1
        atoms[start[bin_]] = i
        for a in range(3):
            place[a, start[bin_]] = positions[i, a]
    return Bins(bins, span, far, images, home, start, atoms, place)


@njit(cache=True, nogil=True)
def _search(
    positions: Array, cell: Array, reach: float, types: Array, binned: Bins, begin: int, end: int
) -> tuple[Array, Array, Array]:
    """All pairs nearer than ``reach`` of atoms ``begin:end`` inside the cell.

    Returns
    -------
    how many pairs each of these atoms has; the neighbour and the image, int32, of each pair, those
    of one atom sorted by the neighbour's type
    """
    bins, span, far, images, home, start, atoms, place = binned
    n = end - begin
    centre = len(images) // 2
    first = np.zeros(n + 1, np.int64)
    second, image = np.empty(128 * n, np.int32), np.empty(128 * n, np.int32)
    m: Any = np.uint64(0)  # without sign: compiled code need not look for negative indices
    for i in range(begin, end):
        for d0 in range(home[i, 0] - span[0], home[i, 0] + span[0] + 1):
            s0 = d0 // bins[0]
            for d1 in range(home[i, 1] - span[1], home[i, 1] + span[1] + 1):
                s1 = d1 // bins[1]
                row = ((d0 - s0 * bins[0]) * bins[1] + d1 - s1 * bins[1]) * bins[2]
                for d2 in range(home[i, 2] - span[2], home[i, 2] + span[2] + 1):
                    s2 = d2 // bins[2]
                    x = s0 * cell[0, 0] + s1 * cell[1, 0] + s2 * cell[2, 0] - positions[i, 0]
                    y = s0 * cell[0, 1] + s1 * cell[1, 1] + s2 * cell[2, 1] - positions[i, 1]
                    z = s0 * cell[0, 2] + s1 * cell[1, 2] + s2 * cell[2, 2] - positions[i, 2]
                    s = (
                        ((s0 + far[0]) * (2 * far[1] + 1) + s1 + far[1]) * (2 * far[2] + 1)
                        + s2
                        + far[2]
                    )
                    itself = i if s == centre else -1
                    here, after = (
                        np.uint64(start[row + d2 - s2 * bins[2]]),
                        np.uint64(start[row + d2 - s2 * bins[2] + 1]),
                    )
                    if m + after - here > np.uint64(len(second)):
                        second = np.concatenate((second, np.empty_like(second)))
                        image = np.concatenate((image, np.empty_like(image)))
                    # Every atom is written, the next one over it unless it counts: no branch to
                    # mispredict.
                    for p in range(here, after):
                        r2 = (
                            (place[0, p] + x) ** 2 + (place[1, p] + y) ** 2 + (place[2, p] + z) ** 2
                        )
                        second[m] = atoms[p]
                        image[m] = s
                        m += np.uint64((r2 < reach * reach) & (atoms[p] != itself))
        first[i + 1 - begin] = m
    second, image = _sorted_by_type(first, types, second[:m], image[:m])
    return np.diff(first), second, image


@njit(cache=True)
def _sorted_by_type(first: Array, types: Array, second: Array, image: Array) -> tuple[Array, Array]:
    """Neighbours and their images, those of one atom sorted by type."""
    js, images = np.empty_like(second), np.empty_like(image)
    at = np.empty(types.max() + 2, np.int64)
    for i in range(len(first) - 1):
        at[:] = 0
        for p in range(first[i], first[i + 1]):
            at[types[second[p]] + 1] += 1
        at[0] = first[i]
        for kind in range(1, len(at)):
            at[kind] += at[kind - 1]
        for p in range(first[i], first[i + 1]):
            kind = types[second[p]]
            js[at[kind]] = second[p]
            images[at[kind]] = image[p]
            at[kind] += 1
    return js, images


@njit(cache=True)
def _places(
    positions: Array, cell: Array, old_positions: Array, old_cell: Array,
    cutoff: float, skin: float, images: Array,
) -> tuple[bool, Array, Array]:  # fmt: skip
    """Whether the list still knows all pairs; then also the positions (N, 3) in the images that it
    was built for, and the translations (I, 3) of the cells that it reaches.
    """
    n = len(positions)
    inverse = _inverse(cell)
    deformation = _product(_inverse(old_cell), cell)
    # A pair at distance d now was at most |F^-1| (d + u1 + u2) apart when the list was built: F the
    # deformation of the cell, u1 and u2 the two
    # largest displacements from the affinely deformed old positions. While that is below cutoff +
    # skin for every d below the cutoff, no pair is missed.
    back = _product(inverse, old_cell)
    change = 0.0
    for i in range(3):
        for j in range(3):
            change += (back[i, j] - (1.0 if i == j else 0.0)) ** 2
    allowed = (cutoff + skin) / (1.0 + np.sqrt(change)) - cutoff
    place, translation = np.empty((n, 3)), np.empty((len(images), 3))
    if allowed < 0.0:
        return False, place, translation
    largest, second_largest = 0.0, 0.0
    for i in range(n):
        for a in range(3):
            place[i, a] = (
                old_positions[i, 0] * deformation[0, a]
                + old_positions[i, 1] * deformation[1, a]
                + old_positions[i, 2] * deformation[2, a]
            )
        x, y, z = (
            positions[i, 0] - place[i, 0],
            positions[i, 1] - place[i, 1],
            positions[i, 2] - place[i, 2],
        )
        u = np.sqrt(x * x + y * y + z * z)
        if u > allowed:  # perhaps only wrapped into another image
            s0 = np.round(x * inverse[0, 0] + y * inverse[1, 0] + z * inverse[2, 0])
            s1 = np.round(x * inverse[0, 1] + y * inverse[1, 1] + z * inverse[2, 1])
            s2 = np.round(x * inverse[0, 2] + y * inverse[1, 2] + z * inverse[2, 2])
            x -= s0 * cell[0, 0] + s1 * cell[1, 0] + s2 * cell[2, 0]
            y -= s0 * cell[0, 1] + s1 * cell[1, 1] + s2 * cell[2, 1]
            z -= s0 * cell[0, 2] + s1 * cell[1, 2] + s2 * cell[2, 2]
            u = np.sqrt(x * x + y * y + z * z)
        second_largest = max(second_largest, min(u, largest))
        largest = max(largest, u)
        if largest + second_largest > allowed:
            return False, place, translation
        place[i, 0] += x
        place[i, 1] += y
        place[i, 2] += z
    for s in range(len(images)):
        for a in range(3):
            translation[s, a] = (
                images[s, 0] * cell[0, a] + images[s, 1] * cell[1, a] + images[s, 2] * cell[2, a]
            )
    return True, place, translation


@njit(cache=True)
def gather_parts(
    place: Array, translation: Array, cutoff: float, first: Array, second: Array, image: Array,
    counts: Array, js: Array, vectors: Array, nearest: Array,
) -> None:  # fmt: skip
    """Fill counts, js and vectors from the list; the square of the shortest distance, or of the
    cutoff, of each part.
    """
    for part in range(len(nearest)):
        nearest[part] = _gather(
            place, translation, cutoff, first, second, image, counts, js, vectors, part,
            len(nearest),
        )  # fmt: skip


@njit(cache=True, parallel=True)
def gather_parts_together(
    place: Array, translation: Array, cutoff: float, first: Array, second: Array, image: Array,
    counts: Array, js: Array, vectors: Array, nearest: Array,
) -> None:  # fmt: skip
    """The same with threads."""
    for part in prange(len(nearest)):
        nearest[part] = _gather(
            place, translation, cutoff, first, second, image, counts, js, vectors, part,
            len(nearest),
        )  # fmt: skip


@njit(cache=True)
def _gather(
    place: Array, translation: Array, cutoff: float, first: Array, second: Array, image: Array,
    counts: Array, js: Array, vectors: Array, part: int, parts: int,
) -> float:  # fmt: skip
    """Do this for the atoms of one part."""
    cutoff2 = cutoff * cutoff
    nearest = cutoff2
    n = len(place)
    for i in range(first_of_part(part, parts, n), first_of_part(part + 1, parts, n)):
        x, y, z = place[i, 0], place[i, 1], place[i, 2]
        k: Any = np.uint64(0)  # without sign: compiled code need not look for negative indices
        for p in range(np.uint64(first[i]), np.uint64(first[i + 1])):
            neighbour, shift = np.uint64(second[p]), np.uint64(image[p])
            dx = place[neighbour, 0] - x + translation[shift, 0]
            dy = place[neighbour, 1] - y + translation[shift, 1]
            dz = place[neighbour, 2] - z + translation[shift, 2]
            r2 = dx * dx + dy * dy + dz * dz
            # Every pair is written, the next one over it unless it counts: no branch to mispredict.
            js[i, k] = second[p]
            vectors[i, 0, k] = dx
            vectors[i, 1, k] = dy
            vectors[i, 2, k] = dz
            k += np.uint64(r2 < cutoff2)
            nearest = min(nearest, r2)
        counts[i] = k
        while k % np.uint64(LANES):
            js[i, k] = i
            vectors[i, 0, k] = 2.0 * cutoff
            vectors[i, 1, k] = 0.0
            vectors[i, 2, k] = 0.0
            k += np.uint64(1)
    return nearest
