"""Sites between the anions: tetrahedral and octahedral holes of their sublattice, and the windows
that join them.

Anions, taken as points, leave holes whose centres are the vertices of their Voronoi diagram. In a
crystal several vertices lie close together where more than four anions surround one hole: an
octahedron that heat or symmetry has distorted is cut into four tetrahedra. Such vertices are
joined, and the hole is the middle of all anions that any of them touches. Two holes that share
three anions share the triangle between them; its middle is a window.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Voronoi, cKDTree

Array = NDArray[Any]

JOINED = 0.4
"""Voronoi vertices nearer than this part of a hole's radius are one hole. In an fcc lattice the
nearest holes are 0.87 apart.
"""

TOUCHING = 1e-3
"""Anions farther from a vertex than the nearest one by less than this part belong to it: what the
diagram's rounding leaves.
"""

TETRAHEDRAL, OCTAHEDRAL, WINDOW, OTHER = "tetrahedral", "octahedral", "window", "other"
KINDS = (TETRAHEDRAL, WINDOW, OCTAHEDRAL, OTHER)
_KIND = {3: WINDOW, 4: TETRAHEDRAL, 6: OCTAHEDRAL}

_MANY = 32
"""Anions from which one layer of images is enough; below it two are taken, because a hole may then
reach beyond the next image.
"""


@dataclass(frozen=True)
class Sites:
    """Sites of a cell.

    Attributes
    ----------
    scaled : (S, 3) scaled coordinates, 0 to 1
    neighbours : (S,) int, anions around each
    kinds : (S,) names, of `KINDS`: by their number 3 is a window, 4 tetrahedral, 6 octahedral,
        anything else ``other``
    """

    scaled: Array
    neighbours: Array
    kinds: Array

    def __len__(self) -> int:
        return len(self.scaled)

    def of(self, kind: str) -> Array:
        """(S,) bool, which sites are of a kind."""
        return np.asarray(self.kinds == kind)


def find_sites(centres: Array, cell: Array) -> Sites:
    """Holes between anions and the triangular windows between holes, under periodic boundaries.

    Parameters
    ----------
    centres : (A, 3) angstrom, mean positions of the anions' centres
    cell : (3, 3) angstrom, rows are vectors

    Returns
    -------
    Sites, the holes before the windows

    Source
    ------
    Blatov, Cryst. Rev. 10, 249 (2004), on Voronoi vertices as the voids of a crystal; the joining
    of vertices is borarun's own.
    """
    holes = _holes(centres @ np.linalg.inv(cell), cell)
    middles = [np.mean(list(hole.values()), axis=0) for hole in holes]
    counts = [len(hole) for hole in holes]
    windows = _windows(holes)
    scaled = np.array([*middles, *windows]).reshape(-1, 3)
    neighbours = np.array([*counts, *[3] * len(windows)], int)
    kinds = np.array(
        [
            OTHER if index < len(holes) and n == 3 else _KIND.get(int(n), OTHER)
            for index, n in enumerate(neighbours)
        ]
    )
    return Sites(scaled - np.floor(scaled), neighbours, kinds)


Corner = tuple[int, ...]
"""An anion and its image: number, and cells along the three vectors."""

Hole = dict[Corner, Array]
"""The anions around a hole, each with its scaled coordinates."""


def _holes(scaled: Array, cell: Array) -> list[Hole]:
    reach = 1 if len(scaled) >= _MANY else 2
    shifts = np.array(list(product(range(-reach, reach + 1), repeat=3)))
    points = (scaled[None] + shifts[:, None]).reshape(-1, 3)
    names = np.concatenate(
        [
            np.tile(np.arange(len(scaled)), len(shifts))[:, None],
            np.repeat(shifts, len(scaled), axis=0),
        ],
        axis=1,
    )
    vertices = Voronoi(points @ cell).vertices @ np.linalg.inv(cell)
    origin = scaled.mean(axis=0) - 0.5
    margin = (
        1e-6  # a vertex on the cell's face must not be lost on both sides; doubles are joined below
    )
    inside = vertices[((vertices > origin - margin) & (vertices < origin + 1 + margin)).all(axis=1)]
    tree = cKDTree(points @ cell)
    radius = tree.query(inside @ cell)[0]
    touching = tree.query_ball_point(inside @ cell, radius * (1 + TOUCHING))
    holes = []
    for group in _joined(inside, cell, JOINED * float(np.median(radius))):
        first = inside[group[0]]
        found: Hole = {}
        for vertex in group:
            shift = np.round(first - inside[vertex]).astype(int)
            for index in touching[vertex]:
                anion, image = names[index][0], names[index][1:]
                found[int(anion), *(image + shift).tolist()] = points[index] + shift
        holes.append(found)
    return holes


def _joined(vertices: Array, cell: Array, within: float) -> list[Array]:
    """Groups of vertices that lie together, neighbours across the cell's faces among them."""
    copies = [vertices + shift for shift in product((-1, 0, 1), repeat=3)]
    pairs = cKDTree(vertices @ cell).query_ball_tree(cKDTree(np.concatenate(copies) @ cell), within)
    n = len(vertices)
    rows = np.repeat(np.arange(n), [len(near) for near in pairs])
    columns = np.concatenate([np.array(near) % n for near in pairs])
    labels = connected_components(
        coo_array((np.ones(len(rows)), (rows, columns)), shape=(n, n)), directed=False
    )[1]
    return [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]


def _windows(holes: list[Hole]) -> list[Array]:
    """Middles of the triangles that two holes share, once each."""
    around: dict[int, list[tuple[int, Corner]]] = {}
    for number, hole in enumerate(holes):
        for corner in hole:
            around.setdefault(corner[0], []).append((number, corner[1:]))
    found: dict[tuple[Corner, ...], Array] = {}
    for number, hole in enumerate(holes):
        shared: dict[tuple[int, Corner], list[Corner]] = {}
        for corner in hole:
            for other, image in around[corner[0]]:
                apart = _minus(corner[1:], image)
                if other != number or any(apart):
                    shared.setdefault((other, apart), []).append(corner)
        for corners in shared.values():
            if len(corners) == 3:
                base = min(corners)[1:]
                name = tuple(sorted((corner[0], *_minus(corner[1:], base)) for corner in corners))
                found.setdefault(name, np.mean([hole[corner] for corner in corners], axis=0))
    return list(found.values())


def _minus(one: Corner, other: Corner) -> Corner:
    return tuple(a - b for a, b in zip(one, other, strict=True))


def census(sites: Sites) -> dict[str, int]:
    """How many sites there are of each kind that occurs, in the order of `KINDS`."""
    count = Counter(sites.kinds.tolist())
    return {kind: count[kind] for kind in KINDS if count[kind]}
