"""Derivatives of a moment tensor potential with respect to its parameters, as compiled kernels.

motep's ``calc_train`` gives the same numbers (the tests compare them) by propagating every
derivative forward through all moments; these kernels propagate backward from the energy, which
takes a fifteenth of its time. In the words of ``tables``:

dE/dc[i,j,mu,beta] = sum over b with mu(b) = mu of dE/dM_b dM_b/dc, with dM_b/dc = sum over k of
type j of Q_beta(r_k) x_k^a y_k^b z_k^c.

The derivatives of forces need the second derivatives of E(M) besides. With A = dM_b/dr_k, D =
dM/dM_b (forward) and H = d2E/dM_b dM_b' (the tangent of the backward pass), those of dE/dr_k are A
D for the coefficients of the basis functions, and A H dM_b/dc + d/dr_k (dE/dM_b dM_b/dc at fixed
dE/dM_b) for the radial ones: one matrix product an atom.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

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
    # Radial parameters of one mu and, behind them, of one atom's type; here they are ordered by
    # mu, type, beta, in a file by type, mu, beta.
    n_group = n_species * size
    n_own = n_radial * n_group
    inverse, unit = np.empty(width), np.empty((3, width))
    q, dq = np.empty((size, width)), np.empty((size, width))
    f, df = np.empty((n_radial, width)), np.empty((n_radial, width))
    mono = np.empty((len(tables.powers), width))
    moments, adjoint = np.empty(tables.n_moments), np.empty(tables.n_moments)
    ends = np.empty(n_species, np.int64)
    shape, d_shape = np.empty(width, SINGLE), np.empty((3, width), SINGLE)
    d_mono = np.empty((len(tables.powers), 3, width), SINGLE)
    forward = np.empty((tables.n_moments, n_basic), SINGLE)
    backward = np.empty((tables.n_moments, n_basic), SINGLE)
    inner = np.empty((n_basic, n_group), SINGLE)  # dM_b/dc
    right = np.empty((n_scalars + n_own, n_basic), SINGLE)
    out = np.zeros((7 + 3 * len(types), n_scalars + n_species + tables.radial.size), SINGLE)
    for i in range(len(types)):
        count, kind = counts[i], types[i]
        own = n_scalars + n_species + kind * n_own
        out[0, n_scalars + kind] += SINGLE(1.0)
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
        _tangents(tables, moments, adjoint, forward, backward)

        slope = np.empty((n_basic, 3 * count), SINGLE)
        for b in range(n_basic):
            mu, m = tables.radial_of[b], tables.angular[b]
            for axis in range(3):
                for k in range(count):
                    slope[b, axis * count + k] = (
                        df_1[mu, k] * unit_1[axis, k] * mono_1[m, k]
                        + f_1[mu, k] * d_mono[m, axis, k]
                    )
        begin = 0
        for other in range(n_species):
            powers = np.ascontiguousarray(mono_1[:, begin : ends[other]])
            basis = np.ascontiguousarray(q_1[:, begin : ends[other]])
            of_type = np.dot(powers, basis.T)
            for b in range(n_basic):
                for beta in range(size):
                    inner[b, other * size + beta] = of_type[tables.angular[b], beta]
            begin = ends[other]

        for s in range(n_scalars):
            out[0, s] += SINGLE(moments[tables.scalars[s]])
            right[s] = forward[tables.scalars[s]]
        for mu in range(n_radial):
            low, high = tables.first[mu], tables.first[mu + 1]
            start = n_scalars + mu * n_group
            right[start : start + n_group] = np.dot(inner[low:high].T, backward[low:high])
            for b in range(low, high):
                of_b = SINGLE(adjoint[b])
                for c in range(n_group):
                    out[0, own + mu * n_group + c] += of_b * inner[b, c]
        product = np.dot(slope.T, right.T)  # (3 count, n_scalars + n_own), all x first

        for mu in range(n_radial):
            shape[:count] = SINGLE(0.0)
            d_shape[:, :count] = SINGLE(0.0)
            for b in range(tables.first[mu], tables.first[mu + 1]):
                m, of_b = tables.angular[b], SINGLE(adjoint[b])
                for k in range(count):
                    shape[k] += of_b * mono_1[m, k]
                for axis in range(3):
                    for k in range(count):
                        d_shape[axis, k] += of_b * d_mono[m, axis, k]
            for k in range(count):
                start = n_scalars + mu * n_group + types[js[i, k]] * size
                for axis in range(3):
                    along, turned = unit_1[axis, k] * shape[k], d_shape[axis, k]
                    for beta in range(size):
                        product[axis * count + k, start + beta] += (
                            dq_1[beta, k] * along + q_1[beta, k] * turned
                        )
        _scatter(i, count, js, vectors, n_scalars, own, product, out)

    return _as_in_a_file(tables, out)


@njit(cache=True)
def _as_in_a_file(tables: Tables, columns: Array) -> Array:
    """Columns moved from the order mu, type, beta of the radial parameters to type, mu, beta."""
    n_species, _, n_radial, size = tables.radial.shape
    out = columns.copy()
    first = columns.shape[1] - tables.radial.size
    for row in range(len(columns)):
        for kind in range(n_species):
            for mu in range(n_radial):
                for other in range(n_species):
                    here = first + ((kind * n_radial + mu) * n_species + other) * size
                    there = first + ((kind * n_species + other) * n_radial + mu) * size
                    for beta in range(size):
                        out[row, there + beta] = columns[row, here + beta]
    return out


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
def _tangents(
    tables: Tables, moments: Array, adjoint: Array, forward: Array, backward: Array
) -> None:
    """dM/dM_b and d(dE/dM)/dM_b of all moments, (n_moments, B)."""
    times, n_basic = tables.times, forward.shape[1]
    forward[:] = SINGLE(0.0)
    backward[:] = SINGLE(0.0)
    for b in range(n_basic):
        forward[b, b] = SINGLE(1.0)
    for t in range(len(times)):
        i, j, target = times[t, 0], times[t, 1], times[t, 3]
        of_i, of_j = SINGLE(times[t, 2] * moments[j]), SINGLE(times[t, 2] * moments[i])
        for b in range(n_basic):
            forward[target, b] += of_i * forward[i, b] + of_j * forward[j, b]
    for t in range(len(times) - 1, -1, -1):
        i, j, target = times[t, 0], times[t, 1], times[t, 3]
        weighted = SINGLE(times[t, 2] * adjoint[target])
        of_i, of_j = SINGLE(times[t, 2] * moments[j]), SINGLE(times[t, 2] * moments[i])
        for b in range(n_basic):
            backward[i, b] += of_i * backward[target, b] + weighted * forward[j, b]
        for b in range(n_basic):
            backward[j, b] += of_j * backward[target, b] + weighted * forward[i, b]


@njit(cache=True, fastmath=FAST)
def _scatter(
    i: int,
    count: int,
    js: Array,
    vectors: Array,
    n_scalars: int,
    own: int,
    product: Array,
    out: Array,
) -> None:
    """Add the derivatives of dE/dr_k of one atom to the rows of the forces and the virial: columns
    of the moments, and those of its type from ``own`` on.
    """
    n_own = product.shape[1] - n_scalars
    gather = np.zeros((9, 3 * count), SINGLE)  # virial and total of dE/dr_k
    for k in range(count):
        x, y, z = SINGLE(vectors[i, 0, k]), SINGLE(vectors[i, 1, k]), SINGLE(vectors[i, 2, k])
        half = SINGLE(0.5)
        kx, ky, kz = k, count + k, 2 * count + k
        gather[0, kx], gather[1, ky], gather[2, kz] = x, y, z
        gather[3, ky], gather[3, kz] = half * z, half * y
        gather[4, kx], gather[4, kz] = half * z, half * x
        gather[5, kx], gather[5, ky] = half * y, half * x
        gather[6, kx], gather[7, ky], gather[8, kz] = SINGLE(1.0), SINGLE(1.0), SINGLE(1.0)
        for axis in range(3):
            row, from_row = 7 + 3 * js[i, k] + axis, axis * count + k
            for p in range(n_scalars):
                out[row, p] -= product[from_row, p]
            for p in range(n_own):
                out[row, own + p] -= product[from_row, n_scalars + p]
    sums = np.dot(gather, product)
    for v in range(9):
        row = 1 + v if v < 6 else 7 + 3 * i + v - 6
        for p in range(n_scalars):
            out[row, p] += sums[v, p]
        for p in range(n_own):
            out[row, own + p] += sums[v, n_scalars + p]


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
