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


@njit(cache=True, fastmath=FAST)
def local_gradients(
    tables: Tables, types: Array, counts: Array, js: Array, vectors: Array
) -> Array:
    """Derivatives of the local energies with respect to all parameters.

    Parameters
    ----------
    types .. vectors : see ``neighbours.Pairs``

    Returns
    -------
    (N, P) moments, species, radial functions
    """
    n_species, _, n_radial, size = tables.radial.shape
    n_scalars, width = len(tables.scalars), js.shape[1]
    inverse, unit = np.empty(width), np.empty((3, width))
    q, dq = np.empty((size, width)), np.empty((size, width))
    f, shape = np.empty((n_radial, width)), np.empty((n_radial, width))
    mono = np.empty((len(tables.powers), width))
    moments, adjoint = np.empty(tables.n_moments), np.empty(tables.n_moments)
    ends = np.empty(n_species, np.int64)
    out = np.zeros((len(types), n_scalars + n_species + tables.radial.size))
    for i in range(len(types)):
        count, kind = counts[i], types[i]
        neighbourhood(tables, vectors, i, count, inverse, unit, q, dq, mono)
        type_ends(types, js, i, count, ends)
        radial_functions(tables, kind, ends, q, f)
        all_moments(tables, count, f, mono, moments)
        all_adjoints(tables, moments, adjoint)
        for s in range(n_scalars):
            out[i, s] = moments[tables.scalars[s]]
        out[i, n_scalars + kind] = 1.0
        shape[:, :count] = 0.0
        for b in range(len(tables.angular)):
            mu, m = tables.radial_of[b], tables.angular[b]
            for k in range(count):
                shape[mu, k] += adjoint[b] * mono[m, k]
        begin = 0
        for other in range(n_species):
            start = n_scalars + n_species + (kind * n_species + other) * n_radial * size
            for mu in range(n_radial):
                for beta in range(size):
                    total = 0.0
                    for k in range(begin, ends[other]):
                        total += shape[mu, k] * q[beta, k]
                    out[i, start + mu * size + beta] = total
            begin = ends[other]
    return out


@njit(cache=True, fastmath=FAST)
def jacobian(tables: Tables, types: Array, counts: Array, js: Array, vectors: Array) -> Array:
    """Derivatives of energy, virial and forces with respect to all parameters.

    Parameters
    ----------
    types .. vectors : see ``neighbours.Pairs``

    Returns
    -------
    (7 + 3 N, P), rows: energy; virial (stress times volume), Voigt order xx yy zz yz xz xy; forces
    of atom 0, 1, ...
    """
    n_species, _, n_radial, size = tables.radial.shape
    n_scalars, n_basic, width = len(tables.scalars), len(tables.angular), js.shape[1]
    # Radial parameters of one mu; here they are ordered by mu, type, beta, in a file by type, mu,
    # beta.
    n_group = n_species * size
    n_columns = n_scalars + n_radial * n_group
    inverse, unit = np.empty(width), np.empty((3, width))
    q, dq = np.empty((size, width)), np.empty((size, width))
    f, df = np.empty((n_radial, width)), np.empty((n_radial, width))
    shape, d_shape = np.empty(width), np.empty((3, width))
    mono, d_mono = np.empty((len(tables.powers), width)), np.empty((len(tables.powers), 3, width))
    moments, adjoint = np.empty(tables.n_moments), np.empty(tables.n_moments)
    forward, backward = np.empty((tables.n_moments, n_basic)), np.empty((tables.n_moments, n_basic))
    inner = np.empty((n_basic, n_group))  # dM_b/dc
    right = np.empty((n_columns, n_basic))
    place = np.empty(n_columns, np.int64)
    ends = np.empty(n_species, np.int64)
    out = np.zeros((7 + 3 * len(types), n_scalars + n_species + tables.radial.size))
    for i in range(len(types)):
        count, kind = counts[i], types[i]
        out[0, n_scalars + kind] += 1.0
        if count == 0:
            continue
        neighbourhood(tables, vectors, i, count, inverse, unit, q, dq, mono)
        type_ends(types, js, i, count, ends)
        radial_functions(tables, kind, ends, q, f)
        radial_functions(tables, kind, ends, dq, df)
        all_moments(tables, count, f, mono, moments)
        all_adjoints(tables, moments, adjoint)
        _monomial_slopes(tables, count, inverse, unit, mono, d_mono)
        _tangents(tables, moments, adjoint, forward, backward)

        slope = np.empty((n_basic, 3 * count))
        inner[:] = 0.0
        for b in range(n_basic):
            mu, m = tables.radial_of[b], tables.angular[b]
            for axis in range(3):
                for k in range(count):
                    slope[b, axis * count + k] = (
                        df[mu, k] * unit[axis, k] * mono[m, k] + f[mu, k] * d_mono[m, axis, k]
                    )
            begin = 0
            for other in range(n_species):
                for beta in range(size):
                    total = 0.0
                    for k in range(begin, ends[other]):
                        total += q[beta, k] * mono[m, k]
                    inner[b, other * size + beta] = total
                begin = ends[other]

        for s in range(n_scalars):
            place[s] = s
            out[0, s] += moments[tables.scalars[s]]
            right[s] = forward[tables.scalars[s]]
        for mu in range(n_radial):
            low, high = tables.first[mu], tables.first[mu + 1]
            start = n_scalars + mu * n_group
            right[start : start + n_group] = np.dot(inner[low:high].T, backward[low:high])
            for other in range(n_species):
                for beta in range(size):
                    c = other * size + beta
                    place[start + c] = (
                        n_scalars
                        + n_species
                        + ((kind * n_species + other) * n_radial + mu) * size
                        + beta
                    )
                    for b in range(low, high):
                        out[0, place[start + c]] += adjoint[b] * inner[b, c]
        product = np.dot(slope.T, right.T)  # (3 count, n_columns), all x first

        for mu in range(n_radial):
            shape[:count] = 0.0
            d_shape[:, :count] = 0.0
            for b in range(tables.first[mu], tables.first[mu + 1]):
                m, a = tables.angular[b], adjoint[b]
                for k in range(count):
                    shape[k] += a * mono[m, k]
                for axis in range(3):
                    for k in range(count):
                        d_shape[axis, k] += a * d_mono[m, axis, k]
            for k in range(count):
                start = n_scalars + mu * n_group + types[js[i, k]] * size
                for axis in range(3):
                    for beta in range(size):
                        product[axis * count + k, start + beta] += (
                            dq[beta, k] * unit[axis, k] * shape[k] + q[beta, k] * d_shape[axis, k]
                        )
        _scatter(i, count, js, vectors, place, product, out)
    return out


@njit(cache=True, fastmath=FAST)
def _monomial_slopes(
    tables: Tables, count: int, inverse: Array, unit: Array, mono: Array, d_mono: Array
) -> None:
    """Derivatives of the monomials (A, W) of the direction with respect to the vector, (A,
    3, W).
    """
    for m in range(len(tables.powers)):
        degree = float(tables.powers[m].sum())
        for axis in range(3):
            power, below = float(tables.powers[m, axis]), tables.lower[m, axis]
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
    forward[:] = 0.0
    backward[:] = 0.0
    for b in range(n_basic):
        forward[b, b] = 1.0
    for t in range(len(times)):
        i, j, target = times[t, 0], times[t, 1], times[t, 3]
        of_i, of_j = times[t, 2] * moments[j], times[t, 2] * moments[i]
        for b in range(n_basic):
            forward[target, b] += of_i * forward[i, b] + of_j * forward[j, b]
    for t in range(len(times) - 1, -1, -1):
        i, j, target = times[t, 0], times[t, 1], times[t, 3]
        weighted = times[t, 2] * adjoint[target]
        of_i, of_j = times[t, 2] * moments[j], times[t, 2] * moments[i]
        for b in range(n_basic):
            backward[i, b] += of_i * backward[target, b] + weighted * forward[j, b]
        for b in range(n_basic):
            backward[j, b] += of_j * backward[target, b] + weighted * forward[i, b]


@njit(cache=True, fastmath=FAST)
def _scatter(
    i: int, count: int, js: Array, vectors: Array, place: Array, product: Array, out: Array
) -> None:
    """Add the derivatives of dE/dr_k of one atom to the rows of the forces and the virial, columns
    ``place``.
    """
    gather = np.zeros((9, 3 * count))  # virial and total of dE/dr_k
    for k in range(count):
        x, y, z = vectors[i, 0, k], vectors[i, 1, k], vectors[i, 2, k]
        kx, ky, kz = k, count + k, 2 * count + k
        gather[0, kx], gather[1, ky], gather[2, kz] = x, y, z
        gather[3, ky], gather[3, kz] = 0.5 * z, 0.5 * y
        gather[4, kx], gather[4, kz] = 0.5 * z, 0.5 * x
        gather[5, kx], gather[5, ky] = 0.5 * y, 0.5 * x
        gather[6, kx], gather[7, ky], gather[8, kz] = 1.0, 1.0, 1.0
        for axis in range(3):
            target = 7 + 3 * js[i, k] + axis
            for p in range(len(place)):
                out[target, place[p]] -= product[axis * count + k, p]
    sums = np.dot(gather, product)
    for p in range(len(place)):
        for v in range(6):
            out[1 + v, place[p]] += sums[v, p]
        for axis in range(3):
            out[7 + 3 * i + axis, place[p]] += sums[6 + axis, p]
