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
    found = heating._transition("PBE", 0, 1.0, ramp(heated), ramp(cooled))
    assert found.hysteresis_K is not None and found.hysteresis_K.value == pytest.approx(
        heated - cooled, abs=4
    )
    assert ("scatter by at least so much" in found.statement) == chance
    assert found.statement.endswith(".")
