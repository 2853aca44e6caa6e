"""Derivatives with respect to the parameters equal motep's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from motep.calculator import MTP

from borarun.mtp.derivatives import jacobian, weighted_gradient
from borarun.mtp.evaluate import Evaluator
from borarun.mtp.potential import Potential
from borarun.records.frames import Frames

Make = Callable[[int], Potential]


def check_against_motep(potential: Potential, atoms: Atoms) -> None:
    evaluator = Evaluator(potential, atoms.numbers)
    evaluator.evaluate(atoms.positions, atoms.cell.array)
    reference = atoms.copy()
    reference.calc = MTP(potential.data, engine="cext", mode="train")
    reference.get_potential_energy()
    engine = reference.calc.engine
    p = potential.n_parameters
    local = engine.jac_energies(reference).parameters.T
    expected = np.vstack(
        [
            engine.jac_energy(reference).parameters,
            engine.jac_stress(reference).parameters.reshape(p, 9)[:, [0, 4, 8, 5, 2, 1]].T
            * atoms.get_volume(),
            engine.jac_forces(reference).parameters.reshape(p, -1).T,
        ]
    )
    np.testing.assert_allclose(evaluator.gradients(), local, atol=1e-12 * np.abs(local).max())
    found = jacobian(potential.tables, *evaluator.neighbours.pairs)
    for rows in (slice(0, 1), slice(1, 7), slice(7, None)):
        np.testing.assert_allclose(
            found[rows], expected[rows], rtol=0.0, atol=3e-6 * np.abs(expected[rows]).max()
        )
    weights = np.random.default_rng(5).normal(size=len(expected))
    expected_sum = weights @ expected
    np.testing.assert_allclose(
        weighted_gradient(potential.tables, *evaluator.neighbours.pairs, weights),
        expected_sum,
        atol=1e-11 * np.abs(expected_sum).max(),
    )


@pytest.mark.parametrize("level", [6, 8, 12])
def test_every_level_equals_motep(random_potential: Make, labels: Frames, level: int) -> None:
    check_against_motep(random_potential(level), labels[2])


def test_a_cell_smaller_than_the_cutoff_equals_motep(random_potential: Make, small: Atoms) -> None:
    check_against_motep(random_potential(14), small)


@pytest.mark.parametrize(("size", "species"), [(5, (3, 5, 1)), (7, (1, 3, 5, 8))])
def test_any_number_of_radial_parameters_equals_motep(
    small: Atoms, size: int, species: tuple[int, ...]
) -> None:
    """They need not fill whole lanes; an element may be absent."""
    potential = Potential.untrained(10, species, radial_basis_size=size)
    parameters = np.random.default_rng(2).normal(0.0, 0.1, potential.n_parameters)
    check_against_motep(potential.with_parameters(parameters), small)


def test_the_jacobian_predicts_a_small_change_of_parameters(
    fitted: Potential, small: Atoms
) -> None:
    def forces(potential: Potential) -> np.ndarray:
        return (
            Evaluator(potential, small.numbers).evaluate(small.positions, small.cell.array).forces
        )

    evaluator = Evaluator(fitted, small.numbers)
    evaluator.evaluate(small.positions, small.cell.array)
    slopes = jacobian(fitted.tables, *evaluator.neighbours.pairs)[7:]
    change = 1e-6 * np.random.default_rng(0).normal(size=fitted.n_parameters)
    difference = forces(fitted.with_parameters(fitted.parameters + change)) - forces(
        fitted.with_parameters(fitted.parameters - change)
    )
    np.testing.assert_allclose(
        2.0 * slopes @ change, difference.ravel(), atol=1e-5 * np.abs(difference).max()
    )


def test_atoms_without_neighbours_have_derivatives_of_their_species_only(
    random_potential: Make,
) -> None:
    potential = random_potential(8)
    evaluator = Evaluator(potential, [3, 1])
    evaluator.evaluate(np.array([[0.0, 0.0, 0.0], [15.0, 15.0, 15.0]]), 30.0 * np.eye(3))
    n = len(potential.data.moment_coeffs)
    expected = np.zeros((2, potential.n_parameters))
    expected[0, n] = expected[1, n + 2] = 1.0
    np.testing.assert_array_equal(evaluator.gradients(), expected)
    found = jacobian(potential.tables, *evaluator.neighbours.pairs)
    np.testing.assert_array_equal(found[0], expected.sum(axis=0))
    assert not found[1:].any()
