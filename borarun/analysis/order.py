"""Orientational order of the anions: how much of a reference orientation is left.

Two answers, because anions are symmetric. *Memory* follows each vertex: the mean cosine between
where it points and where it pointed. An anion that has turned onto itself has lost it, although the
crystal looks the same. *Order* does not ask which vertex is where: it compares the anion's shape as
a whole,

    order = sum_ij P_l(r_i . s_j) / sum_ij P_l(s_i . s_j)

over the vertices r of now and s of the reference. It is 1 in the reference orientation and in all
that symmetry makes equal to it, and 0 on average over all orientations. l is the lowest order that
the shape has at all: 6 for an icosahedron, whose lower ones vanish.

The cage of CB11H12 is nearly an icosahedron too, so this order is blind to where its carbon is: an
anion turned head to tail keeps it. *Polar order* (l = 1) is the mean cosine between where the one
vertex that is unlike the others points, and where it points in the reference: 1 where it stays, -1
where all anions are turned round, 0 where heads and tails are mixed.

Whether disorder is static or dynamic depends on how long one looks. `disorder` decides it for the
length of a run, from the order that is left and from how often anions took a new place. An order
that is not the reference's shows in anions that point alike, whichever way: `mutual_order`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import eval_legendre, sph_harm_y

from borarun.analysis.estimate import Estimate, mean
from borarun.analysis.lattice import block_mean

Array = NDArray[Any]

LEAST_MOMENT = 0.05
"""A shape has an order l when the mean of P_l over all pairs of its vertices is larger than this;
thermal noise leaves less.
"""

HIGHEST = 12

BLOCKS = 10
"""Of time, of each run."""

ORDERED = 0.5
"""Anions are ordered while at least this much of the order of their settled orientations is left. A
turn of an icosahedron by 17 degrees leaves it.
"""

ALIKE = 0.9
"""Two anions point alike in the reference where so much of the order of one is found in the other.
"""

UNDECIDED = 0.04
"""So near to `ORDERED`, an order tells no phase, however well it is known."""

TURNING = 1.0
"""Anions turn within a run when each of them has taken a new place so often on average."""


@dataclass(frozen=True)
class Order:
    """Orientational order against time.

    Attributes
    ----------
    memory : (F,) mean cosine of vertices to their reference directions
    order : (F,) the same without asking which vertex is where
    l : that it was computed with
    """

    memory: Array
    order: Array
    l: int  # noqa: E741


@dataclass(frozen=True)
class MeanOrder:
    """Order of one or several runs, with its 95 % interval.

    Attributes
    ----------
    value, low, high : mean and interval; one of no width where nothing scatters, as of one frame
    """

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """``ordered`` or ``disordered``; ``mixed`` where the interval, or `UNDECIDED` about the
        value, holds the limit.
        """
        if (
            min(self.low, self.value - UNDECIDED)
            <= ORDERED
            <= max(self.high, self.value + UNDECIDED)
        ):
            return "mixed"
        return "ordered" if self.value > ORDERED else "disordered"


def mean_order(runs: Sequence[Array]) -> MeanOrder:
    """Mean over runs of equal weight, by `estimate.mean`, each given against time.

    The error of a run is the scatter of blocks of time: an order that falls during a run, and one
    that differs from run to run, is known badly although its mean is sharp.

    Parameters
    ----------
    runs : (F,) each, e.g. `Order.order` of `settled` directions
    """
    found = mean(
        [
            block_mean(run, BLOCKS) if len(run) > 1 else Estimate(float(run.mean()), 0.0)
            for run in runs
        ]
    )
    return MeanOrder(found.value, found.low, found.high)


def polar_order(vectors: Array, reference: Array, head: Array) -> Array:
    """Mean cosine between the heads of the anions now and in the reference, against time.

    Parameters
    ----------
    vectors : (A, V, 3, F) unit vectors, from `rotation.vertex_vectors`
    reference : (A, V, 3) directions in the reference; any length
    head : (V,) bool, the vertices unlike the others; where there are several, the head is where
        their directions add up to

    Returns
    -------
    (F,)
    """
    now, before = vectors[:, head].sum(axis=1, dtype=float), reference[:, head].sum(axis=1)
    now /= np.linalg.norm(now, axis=1, keepdims=True)
    before = before / np.linalg.norm(before, axis=1, keepdims=True)
    return np.asarray(np.einsum("aif,ai->f", now, before) / len(before))


def disorder(order: MeanOrder, mutual: float, reorientations: float) -> str:
    """What kind of orientational disorder a run shows, in words.

    Parameters
    ----------
    order : `mean_order` of the `settled` orientations over the run, against the ordered structure
    mutual : `mutual_order` of the same; NaN where it cannot be told
    reorientations : new places an anion took within the run, on average over anions;
        `rotation.Rotations.reorientations`

    Returns
    -------
    ``ordered``; ``mixed`` where the order is too near to the limit to tell; ``another order`` where
    anions point alike, but not as in the ordered structure; these two with ``, jumping onto
    itself`` where they jump between orientations that look the same; ``dynamic``
    disorder where they take many orientations within the run; ``static`` disorder where each keeps
    one that is not that of the ordered structure

    Source
    ------
    The order parameters are those of orientational glasses and plastic crystals: Lynden-Bell,
    Michel, Rev. Mod. Phys. 66, 721 (1994). The limits are ours.
    """
    turning = reorientations >= TURNING
    verdict = order.verdict
    if verdict == "disordered" and mutual >= ORDERED:
        verdict = "another order"
    if verdict != "disordered":
        return verdict + (", jumping onto itself" if turning and verdict != "mixed" else "")
    return "dynamic" if turning else "static"


def settled(vectors: Array, frames: int) -> Array:
    """Mean directions over consecutive parts of a run, in which libration leaves no trace: as
    orders are counted, it would pass for disorder.

    Parameters
    ----------
    vectors : (A, V, 3, F) unit vectors, from `rotation.vertex_vectors`
    frames : of a part, at least 1; all of the run where that is shorter

    Returns
    -------
    (A, V, 3, F // frames) unit vectors
    """
    frames = min(frames, vectors.shape[3])
    n_parts = vectors.shape[3] // frames
    means = np.empty((*vectors.shape[:3], n_parts))
    for out, anion in zip(
        means, vectors, strict=True
    ):  # a part of the frames cannot be reshaped without a copy
        out[:] = (
            anion[..., : n_parts * frames]
            .reshape(*anion.shape[:2], n_parts, frames)
            .mean(axis=3, dtype=float)
        )
    return np.asarray(means / np.linalg.norm(means, axis=2, keepdims=True))


def shape_order(reference: Array) -> int:
    """Lowest l from 1 to 12 that the anions' shape has; 12 where it has none of them.

    Parameters
    ----------
    reference : (A, V, 3) unit vectors
    """
    cosines = np.einsum("avi,awi->avw", reference, reference).clip(-1, 1)
    degrees = range(1, HIGHEST)
    moments = (float(eval_legendre(degree, cosines).mean()) for degree in degrees)
    found = (d for d, moment in zip(degrees, moments, strict=True) if moment > LEAST_MOMENT)
    return next(found, HIGHEST)


def orientational_order(vectors: Array, reference: Array) -> Order:
    """Memory and order of all anions.

    Parameters
    ----------
    vectors : (A, V, 3, F) unit vectors, from `rotation.vertex_vectors`
    reference : (A, V, 3) directions of the vertices in the reference; any length

    Returns
    -------
    Order, averaged over anions
    """
    unit = reference / np.linalg.norm(reference, axis=2, keepdims=True)
    l = shape_order(unit)  # noqa: E741
    norm = float(eval_legendre(l, np.einsum("avi,awi->avw", unit, unit).clip(-1, 1)).mean())
    memory, order = (np.zeros(vectors.shape[3]) for _ in range(2))
    for now, before in zip(vectors, unit, strict=True):
        cosines = np.einsum("vif,wi->vwf", now.astype(float), before)
        memory += np.einsum("vvf->f", cosines) / len(before)
        order += eval_legendre(l, cosines.clip(-1, 1)).mean(axis=(0, 1)) / norm
    return Order(memory / len(vectors), order / len(vectors), l)


def mutual_order(vectors: Array, reference: Array) -> float:
    """How alike anions point, whichever way.

    The order of one anion against another, on average over pairs and frames: of anions that point
    alike in the reference, and of all of them; the larger of the two. Anions that all turned alike
    have another order, and no disorder.

    Parameters
    ----------
    vectors, reference : as in `orientational_order`

    Returns
    -------
    1 where anions point alike, about 0 where each points anywhere; NaN of a single anion
    """
    unit = reference / np.linalg.norm(reference, axis=2, keepdims=True)
    l = shape_order(unit)  # noqa: E741
    now, before = _moments(vectors.astype(float), l), _moments(unit[..., None], l)[..., 0]
    likeness = (before @ before.conj().T).real
    power = np.diag(likeness)
    groups = {tuple(np.flatnonzero(row > ALIKE * power).tolist()) for row in likeness} | {
        tuple(range(len(before)))
    }
    found = []
    for group in groups:
        if (n := len(group)) > 1:
            part = now[list(group)]
            pairs = (np.abs(part.sum(axis=0)) ** 2).sum(axis=0) - (np.abs(part) ** 2).sum(
                axis=(0, 1)
            )
            found.append((n, float(pairs.mean()) / (n * (n - 1)) / float(power.mean())))
    if not found:
        return float("nan")
    *sublattices, whole = [order for _, order in sorted(found)]
    return max(whole, float(np.mean(sublattices)) if sublattices else whole)


def _moments(vectors: Array, l: int) -> Array:  # noqa: E741
    """(A, 2 l + 1, F): spherical harmonics averaged over the vertices; their scalar product is the
    mean of P_l over pairs, but for a factor.
    """
    x, y, z = np.moveaxis(vectors, 2, 0)
    theta, phi = np.arccos(z.clip(-1, 1)), np.arctan2(y, x)
    return np.stack([sph_harm_y(l, m, theta, phi).mean(axis=1) for m in range(-l, l + 1)], axis=1)
