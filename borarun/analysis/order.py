"""Orientational order of the anions: how much of a reference orientation is left.

Two answers, because anions are symmetric. *Memory* follows each vertex: the mean cosine between where it points and where it pointed. An anion that has
turned onto itself has lost it, although the crystal looks the same. *Order* does not ask which vertex is where: it compares the anion's shape as a whole,

    order = sum_ij P_l(r_i . s_j) / sum_ij P_l(s_i . s_j)

over the vertices r of now and s of the reference. It is 1 in the reference orientation and in all that symmetry makes equal to it, and 0 on average over
all orientations. l is the lowest order that the shape has at all: 6 for an icosahedron, whose lower ones vanish.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import eval_legendre

Array = NDArray[Any]

LEAST_MOMENT = 0.05
"""A shape has an order l when the mean of P_l over all pairs of its vertices is larger than this; thermal noise leaves less."""

HIGHEST = 12


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


def shape_order(reference: Array) -> int:
    """Lowest l from 1 to 12 that the anions' shape has; 12 where it has none of them.

    Parameters
    ----------
    reference : (A, V, 3) unit vectors
    """
    cosines = np.einsum("avi,awi->avw", reference, reference).clip(-1, 1)
    return next((l for l in range(1, HIGHEST) if float(eval_legendre(l, cosines).mean()) > LEAST_MOMENT), HIGHEST)  # noqa: E741


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
