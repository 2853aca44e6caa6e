"""How far a potential is from its reference, by the definitions that are in use.

Errors of forces are quoted of their components, or of the length of the vector, which is larger by
sqrt(3); of stresses of the six components, or of the Frobenius norm of the tensor. MLIP-3's
``check_errors`` gives the second kind, most papers the first; to set one beside the other shows a
difference that is none.

Source
------
Podryabinkin, Garifullin, Shapeev, Novikov, J. Chem. Phys. 159, 084112 (2023), on MLIP-3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Deviations:
    """Errors of one quantity, all in its unit.

    Attributes
    ----------
    rmse, mae : root mean square and mean absolute error of components
    norm_rmse : root mean square of the length of vectors, or the Frobenius norm of tensors; of a
        scalar the same as ``rmse``
    median, most, largest : of the absolute errors of components; 95 % are below ``most``
    """

    rmse: float
    mae: float
    norm_rmse: float
    median: float
    most: float
    largest: float


def deviations(reference: Array, predicted: Array) -> Deviations:
    """Errors over all configurations.

    Parameters
    ----------
    reference, predicted : (n,) scalars, (n, 3) vectors or (n, 6) symmetric tensors in Voigt order
        xx, yy, zz, yz, xz, xy
    """
    away = np.asarray(predicted, float) - np.asarray(reference, float)
    square = away**2
    if square.ndim == 2:
        # Off the diagonal each component stands for two.
        twice = np.array([1, 1, 1, 2, 2, 2]) if square.shape[1] == 6 else np.ones(square.shape[1])
        norm = float(np.sqrt(np.mean(square @ twice)))
    else:
        norm = float(np.sqrt(np.mean(square)))
    size = np.abs(away)
    return Deviations(
        rmse=float(np.sqrt(np.mean(square))),
        mae=float(size.mean()),
        norm_rmse=norm,
        median=float(np.median(size)),
        most=float(np.quantile(size, 0.95)),
        largest=float(size.max()),
    )
