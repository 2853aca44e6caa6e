"""The list with a skin always gives exactly the pairs within the cutoff."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

from borarun.mtp.neighbours import Neighbours, Pairs
from borarun.records.frames import Frames


def distances(pairs: Pairs) -> list[np.ndarray]:
    """Sorted distances of each atom's neighbours."""
    return [
        np.sort(np.linalg.norm(pairs.vectors[i, :, : pairs.counts[i]], axis=0))
        for i in range(len(pairs.counts))
    ]


def check(neighbours: Neighbours, atoms: Atoms) -> None:
    """Against ASE's own neighbour list."""
    pairs = neighbours.update(atoms.positions, atoms.cell.array)
    first, d = neighbor_list("id", atoms, neighbours.cutoff)
    for i, found in enumerate(distances(pairs)):
        np.testing.assert_allclose(found, np.sort(d[first == i]), atol=1e-10)
        js = pairs.js[i, : pairs.counts[i]]
        assert (np.diff(neighbours.types[js]) >= 0).all()
    assert neighbours.min_distance == pytest.approx(d.min(), abs=1e-10)


def neighbours_of(atoms: Atoms, skin_A: float = 1.0, cutoff_A: float = 5.0) -> Neighbours:
    kinds = sorted(set(atoms.numbers.tolist()))
    return Neighbours(cutoff_A, np.array([kinds.index(z) for z in atoms.numbers]), skin_A)


@pytest.mark.parametrize("skin_A", [0.0, 1.5])
@pytest.mark.parametrize("repeat", [(1, 1, 1), (1, 3, 2), (4, 4, 4)])
def test_small_large_and_skewed_cells(
    small: Atoms, repeat: tuple[int, int, int], skin_A: float
) -> None:
    check(neighbours_of(small * repeat, skin_A), small * repeat)


def test_a_flat_cell_sees_many_images_of_itself() -> None:
    atoms = Atoms("Li", cell=[[2.0, 0.0, 0.0], [1.7, 1.2, 0.0], [0.3, 0.2, 9.0]], pbc=True)
    check(neighbours_of(atoms), atoms)


def test_a_left_handed_cell(small: Atoms) -> None:
    atoms = small.copy()
    atoms.set_cell(small.cell.array[[1, 0, 2]])
    check(neighbours_of(atoms), atoms)


def test_atoms_far_outside_the_cell(small: Atoms) -> None:
    atoms = small.copy()
    atoms.positions += np.random.default_rng(0).integers(-20, 20, (9, 3)) @ small.cell.array
    check(neighbours_of(atoms), atoms)


def test_no_pair_is_missed_while_atoms_move_and_the_cell_breathes_and_shears(
    labels: Frames,
) -> None:
    random = np.random.default_rng(3)
    atoms = labels[0]
    neighbours = neighbours_of(atoms)
    velocity = random.normal(0.0, 0.02, atoms.positions.shape)
    for step in range(0, 60, 3):
        strain = np.eye(3) + 0.03 * np.array(
            [
                [np.sin(step / 9), 0.0, 0.0],
                [np.sin(step / 7), np.cos(step / 8), 0.0],
                [0.0, np.sin(step / 5), 0.0],
            ]
        )
        moved = atoms.copy()
        moved.positions += step * velocity
        moved.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        check(neighbours, moved)
    assert 2 <= neighbours.n_builds < 15


def test_wrapping_an_atom_into_another_image_needs_no_new_list(labels: Frames) -> None:
    atoms = labels[0]
    neighbours = neighbours_of(atoms)
    check(neighbours, atoms)
    wrapped = atoms.copy()
    wrapped.positions += (
        np.random.default_rng(5).integers(-2, 3, (len(atoms), 3)) @ atoms.cell.array
    )
    check(neighbours, wrapped)
    assert neighbours.n_builds == 1


def test_a_cell_that_jumps_gets_a_new_list(small: Atoms) -> None:
    neighbours = neighbours_of(small)
    check(neighbours, small)
    flipped = small.copy()
    cell = small.cell.array.copy()
    cell[1] -= cell[0]
    flipped.set_cell(cell)
    check(neighbours, flipped)
    assert neighbours.n_builds == 2


def test_atoms_too_far_apart_have_no_neighbours() -> None:
    atoms = bulk("Cu", cubic=True)
    atoms.set_cell(10 * atoms.cell.array, scale_atoms=True)
    neighbours = neighbours_of(atoms)
    assert not neighbours.update(atoms.positions, atoms.cell.array).counts.any()
    assert neighbours.min_distance == np.inf


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(small: Atoms, broken: float) -> None:
    positions = small.positions.copy()
    positions[4, 1] = broken
    with pytest.raises(FloatingPointError, match="not finite"):
        neighbours_of(small).update(positions, small.cell.array)
    with pytest.raises(FloatingPointError, match="no volume"):
        neighbours_of(small).update(small.positions, np.zeros((3, 3)))
