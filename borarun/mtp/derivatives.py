"""Derivatives of a moment tensor potential with respect to its parameters, as compiled kernels.

motep's ``calc_train`` gives the same numbers (the tests compare them) by propagating every
derivative forward through all moments; these kernels propagate backward from the energy, which
takes a fifteenth of its time. In the words of ``tables``:

dE/dc[i,j,mu,beta] = sum over b with mu(b) = mu of dE/dM_b dM_b/dc, with dM_b/dc = sum over k of
type j of Q_beta(r_k) x_k^a y_k^b z_k^c.

The derivatives of forces need the second derivatives of E(M) besides. With A = dM_b/dr_k and D =
dM/dM_b, of which few are not zero, those of dE/dr_k are A D for the coefficients of the basis
functions. For the radial ones they are A H dM_b/dc + d/dr_k (dE/dM_b dM_b/dc at fixed dE/dM_b),
where H dM_b/dc, with H = d2E/dM_b dM_b', is the tangent of the backward pass along c: one matrix
product an atom.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from borarun.mtp.lanes import LANES, load, splat, store
from borarun.mtp.tables import (
    FAST,
    Tables,
    all_adjoints,
    all_moments,
    neighbourhood,
    radial_functions,
    type_ends,
)

Array = NDArray[Any]

SINGLE = np.float32


@njit(cache=True, fastmath=FAST, nogil=True)
def local_gradients(
    tables: Tables, types: Array, counts: Array, js: Array, vectors: Array, begin: int, end: int
) -> Array:
    """Derivatives of the local energies with respect to all parameters.

    Parameters
    ----------
    types .. vectors : see ``neighbours.Pairs``
    begin, end : first atom, and the one after the last

    Returns
    -------
    (end - begin, P) moments, species, radial functions
    """
    n_species, _, n_radial, size = tables.radial.shape
    n_scalars, width = len(tables.scalars), js.shape[1]
    inverse, unit = np.empty(width), np.empty((3, width))
    q, dq = np.empty((size, width)), np.empty((size, width))
    f, shape = np.empty((n_radial, width)), np.empty((n_radial, width))
    mono = np.empty((len(tables.powers), width))
    moments, adjoint = np.empty(tables.n_moments), np.empty(tables.n_moments)
    ends = np.empty(n_species, np.int64)
    out = np.zeros((end - begin, n_scalars + n_species + tables.radial.size))
    for i in range(begin, end):
        count, kind = counts[i], types[i]
        neighbourhood(tables, vectors, i, count, inverse, unit, q, dq, mono)
        type_ends(types, js, i, count, ends)
        radial_functions(tables, kind, ends, q, f)
        all_moments(tables, count, f, mono, moments)
        all_adjoints(tables, moments, adjoint)
        for s in range(n_scalars):
            out[i - begin, s] = moments[tables.scalars[s]]
        out[i - begin, n_scalars + kind] = 1.0
        shape[:, :count] = 0.0
        for b in range(len(tables.angular)):
            mu, m = tables.radial_of[b], tables.angular[b]
            for k in range(count):
                shape[mu, k] += adjoint[b] * mono[m, k]
        of_type = 0
        for other in range(n_species):
            start = n_scalars + n_species + (kind * n_species + other) * n_radial * size
            for mu in range(n_radial):
                for beta in range(size):
                    total = 0.0
                    for k in range(of_type, ends[other]):
                        total += shape[mu, k] * q[beta, k]
                    out[i - begin, start + mu * size + beta] = total
            of_type = ends[other]
    return out


class Reach(NamedTuple):
    """What each moment depends on.

    Attributes
    ----------
    first, basic : (n_moments + 1,), (E,) moment m is made of the basic moments
        ``basic[first[m]:first[m + 1]]``
    radial : (n_moments, R) whether it has radial function mu
    used : (n_moments,) whether other moments are made of it
    """

    first: Array
    basic: Array
    radial: Array
    used: Array


@njit(cache=True)
def reach_of(tables: Tables) -> Reach:
    """What each moment depends on."""
    n_basic, times = len(tables.angular), tables.times
    known = np.zeros((tables.n_moments, n_basic), np.bool_)
    radial = np.zeros((tables.n_moments, len(tables.first) - 1), np.bool_)
    used = np.zeros(tables.n_moments, np.bool_)
    for b in range(n_basic):
        known[b, b] = True
    for t in range(len(times)):
        i, j, target = times[t, 0], times[t, 1], times[t, 3]
        used[i] = used[j] = True
        for b in range(n_basic):
            known[target, b] |= known[i, b] | known[j, b]
    first = np.zeros(tables.n_moments + 1, np.int64)
    basic = np.empty(known.sum(), np.int64)
    at = 0
    for m in range(tables.n_moments):
        for b in range(n_basic):
            if known[m, b]:
                radial[m, tables.radial_of[b]] = True
                basic[at] = b
                at += 1
        first[m + 1] = at
    return Reach(first, basic, radial, used)


@njit(cache=True, fastmath=FAST)
def jacobian(tables: Tables, types: Array, counts: Array, js: Array, vectors: Array) -> Array:
    """Derivatives of energy, virial and forces with respect to all parameters, in single precision:
    a Gauss-Newton step needs only the curvature from them.

    Parameters
    ----------
    types .. vectors : see ``neighbours.Pairs``

    Returns
    -------
    (7 + 3 N, P) float32, rows: energy; virial (stress times volume), Voigt order xx yy zz yz xz xy;
    forces of atom 0, 1, ...
    """
    n_species, _, n_radial, size = tables.radial.shape
    n_scalars, n_basic, width = len(tables.scalars), len(tables.angular), js.shape[1]
    # Radial parameters of one mu and, behind them, of one atom's type, in whole lanes: what only
    # fills these up stays zero. Here they are ordered by mu, type, beta, in a file by type, mu,
    # beta.
    n_group = (n_species * size + LANES - 1) // LANES * LANES
    n_own = n_radial * n_group
    reach = reach_of(tables)
    inverse, unit = np.empty(width), np.empty((3, width))
    q, dq = np.empty((size, width)), np.empty((size, width))
    f, df = np.empty((n_radial, width)), np.empty((n_radial, width))
    mono = np.empty((len(tables.powers), width))
    moments, adjoint = np.empty(tables.n_moments), np.empty(tables.n_moments)
    ends = np.empty(n_species, np.int64)
    shape, d_shape = np.empty(width, SINGLE), np.empty((3, width), SINGLE)
    d_mono = np.empty((len(tables.powers), 3, width), SINGLE)
    of_basic = np.zeros((tables.n_moments, n_basic), SINGLE)
    forward = np.zeros((tables.n_moments, n_own), SINGLE)
    backward = np.zeros((tables.n_moments, n_own), SINGLE)
    place = np.zeros(n_scalars + n_own, np.int64)
    out = np.zeros((n_scalars + n_species + tables.radial.size, 7 + 3 * len(types)), SINGLE)
    for s in range(n_scalars):
        place[s] = s
    for i in range(len(types)):
        count, kind = counts[i], types[i]
        out[n_scalars + kind, 0] += SINGLE(1.0)
        if count == 0:
            continue
        neighbourhood(tables, vectors, i, count, inverse, unit, q, dq, mono)
        type_ends(types, js, i, count, ends)
        radial_functions(tables, kind, ends, q, f)
        radial_functions(tables, kind, ends, dq, df)
        all_moments(tables, count, f, mono, moments)
        all_adjoints(tables, moments, adjoint)
        q_1, dq_1 = q.astype(SINGLE), dq.astype(SINGLE)
        f_1, df_1, mono_1 = f.astype(SINGLE), df.astype(SINGLE), mono.astype(SINGLE)
        unit_1, inverse_1 = unit.astype(SINGLE), inverse.astype(SINGLE)
        _monomial_slopes(tables, count, inverse_1, unit_1, mono_1, d_mono)

        padded = (count + LANES - 1) // LANES * LANES
        slope = np.zeros((n_basic, 3 * padded), SINGLE)
        for b in range(n_basic):
            mu, m = tables.radial_of[b], tables.angular[b]
            for axis in range(3):
                for k in range(count):
                    slope[b, axis * padded + k] = (
                        df_1[mu, k] * unit_1[axis, k] * mono_1[m, k]
                        + f_1[mu, k] * d_mono[m, axis, k]
                    )
        begin = 0
        for other in range(n_species):
            powers = np.ascontiguousarray(mono_1[:, begin : ends[other]])
            basis = np.ascontiguousarray(q_1[:, begin : ends[other]])
            of_type = np.dot(powers, basis.T)
            for b in range(n_basic):
                mu = tables.radial_of[b]
                for beta in range(size):
                    forward[b, mu * n_group + other * size + beta] = of_type[
                        tables.angular[b], beta
                    ]
            for mu in range(n_radial):
                for beta in range(size):
                    place[n_scalars + mu * n_group + other * size + beta] = (
                        n_scalars
                        + n_species
                        + ((kind * n_species + other) * n_radial + mu) * size
                        + beta
                    )
            begin = ends[other]
        _basic_tangents(tables, reach, moments, of_basic)
        _radial_tangents(tables, reach, moments, adjoint, forward, backward)

        product = np.empty((n_scalars + n_own, 3 * padded), SINGLE)
        for s in range(n_scalars):
            out[s, 0] += SINGLE(moments[tables.scalars[s]])
        _scalar_slopes(tables, reach, of_basic, slope, product)
        np.dot(backward[:n_basic].T, slope, product[n_scalars:])
        for mu in range(n_radial):
            shape[:count] = SINGLE(0.0)
            d_shape[:, :count] = SINGLE(0.0)
            for b in range(tables.first[mu], tables.first[mu + 1]):
                m, of_b = tables.angular[b], SINGLE(adjoint[b])
                for c in range(mu * n_group, (mu + 1) * n_group):
                    out[place[n_scalars + c], 0] += of_b * forward[b, c]
                for k in range(count):
                    shape[k] += of_b * mono_1[m, k]
                for axis in range(3):
                    for k in range(count):
                        d_shape[axis, k] += of_b * d_mono[m, axis, k]
            begin = 0
            for other in range(n_species):
                for beta in range(size):
                    c = n_scalars + mu * n_group + other * size + beta
                    for axis in range(3):
                        for k in range(begin, ends[other]):
                            product[c, axis * padded + k] += (
                                dq_1[beta, k] * unit_1[axis, k] * shape[k]
                                + q_1[beta, k] * d_shape[axis, k]
                            )
                begin = ends[other]
        _scatter(i, count, js, vectors, place, product, out)
    return out.T


@njit(cache=True, fastmath=FAST)
def _monomial_slopes(
    tables: Tables, count: int, inverse: Array, unit: Array, mono: Array, d_mono: Array
) -> None:
    """Derivatives of the monomials (A, W) of the direction with respect to the vector, (A,
    3, W).
    """
    for m in range(len(tables.powers)):
        degree = SINGLE(tables.powers[m].sum())
        for axis in range(3):
            power, below = SINGLE(tables.powers[m, axis]), tables.lower[m, axis]
            for k in range(count):
                d_mono[m, axis, k] = (
                    power * mono[below, k] - degree * unit[axis, k] * mono[m, k]
                ) * inverse[k]


@njit(cache=True, fastmath=FAST)
def _basic_tangents(tables: Tables, reach: Reach, moments: Array, of_basic: Array) -> None:
    """dM/dM_b (n_moments, B) of all moments, where it is not zero."""
    first, basic, times, n_basic = reach.first, reach.basic, tables.times, len(tables.angular)
    for m in range(tables.n_moments):
        for at in range(first[m], first[m + 1]):
            of_basic[m, basic[at]] = SINGLE(1.0 if m < n_basic else 0.0)
    for t in range(len(times)):
        i, j, target = times[t, 0], times[t, 1], times[t, 3]
        of_i, of_j = SINGLE(times[t, 2] * moments[j]), SINGLE(times[t, 2] * moments[i])
        for at in range(first[i], first[i + 1]):
            of_basic[target, basic[at]] += of_i * of_basic[i, basic[at]]
        for at in range(first[j], first[j + 1]):
            of_basic[target, basic[at]] += of_j * of_basic[j, basic[at]]


@njit(cache=True, fastmath=FAST)
def _scalar_slopes(
    tables: Tables, reach: Reach, of_basic: Array, slope: Array, product: Array
) -> None:
    """Set the derivatives of dE/dr_k with respect to the coefficients of the scalars, from those of
    the basic moments with respect to r_k.
    """
    wide = slope.shape[1]
    padded = wide // 3
    for s in range(len(tables.scalars)):
        m = tables.scalars[s]
        for k in range(0, padded, LANES):
            x = splat(SINGLE(0.0))
            y, z = x, x
            for at in range(reach.first[m], reach.first[m + 1]):
                b = reach.basic[at]
                of_b, row = of_basic[m, b], b * wide + k
                x = x + of_b * load(slope, row)
                y = y + of_b * load(slope, row + padded)
                z = z + of_b * load(slope, row + 2 * padded)
            store(product, s * wide + k, x)
            store(product, s * wide + k + padded, y)
            store(product, s * wide + k + 2 * padded, z)


@njit(cache=True, fastmath=FAST)
def _radial_tangents(
    tables: Tables, reach: Reach, moments: Array, adjoint: Array, forward: Array, backward: Array
) -> None:
    """dM/dc and d(dE/dM)/dc (n_moments, C) of the moments that others are made of, from dM/dc of
    the basic ones.
    """
    times, n_basic, used = tables.times, len(tables.angular), reach.used
    columns = forward.shape[1]
    forward[n_basic:] = SINGLE(0.0)
    backward[:] = SINGLE(0.0)
    for t in range(len(times)):
        i, j, target = times[t, 0], times[t, 1], times[t, 3]
        if used[target]:
            _add_reached(reach, SINGLE(times[t, 2] * moments[j]), forward, i, forward, target)
            _add_reached(reach, SINGLE(times[t, 2] * moments[i]), forward, j, forward, target)
    for t in range(len(times) - 1, -1, -1):
        i, j, target = times[t, 0], times[t, 1], times[t, 3]
        weighted = SINGLE(times[t, 2] * adjoint[target])
        _add_reached(reach, weighted, forward, j, backward, i)
        _add_reached(reach, weighted, forward, i, backward, j)
        if used[target]:
            of_i, of_j = SINGLE(times[t, 2] * moments[j]), SINGLE(times[t, 2] * moments[i])
            for c in range(0, columns, LANES):
                above = load(backward, target * columns + c)
                to_i, to_j = i * columns + c, j * columns + c
                store(backward, to_i, load(backward, to_i) + of_i * above)
                store(backward, to_j, load(backward, to_j) + of_j * above)


@njit(cache=True, fastmath=FAST, inline="always")
def _add_reached(
    reach: Reach, factor: Any, source: Array, m: int, sums: Array, target: int
) -> None:
    """Add what is not zero of row m of dM/dc to a row of ``sums``, times a factor.

    A call would count references to all these arrays, which takes longer than the sums.
    """
    n_radial, columns = reach.radial.shape[1], source.shape[1]
    n_group = columns // n_radial
    for mu in range(n_radial):
        if reach.radial[m, mu]:
            for c in range(mu * n_group, (mu + 1) * n_group, LANES):
                at = target * columns + c
                store(sums, at, load(sums, at) + factor * load(source, m * columns + c))


@njit(cache=True, fastmath=FAST)
def _scatter(
    i: int, count: int, js: Array, vectors: Array, place: Array, product: Array, out: Array
) -> None:
    """Add derivatives (C, 3 W') of dE/dr_k of one atom, all x first, to those of the forces and the
    virial; row c goes to ``out[place[c]]``.
    """
    padded = product.shape[1] // 3
    gather = np.zeros((9, 3 * padded), SINGLE)  # virial and total of dE/dr_k
    half = SINGLE(0.5)
    for k in range(count):
        x, y, z = SINGLE(vectors[i, 0, k]), SINGLE(vectors[i, 1, k]), SINGLE(vectors[i, 2, k])
        kx, ky, kz = k, padded + k, 2 * padded + k
        gather[0, kx], gather[1, ky], gather[2, kz] = x, y, z
        gather[3, ky], gather[3, kz] = half * z, half * y
        gather[4, kx], gather[4, kz] = half * z, half * x
        gather[5, kx], gather[5, ky] = half * y, half * x
        gather[6, kx], gather[7, ky], gather[8, kz] = SINGLE(1.0), SINGLE(1.0), SINGLE(1.0)
    sums = np.dot(product, gather.T)
    for c in range(len(place)):
        row = out[place[c]]
        for k in range(count):
            force = 7 + 3 * js[i, k]
            row[force] -= product[c, k]
            row[force + 1] -= product[c, padded + k]
            row[force + 2] -= product[c, 2 * padded + k]
        for v in range(6):
            row[1 + v] += sums[c, v]
        for axis in range(3):
            row[7 + 3 * i + axis] += sums[c, 6 + axis]


@njit(cache=True, fastmath=FAST)
def weighted_gradient(
    tables: Tables, types: Array, counts: Array, js: Array, vectors: Array, weights: Array
) -> Array:
    """Derivatives of a weighted sum of energy, virial and forces: ``weights @ jacobian(...)``, in
    the time of two or three evaluations.

    With d_k = w_i - w_j + W r_k, where w are the weights of the forces and W those of the virial as
    a symmetric matrix, the sum is that of (w_E + d/de) E_i(r_k + e d_k) over atoms: values and
    their slopes along d propagate forward, then both backward.

    Parameters
    ----------
    types .. vectors : see ``neighbours.Pairs``
    weights : (7 + 3 N,) in the order of the rows of ``jacobian``

    Returns
    -------
    (P,) moments, species, radial functions
    """
    n_species, _, n_radial, size = tables.radial.shape
    n_scalars, width, n_basic = len(tables.scalars), js.shape[1], len(tables.angular)
    inverse, unit = np.empty(width), np.empty((3, width))
    q, dq = np.empty((size, width)), np.empty((size, width))
    f, df = np.empty((n_radial, width)), np.empty((n_radial, width))
    of_q, of_dq = np.empty((n_radial, width)), np.empty((n_radial, width))
    mono, d_mono = np.empty((len(tables.powers), width)), np.empty((len(tables.powers), width))
    moments, d_moments = np.empty(tables.n_moments), np.empty(tables.n_moments)
    adjoint, d_adjoint = np.empty(tables.n_moments), np.empty(tables.n_moments)
    ends = np.empty(n_species, np.int64)
    rate, turn = np.empty(width), np.empty((3, width))
    times, of_energy, strain = tables.times, weights[0], weights[1:7]
    out = np.zeros(n_scalars + n_species + tables.radial.size)
    for i in range(len(types)):
        count, kind = counts[i], types[i]
        neighbourhood(tables, vectors, i, count, inverse, unit, q, dq, mono)
        type_ends(types, js, i, count, ends)
        radial_functions(tables, kind, ends, q, f)
        radial_functions(tables, kind, ends, dq, df)
        a, b, c = weights[7 + 3 * i], weights[8 + 3 * i], weights[9 + 3 * i]
        for k in range(count):
            x, y, z = vectors[i, 0, k], vectors[i, 1, k], vectors[i, 2, k]
            j = 7 + 3 * js[i, k]
            dx = a - weights[j] + strain[0] * x + 0.5 * (strain[5] * y + strain[4] * z)
            dy = b - weights[j + 1] + strain[1] * y + 0.5 * (strain[5] * x + strain[3] * z)
            dz = c - weights[j + 2] + strain[2] * z + 0.5 * (strain[4] * x + strain[3] * y)
            rate[k] = unit[0, k] * dx + unit[1, k] * dy + unit[2, k] * dz
            turn[0, k] = (dx - rate[k] * unit[0, k]) * inverse[k]
            turn[1, k] = (dy - rate[k] * unit[1, k]) * inverse[k]
            turn[2, k] = (dz - rate[k] * unit[2, k]) * inverse[k]
        for mu in range(n_radial):
            for k in range(count):
                df[mu, k] *= rate[k]
        d_mono[0, :count] = 0.0
        for m in range(1, len(tables.powers)):
            axis = 0 if tables.powers[m, 0] > 0 else (1 if tables.powers[m, 1] > 0 else 2)
            parent = tables.lower[m, axis]
            for k in range(count):
                d_mono[m, k] = d_mono[parent, k] * unit[axis, k] + mono[parent, k] * turn[axis, k]

        moments[:] = 0.0
        d_moments[:] = 0.0
        for b in range(n_basic):
            mu, m = tables.radial_of[b], tables.angular[b]
            total, d_total = 0.0, 0.0
            for k in range(count):
                total += f[mu, k] * mono[m, k]
                d_total += df[mu, k] * mono[m, k] + f[mu, k] * d_mono[m, k]
            moments[b] = total
            d_moments[b] = d_total
        for t in range(len(times)):
            first, second, factor, target = times[t, 0], times[t, 1], times[t, 2], times[t, 3]
            one, two = factor * moments[first], moments[second]
            moments[target] += one * two
            d_moments[target] += factor * d_moments[first] * two + one * d_moments[second]

        adjoint[:] = 0.0
        d_adjoint[:] = 0.0
        for s in range(n_scalars):
            place = tables.scalars[s]
            out[s] += of_energy * moments[place] + d_moments[place]
            adjoint[place] = of_energy * tables.moments[s]
            d_adjoint[place] = tables.moments[s]
        out[n_scalars + kind] += of_energy
        for t in range(len(times) - 1, -1, -1):
            first, second, target = times[t, 0], times[t, 1], times[t, 3]
            value, slope = times[t, 2] * adjoint[target], times[t, 2] * d_adjoint[target]
            adjoint[first] += value * moments[second] + slope * d_moments[second]
            d_adjoint[first] += slope * moments[second]
            adjoint[second] += value * moments[first] + slope * d_moments[first]
            d_adjoint[second] += slope * moments[first]

        of_q[:, :count] = 0.0
        of_dq[:, :count] = 0.0
        for b in range(n_basic):
            mu, m = tables.radial_of[b], tables.angular[b]
            value, slope = adjoint[b], d_adjoint[b]
            for k in range(count):
                of_q[mu, k] += value * mono[m, k] + slope * d_mono[m, k]
                of_dq[mu, k] += slope * mono[m, k]
        begin = 0
        for other in range(n_species):
            start = n_scalars + n_species + (kind * n_species + other) * n_radial * size
            for mu in range(n_radial):
                for beta in range(size):
                    total = 0.0
                    for k in range(begin, ends[other]):
                        total += q[beta, k] * of_q[mu, k] + dq[beta, k] * rate[k] * of_dq[mu, k]
                    out[start + mu * size + beta] += total
            begin = ends[other]
    return out
