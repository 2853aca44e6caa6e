"""Finished runs that no result can be taken from."""

from __future__ import annotations

from borarun.subjects import SUBJECTS
from borarun.task import Failure, Record, Task

KIND = "EndedEarly"

_TRAJECTORIES = frozenset(subject.name for subject in SUBJECTS if subject.is_trajectory)
_REMEDIES = {
    "extrapolation": "The run left the region that the potential knows. Let active learning "
    "explore "
    "hotter, longer and with the vacancies of this run, then submit again.",
    "exploded": "Atoms flew apart: the potential is wrong there, or the time step is too long. Let "
    "active learning explore hotter and longer, or lower timestep_fs, then submit again.",
}


def ended_early(task: Task, record: Record) -> Failure | None:
    """Why a production run that is done is of no use: it ended before its time. None where it ran
    to its end, and of every other task.
    """
    if task.stage not in _TRAJECTORIES or not record.done:
        return None
    stop = str(record.facts["stop"])
    if stop == "completed":
        return None
    said = record.facts.get("reason") or stop
    after = f" after {record.facts['time_fs'] / 1000:.4g} ps" if "time_fs" in record.facts else ""
    return Failure(
        kind=KIND,
        message=f"the run ended early{after}: {said}. Its results are not used.",
        remedy=_REMEDIES.get(stop, "See how the run ended."),
    )
