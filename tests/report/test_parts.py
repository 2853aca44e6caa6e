"""What stands where there is no result."""

from __future__ import annotations

import pytest

from borarun.report.parts import why_no_value
from borarun.report.provenance import Gap


@pytest.mark.parametrize(
    ("failed", "says"),
    [
        ([], "not computed yet"),
        ([False, False], "not computed yet"),
        ([True, False], "not computed yet; 1 run failed"),
        ([True, True], "no result: 2 runs failed"),
    ],
)
def test_a_card_tells_runs_that_failed_from_runs_to_come(failed: list[bool], says: str) -> None:
    gaps = [
        Gap(stage="diffusion", label="600 K", failed=each, reason="", remedy="", evidence="")
        for each in failed
    ]
    assert why_no_value(gaps) == says
