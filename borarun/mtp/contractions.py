"""Which basis functions a level has, and the shortest way found to compute them: the ``alpha_*``
tables of an MTP file.

A basis function is a full contraction of at most four moment tensors M(mu, nu): a graph without
loops whose vertices are the tensors (mu numbers the radial function, nu is the rank) and whose
edges are the contracted indices, so that nu edges leave a vertex. Its level is the sum of 2 + 4 mu
+ nu over the vertices. Two graphs that differ only by the order of their vertices are the same
function. This gives 5, 9, 16, 29, 52, 92, ... functions at level 6, 8, 10, 12, 14, 16, ..., as in
MLIP-3.

Each function is split into two parts, these again, down to components of single tensors; components
that functions share are computed once. Of the possible splits that with the fewest new products is
taken.

Source: Shapeev, Multiscale Model. Simul. 14, 1153 (2016); the level: Gubaev, Podryabinkin, Hart,
Shapeev, Comput. Mater. Sci. 156, 148 (2019).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import combinations, combinations_with_replacement, permutations, product
from math import factorial

import numpy as np
from numpy.typing import NDArray

MAX_TENSORS, MAX_MU, MAX_NU = 4, 5, 10
"""Limits that MLIP-3 has; only the last two levels feel those of mu and nu."""

Index = tuple[int, int, int]
"""How often x, y and z stand among indices that may be swapped."""

Vertex = tuple[int, int, Index]
"""mu, nu and the indices that are still open."""

Graph = tuple[tuple[Vertex, ...], tuple[int, ...]]
"""Vertices, and the number of edges of each pair of them, in the order of ``combinations``."""


@dataclass(frozen=True)
class Template:
    """The tables of a level.

    Attributes
    ----------
    basic : (B, 4) int32, radial function and powers of x, y, z of each basic moment
    times : (T, 4) int32, products of moments: first, second, multiplicity, result
    scalars : (S,) int32, the moments that are basis functions
    """

    basic: NDArray[np.int32]
    times: NDArray[np.int32]
    scalars: NDArray[np.int32]

    @property
    def n_moments(self) -> int:
        """Number of all moments."""
        return len(self.basic) + len(np.unique(self.times[:, 3]))

    @property
    def n_radial(self) -> int:
        """Number of radial functions."""
        return int(self.basic[:, 0].max()) + 1


def construct(level: int) -> Template:
    """The tables of a level."""
    work = _Construction()
    scalars = [work.build(graph) for graph in basis_functions(level)]
    basic = sorted(
        (v for v in work.order if len(v[0]) == 1),
        key=lambda v: (v[0][0][0], sum(v[0][0][2]), [-p for p in v[0][0][2]]),
    )
    order = basic + [v for v in work.order if len(v[0]) > 1]
    place = {work.number[graph]: k for k, graph in enumerate(order)}
    times = [
        (place[a], place[b], m, place[work.number[g]])
        for g in order
        for (a, b), m in sorted(work.terms.get(g, {}).items())
    ]
    return Template(
        basic=np.array([(v[0][0], *v[0][2]) for v, _ in basic], np.int32),
        times=np.array(times, np.int32).reshape(-1, 4),
        scalars=np.array(sorted(place[s] for s in scalars), np.int32),
    )


def basis_functions(level: int) -> list[Graph]:
    """Every basis function up to ``level`` as a graph without open indices."""
    kinds = [
        (mu, nu) for mu in range(MAX_MU + 1) for nu in range(MAX_NU + 1) if 2 + 4 * mu + nu <= level
    ]
    found: dict[Graph, None] = {}
    for n in range(1, MAX_TENSORS + 1):
        for chosen in combinations_with_replacement(kinds, n):
            if sum(2 + 4 * mu + nu for mu, nu in chosen) <= level:
                vertices = tuple((mu, nu, (0, 0, 0)) for mu, nu in chosen)
                for edges in _edges([nu for _, nu in chosen]):
                    found[_canonical((vertices, edges))] = None
    return sorted(found, key=lambda g: (len(g[0]), sum(2 + 4 * v[0] + v[1] for v in g[0]), g))


def _edges(degrees: list[int]) -> Iterator[tuple[int, ...]]:
    """Edge counts of all pairs that give every vertex its degree."""
    pairs = list(combinations(range(len(degrees)), 2))

    def extend(done: tuple[int, ...], left: list[int]) -> Iterator[tuple[int, ...]]:
        if len(done) == len(pairs):
            if not any(left):
                yield done
            return
        i, j = pairs[len(done)]
        last = j == len(degrees) - 1
        for count in range(left[i] if last else 0, min(left[i], left[j]) + 1):
            rest = list(left)
            rest[i] -= count
            rest[j] -= count
            yield from extend((*done, count), rest)

    return extend((), degrees)


@cache
def _canonical(graph: Graph) -> Graph:
    """The same graph with its vertices in one agreed order."""
    vertices, edges = graph
    n = len(vertices)
    pairs = list(combinations(range(n), 2))
    of = {pair: edges[k] for k, pair in enumerate(pairs)}
    first = sorted(range(n), key=lambda i: vertices[i])
    best = tuple(vertices[i] for i in first)
    return best, min(
        tuple(of[min(p[i], p[j]), max(p[i], p[j])] for i, j in pairs)
        for p in permutations(range(n))
        if tuple(vertices[i] for i in p) == best
    )


@cache
def _distributions(count: int) -> tuple[tuple[Index, int], ...]:
    """The ways in which ``count`` contracted indices can be x, y and z, each with its
    multiplicity.
    """
    return tuple(
        (
            (x, y, count - x - y),
            factorial(count) // (factorial(x) * factorial(y) * factorial(count - x - y)),
        )
        for x in range(count + 1)
        for y in range(count + 1 - x)
    )


@lru_cache(maxsize=300_000)
def _split(graph: Graph, part: tuple[int, ...]) -> Counter[tuple[Graph, Graph]]:
    """The graph as a sum of products: the vertices ``part`` times the others, over all values of
    the indices contracted between them.
    """
    vertices, edges = graph
    n = len(vertices)
    other = tuple(i for i in range(n) if i not in part)
    pairs = list(combinations(range(n), 2))
    of = {pair: edges[k] for k, pair in enumerate(pairs)}
    cut = [pair for pair in pairs if (pair[0] in part) != (pair[1] in part) and of[pair]]
    terms: Counter[tuple[Graph, Graph]] = Counter()

    def side(members: tuple[int, ...], opened: dict[int, list[int]]) -> Graph:
        return _canonical(
            (
                tuple(
                    (vertices[i][0], vertices[i][1], (opened[i][0], opened[i][1], opened[i][2]))
                    for i in members
                ),
                tuple(of[pair] for pair in combinations(members, 2)),
            )
        )

    for choice in product(*(_distributions(of[pair]) for pair in cut)):
        opened = {i: list(vertices[i][2]) for i in range(n)}
        multiplicity = 1
        for (i, j), (index, ways) in zip(cut, choice, strict=True):
            multiplicity *= ways
            for a in range(3):
                opened[i][a] += index[a]
                opened[j][a] += index[a]
        left, right = sorted((side(part, opened), side(other, opened)))
        terms[left, right] += multiplicity
    return terms


@dataclass
class _Construction:
    """Moments built so far.

    Attributes
    ----------
    number : number of each moment in the order of building
    order : the moments in that order
    terms : of each product moment, the pairs of factors (by number) and their multiplicity
    """

    number: dict[Graph, int] = field(default_factory=dict)
    order: list[Graph] = field(default_factory=list)
    terms: dict[Graph, Counter[tuple[int, int]]] = field(default_factory=dict)

    def build(self, graph: Graph) -> int:
        """Number of a moment, which is built where it does not exist yet."""
        if graph not in self.number:
            if len(graph[0]) > 1:
                terms = _split(graph, self._part(graph))
                self.terms[graph] = Counter()
                for (left, right), multiplicity in terms.items():
                    self.terms[graph][self.build(left), self.build(right)] += multiplicity
            self.number[graph] = len(self.order)
            self.order.append(graph)
        return self.number[graph]

    def _part(self, graph: Graph) -> tuple[int, ...]:
        n = len(graph[0])
        candidates = [
            part
            for size in range(1, n // 2 + 1)
            for part in combinations(range(n), size)
            if 2 * size < n or 0 in part
        ]
        return (
            min(candidates, key=lambda part: len(self._missing(graph, part, {})))
            if n > 2
            else candidates[0]
        )

    def _missing(
        self, graph: Graph, part: tuple[int, ...], missing: dict[object, None]
    ) -> dict[object, None]:
        """The products that a split would add."""
        for pair in _split(graph, part):
            missing[graph, pair] = None
            for side in pair:
                if side not in self.number and len(side[0]) > 1 and (side, "built") not in missing:
                    missing[side, "built"] = None
                    self._missing(side, self._part(side) if len(side[0]) > 2 else (0,), missing)
        return missing
