"""Finished runs that no result can be taken from."""

from __future__ import annotations

from borarun.causes import Cause
from borarun.dynamics import cut_short
from borarun.subjects import PRODUCTION
from borarun.task import Failure, Record, Task

_REMEDIES = {
    "extrapolation": "The run left the region that the potential knows. Let active learning "
    "explore hotter, longer and with the vacancies of this run, then submit again.",
    "exploded": "Atoms flew apart: the potential is wrong there, or the time step is too long. Let "
    "active learning explore hotter and longer, or lower timestep_fs, then submit again.",
}


def ended_early(task: Task, record: Record) -> Failure | None:
    """Why a production run that is done is of no use: it ended before its time. None where it ran
    to its end, and of every other task.
    """
    if task.stage not in PRODUCTION or not record.done:
        return None
    why = cut_short(record.facts)
    if not why:
        return None
    after = f" after {record.facts['time_fs'] / 1000:.4g} ps" if "time_fs" in record.facts else ""
    return Failure(
        cause=Cause.ENDED_EARLY,
        message=f"the run ended early{after}: {why}. Its results are not used.",
        remedy=_REMEDIES.get(record.facts["stop"], Cause.ENDED_EARLY.remedy),
    )
