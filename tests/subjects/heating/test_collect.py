"""Sentences about a transition."""

from __future__ import annotations

import numpy as np
import pytest

from borarun.analysis.transition import Branch, fit_branch
from borarun.subjects.heating import collect as heating

T = np.linspace(50, 1000, 600)


def ramp(centre: float) -> Branch:
    return fit_branch(
        T,
        9.5
        + 2e-4 * T
        + 0.28 / (1 + np.exp(-(T - centre) / 8))
        + 0.01 * np.random.default_rng(1).normal(size=len(T)),
    )


@pytest.mark.parametrize(
    ("heated", "cooled", "chance"), [(725.0, 625.0, False), (625.0, 725.0, True)]
)
def test_ordering_above_where_it_disorders_is_told_to_be_chance(
    heated: float, cooled: float, chance: bool
) -> None:
    found = heating._transition("PBE", 0, 1.0, [ramp(heated)], [ramp(cooled)], 104)
    assert found.hysteresis_K is not None and found.hysteresis_K.value == pytest.approx(
        heated - cooled, abs=4
    )
    assert ("scatter by at least this difference" in found.statement) == chance
    assert found.statement.endswith(".")


def test_heating_alone_is_an_upper_bound() -> None:
    smooth = fit_branch(T, 9.5 + 2e-4 * T)
    found = heating._transition("PBE", 0, 1.0, [ramp(700.0)], [smooth], 104)
    assert found.temperature_K is None and found.bracket_K is None
    assert found.heated_K is not None and found.heated_K.value == pytest.approx(700, abs=4)
    assert "an upper bound" in found.statement


def test_repeated_runs_are_one_transition() -> None:
    found = heating._transition(
        "PBE", 0, 1.0, [ramp(680.0), ramp(700.0), ramp(720.0)], [ramp(600.0), ramp(610.0)], 104
    )
    assert found.n_runs == 3
    assert found.heated_K is not None and found.heated_K.value == pytest.approx(700, abs=3)
    assert found.cooled_K is not None and found.cooled_K.value == pytest.approx(605, abs=3)
    assert found.temperature_K is not None and found.bracket_K is not None
    assert found.temperature_K.low < 625 and found.temperature_K.high > 680
    assert found.bracket_K[0] <= 605 and found.bracket_K[1] >= 700


def test_a_cell_of_eight_atoms_makes_no_claim() -> None:
    found = heating._transition("PBE", 0, 1.0, [ramp(700.0)], [ramp(620.0)], 8)
    assert (found.temperature_K, found.heated_K, found.cooled_K, found.bracket_K) == (None,) * 4
    assert "in a cell of 8 atoms" in found.statement and found.statement.endswith(".")
    flat = fit_branch(T, 9.5 + 2e-4 * T)
    assert "8 atoms" not in heating._transition("PBE", 0, 1.0, [flat], [flat], 8).statement
