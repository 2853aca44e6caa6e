"""The study's section on the examination of the final potential."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from borarun.sections.dynamics import (
    Dynamics,
    Finding,
    HeldSweep,
    Phases,
    Place,
    Production,
    RunsDynamics,
)
from borarun.sections.study import Study
from borarun.sections.values import (
    CELL_MODE,
    VACANCIES,
    CellMode,
    Counts,
    Kelvin,
    Kelvins,
    Positive,
    Supercell,
    TimeStep,
)

EXAMINED = ("heating", "diffusion")
"""Sections whose runs give configurations, where the examination has no runs of its own."""


class OwnRuns(HeldSweep):
    """Runs with the final potential in a cell that the reference can label."""

    supercell: Supercell = Field(
        default=(1, 1, 1), description="Repeats of the structure's unit cell along a, b and c."
    )
    temperatures_K: Kelvins = Field(
        default=(300.0, 600.0, 900.0),
        description="Temperatures, K. A number, a list or a range. Choose some of each phase.",
    )
    vacancies: Counts = Field(default=(0,), description=VACANCIES)
    from_K: Kelvin = Field(
        default=10.0,
        description="Temperature at which each run starts, K; it is heated from there to its own "
        "temperature.",
    )
    heating_rate_K_per_ps: Positive = Field(default=50.0, description="Heating rate, K/ps.")
    equilibration_ps: Positive = Field(
        default=5.0, description="Equilibration time at the temperature, not used, ps."
    )
    time_ps: Positive = Field(
        default=20.0, description="Time from which configurations are taken, ps."
    )
    timestep_fs: TimeStep = Field(
        default=0.5, description="Time step, fs; at most 1 with hydrogen."
    )
    sample_every_fs: Positive = Field(
        default=100.0, description="Time between stored frames, fs; a multiple of the time step."
    )
    cell: CellMode = Field(default="isotropic", description=CELL_MODE)
    pressure_bar: Annotated[float, Field(ge=-1e5, le=1e7)] = Field(
        default=0.0, description="Pressure, bar."
    )

    KEYS: ClassVar[tuple[str, str]] = ("equilibration_ps", "time_ps")

    def n_runs(self) -> int:
        """A run a temperature and vacancy count."""
        return len(self.temperatures_K) * len(self.vacancies)

    def hottest_K(self) -> float:
        """The highest temperature, K."""
        return self.temperatures_K[-1]


class Examination(RunsDynamics):
    """Label configurations of production runs, which no fit has seen, and compare the final
    potential with these labels.
    """

    frames: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=40,
        description="Number of configurations that the reference labels, spread over vacancy "
        "counts, temperatures and phases of the production runs. With each functional.",
    )
    runs: OwnRuns | None = Field(
        default=None,
        description="Runs in a smaller cell from which the configurations are taken instead. Use "
        "it where the reference cannot label the production cell. `{}` takes the defaults.",
    )

    def dynamics_in(self, study: Study) -> Iterator[tuple[Place, Dynamics]]:
        """Runs of its own, where it has them."""
        if self.runs is not None:
            yield ("runs",), self.runs


def _has_frames(study: Study, section: Examination, phases: Phases) -> Iterator[Finding]:
    names = {name for name, _ in study.sections(Production)}
    if section.runs is None and not names.intersection(EXAMINED):
        yield (
            ("examination",),
            "needs configurations that no fit has seen, and the study has neither `heating` nor "
            "`diffusion`. Add one of them, or `examination.runs: {}`.",
        )


def _range(study: Study, section: Examination, phases: Phases) -> Iterator[Finding]:
    if section.runs is not None and section.runs.from_K > section.runs.temperatures_K[0]:
        yield (
            ("examination", "runs", "from_K"),
            f"must not be above the lowest of temperatures_K, {section.runs.temperatures_K[0]:g} "
            f"(got {section.runs.from_K:g}).",
        )


LARGE = 300
"""Atoms: density functional theory takes hours for a label of a larger cell."""


def warnings(study: Study, section: Examination, phases: Phases) -> Iterator[str]:
    """What is allowed but worth knowing."""
    atoms = len(phases[study.phase])
    for repeats in study.supercell:
        atoms *= repeats
    if section.runs is None and atoms > LARGE and study.reference.LABELS_AGAIN:
        yield (
            f"examination: the reference labels {section.frames} configurations of {atoms} atoms. "
            "If that is too much, add `examination.runs: {}`, which takes them from a smaller cell."
        )


CHECKS = (
    _has_frames,
    _range,
)
"""What is impossible in the section; see ``study/checks.py``."""
