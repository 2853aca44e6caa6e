"""What differs between two studies, and which tasks the second has that the first does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from borarun.input.messages import shown
from borarun.records.task import Task
from borarun.sections.study import Study
from borarun.study.plan import expand
from borarun.subjects.common.stage import Records

ABSENT = "absent"


@dataclass(frozen=True)
class Change:
    """A key whose value differs.

    Attributes
    ----------
    key : dotted path
    before, after : the two values as YAML writes them, or ``absent``
    """

    key: str
    before: str
    after: str


@dataclass(frozen=True)
class Difference:
    """How a study differs from another.

    Attributes
    ----------
    changes : values that differ, defaults counted, and structures, whatever their files are called
    new, gone : tasks that only the second, or only the first, has by now
    """

    changes: tuple[Change, ...]
    new: tuple[Task, ...]
    gone: tuple[Task, ...]


def difference(first: Study, second: Study, records: Records) -> Difference:
    """Compare two studies; what decides is the tasks' content, so that comments, names and the
    order of keys do not count.
    """
    values, others = (
        _flat(
            study.model_dump(mode="json", by_alias=True, exclude={"extends"})
            | {"structure": _structures(study)}
        )
        for study in (first, second)
    )
    changes = [
        Change(key, values.get(key, ABSENT), others.get(key, ABSENT))
        for key in dict.fromkeys([*values, *others])
        if values.get(key, ABSENT) != others.get(key, ABSENT)
    ]
    tasks, theirs = (
        {task.key: task for task in expand(study, records, forecast=True).tasks}
        for study in (first, second)
    )
    return Difference(
        tuple(changes),
        tuple(task for key, task in theirs.items() if key not in tasks),
        tuple(task for key, task in tasks.items() if key not in theirs),
    )


def _structures(study: Study) -> dict[str, str]:
    return {phase: study.phase_text(phase) for phase in study.material.phases}


def _flat(value: Any, place: str = "") -> dict[str, str]:
    """Every value by its dotted path."""
    if isinstance(value, Mapping) and value:
        return {
            path: text
            for key, item in value.items()
            for path, text in _flat(item, f"{place}.{key}" if place else str(key)).items()
        }
    return (
        {} if value is None else {place: value if place.startswith("structure.") else shown(value)}
    )
