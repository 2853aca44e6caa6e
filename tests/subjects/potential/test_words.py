"""What a potential learnt from, in words."""

from __future__ import annotations

import pytest

from borarun.subjects.potential.results import Learning
from borarun.subjects.potential.words import given, pushed


@pytest.mark.parametrize(
    ("counts", "said"),
    [((0, 0), ""), ((130, 0), " 130 "), ((90, 90), " 90 "), ((90, 30), " 30 or 90 ")],
)
def test_configurations_far_from_equilibrium_are_told_where_there_are_some(
    counts: tuple[int, int], said: str
) -> None:
    told = pushed(
        Learning(functional, 0, 300, count, (), (), None)
        for functional, count in zip(("PBE", "PBE-D3"), counts, strict=True)
    )
    assert bool(told) == bool(said) and said in told


def test_labels_that_were_brought_along_are_told_of_each_functional() -> None:
    def told(*counts: int) -> str:
        return given(
            Learning(functional, count, 300, 0, (), (), None)
            for functional, count in zip(("PBE", "PBE-D3"), counts, strict=True)
        )

    assert told(0, 0) == ""
    assert "labels of 40 (PBE) and 12 (PBE-D3) configurations" in told(40, 12)
    assert "labels of 12 (PBE-D3) configurations" in told(0, 12)
