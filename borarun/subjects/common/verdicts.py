"""Whether a finished production run can be used: one answer for `submit`, `status`, `why`, `watch`
and the report.

A run that ended before its time says so in its record. Whether the anions held together only shows
when its trajectory is read, which takes seconds. The report reads it anyway, and keeps its verdict
beside the record, where everybody else finds it.
"""

from __future__ import annotations

from contextlib import suppress

from pydantic import JsonValue

from borarun.basics.causes import Cause
from borarun.basics.errors import BorarunError
from borarun.basics.units import FS_PER_PS
from borarun.records.operations.dynamics import Ended
from borarun.records.store import Store
from borarun.records.task import Failure, Record, Task
from borarun.sections.study import Study
from borarun.subjects import PRODUCTION

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
    ended = record.facts(Ended)
    if not (why := ended.cut_short):
        return None
    after = "" if ended.time_fs is None else f" after {ended.time_fs / FS_PER_PS:.4g} ps"
    return Failure(
        cause=Cause.ENDED_EARLY,
        message=f"the run ended early{after}: {why}. Its results are not used.",
        remedy=_REMEDIES[ended.stop],
    )


def broken(why: str) -> Failure:
    """The failure of a run to whose end the framework did not hold.

    Parameters
    ----------
    why : what broke, of the report's check
    """
    return Failure(
        cause=Cause.FRAMEWORK_BROKEN,
        message=f"the framework did not hold: {why}. Its results are not used.",
        remedy=Cause.FRAMEWORK_BROKEN.remedy,
    )


class Verdicts:
    """What is known of the finished production runs of a study. A verdict holds for the anions that
    the study names.
    """

    def __init__(self, study: Study, store: Store) -> None:
        self._store = store
        material = study.material
        self._of: list[JsonValue] = [" ".join(material.anions), " ".join(material.ions)]
        self._kept: dict[str, Failure | None] = {}

    def known(self, task: Task, record: Record) -> bool:
        """Whether the run of a record was looked at, or needs no look."""
        if task.stage not in PRODUCTION or ended_early(task, record) is not None:
            return True
        if task.key not in self._kept:
            found = self._store.verdict(task.key)
            if found is not None and found[0] == self._of:
                self._kept[task.key] = found[1]
        return task.key in self._kept

    def unusable(self, task: Task, record: Record) -> Failure | None:
        """Why the record of a task is of no use, as far as that is known."""
        if (early := ended_early(task, record)) is not None:
            return early
        return self._kept.get(task.key) if record.done and self.known(task, record) else None

    def keep(self, key: str, failure: Failure | None) -> None:
        """Keep a verdict beside a record; a store that cannot be written is left as it is."""
        self._kept[key] = failure
        found = self._store.verdict(key)
        if found != (self._of, failure):
            with suppress(BorarunError):
                self._store.write_verdict(key, self._of, failure)
