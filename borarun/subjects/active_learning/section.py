"""The study's section on active learning."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from borarun.messages import Section
from borarun.values import (
    CELL_MODE,
    VACANCIES,
    CellMode,
    Counts,
    Kelvin,
    Positive,
    PositiveInt,
    Supercell,
    TimeStep,
)


class ActiveLearning(Section):
    """Explore with the potential, label what it does not know, fit again, until a whole round stays
    in the known region.
    """

    threshold_save: Annotated[float, Field(gt=1)] = Field(
        default=2.1, description="Configurations of a higher extrapolation grade are kept."
    )
    threshold_break: Annotated[float, Field(gt=1)] = Field(
        default=11.0, description="A run stops at this extrapolation grade."
    )
    grade_every: PositiveInt = Field(
        default=10, description="Time steps between two looks at the grade; chosen by borarun."
    )
    from_K: Kelvin = Field(default=10.0, description="Exploration heats from here, K.")
    heat_to_K: Kelvin = Field(default=1000.0, description="to here, K,")
    heat_ns: Positive = Field(default=1.0, description="within this time, ns,")
    hold_ns: Positive = Field(default=10.0, description="and then stays there for this time, ns.")
    timestep_fs: TimeStep = Field(
        default=1.0, description="Time step, fs; at most 1 with hydrogen."
    )
    cell: CellMode = Field(default="isotropic", description=CELL_MODE)
    vacancies: Counts = Field(default=(0,), description=VACANCIES)
    supercell: Supercell = Field(
        default=(1, 1, 1), description="Repeats of the structure's cell along a, b and c."
    )
    runs: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1, description="Independent exploration runs (seeds) per round and vacancy count."
    )
    max_rounds: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=20, description="Stop after this many rounds even if the last was not clean."
    )
    max_labels_per_round: PositiveInt = Field(
        default=50,
        description="Configurations labelled per round at most; the most informative ones.",
    )
