"""The shape and the parameters of a potential as the compiled kernels need them, and what they all
begin with.

A potential sums local energies E(M) over atoms. Basic moments are M_b = sum_k f_mu(r_k) x_k^a y_k^b
z_k^c over neighbours k at distance r_k in direction (x, y, z), with radial functions f_mu(r) =
sum_beta c[i,j,mu,beta] Q_beta(r); all others are products that ``times`` lists, in an order in
which each factor is complete before it is used; E is linear in some of them.

Neighbours of an atom lie next to each other in all arrays, so that the inner loops run over them
and use the processor's vector units.

Source: Novikov et al., Mach. Learn.: Sci. Technol. 2, 025002 (2021), equations 1..7.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from motep.potentials.mtp.data import MTPData
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

FAST = {"contract", "reassoc", "nsz"}
"""What the compiler may do to sums so that it can vectorise them; results differ in the last digits
only, and NaN stays NaN.
"""


class Tables(NamedTuple):
    """A potential.

    Attributes
    ----------
    cutoffs : (3,) scaling, shortest distance and cutoff of the radial basis, angstrom
    first : (R + 1,) basic moments of radial function mu are ``first[mu]:first[mu + 1]``
    radial_of : (B,) radial function of each basic moment
    angular : (B,) which of ``powers`` each basic moment has
    powers : (A, 3) powers of x, y, z; those of lower degree first
    lower : (A, 3) index of the powers with one x, y or z less; 0 where there is none
    times : (T, 4) products of moments: first, second, multiplicity, result
    scalars : (S,) the moments that E is linear in
    radial : (n, n, R, K) radial coefficients
    moments : (S,) coefficients of E
    species : (n,) energy of an atom without neighbours, eV
    n_moments : number of all moments
    """

    cutoffs: Array
    first: Array
    radial_of: Array
    angular: Array
    powers: Array
    lower: Array
    times: Array
    scalars: Array
    radial: Array
    moments: Array
    species: Array
    n_moments: int


def tables_of(data: MTPData) -> Tables:
    """The tables of motep's potential data, basic moments sorted by their radial function."""
    basic = np.array(data.alpha_index_basic)
    order = np.argsort(basic[:, 0], kind="stable")
    basic = basic[order]
    place = np.arange(int(data.alpha_moments_count))
    place[order] = np.arange(len(order))
    times = np.array(data.alpha_index_times).reshape(-1, 4)
    times[:, [0, 1, 3]] = place[times[:, [0, 1, 3]]]
    wanted: set[tuple[int, ...]] = {(0, 0, 0)}
    for powers in basic[:, 1:].tolist():
        wanted.update(
            np.ndindex(*(p + 1 for p in powers))
        )  # derivatives need the lower ones, and products are made from them
    listed = sorted(wanted, key=lambda p: (sum(p), p))
    number = {powers: m for m, powers in enumerate(listed)}
    lower = [
        [number[(*p[:a], p[a] - 1, *p[a + 1 :])] if p[a] else 0 for a in range(3)] for p in listed
    ]
    angular = np.array([number[tuple(powers)] for powers in basic[:, 1:].tolist()])
    radial_of, mapping = basic[:, 0], np.array(data.alpha_moment_mapping)
    return Tables(
        cutoffs=np.array([data.scaling, data.radial_basis.min, data.radial_basis.max], float),
        first=_integers(np.searchsorted(radial_of, np.arange(int(data.radial_funcs_count) + 1))),
        radial_of=_integers(radial_of),
        angular=_integers(angular),
        powers=_integers(listed),
        lower=_integers(lower),
        times=_integers(times),
        scalars=_integers(place[mapping]),
        radial=np.array(data.radial_coeffs, float),
        moments=np.array(data.moment_coeffs, float),
        species=np.array(data.species_coeffs, float),
        n_moments=len(place),
    )


def _integers(values: Any) -> Array:
    return np.ascontiguousarray(values, np.int64)


@njit(cache=True, fastmath=FAST)
def neighbourhood(
    tables: Tables,
    vectors: Array,
    i: int,
    count: int,
    inverse: Array,
    unit: Array,
    q: Array,
    dq: Array,
    mono: Array,
) -> None:
    """Distances, directions, radial basis and angular monomials of the neighbours of atom i.

    Parameters
    ----------
    vectors : (N, 3, W) angstrom
    i, count : atom, number of its neighbours
    inverse : (W,) one over the distances
    unit : (3, W) directions
    q, dq : (K, W) radial basis and its slope
    mono : (A, W) products of the directions' powers
    """
    scaling, low, high = tables.cutoffs
    scale = 2.0 / (high - low)
    for k in range(count):
        x, y, z = vectors[i, 0, k], vectors[i, 1, k], vectors[i, 2, k]
        r = np.sqrt(x * x + y * y + z * z)
        inverse[k] = 1.0 / r
        unit[0, k] = x * inverse[k]
        unit[1, k] = y * inverse[k]
        unit[2, k] = z * inverse[k]
        t = scale * (r - low) - 1.0
        before, d_before = 0.0, 0.0
        value, slope = scaling * (high - r) ** 2, -2.0 * scaling * (high - r)
        q[0, k] = value
        dq[0, k] = slope
        for n in range(1, len(q)):
            factor = 1.0 if n == 1 else 2.0
            after = factor * t * value - before
            d_after = factor * (scale * value + t * slope) - d_before
            before, d_before, value, slope = value, slope, after, d_after
            q[n, k] = value
            dq[n, k] = slope
        mono[0, k] = 1.0
    for m in range(1, len(tables.powers)):
        axis = 0 if tables.powers[m, 0] > 0 else (1 if tables.powers[m, 1] > 0 else 2)
        parent = tables.lower[m, axis]
        for k in range(count):
            mono[m, k] = mono[parent, k] * unit[axis, k]


@njit(cache=True, fastmath=FAST)
def radial_functions(tables: Tables, kind: int, ends: Array, q: Array, out: Array) -> None:
    """Radial functions (R, W) from the basis (K, W) or their slopes from its slope; neighbours
    sorted by type, type s ends before ``ends[s]``.
    """
    for mu in range(len(out)):
        begin = 0
        for other in range(len(ends)):
            for k in range(begin, ends[other]):
                out[mu, k] = 0.0
            for beta in range(len(q)):
                c = tables.radial[kind, other, mu, beta]
                for k in range(begin, ends[other]):
                    out[mu, k] += c * q[beta, k]
            begin = ends[other]


@njit(cache=True)
def type_ends(types: Array, js: Array, i: int, count: int, ends: Array) -> None:
    """Where the neighbours of each type end among those of atom i."""
    ends[:] = 0
    for k in range(count):
        ends[types[js[i, k]]] += 1
    for s in range(1, len(ends)):
        ends[s] += ends[s - 1]


@njit(cache=True, fastmath=FAST)
def all_moments(tables: Tables, count: int, f: Array, mono: Array, moments: Array) -> None:
    """Basic moments, then their products."""
    moments[:] = 0.0
    for b in range(len(tables.angular)):
        mu, m = tables.radial_of[b], tables.angular[b]
        total = 0.0
        for k in range(count):
            total += f[mu, k] * mono[m, k]
        moments[b] = total
    times = tables.times
    for t in range(len(times)):
        moments[times[t, 3]] += times[t, 2] * moments[times[t, 0]] * moments[times[t, 1]]


@njit(cache=True, fastmath=FAST)
def all_adjoints(tables: Tables, moments: Array, adjoint: Array) -> None:
    """dE/dM of all moments."""
    adjoint[:] = 0.0
    for s in range(len(tables.scalars)):
        adjoint[tables.scalars[s]] = tables.moments[s]
    times = tables.times
    for t in range(len(times) - 1, -1, -1):
        weighted = times[t, 2] * adjoint[times[t, 3]]
        adjoint[times[t, 0]] += weighted * moments[times[t, 1]]
        adjoint[times[t, 1]] += weighted * moments[times[t, 0]]
