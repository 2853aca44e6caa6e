"""The compiled kernel of energies, forces and virials.

Eight neighbours go together through radial functions, moments and forces, and eight atoms through
the products of moments. Each part of the atoms (``parts``) has forces of its own, which are added
up in the end.

Derivatives are propagated backward from the energy to the basic moments, from these to the
monomials of the neighbours' directions and on to the directions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from borarun.mtp.lanes import LANES, load, positive, root, splat, store, total
from borarun.mtp.parts import first_of_part
from borarun.mtp.tables import FAST, Tables, type_ends

Array = NDArray[Any]

ROW = 2 * LANES
"""Two kinds of numbers alternate in one array where a loop writes the one and reads the other: a
processor takes addresses that differ by a multiple of 4096 bytes for the same one, and would wait.
"""


class Monomials(NamedTuple):
    """How each monomial of directions but the first, which is 1, comes from another one.

    Attributes
    ----------
    axes, parents : (A,) monomial m is that of ``parents[m]`` times the direction's x, y or z
    by_axis, ends_by_axis : (A - 1,), (3,) those that come by x end before ``ends_by_axis[0]``, and
        so on
    """

    axes: Array
    parents: Array
    by_axis: Array
    ends_by_axis: Array


@njit(cache=True)
def monomials_of(tables: Tables) -> Monomials:
    """How monomials come from each other."""
    n = len(tables.powers)
    axes, parents = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for m in range(1, n):
        axes[m] = 0 if tables.powers[m, 0] > 0 else (1 if tables.powers[m, 1] > 0 else 2)
        parents[m] = tables.lower[m, axes[m]]
    by_axis, ends, at = np.empty(n - 1, np.int64), np.zeros(3, np.int64), 0
    for axis in range(3):
        for m in range(1, n):
            if axes[m] == axis:
                by_axis[at] = m
                at += 1
        ends[axis] = at
    return Monomials(axes, parents, by_axis, ends)


@njit(cache=True)
def scratch(rows: int, columns: int) -> Array:
    """Zeros in whole cache lines: lanes that lie in two of them take twice the time."""
    memory = np.zeros(rows * columns + LANES)
    shift = -(memory.ctypes.data // memory.itemsize) % LANES
    return memory[shift : shift + rows * columns].reshape(rows, columns)


@njit(cache=True)
def evaluate_parts(
    tables: Tables, types: Array, counts: Array, js: Array, vectors: Array,
    energies: Array, forces: Array, virials: Array,
) -> None:  # fmt: skip
    """Set the local energies (N,), and forces (parts, N, 3) and virials (parts, 6) of each part."""
    for part in range(len(forces)):
        _evaluate(
            tables, types, counts, js, vectors, part, len(forces), energies, forces[part],
            virials[part],
        )  # fmt: skip


@njit(cache=True, parallel=True)
def evaluate_parts_together(
    tables: Tables, types: Array, counts: Array, js: Array, vectors: Array,
    energies: Array, forces: Array, virials: Array,
) -> None:  # fmt: skip
    """The same with threads."""
    for part in prange(len(forces)):
        _evaluate(
            tables, types, counts, js, vectors, part, len(forces), energies, forces[part],
            virials[part],
        )  # fmt: skip


@njit(cache=True)
def add_parts(forces: Array, total_forces: Array) -> None:
    """Add the forces (parts, N, 3) up, in the order of the parts."""
    for part in range(len(forces)):
        _add_forces(forces, part, total_forces)


@njit(cache=True, parallel=True)
def add_parts_together(forces: Array, total_forces: Array) -> None:
    """The same with threads."""
    for part in prange(len(forces)):
        _add_forces(forces, part, total_forces)


@njit(cache=True)
def _add_forces(forces: Array, of_part: int, total_forces: Array) -> None:
    """Set the sums over all parts for the atoms of one."""
    parts, n = len(forces), len(total_forces)
    for i in range(first_of_part(of_part, parts, n), first_of_part(of_part + 1, parts, n)):
        for axis in range(3):
            value = forces[0, i, axis]
            for part in range(1, parts):
                value += forces[part, i, axis]
            total_forces[i, axis] = value


@njit(cache=True, fastmath=FAST)
def _evaluate(
    tables: Tables, types: Array, counts: Array, js: Array, vectors: Array,
    part: int, parts: int, energies: Array, forces: Array, virial: Array,
) -> None:  # fmt: skip
    """Set the local energies of the atoms of a part, and forces and virial that follow from them.

    Parameters
    ----------
    types .. vectors : see ``neighbours.Pairs``
    energies : (N,)
    forces : (N, 3)
    virial : (6,), Voigt order
    """
    n, width = len(types), js.shape[1] + LANES
    n_radial, size = tables.radial.shape[2], tables.radial.shape[3]
    n_powers = len(tables.powers)
    monomials = monomials_of(tables)
    q, dq = scratch(size, width), scratch(size, width)
    # Of each atom of a group: its neighbours' directions and inverse distances, radial functions
    # and their slopes.
    unit, inverse = scratch(LANES * 3, width).reshape(LANES, 3, width), scratch(LANES, width)
    f = scratch(LANES * n_radial, width).reshape(LANES, n_radial, width)
    df = scratch(LANES * n_radial, width).reshape(LANES, n_radial, width)
    gradient = scratch(3, width)
    both = scratch(max(n_powers, len(tables.angular)), ROW)
    moments = scratch(tables.n_moments, ROW)
    pull = np.empty(len(tables.angular))
    ends = np.empty(len(tables.species), np.int64)
    energy = scratch(1, LANES)[0]
    forces[:] = 0.0
    virial[:] = 0.0
    zero = splat(0.0)
    xx, yy, zz, yz, xz, xy = zero, zero, zero, zero, zero, zero
    begin_atom, end_atom = first_of_part(part, parts, n), first_of_part(part + 1, parts, n)
    for begin in range(begin_atom, end_atom, LANES):
        end = min(begin + LANES, end_atom)
        moments[:] = 0.0
        for i in range(begin, end):
            lane = i - begin
            padded = (counts[i] + LANES - 1) // LANES * LANES
            type_ends(types, js, i, counts[i], ends)
            ends[-1] = padded
            _radial_basis(tables, vectors, i, padded, inverse[lane], unit[lane], q, dq)
            _radial_functions(tables, types[i], ends, q, dq, f[lane], df[lane])
            _basic_moments(tables, monomials, padded, unit[lane], f[lane], both)
            for b in range(len(tables.angular)):
                moments[b, lane] = total(load(both, b * ROW + LANES))
        _products(tables, types, begin, end, moments, energy, energies)
        for i in range(begin, end):
            lane = i - begin
            padded = (counts[i] + LANES - 1) // LANES * LANES
            for b in range(len(tables.angular)):
                pull[b] = moments[b, LANES + lane]
            _pair_gradients(
                tables, monomials, padded, unit[lane], inverse[lane], f[lane], df[lane], pull,
                both, gradient,
            )  # fmt: skip
            for k in range(0, padded, LANES):
                gx, gy = load(gradient, k), load(gradient, width + k)
                gz = load(gradient, 2 * width + k)
                x = load(vectors, (i * 3 + 0) * js.shape[1] + k)
                y = load(vectors, (i * 3 + 1) * js.shape[1] + k)
                z = load(vectors, (i * 3 + 2) * js.shape[1] + k)
                xx, yy, zz = xx + gx * x, yy + gy * y, zz + gz * z
                yz, xz, xy = yz + gy * z, xz + gx * z, xy + gx * y
            fx, fy, fz = 0.0, 0.0, 0.0
            for k in range(counts[i]):
                j = js[i, k]
                fx += gradient[0, k]
                fy += gradient[1, k]
                fz += gradient[2, k]
                forces[j, 0] -= gradient[0, k]
                forces[j, 1] -= gradient[1, k]
                forces[j, 2] -= gradient[2, k]
            forces[i, 0] += fx
            forces[i, 1] += fy
            forces[i, 2] += fz
    virial[0], virial[1], virial[2] = total(xx), total(yy), total(zz)
    virial[3], virial[4], virial[5] = total(yz), total(xz), total(xy)


@njit(cache=True, fastmath=FAST)
def _radial_basis(
    tables: Tables, vectors: Array, i: int, padded: int,
    inverse: Array, unit: Array, q: Array, dq: Array,
) -> None:  # fmt: skip
    """Distances, directions, radial basis and its slope of the neighbours of atom i."""
    scaling, low, high = tables.cutoffs
    scale = 2.0 / (high - low)
    width, wide = vectors.shape[2], q.shape[1]
    for k in range(0, padded, LANES):
        x = load(vectors, (3 * i + 0) * width + k)
        y = load(vectors, (3 * i + 1) * width + k)
        z = load(vectors, (3 * i + 2) * width + k)
        r = root(x * x + y * y + z * z)
        over = 1.0 / r
        store(inverse, k, over)
        store(unit, k, x * over)
        store(unit, wide + k, y * over)
        store(unit, 2 * wide + k, z * over)
        left = positive(high - r)  # neighbours that only fill up the lanes are beyond the cutoff
        t = scale * (r - low) - 1.0
        value, change = scaling * left * left, -2.0 * scaling * left
        before, d_before = value, change
        store(q, k, value)
        store(dq, k, change)
        value, change = t * before, scale * before + t * d_before
        store(q, wide + k, value)
        store(dq, wide + k, change)
        for order in range(2, len(q)):
            after = 2.0 * t * value - before
            d_after = 2.0 * (scale * value + t * change) - d_before
            before, d_before, value, change = value, change, after, d_after
            store(q, order * wide + k, value)
            store(dq, order * wide + k, change)


@njit(cache=True, fastmath=FAST)
def _radial_functions(
    tables: Tables, kind: int, ends: Array, q: Array, dq: Array, f: Array, df: Array
) -> None:
    """Radial functions and slopes of neighbours sorted by type: type s ends before ``ends[s]``.

    The last lanes of a type are written over by the next one.
    """
    wide = q.shape[1]
    begin = 0
    for other in range(len(ends)):
        for k in range(begin, ends[other], LANES):
            for mu in range(len(f)):
                value, change = splat(0.0), splat(0.0)
                for beta in range(len(q)):
                    c = tables.radial[kind, other, mu, beta]
                    value = value + c * load(q, beta * wide + k)
                    change = change + c * load(dq, beta * wide + k)
                store(f, mu * wide + k, value)
                store(df, mu * wide + k, change)
        begin = ends[other]


@njit(cache=True, fastmath=FAST)
def _basic_moments(
    tables: Tables, monomials: Monomials, padded: int, unit: Array, f: Array, both: Array
) -> None:  # fmt: skip
    """Basic moments, each still as lanes to add up."""
    width = unit.shape[1]
    for b in range(len(tables.angular)):
        store(both, b * ROW + LANES, splat(0.0))
    for k in range(0, padded, LANES):
        _set_monomials(monomials, unit, k, both)
        for mu in range(len(f)):
            radial = load(f, mu * width + k)
            for b in range(np.uint64(tables.first[mu]), np.uint64(tables.first[mu + 1])):
                angular, at = load(both, tables.angular[b] * ROW), np.int64(b) * ROW + LANES
                store(both, at, load(both, at) + radial * angular)


@njit(cache=True, fastmath=FAST)
def _pair_gradients(
    tables: Tables, monomials: Monomials, padded: int, unit: Array, inverse: Array,
    f: Array, df: Array, pull: Array, both: Array, gradient: Array,
) -> None:  # fmt: skip
    """dE/dr (3, W) of each neighbour, from dE/dM of the basic moments (``pull``)."""
    width = unit.shape[1]
    axes, parents, by_axis, ends_by_axis = monomials
    for k in range(0, padded, LANES):
        _set_monomials(monomials, unit, k, both)
        for m in range(len(axes)):
            store(both, m * ROW + LANES, splat(0.0))
        along = splat(0.0)
        for mu in range(len(f)):
            radial, change = load(f, mu * width + k), splat(0.0)
            for b in range(np.uint64(tables.first[mu]), np.uint64(tables.first[mu + 1])):
                m = tables.angular[b] * ROW
                change = change + pull[b] * load(both, m)
                store(both, m + LANES, load(both, m + LANES) + pull[b] * radial)
            along = along + change * load(df, mu * width + k)
        for m in range(len(axes) - 1, 0, -1):
            parent, direction = parents[m] * ROW + LANES, load(unit, axes[m] * width + k)
            store(both, parent, load(both, parent) + load(both, m * ROW + LANES) * direction)
        sx, sy, sz = splat(0.0), splat(0.0), splat(0.0)
        for at in range(0, ends_by_axis[0]):
            m = by_axis[at]
            sx = sx + load(both, m * ROW + LANES) * load(both, parents[m] * ROW)
        for at in range(ends_by_axis[0], ends_by_axis[1]):
            m = by_axis[at]
            sy = sy + load(both, m * ROW + LANES) * load(both, parents[m] * ROW)
        for at in range(ends_by_axis[1], ends_by_axis[2]):
            m = by_axis[at]
            sz = sz + load(both, m * ROW + LANES) * load(both, parents[m] * ROW)
        x, y, z = load(unit, k), load(unit, width + k), load(unit, 2 * width + k)
        over = load(inverse, k)
        along = along - over * (x * sx + y * sy + z * sz)
        store(gradient, k, along * x + over * sx)
        store(gradient, width + k, along * y + over * sy)
        store(gradient, 2 * width + k, along * z + over * sz)


@njit(cache=True, fastmath=FAST)
def _set_monomials(monomials: Monomials, unit: Array, k: int, both: Array) -> None:
    """Products of the directions' powers for the neighbours from k on, in the first lanes of each
    row.
    """
    axes, parents, width = monomials.axes, monomials.parents, unit.shape[1]
    store(both, 0, splat(1.0))
    for m in range(1, len(axes)):
        value = load(both, parents[m] * ROW) * load(unit, axes[m] * width + k)
        store(both, m * ROW, value)


@njit(cache=True, fastmath=FAST)
def _products(
    tables: Tables, types: Array, begin: int, end: int,
    moments: Array, energy: Array, energies: Array,
) -> None:  # fmt: skip
    """All moments from the basic ones, dE/dM of all of them behind these, and the energies, of a
    group.
    """
    times = tables.times
    for t in range(len(times)):
        factor, into = float(times[t, 2]), times[t, 3] * ROW
        product = factor * load(moments, times[t, 0] * ROW) * load(moments, times[t, 1] * ROW)
        store(moments, into, load(moments, into) + product)
    value = splat(0.0)
    for m in range(tables.n_moments):
        store(moments, m * ROW + LANES, splat(0.0))
    for s in range(len(tables.scalars)):
        c, m = tables.moments[s], tables.scalars[s] * ROW
        value = value + c * load(moments, m)
        store(moments, m + LANES, splat(c))
    store(energy, 0, value)
    for i in range(begin, end):
        energies[i] = tables.species[types[i]] + energy[i - begin]
    for t in range(len(times) - 1, -1, -1):
        first, second = times[t, 0] * ROW, times[t, 1] * ROW
        weighted = float(times[t, 2]) * load(moments, times[t, 3] * ROW + LANES)
        change = weighted * load(moments, second)
        store(moments, first + LANES, load(moments, first + LANES) + change)
        change = weighted * load(moments, first)
        store(moments, second + LANES, load(moments, second + LANES) + change)
