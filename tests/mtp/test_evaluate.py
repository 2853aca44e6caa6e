"""Energies, forces and stresses equal motep's, and are each other's derivatives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from motep.calculator import MTP

from borarun.mtp.evaluate import Evaluator, MTPCalculator
from borarun.mtp.potential import Potential
from borarun.records.frames import Frames

Make = Callable[[int], Potential]


def check_against_motep(potential: Potential, atoms: Atoms) -> None:
    found = Evaluator(potential, atoms.numbers).evaluate(atoms.positions, atoms.cell.array)
    reference = atoms.copy()
    reference.calc = MTP(potential.data, engine="cext")
    forces, stress = reference.get_forces(), reference.get_stress()
    assert found.energy == pytest.approx(reference.get_potential_energy(), rel=1e-11)
    np.testing.assert_allclose(
        found.energies,
        reference.calc.results["energies"],
        rtol=1e-10,
        atol=1e-10 * np.abs(found.energies).max(),
    )
    np.testing.assert_allclose(found.forces, forces, atol=1e-11 * np.abs(forces).max())
    np.testing.assert_allclose(found.stress, stress, atol=1e-11 * np.abs(stress).max())


@pytest.mark.parametrize("level", [6, 8, 12, 16, 20])
def test_every_level_equals_motep(random_potential: Make, labels: Frames, level: int) -> None:
    check_against_motep(random_potential(level), labels[2])


def test_a_fitted_potential_equals_motep(fitted: Potential, labels: Frames) -> None:
    check_against_motep(fitted, labels[5])


def test_a_cell_smaller_than_the_cutoff_equals_motep(random_potential: Make, small: Atoms) -> None:
    check_against_motep(random_potential(12), small)


def test_a_file_whose_basic_moments_are_in_another_order_equals_motep(
    random_potential: Make, small: Atoms
) -> None:
    """Other programs may list the basic moments otherwise."""
    potential = random_potential(10)
    data = potential.data
    n = len(data.alpha_index_basic)
    place = np.arange(int(data.alpha_moments_count), dtype=np.int32)
    place[:n] = np.random.default_rng(0).permutation(n)
    data.alpha_index_basic = data.alpha_index_basic[np.argsort(place[:n])]
    data.alpha_index_times = data.alpha_index_times.copy()
    data.alpha_index_times[:, [0, 1, 3]] = place[data.alpha_index_times[:, [0, 1, 3]]]
    data.alpha_moment_mapping = place[data.alpha_moment_mapping]
    check_against_motep(Potential(data, potential.species), small)


def test_forces_and_stress_are_derivatives_of_the_energy(fitted: Potential, small: Atoms) -> None:
    atoms = small * (2, 2, 2)
    atoms.calc = MTPCalculator(fitted)
    some = [0, 4, 8]
    np.testing.assert_allclose(
        atoms.get_forces()[some],
        calculate_numerical_forces(atoms, eps=1e-4, iatoms=some),
        atol=1e-4,
    )
    np.testing.assert_allclose(
        atoms.get_stress(), calculate_numerical_stress(atoms, eps=1e-5), atol=1e-5
    )


def test_moving_atoms_with_one_list_gives_what_a_new_list_gives(
    fitted: Potential, labels: Frames
) -> None:
    atoms = labels[1]
    kept = Evaluator(fitted, atoms.numbers)
    random = np.random.default_rng(1)
    for _ in range(5):
        atoms.positions += random.normal(0.0, 0.05, atoms.positions.shape)
        atoms.set_cell(atoms.cell.array * 1.002, scale_atoms=True)
        found = kept.evaluate(atoms.positions, atoms.cell.array)
        new = Evaluator(fitted, atoms.numbers, skin_A=0.0).evaluate(
            atoms.positions, atoms.cell.array
        )
        np.testing.assert_allclose(found.forces, new.forces, atol=1e-10)
        assert found.energy == pytest.approx(new.energy, rel=1e-13)
        assert found.min_distance == pytest.approx(new.min_distance)


def test_forces_sum_to_nothing_and_energies_to_the_energy(
    fitted: Potential, labels: Frames
) -> None:
    found = Evaluator(fitted, labels[0].numbers).evaluate(labels[0].positions, labels[0].cell.array)
    np.testing.assert_allclose(found.forces.sum(axis=0), 0.0, atol=1e-10)
    assert found.energies.sum() == pytest.approx(found.energy)


def test_a_lone_atom_has_the_energy_of_its_species(random_potential: Make) -> None:
    potential = random_potential(8)
    found = Evaluator(potential, [5]).evaluate(np.zeros((1, 3)), 30.0 * np.eye(3))
    assert found.energy == pytest.approx(potential.data.species_coeffs[1])
    assert not found.forces.any() and not found.stress.any()


def test_an_unknown_element_is_refused(fitted: Potential) -> None:
    with pytest.raises(ValueError, match="got C"):
        Evaluator(fitted, [3, 6])


def test_the_calculator_follows_a_change_of_elements(fitted: Potential, labels: Frames) -> None:
    atoms = labels[0]
    atoms.calc = MTPCalculator(fitted)
    before = atoms.get_potential_energy()
    del atoms[[0]]
    assert atoms.get_potential_energy() != before
    assert atoms.get_forces().shape == (103, 3)
