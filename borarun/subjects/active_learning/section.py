"""The study's section on active learning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from borarun.basics.units import FS_PER_NS
from borarun.engines.potential.base import PotentialSection
from borarun.input.renamed import Renamed
from borarun.sections.dynamics import Dynamics, Finding, Length, Phases, Production
from borarun.sections.study import Study
from borarun.sections.values import (
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


class ActiveLearning(Dynamics):
    """Explore with the potential, label what it does not know, fit again, until a whole round stays
    in the known region.
    """

    threshold_save: Annotated[float, Field(gt=1)] = Field(
        default=2.1, description="Configurations with a higher extrapolation grade are kept."
    )
    threshold_break: Annotated[float, Field(gt=1)] = Field(
        default=11.0, description="A run stops when the extrapolation grade exceeds this."
    )
    grade_every_steps: PositiveInt = Field(
        default=10,
        description="Number of time steps between two evaluations of the grade; chosen by borarun.",
    )
    from_K: Kelvin = Field(
        default=10.0, description="Temperature at which an exploration run starts, K."
    )
    to_K: Kelvin = Field(default=1000.0, description="Temperature to which it heats, K.")
    heating_ns: Positive = Field(default=1.0, description="Duration of the heating, ns.")
    hold_ns: Positive = Field(default=10.0, description="Time at the final temperature, ns.")
    timestep_fs: TimeStep = Field(
        default=1.0, description="Time step, fs; at most 1 with hydrogen."
    )
    cell: CellMode = Field(default="isotropic", description=CELL_MODE)
    vacancies: Counts = Field(default=(0,), description=VACANCIES)
    supercell: Supercell = Field(
        default=(1, 1, 1), description="Repeats of the structure's unit cell along a, b and c."
    )
    runs: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1,
        description="Independent exploration runs (seeds) per round and number of vacancies.",
    )
    max_rounds: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=20,
        description="Stop after this many rounds, even if runs still leave the known region.",
    )
    max_labels_per_round: PositiveInt = Field(
        default=50,
        description="Largest number of configurations labelled per round; the most "
        "informative ones are chosen.",
    )

    def n_runs(self) -> int:
        """Runs of a round."""
        return len(self.vacancies) * self.runs

    def other_lengths(self) -> Iterator[Length]:
        """Heating and holding."""
        yield Length("heating_ns", self.heating_ns, self.heating_ns * FS_PER_NS)
        yield Length("hold_ns", self.hold_ns, self.hold_ns * FS_PER_NS)


def _range(study: Study, section: ActiveLearning, phases: Phases) -> Iterator[Finding]:
    if section.from_K >= section.to_K:
        yield (
            ("active_learning", "to_K"),
            f"must be above from_K, {section.from_K:g} (got {section.to_K:g}).",
        )


def _thresholds(study: Study, section: ActiveLearning, phases: Phases) -> Iterator[Finding]:
    if section.threshold_save >= section.threshold_break:
        message = (
            f"must be below threshold_break, {section.threshold_break:g} (got "
            f"{section.threshold_save:g})."
        )
        yield ("active_learning", "threshold_save"), message


def _grade(study: Study, section: ActiveLearning, phases: Phases) -> Iterator[Finding]:
    steps = section.hold_ns * FS_PER_NS / section.timestep_fs
    if steps < section.grade_every_steps:
        yield (
            ("active_learning", "hold_ns"),
            f"ends after {steps:.0f} steps, before the first evaluation of the grade. Increase it.",
        )


def _grades(study: Study, section: ActiveLearning, phases: Phases) -> Iterator[Finding]:
    potential = study.section(PotentialSection)
    if potential and not potential.UNCERTAINTY:
        yield (
            ("active_learning",),
            f"needs extrapolation grades, and the engine {potential.engine} does not "
            "compute them. Remove this section, or choose another engine for `potential`.",
        )


def warnings(study: Study, section: ActiveLearning, phases: Phases) -> Iterator[str]:
    """What is allowed but worth knowing."""
    hotter = {
        name: found.hottest_K()
        for name, found in study.sections(Production)
        if found.hottest_K() > section.to_K
    }
    if hotter:
        yield (
            f"active_learning.to_K: {section.to_K:g} K is colder than "
            f"{' and '.join(hotter)}, up to {max(hotter.values()):g} K, so production "
            "runs would leave the region that the potential knows. Explore at a higher "
            "temperature than any production run."
        )


CHECKS = (
    _range,
    _thresholds,
    _grade,
    _grades,
)
"""What is impossible in the section; see ``study/checks.py``."""

RENAMED = (
    Renamed(("grade_every",), "grade_every_steps", since="0.1.0"),
    Renamed(("heat_to_K",), "to_K", since="0.1.0"),
    Renamed(("heat_ns",), "heating_ns", since="0.1.0"),
)
"""Keys that have a new name."""
