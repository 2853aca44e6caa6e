"""Fit a moment tensor potential to energies, forces and stresses by the Levenberg-Marquardt method.

Each step solves (J^T J + damping * diag(J^T J)) step = -J^T r. The damping also settles what the
data leave open, such as the scale of a radial function against the coefficients that multiply it.

The loss falls along curved valleys: radial functions and the coefficients that multiply them must
change together. Each step therefore bends with the residuals ("geodesic acceleration"). It costs a
few evaluations, a fraction of the derivatives, and saves more than half of the iterations.

Source: Levenberg (1944), Marquardt (1963); Nocedal and Wright, Numerical Optimization, 2nd ed.,
section 10.3; Transtrum, Machta, Sethna, Phys. Rev. E 83, 036701 (2011).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from borarun.mtp.potential import Potential
from borarun.mtp.residuals import Normal, Weights
from borarun.mtp.team import Crew, Team
from borarun.records.frames import Frames

Array = NDArray[Any]

N_SCREENED = 12
"""Configurations on which starts are compared."""

LABELS_A_PARAMETER = 30
"""Of the part of the training set that a fit begins with."""

FLOOR = 1e-12
"""Smallest curvature, relative to the largest, that the damping takes a parameter to have."""

FIRST_DAMPING = 1e-3

TRIALS = 12
"""Dampings that are tried for one set of derivatives."""

LEAST_DAMPING = 1e-5
"""Of a step. Less lets the fit follow what few labels settle: the loss falls faster, the error on
what was held out rises.
"""

LINEAR_DAMPING = 1e-9
"""Keeps the equations of linear least squares solvable along what changes nothing."""


@dataclass(frozen=True)
class Fit:
    """A fitted potential and how it came about.

    Attributes
    ----------
    potential : of the last iteration, which has the lowest loss; the validation set has no say, so
        that it can judge
    loss : (I,) loss of the training set per configuration, at the start and after each iteration
    validation_loss : (I,) the same of the validation set
    evaluations : number of derivatives of the whole training set that were computed
    converged : whether it ended by itself
    """

    potential: Potential
    loss: Array
    validation_loss: Array
    evaluations: int
    converged: bool


@dataclass(frozen=True)
class State:
    """Where a fit stands after an iteration: all that is needed to go on, and to end as if it had
    never been interrupted.

    Attributes
    ----------
    parameters : (P,)
    damping : to begin the next iteration with
    loss, validation_loss : (I,) as in ``Fit``
    evaluations : as in ``Fit``
    """

    parameters: Array
    damping: float
    loss: Array
    validation_loss: Array
    evaluations: int

    @property
    def iteration(self) -> int:
        """Number of the last iteration."""
        return len(self.loss) - 1


def fit(
    potential: Potential,
    train: Team,
    valid: Team,
    *,
    max_iterations: int = 60,
    tolerance: float = 1e-2,
    patience: int = 4,
    state: State | None = None,
    progress: Callable[[State], None] | None = None,
) -> Fit:
    """Adjust all parameters of a potential.

    Parameters
    ----------
    potential : where to start; one without coefficients (``untrained``) gets them by linear least
        squares first
    train, valid : labelled configurations
    max_iterations : at most so many steps
    tolerance : ends when the loss fell by less than this fraction over ``patience`` iterations, on
        average an iteration
    patience : iterations over which that is looked at
    state : of an interrupted fit, to go on with
    progress : called after each iteration
    """
    state = state or _begin(potential, train, valid)
    converged = False
    while state.iteration < max_iterations and not (
        converged := _settled(state.loss, tolerance, patience)
    ):
        normal = train.normal(state.parameters)
        parameters, loss, damping = _step(train, state.parameters, normal, state.damping)
        if loss >= normal.loss:
            converged = True
            break
        losses, validation = (
            np.append(state.loss, loss / train.size),
            np.append(state.validation_loss, valid.loss(parameters) / valid.size),
        )
        state = State(parameters, damping, losses, validation, state.evaluations + 1)
        if progress is not None:
            progress(state)
    return Fit(
        potential.with_parameters(state.parameters),
        state.loss,
        state.validation_loss,
        state.evaluations,
        converged,
    )


def _settled(loss: Array, tolerance: float, patience: int) -> bool:
    """Whether the loss has all but ceased to fall."""
    return len(loss) > patience and bool(
        loss[-1] > loss[-1 - patience] * (1.0 - tolerance) ** patience
    )


def _begin(potential: Potential, train: Team, valid: Team) -> State:
    """The state before the first iteration; a potential without coefficients gets them by linear
    least squares.
    """
    parameters, evaluations = potential.parameters, 0
    if not potential.data.moment_coeffs.any():
        n_linear = len(potential.data.moment_coeffs) + len(potential.species)
        parameters[:n_linear] += _linear_step(train.normal(parameters), n_linear)
        evaluations += 1
    loss, validation = (np.array([team.loss(parameters) / team.size]) for team in (train, valid))
    return State(parameters, FIRST_DAMPING, loss, validation, evaluations)


def best_start(
    starts: Sequence[Potential],
    frames: Frames,
    weights: Weights,
    iterations: int,
    processes: int = 1,
) -> Potential:
    """The one of several untrained potentials that a few iterations on some of the configurations
    bring furthest.

    The loss has many local minima, some with twice the force error of others; which one a start
    leads to shows early.

    Parameters
    ----------
    starts : of the same shape
    frames, weights : of the training set
    iterations : of each
    processes : how many work on starts side by side
    """
    some = _spread(frames, N_SCREENED)
    texts = [start.write() for start in starts]
    with Crew(_Screening, [(some, weights, iterations)] * min(processes, len(starts))) as crew:
        found = [
            result
            for batch in (texts[k : k + len(crew)] for k in range(0, len(texts), len(crew)))
            for result in crew.ask("loss_and_text", *((text,) for text in batch))
        ]
    return Potential.read(min(found)[1])


def fit_to_part(
    potential: Potential,
    frames: Frames,
    weights: Weights,
    iterations: int,
    processes: int = 1,
) -> Potential:
    """The potential after a few iterations on a part of the configurations, from which a fit to all
    of them needs few; unchanged where they are too few to be worth it.

    Parameters
    ----------
    potential : Potential
    frames, weights : of the training set
    iterations : at most so many
    processes : how many share the configurations
    """
    labels = 7.0 + 3.0 * len(frames.numbers) / len(frames)
    n = int(np.ceil(LABELS_A_PARAMETER * potential.n_parameters / labels))
    if 2 * n > len(frames):
        return potential
    with Team(potential, _spread(frames, n), weights, processes) as team:
        return fit(potential, team, team, max_iterations=iterations).potential


def _spread(frames: Frames, n: int) -> Frames:
    """About n of the configurations, evenly spread."""
    return frames.take(np.unique(np.linspace(0, len(frames) - 1, n).round().astype(int)))


class _Screening:
    """Brief fits to the same configurations."""

    def __init__(self, frames: Frames, weights: Weights, iterations: int) -> None:
        self.frames, self.weights, self.iterations = frames, weights, iterations

    def loss_and_text(self, start: str) -> tuple[float, str]:
        """Loss and text of a potential after a few iterations."""
        potential = Potential.read(start)
        with Team(potential, self.frames, self.weights) as team:
            found = fit(
                potential, team, team, max_iterations=self.iterations, patience=self.iterations + 1
            )
        return float(found.loss[-1]), found.potential.write()


def _linear_step(normal: Normal, n_linear: int) -> Array:
    """(n_linear,) change of the linear parameters that minimises the loss, the others held;
    slightly damped where the data leave it open.
    """
    solve, _ = _solver(normal.matrix[:n_linear, :n_linear], LINEAR_DAMPING)
    return solve(normal.vector[:n_linear])


def _step(
    train: Team, parameters: Array, normal: Normal, damping: float
) -> tuple[Array, float, float]:
    """The first trial that lowers the loss: parameters, their loss, the damping to begin the next
    step with.
    """
    for _ in range(TRIALS):
        solve, scale = _solver(normal.matrix, damping)
        step = solve(normal.vector)
        bend = train.bend(parameters, step)
        turn = solve(bend.vector)
        length, bent_by = (float(np.linalg.norm(change / scale)) for change in (step, turn))
        turn *= 0.5 * min(1.0, length / max(bent_by, 1e-300))
        bent = parameters + step + turn
        loss, best = min((train.loss(bent), 2), (bend.end, 1), (bend.half, 0))
        if loss < normal.loss:
            ends = (parameters + 0.5 * step, parameters + step, bent)
            lower = max(damping / 3.0, LEAST_DAMPING) if best else damping
            return ends[best], loss, lower
        damping *= 4.0
    return parameters, normal.loss, damping


def _solver(matrix: Array, damping: float) -> tuple[Callable[[Array], Array], Array]:
    """What solves (matrix + damping * diagonal) x = -vector, and the (P,) change of each parameter
    that has a curvature of one, in units of which it does so.
    """
    curvature = np.diag(matrix)
    scale = 1.0 / np.sqrt(np.maximum(curvature, max(FLOOR * curvature.max(), 1e-300)))
    scaled = matrix * scale[:, None] * scale
    scaled[np.diag_indices_from(scaled)] += damping
    factors = cho_factor(scaled)
    return lambda vector: np.asarray(-scale * cho_solve(factors, scale * vector)), scale
