"""Sites of lattices that everyone knows."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from borarun.analysis.sites import census, find_sites

A = 9.58
FCC = np.array([(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)])
CUBE = A * np.eye(3)


@pytest.mark.parametrize("shake_A", [0.0, 0.1, 0.4])
def test_an_fcc_lattice_has_two_tetrahedral_sites_one_octahedral_and_eight_windows_an_anion(
    shake_A: float,
) -> None:
    centres = A * FCC + np.random.default_rng(1).normal(0, shake_A, (4, 3))
    assert census(find_sites(centres, CUBE)) == {"tetrahedral": 8, "window": 32, "octahedral": 4}


def test_its_sites_are_where_they_belong() -> None:
    sites = find_sites(A * FCC, CUBE)
    tetrahedral = {tuple(place) for place in sites.scaled[sites.of("tetrahedral")].round(6)}
    assert tetrahedral == set(product((0.25, 0.75), repeat=3))
    octahedral = {tuple(place % 1.0) for place in sites.scaled[sites.of("octahedral")].round(6)}
    assert octahedral == {(0.5, 0.5, 0.5), (0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5)}
    window = sites.scaled[sites.of("window")]
    assert (
        np.isclose(np.abs(window - 1 / 3).max(axis=1), 0, atol=1e-6).sum() == 1
    )  # the middle of (0 1/2 1/2), (1/2 0 1/2), (1/2 1/2 0)
    assert np.unique(window.round(5), axis=0).shape == (32, 3)


def test_a_supercell_has_the_sites_of_its_cells() -> None:
    supercell = np.concatenate([A * (FCC + shift) for shift in product(range(3), repeat=3)])
    assert census(find_sites(supercell, 3 * CUBE)) == {
        "tetrahedral": 216,
        "window": 864,
        "octahedral": 108,
    }


def test_the_primitive_cell_has_those_of_one_anion() -> None:
    assert census(find_sites(np.zeros((1, 3)), A / 2 * (1 - np.eye(3)))) == {
        "tetrahedral": 2,
        "window": 8,
        "octahedral": 1,
    }


def test_an_orthorhombic_distortion_leaves_them() -> None:
    cell = np.diag([9.67, 9.49, 9.73])
    assert census(find_sites((FCC + np.array([0.1, 0.2, 0.3])) @ cell, cell)) == {
        "tetrahedral": 8,
        "window": 32,
        "octahedral": 4,
    }


def test_other_lattices() -> None:
    hexagonal = np.array([[4, 0, 0], [-2, 2 * 3**0.5, 0], [0, 0, 4 * (8 / 3) ** 0.5]])
    hcp = np.array([[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]]) @ hexagonal
    assert census(find_sites(hcp, hexagonal)) == {"tetrahedral": 4, "window": 16, "octahedral": 2}
    assert census(find_sites(np.array([[0, 0, 0], [2.0, 2, 2]]), 4 * np.eye(3))) == {
        "tetrahedral": 12,
        "window": 24,
    }  # bcc
    simple = find_sites(np.zeros((1, 3)), 4 * np.eye(3))
    assert (census(simple), simple.neighbours.tolist()) == ({"other": 1}, [8])
