"""Whether the runs mean anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """Does the framework hold together in one run?

    Attributes
    ----------
    stage : that the run belongs to
    bonds_A : ``B-H``, ``B-B`` ... -> (mean in the first frame, shortest, longest over all sampled
        frames)
    displacement_A : largest net displacement of an anion's centre, None where the check does not
        apply
    unwrap_difference_percent : largest difference of the two ways to unwrap, in mean squared
        displacement of the mobile ions
    grade_max : largest extrapolation grade on the way, None where it was not watched
    """

    stage: str
    label: str
    bonds_A: Mapping[str, tuple[float, float, float]]
    displacement_A: float | None
    unwrap_difference_percent: float | None
    grade_max: float | None
    intact: bool
    verdict: str
