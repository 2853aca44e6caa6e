"""The density of ions whose places are known."""

from __future__ import annotations

import numpy as np
import pytest

from borarun.analysis.density import (
    Density,
    diagonal_section,
    fold,
    projection,
    smooth,
    unit_cell_places,
)

CELL = np.array([[20.0, 0, 0], [4.0, 18.0, 0], [0, 0, 27.0]])


def test_it_integrates_to_the_ions_of_a_unit_cell_whatever_is_done_to_it() -> None:
    ions = np.random.default_rng(7).normal(0, 30, (24, 3, 200))
    found = fold(ions, CELL, (2, 2, 3), np.array([1.0, 2, 3]))
    assert found.total == pytest.approx(24 / 12)
    assert smooth(found, 0.4).total == pytest.approx(2)
    flat = projection(found)
    area = np.linalg.norm(np.cross(found.cell[0], found.cell[1]))
    assert flat.sum() * area / flat.size == pytest.approx(2)


def test_ions_are_found_where_they_are_in_every_cell() -> None:
    place = np.array([0.31, 0.61, 0.12])
    unit = CELL / np.array([2, 2, 3])[:, None]
    origin = np.array([0.7, -0.2, 5.0])
    cells = np.array([[0, 0, 0], [1, 0, 2], [-3, 1, 1]])
    ions = ((place + cells) @ unit + origin)[:, :, None].repeat(4, axis=2)
    found = fold(ions, CELL, (2, 2, 3), origin)
    (index,) = np.argwhere(found.values)
    assert (index + 0.5) / found.values.shape == pytest.approx(place, abs=0.02)


def test_a_uniform_density_is_uniform_in_section_and_projection() -> None:
    cell = 9.58 * np.eye(3)
    even = Density(np.full((20, 20, 30), 0.01), cell)
    assert projection(even) == pytest.approx(0.01 * 9.58)
    assert diagonal_section(even) == pytest.approx(0.01)
    assert diagonal_section(even).shape == (20, 30)


def test_the_diagonal_section_holds_the_tetrahedral_sites() -> None:
    cell = 9.58 * np.eye(3)
    ions = 9.58 * np.array([[[0.26], [0.26], [0.76]], [[0.26], [0.76], [0.26]]])
    section = diagonal_section(fold(ions, cell, (1, 1, 1), np.zeros(3)))
    ((along, up),) = np.argwhere(section)
    assert (along + 0.5) / len(section) == pytest.approx(0.26, abs=0.02)
    assert (up + 0.5) / section.shape[1] == pytest.approx(0.76, abs=0.02)


def test_places_that_a_supercell_repeats_become_their_mean_in_the_unit_cell() -> None:
    unit = np.diag([9.6, 9.4, 9.8])
    place = np.array([[0.0, 0, 0], [0.5, 0.48, 0.01], [0.97, 0.3, 0.6]])
    cells = np.array(list(np.ndindex(2, 3, 1)))
    shaken = (place[None] + cells[:, None]).reshape(-1, 3) @ unit + np.random.default_rng(8).normal(
        0, 0.05, (18, 3)
    )
    found = unit_cell_places(
        shaken + 7.0, np.diag([2, 3, 1]) @ unit, (2, 3, 1), np.full(3, 7.0)
    ) @ np.linalg.inv(unit)
    apart = found - place
    assert len(found) == 3
    assert np.abs(apart - np.round(apart)).max() < 0.01
