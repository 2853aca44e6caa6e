"""Activation energy of a diffusivity or a conductivity.

The activation energy of what? With D = D_0 exp(-E / k_B T) the product sigma T has the same energy,
apart from thermal expansion, and sigma = sigma T / T has one that is smaller by about k_B T (43 meV
at 500 K). `fit` draws the line through whichever it is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from borarun.basics.units import BOLTZMANN_EV_PER_K

Array = NDArray[Any]

_NORMAL_95 = float(stats.norm.ppf(0.975))


@dataclass(frozen=True)
class Arrhenius:
    """A line through ln y over 1/T, y being a diffusivity, a conductivity or its product with T.

    Attributes
    ----------
    activation_energy_eV, error : eV and its standard error
    low, high : 95 % interval, eV
    log_prefactor : ln y_0, y_0 in the unit of y
    covariance : (2, 2), of (``log_prefactor``, ``activation_energy_eV``), scaled as the error is
    chi2_reduced : sum of squares of residuals over their errors, by degree of freedom; nan for two
        points
    n_points : points that the line was drawn through
    usable : whether there is a line
    reason : why not; empty where there is
    """

    activation_energy_eV: float
    error: float
    low: float
    high: float
    log_prefactor: float
    covariance: Array
    chi2_reduced: float
    n_points: int
    usable: bool
    reason: str

    def at(self, temperatures_K: Array) -> tuple[Array, Array, Array]:
        """The line and its 95 % band.

        Parameters
        ----------
        temperatures_K : (m,) K

        Returns
        -------
        y, low, high : (m,) each in the unit of y
        """
        row = np.stack(
            [
                np.ones(len(temperatures_K)),
                -1 / (BOLTZMANN_EV_PER_K * np.asarray(temperatures_K, float)),
            ],
            axis=1,
        )
        line = row @ np.array([self.log_prefactor, self.activation_energy_eV])
        reach = _NORMAL_95 * np.sqrt(np.einsum("mi,ij,mj->m", row, self.covariance, row))
        return np.exp(line), np.exp(line - reach), np.exp(line + reach)


@dataclass(frozen=True)
class FewHops:
    """Points with too few hops for a value of their own, which still say how seldom ions hop.

    Attributes
    ----------
    temperatures_K : (m,) K
    hops : (m,) number seen, from zero, not necessarily whole
    per_hop : (m,) value that one hop in the run stands for, in the unit of y
    """

    temperatures_K: Array
    hops: Array
    per_hop: Array


def fit(
    temperatures_K: Array, values: Array, errors: Array, few: FewHops | None = None
) -> Arrhenius:
    """Weighted straight line through ln y over 1/T, y = y_0 exp(-E_a / k_B T).

    Each point weighs by its own error. Where the points scatter about the line by more than their
    errors say, all errors are scaled by the square root of the reduced chi^2; never down. The
    interval is the normal one: the errors come from the runs, not from the scatter about the line,
    so three temperatures do not make it a Student t of one degree of freedom. Trials with errors
    from ten blocks covered 94 to 97 %, from five blocks 90 to 95 %.

    Points that are not finite and positive, or have no positive error, are left out; points on both
    sides of a phase transition must not be given.

    Parameters
    ----------
    temperatures_K : (n,) K
    values, errors : (n,) of y and its standard errors, in one unit
    few : points that join by the Poisson likelihood of their hops. To leave them out makes the
        activation energy too small, because they are those where the ions happened to hop less.

    Returns
    -------
    Arrhenius; not ``usable`` below two different temperatures

    Source
    ------
    Maltsev, Chepkasov, Oganov, ACS Appl. Mater. Interfaces 15 (2023), eq. (3), for sigma.
    """
    temperatures_K, values, errors = (
        np.asarray(given, float) for given in (temperatures_K, values, errors)
    )
    good = np.isfinite(values) & np.isfinite(errors) & (values > 0) & (errors > 0)
    n_points = int(good.sum())
    if len(np.unique(temperatures_K[good])) < 2:
        reason = (
            "an activation energy needs two temperatures with diffusion, there are "
            f"{len(np.unique(temperatures_K[good]))}"
        )
        nan = math.nan
        return Arrhenius(
            nan,
            nan,
            nan,
            nan,
            nan,
            np.full((2, 2), nan),
            nan,
            n_points,
            usable=False,
            reason=reason,
        )
    relative = errors[good] / values[good]
    rows = (
        np.stack([np.ones(n_points), -1 / (BOLTZMANN_EV_PER_K * temperatures_K[good])], axis=1)
        / relative[:, None]
    )
    target = np.log(values[good]) / relative
    solution = np.linalg.lstsq(rows, target, rcond=None)[0]
    chi2 = float(np.sum((target - rows @ solution) ** 2))
    chi2_reduced = chi2 / (n_points - 2) if n_points > 2 else math.nan
    covariance = np.linalg.inv(rows.T @ rows) * (max(1.0, chi2_reduced) if n_points > 2 else 1.0)
    if few is not None and len(few.hops):
        solution, covariance = _with_few(
            rows, target, solution, few, max(1.0, chi2_reduced) if n_points > 2 else 1.0
        )
    energy, error = float(solution[1]), math.sqrt(covariance[1, 1])
    return Arrhenius(
        activation_energy_eV=energy,
        error=error,
        low=energy - _NORMAL_95 * error,
        high=energy + _NORMAL_95 * error,
        log_prefactor=float(solution[0]),
        covariance=covariance,
        chi2_reduced=chi2_reduced,
        n_points=n_points,
        usable=True,
        reason="",
    )


def _with_few(
    rows: Array, target: Array, start: Array, few: FewHops, scale: float
) -> tuple[Array, Array]:
    """Line and covariance with the Poisson likelihood of points with few hops added, by Newton's
    method; ``scale`` is that of the squares of the other points' errors.
    """
    poisson = np.stack(
        [np.ones(len(few.hops)), -1 / (BOLTZMANN_EV_PER_K * np.asarray(few.temperatures_K, float))],
        axis=1,
    )
    hops, offset = np.asarray(few.hops, float), np.log(few.per_hop)

    def unlikely(line: Array) -> float:
        log_mean = np.minimum(poisson @ line - offset, 700.0)
        square = float(np.sum((target - rows @ line) ** 2)) / (2 * scale)
        return square + float(np.sum(np.exp(log_mean) - hops * log_mean))

    line = np.array(start, float)
    for _ in range(100):
        mean = np.exp(np.minimum(poisson @ line - offset, 700.0))
        gradient = rows.T @ (rows @ line - target) / scale + poisson.T @ (mean - hops)
        curvature = rows.T @ rows / scale + (poisson.T * mean) @ poisson
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while unlikely(line - size * step) > unlikely(line) and size > 1e-6:
            size /= 2
        line = line - size * step
        if np.max(np.abs(size * step)) < 1e-10:
            break
    mean = np.exp(np.minimum(poisson @ line - offset, 700.0))
    return line, np.linalg.inv(rows.T @ rows / scale + (poisson.T * mean) @ poisson)
