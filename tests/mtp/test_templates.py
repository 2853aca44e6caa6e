"""Every level has MLIP-3's number of basis functions, and tables that compute each of them."""

from __future__ import annotations

import numpy as np
import pytest

from borarun.mtp.contractions import basis_functions, construct
from borarun.mtp.templates import SCALARS, template


@pytest.mark.parametrize("level", SCALARS)
def test_every_level_has_the_known_number_of_basis_functions(level: int) -> None:
    assert len(template(level).scalars) == SCALARS[level]


@pytest.mark.parametrize("level", SCALARS)
def test_products_use_only_moments_that_are_complete(level: int) -> None:
    tables = template(level)
    first_made = np.full(tables.n_moments, -1)
    last_made = np.full(tables.n_moments, -1)
    for t, target in enumerate(tables.times[:, 3]):
        first_made[target] = t if first_made[target] < 0 else first_made[target]
        last_made[target] = t
    assert (first_made[: len(tables.basic)] == -1).all()
    assert (first_made[len(tables.basic) :] >= 0).all()
    for factor in (0, 1):
        assert (last_made[tables.times[:, factor]] < np.arange(len(tables.times))).all()


@pytest.mark.parametrize("level", [6, 8, 10, 12, 14])
def test_the_file_holds_what_the_construction_gives(level: int) -> None:
    made, kept = construct(level), template(level)
    for name in ("basic", "times", "scalars"):
        np.testing.assert_array_equal(getattr(made, name), getattr(kept, name))


def test_level_8_is_the_published_one() -> None:
    tables = template(8)
    assert (tables.n_moments, len(tables.basic), len(tables.times), tables.n_radial) == (
        18,
        11,
        14,
        2,
    )


@pytest.mark.parametrize("level", [6, 10, 14, 18])
def test_levels_are_nested(level: int) -> None:
    assert set(basis_functions(level)) < set(basis_functions(level + 2))


@pytest.mark.parametrize("level", [10, 14, 16])
def test_basis_functions_do_not_turn_with_the_configuration(level: int) -> None:
    """Each is a full contraction, so a rotation of all directions changes none; and no two are the
    same.
    """
    tables = template(level)
    random = np.random.default_rng(2)
    directions = random.normal(size=(7, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    radial = random.normal(size=(tables.n_radial, 7))
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]

    def values(u: np.ndarray) -> np.ndarray:
        moments = np.zeros(tables.n_moments)
        mu, powers = tables.basic[:, 0], tables.basic[:, 1:]
        moments[: len(mu)] = (radial[mu] * np.prod(u[None] ** powers[:, None], axis=2)).sum(axis=1)
        for i, j, m, target in tables.times:
            moments[target] += m * moments[i] * moments[j]
        return moments[tables.scalars]

    found = values(directions)
    np.testing.assert_allclose(values(directions @ turn), found, rtol=1e-9, atol=1e-9)
    assert len(np.unique(np.round(found, 9))) == len(found)


@pytest.mark.parametrize("level", [4, 7, 30])
def test_other_levels_are_refused(level: int) -> None:
    with pytest.raises(ValueError, match="even level from 6 to 28"):
        template(level)
