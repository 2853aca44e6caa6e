"""The fit finds potentials, whatever the number of processes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from borarun.mtp.derivatives import jacobian
from borarun.mtp.evaluate import MTPCalculator
from borarun.mtp.fit import State, best_start, fit, fit_to_part
from borarun.mtp.potential import Potential
from borarun.mtp.residuals import Residuals, Weights, compare, configuration_weights
from borarun.mtp.team import Team
from borarun.records.frames import Frames


@pytest.fixture(scope="module")
def synthetic(labels: Frames) -> tuple[Potential, Frames]:
    """A potential of level 6, and configurations labelled with it."""
    potential = Potential.untrained(6, (3, 5, 1), seed=7)
    random = np.random.default_rng(7)
    n = len(potential.data.moment_coeffs)
    parameters = potential.parameters
    parameters[:n] = 1e-4 * random.normal(size=n)  # forces of some eV/angstrom
    potential = potential.with_parameters(parameters)
    images = [labels[k] for k in range(5)]
    for atoms in images:
        atoms.calc = MTPCalculator(potential)
        atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
    return potential, Frames.of(images)


def test_the_loss_is_mlip_3_s(labels: Frames, fitted: Potential) -> None:
    one = labels.take([2])
    weights = Weights(2.0, 0.3, 0.05)
    found = compare(one, Residuals(fitted, one, weights).predict(fitted.parameters))
    d_energy, d_forces, d_stress = (
        float(np.ptp(found.energy)) * 104,
        found.forces[1] - found.forces[0],
        found.stress[1] - found.stress[0],
    )
    volume = abs(np.linalg.det(one.cell[0]))
    nine = volume**2 * (np.sum(d_stress[0, :3] ** 2) + 2.0 * np.sum(d_stress[0, 3:] ** 2))
    expected = configuration_weights(one)[0] * (
        2.0 * d_energy**2 / 104 + 0.3 * np.sum(d_forces**2) + 0.05 * nine / 104
    )
    assert Residuals(fitted, one, weights).loss(fitted.parameters) == pytest.approx(expected)


def test_the_normal_equations_hold_the_gradient_of_the_loss(
    labels: Frames, fitted: Potential
) -> None:
    residuals = Residuals(fitted, labels.take([0, 1]), Weights())
    normal = residuals.normal(fitted.parameters)
    assert normal.loss == pytest.approx(residuals.loss(fitted.parameters), rel=1e-10)
    change = 1e-6 * np.random.default_rng(0).normal(size=fitted.n_parameters)
    difference = residuals.loss(fitted.parameters + change) - residuals.loss(
        fitted.parameters - change
    )
    assert 4.0 * normal.vector @ change == pytest.approx(difference, rel=1e-4)
    np.testing.assert_allclose(normal.matrix, normal.matrix.T, atol=1e-9 * normal.matrix.max())


def test_a_torn_configuration_weighs_little(labels: Frames) -> None:
    assert labels.forces is not None
    forces = labels.forces.copy()
    forces[104] = [0.0, 16.0, 0.0]
    weights = configuration_weights(replace(labels, forces=forces))
    assert weights[1] == pytest.approx(1.0 / 17.0)
    assert (weights[[0, *range(2, len(labels))]] > 0.5).all()


def test_a_known_potential_is_found_again(synthetic: tuple[Potential, Frames]) -> None:
    """From the right radial functions with noise, the loss falls to nothing."""
    potential, frames = synthetic
    n = len(potential.data.moment_coeffs) + len(potential.species)
    start = potential.parameters
    start[n:] *= 1.0 + 0.05 * np.random.default_rng(0).normal(size=len(start) - n)
    start[:n] = 0.0
    with (
        Team(potential, frames.take([0, 1, 2, 3]), Weights()) as train,
        Team(potential, frames.take([4]), Weights()) as valid,
    ):
        found = fit(potential.with_parameters(start), train, valid, max_iterations=30)
        forces = compare(frames.take([4]), valid.predict(found.potential.parameters)).forces
    assert found.loss[-1] < 1e-4 * found.loss[0]
    assert np.abs(forces[1] - forces[0]).max() < 1e-2 * np.abs(forces[0]).max()


def test_the_loss_never_rises_and_what_is_held_out_has_no_say(labels: Frames) -> None:
    start = Potential.untrained(6, (3, 5, 1))
    seen: list[int] = []
    with (
        Team(start, labels.take([0, 2, 4, 6]), Weights()) as train,
        Team(start, labels.take([1, 5]), Weights()) as valid,
    ):
        found = fit(
            start,
            train,
            valid,
            max_iterations=12,
            progress=lambda state: seen.append(state.iteration),
        )
        kept = valid.loss(found.potential.parameters) / 2
        other = fit(start, train, train, max_iterations=12)
    assert (np.diff(found.loss) < 0.0).all()
    assert kept == pytest.approx(found.validation_loss[-1])
    np.testing.assert_array_equal(other.potential.parameters, found.potential.parameters)
    assert seen == list(range(1, len(found.loss)))
    assert found.evaluations <= 13 + 1
    assert found.loss[-1] < 0.3 * found.loss[0]


def test_a_fit_from_an_earlier_potential_begins_where_that_ended(
    labels: Frames, fitted: Potential
) -> None:
    with Team(fitted, labels, Weights()) as team:
        before = team.loss(fitted.parameters) / len(labels)
        found = fit(fitted, team, team, max_iterations=2)
    assert found.loss[0] == pytest.approx(before)
    assert found.loss[-1] < before
    assert len(found.loss) == 3 and not found.converged


def test_an_interrupted_fit_ends_as_if_it_had_not_been(labels: Frames) -> None:
    start = Potential.untrained(6, (3, 5, 1))
    states: list[State] = []
    with (
        Team(start, labels.take([0, 2, 4, 6]), Weights()) as train,
        Team(start, labels.take([1, 5]), Weights()) as valid,
    ):
        whole = fit(start, train, valid, max_iterations=12, progress=states.append)
        for state in (states[2], states[-1]):
            again = fit(start, train, valid, max_iterations=12, state=state)
            np.testing.assert_array_equal(again.potential.parameters, whole.potential.parameters)
            np.testing.assert_array_equal(again.loss, whole.loss)
            assert (again.evaluations, again.converged) == (whole.evaluations, whole.converged)


def test_processes_change_nothing(labels: Frames, fitted: Potential) -> None:
    frames = labels.take([0, 1, 2])
    with Team(fitted, frames, Weights(), 1) as alone, Team(fitted, frames, Weights(), 2) as pair:
        one, two = alone.normal(fitted.parameters), pair.normal(fitted.parameters)
        np.testing.assert_allclose(two.matrix, one.matrix, rtol=1e-9, atol=1e-12 * one.matrix.max())
        assert two.loss == pytest.approx(one.loss)
        for a, b in zip(
            alone.predict(fitted.parameters), pair.predict(fitted.parameters), strict=True
        ):
            np.testing.assert_allclose(a, b, atol=1e-10 * np.abs(a).max())
        assert [len(rows) for rows in pair.gradients(fitted.parameters)] == [104, 104, 104]


def test_the_best_of_several_starts_is_taken(labels: Frames) -> None:
    starts = [Potential.untrained(6, (3, 5, 1), seed=seed) for seed in (1, 2, 3)]
    frames, weights = labels.take([0, 3]), Weights()
    chosen = best_start(starts, frames, weights, iterations=3)

    def loss(start: Potential) -> float:
        with Team(start, frames, weights) as team:
            return float(fit(start, team, team, max_iterations=3).loss[-1])

    residuals = Residuals(chosen, frames, weights)
    assert residuals.loss(chosen.parameters) / 2 == pytest.approx(
        min(loss(start) for start in starts), rel=1e-3
    )


def test_a_step_bends_as_the_residuals_do(labels: Frames, fitted: Potential) -> None:
    """From the quadratic part of the residuals along a step, for each configuration."""
    residuals = Residuals(fitted, labels.take([0, 3]), Weights())
    begin = fitted.parameters
    step = 1e-3 * begin * np.random.default_rng(3).normal(size=len(begin))
    bend = residuals.bend(begin, step)
    assert bend.half == pytest.approx(residuals.loss(begin + 0.5 * step), rel=1e-12)
    assert bend.end == pytest.approx(residuals.loss(begin + step), rel=1e-12)
    second = [
        a - 2.0 * b + c
        for a, b, c in zip(
            *(residuals.residuals(begin + k * step) for k in (1.0, 0.0, -1.0)), strict=True
        )
    ]
    along = np.random.default_rng(4).normal(size=len(begin)) * np.abs(begin)
    slopes = [
        (a - b) / 2e-6
        for a, b in zip(
            *(residuals.residuals(begin + k * along) for k in (1e-6, -1e-6)), strict=True
        )
    ]
    expected = sum(float(a @ b) for a, b in zip(slopes, second, strict=True))
    assert bend.vector @ along == pytest.approx(expected, rel=1e-2)


def test_a_part_is_fitted_first_only_where_it_is_small(labels: Frames, fitted: Potential) -> None:
    assert fit_to_part(fitted, labels, Weights(), 2) is fitted
    many = labels.take(list(range(8)) * 5)
    start = Potential.untrained(6, (3, 5, 1))
    near = fit_to_part(start, many, Weights(), 3)
    with Team(near, many, Weights()) as team, Team(start, many, Weights()) as other:
        fitted_to_all = fit(start, other, other, max_iterations=3).loss[-1]
        assert team.loss(near.parameters) / 40 < 2.0 * fitted_to_all


def test_an_element_that_the_data_lack_does_no_harm(labels: Frames) -> None:
    start = Potential.untrained(6, (3, 5, 1, 6))
    with Team(start, labels.take([0, 1]), Weights()) as team:
        found = fit(start, team, team, max_iterations=3)
    assert np.isfinite(found.potential.parameters).all()
    assert (
        jacobian(found.potential.tables, *_pairs(found.potential, labels)).shape[1]
        == start.n_parameters
    )


def _pairs(potential: Potential, labels: Frames) -> tuple[np.ndarray, ...]:
    calculator = MTPCalculator(potential)
    atoms = labels[0]
    atoms.calc = calculator
    atoms.get_potential_energy()
    assert calculator.evaluator is not None
    return tuple(calculator.evaluator.neighbours.pairs)
