"""What the programs that run LAMMPS tell of a run, beside its files."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from borarun.records.operations.dynamics import Stop

Vector = tuple[float, float, float]


class Outcome(BaseModel):
    """How a run of molecular dynamics ended.

    Attributes
    ----------
    stop : why it stopped
    reason : the same in words
    last_step : last step of the run; -1 before its first
    n_candidates : configurations to label that it kept
    grade_max : largest extrapolation grade; None where LAMMPS itself did not watch it
    positions, cell : of the last step, angstrom, in LAMMPS's axes; of the embedded program, whose
        other files then hold what it watched
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    stop: Stop
    reason: str
    last_step: int
    n_candidates: int
    grade_max: float | None = None
    positions: tuple[Vector, ...] | None = None
    cell: tuple[Vector, Vector, Vector] | None = None
