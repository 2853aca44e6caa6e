"""Derivatives of a moment tensor potential with respect to its parameters, as compiled kernels.

motep's ``calc_train`` gives the same numbers (the tests compare them) by propagating every derivative forward through all moments; these kernels
propagate backward from the energy, which costs a fraction of it.

With basic moments M_b = sum_k f_mu(b)(r_k) u_k^(x,y,z), radial functions f_mu(r) = sum_beta c[i,j,mu,beta] Q_beta(r) and a local energy E(M),
which is a polynomial that ``alpha_index_times`` writes down product by product:

dE/dc[j,mu,beta] = sum over b with mu(b) = mu of (dE/dM_b) sum over k of type j of Q_beta(r_k) u_k^(x,y,z).

The derivatives of forces need the second derivatives of E(M) besides. With A = dM_b/dr_k, D = dM/dM_b (forward) and H = d2E/dM_b dM_b' (the tangent
of the backward pass), those of dE/dr_k are A D for the coefficients of the basis functions, and A H dM_b/dc + d/dr_k (dE/dM_b dM_b/dc at fixed
dE/dM_b) for the radial ones: one matrix product an atom.

Source: Novikov et al., Mach. Learn.: Sci. Technol. 2, 025002 (2021), equations 1..7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from motep.potentials.mtp.data import MTPData
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Tables:
    """The shape and the parameters of a potential as the kernels need them.

    Attributes
    ----------
    cutoffs : (3,) scaling, shortest distance and cutoff of the radial basis, angstrom
    first : (R + 1,) int32, basic moments of radial function mu are ``first[mu]:first[mu + 1]``
    angular : (B,) int32, which of ``powers`` each basic moment has
    powers : (A, 3) int32, powers of x, y, z
    times : (T, 4) int32, products of moments: first, second, multiplicity, result
    scalars : (S,) int32, the moments that are basis functions
    radial : (n, n, R, K) radial coefficients
    moments : (S,) coefficients of the basis functions
    n_moments : number of all moments
    """

    cutoffs: Array
    first: Array
    angular: Array
    powers: Array
    times: Array
    scalars: Array
    radial: Array
    moments: Array
    n_moments: int

    @classmethod
    def of(cls, data: MTPData) -> Tables:
        """The tables of motep's potential data, basic moments sorted by their radial function."""
        basic = np.array(data.alpha_index_basic)
        order = np.argsort(basic[:, 0], kind="stable")
        place = np.arange(int(data.alpha_moments_count))
        place[order] = np.arange(len(order))
        times = np.array(data.alpha_index_times).reshape(-1, 4)
        times[:, [0, 1, 3]] = place[times[:, [0, 1, 3]]]
        powers, angular = np.unique(basic[order, 1:], axis=0, return_inverse=True)
        return cls(
            cutoffs=np.array([data.scaling, data.radial_basis.min, data.radial_basis.max], float),
            first=np.searchsorted(basic[order, 0], np.arange(int(data.radial_funcs_count) + 1)).astype(np.int32),
            angular=angular.astype(np.int32),
            powers=powers.astype(np.int32),
            times=times.astype(np.int32),
            scalars=place[np.array(data.alpha_moment_mapping)].astype(np.int32),
            radial=np.ascontiguousarray(data.radial_coeffs, float),
            moments=np.ascontiguousarray(data.moment_coeffs, float),
            n_moments=len(place),
        )

    @property
    def arguments(self) -> tuple[Any, ...]:
        """All of them in the kernels' order."""
        return (
            self.cutoffs, self.first, self.angular, self.powers, self.times, self.scalars, self.radial, self.moments, self.n_moments,
        )  # fmt: skip


@njit(cache=True)
def _neighbourhood(vectors: Array, row: int, cutoffs: Array, powers: Array, unit: Array, distance: Array, q: Array, dq: Array, mono: Array) -> int:
    """Directions, distances, radial basis with slope, and angular monomials of one atom's neighbours; their number."""
    scaling, low, high = cutoffs
    size = q.shape[1]
    scale = 2.0 / (high - low)
    width = vectors.shape[1]
    table = np.ones((powers.max() + 1, 3))
    for k in range(width):
        x, y, z = vectors[row, k, 0], vectors[row, k, 1], vectors[row, k, 2]
        r = np.sqrt(x * x + y * y + z * z)
        if r >= high:  # padding stands at the end of a row
            return k
        distance[k] = r
        unit[k, 0], unit[k, 1], unit[k, 2] = x / r, y / r, z / r
        t = scale * (r - low) - 1.0
        q[k, 0] = scaling * (high - r) ** 2
        dq[k, 0] = -2.0 * scaling * (high - r)
        if size > 1:
            q[k, 1] = t * q[k, 0]
            dq[k, 1] = scale * q[k, 0] + t * dq[k, 0]
        for n in range(2, size):
            q[k, n] = 2.0 * t * q[k, n - 1] - q[k, n - 2]
            dq[k, n] = 2.0 * (scale * q[k, n - 1] + t * dq[k, n - 1]) - dq[k, n - 2]
        for p in range(1, len(table)):
            for a in range(3):
                table[p, a] = table[p - 1, a] * unit[k, a]
        for m in range(len(powers)):
            mono[k, m] = table[powers[m, 0], 0] * table[powers[m, 1], 1] * table[powers[m, 2], 2]
    return width


@njit(cache=True)
def _contract(moments: Array, times: Array) -> None:
    """Products of moments, in place."""
    for t in range(len(times)):
        moments[times[t, 3]] += times[t, 2] * moments[times[t, 0]] * moments[times[t, 1]]


@njit(cache=True)
def local_gradients(
    atoms: Array, types: Array, neighbour_types: Array, vectors: Array,
    cutoffs: Array, first: Array, angular: Array, powers: Array, times: Array, scalars: Array, radial: Array, coefficients: Array, n_moments: int,
    out: Array,
) -> None:  # fmt: skip
    """Derivatives of the local energies of one block of atoms with respect to all parameters.

    Parameters
    ----------
    atoms, types, neighbour_types, vectors : see ``neighbours.Block``
    cutoffs .. n_moments : see ``Tables``
    out : (N, P), rows ``atoms`` are written: moments, species, radial functions
    """
    n_species, _, n_radial, size = radial.shape
    width, n_scalars = neighbour_types.shape[1], len(scalars)
    unit, distance = np.empty((width, 3)), np.empty(width)
    q, dq = np.empty((width, size)), np.empty((width, size))
    mono = np.empty((width, len(powers)))
    moments, adjoint = np.empty(n_moments), np.empty(n_moments)
    for row in range(len(atoms)):
        atom, kind = atoms[row], types[row]
        count = _neighbourhood(vectors, row, cutoffs, powers, unit, distance, q, dq, mono)
        moments[:] = 0.0
        for k in range(count):
            other = neighbour_types[row, k]
            for mu in range(n_radial):
                f = 0.0
                for beta in range(size):
                    f += radial[kind, other, mu, beta] * q[k, beta]
                for b in range(first[mu], first[mu + 1]):
                    moments[b] += f * mono[k, angular[b]]
        _contract(moments, times)
        adjoint[:] = 0.0
        for s in range(n_scalars):
            adjoint[scalars[s]] = coefficients[s]
            out[atom, s] = moments[scalars[s]]
        for t in range(len(times) - 1, -1, -1):
            weighted = times[t, 2] * adjoint[times[t, 3]]
            adjoint[times[t, 0]] += weighted * moments[times[t, 1]]
            adjoint[times[t, 1]] += weighted * moments[times[t, 0]]
        out[atom, n_scalars:] = 0.0
        out[atom, n_scalars + kind] = 1.0
        for k in range(count):
            start = n_scalars + n_species + (kind * n_species + neighbour_types[row, k]) * n_radial * size
            for mu in range(n_radial):
                shape = 0.0
                for b in range(first[mu], first[mu + 1]):
                    shape += adjoint[b] * mono[k, angular[b]]
                for beta in range(size):
                    out[atom, start + mu * size + beta] += shape * q[k, beta]


@njit(cache=True, fastmath={"contract", "reassoc"})
def jacobian(
    atoms: Array, types: Array, neighbours: Array, neighbour_types: Array, vectors: Array,
    cutoffs: Array, first: Array, angular: Array, powers: Array, times: Array, scalars: Array, radial: Array, coefficients: Array, n_moments: int,
    out: Array,
) -> None:  # fmt: skip
    """Add the derivatives of the energy, virial and forces of one block of atoms with respect to all parameters.

    Parameters
    ----------
    atoms .. vectors : see ``neighbours.Block``
    cutoffs .. n_moments : see ``Tables``
    out : (7 + 3 N, P), rows: energy; virial (stress times volume), Voigt order xx yy zz yz xz xy; forces of atom 0, 1, ...
    """
    n_species, _, n_radial, size = radial.shape
    width, n_scalars, n_basic, n_angular = neighbour_types.shape[1], len(scalars), first[-1], len(powers)
    n_group = n_species * size  # radial parameters of one mu; here they are ordered by mu, type, beta, in a file by type, mu, beta
    n_columns = n_scalars + n_radial * n_group
    unit, distance = np.empty((width, 3)), np.empty(width)
    q, dq = np.empty((width, size)), np.empty((width, size))
    mono, d_mono = np.empty((width, n_angular)), np.empty((width, 3, n_angular))
    moments, adjoint = np.empty(n_moments), np.empty(n_moments)
    forward, backward = np.empty((n_moments, n_basic)), np.empty((n_moments, n_basic))
    slope = np.empty((3 * width, n_basic))
    inner = np.empty((n_basic, n_group))  # dM_b/dc
    right = np.empty((n_columns, n_basic))
    gather = np.zeros((9, 3 * width))  # virial and total of dE/dr_k
    place = np.empty(n_columns, np.int64)
    for row in range(len(atoms)):
        atom, kind = atoms[row], types[row]
        count = _neighbourhood(vectors, row, cutoffs, powers, unit, distance, q, dq, mono)
        moments[:] = 0.0
        inner[:] = 0.0
        gather[:] = 0.0
        for k in range(count):
            other = neighbour_types[row, k]
            for m in range(n_angular):
                degree = powers[m, 0] + powers[m, 1] + powers[m, 2]
                for a in range(3):
                    d_mono[k, a, m] = -degree * unit[k, a] * mono[k, m] / distance[k]
                    if powers[m, a] > 0:  # d(x^a)/dx = a x^(a-1), of the other two components as they are
                        rest = powers[m, a] / distance[k]
                        for c in range(3):
                            for _ in range(powers[m, c] - (1 if c == a else 0)):
                                rest *= unit[k, c]
                        d_mono[k, a, m] += rest
            for mu in range(n_radial):
                f, df = 0.0, 0.0
                for beta in range(size):
                    f += radial[kind, other, mu, beta] * q[k, beta]
                    df += radial[kind, other, mu, beta] * dq[k, beta]
                for b in range(first[mu], first[mu + 1]):
                    m = angular[b]
                    moments[b] += f * mono[k, m]
                    for a in range(3):
                        slope[3 * k + a, b] = df * unit[k, a] * mono[k, m] + f * d_mono[k, a, m]
                    for beta in range(size):
                        inner[b, other * size + beta] += q[k, beta] * mono[k, m]
            x, y, z = vectors[row, k, 0], vectors[row, k, 1], vectors[row, k, 2]
            gather[0, 3 * k], gather[1, 3 * k + 1], gather[2, 3 * k + 2] = x, y, z
            gather[3, 3 * k + 1], gather[3, 3 * k + 2] = 0.5 * z, 0.5 * y
            gather[4, 3 * k], gather[4, 3 * k + 2] = 0.5 * z, 0.5 * x
            gather[5, 3 * k], gather[5, 3 * k + 1] = 0.5 * y, 0.5 * x
            gather[6, 3 * k], gather[7, 3 * k + 1], gather[8, 3 * k + 2] = 1.0, 1.0, 1.0
        _contract(moments, times)

        adjoint[:] = 0.0
        for s in range(n_scalars):
            adjoint[scalars[s]] = coefficients[s]
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
            adjoint[i] += weighted * moments[j]
            adjoint[j] += weighted * moments[i]
            for b in range(n_basic):
                backward[i, b] += of_i * backward[target, b] + weighted * forward[j, b]
            for b in range(n_basic):
                backward[j, b] += of_j * backward[target, b] + weighted * forward[i, b]

        for s in range(n_scalars):
            place[s] = s
            out[0, s] += moments[scalars[s]]
            for b in range(n_basic):
                right[s, b] = forward[scalars[s], b]
        out[0, n_scalars + kind] += 1.0
        for mu in range(n_radial):
            begin, end = first[mu], first[mu + 1]
            start = n_scalars + mu * n_group
            right[start : start + n_group] = np.dot(inner[begin:end].T, backward[begin:end])
            for other in range(n_species):
                for beta in range(size):
                    c = other * size + beta
                    place[start + c] = n_scalars + n_species + ((kind * n_species + other) * n_radial + mu) * size + beta
                    for b in range(begin, end):
                        out[0, place[start + c]] += adjoint[b] * inner[b, c]
        product = np.dot(slope[: 3 * count], right.T)
        for k in range(count):
            for mu in range(n_radial):
                shape = 0.0
                for b in range(first[mu], first[mu + 1]):
                    shape += adjoint[b] * mono[k, angular[b]]
                start = n_scalars + mu * n_group + neighbour_types[row, k] * size
                for a in range(3):
                    d_shape = 0.0
                    for b in range(first[mu], first[mu + 1]):
                        d_shape += adjoint[b] * d_mono[k, a, angular[b]]
                    for beta in range(size):
                        product[3 * k + a, start + beta] += dq[k, beta] * unit[k, a] * shape + q[k, beta] * d_shape
            for a in range(3):
                target = 7 + 3 * neighbours[row, k] + a
                for p in range(n_columns):
                    out[target, place[p]] -= product[3 * k + a, p]
        sums = np.dot(np.ascontiguousarray(gather[:, : 3 * count]), product)
        for p in range(n_columns):
            for v in range(6):
                out[1 + v, place[p]] += sums[v, p]
            for a in range(3):
                out[7 + 3 * atom + a, place[p]] += sums[6 + a, p]
