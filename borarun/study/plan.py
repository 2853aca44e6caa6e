"""The plan: every task of a study that is known by now, and what it will cost. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from borarun.records.task import Record, Task
from borarun.sections.study import Study
from borarun.subjects import SUBJECTS
from borarun.subjects.common.stage import Expansion, Product, Records


@dataclass(frozen=True)
class Plan:
    """A study, expanded as far as the records allow.

    Attributes
    ----------
    stages : stage name -> its expansion, in the order of the science; only stages that the study
        has
    """

    stages: Mapping[str, Expansion]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Every known task once, in the order of work."""
        return tuple(
            {
                task.key: task for expansion in self.stages.values() for task in expansion.tasks
            }.values()
        )

    @property
    def waiting(self) -> list[str]:
        """Why more tasks may follow."""
        return [
            f"{name}: {expansion.waiting}"
            for name, expansion in self.stages.items()
            if expansion.waiting
        ]

    @property
    def stuck(self) -> list[str]:
        """Why a stage cannot go on although nothing of it is left to run."""
        return [
            f"{name}: {expansion.stuck}"
            for name, expansion in self.stages.items()
            if expansion.stuck
        ]


class Planner:
    """Expands a study again and again as records arrive. A stage is asked anew only where a product
    or a record that it looked at has changed.

    Parameters
    ----------
    records : the records that exist, by key
    forecast : take missing results to be the good ones, so that the plan shows what will follow at
        the least
    """

    def __init__(self, study: Study, records: Records, *, forecast: bool = False) -> None:
        self._study = study
        self._records = records
        self._forecast = forecast
        self._asked: dict[str, _Asked] = {}
        self._plan = Plan({})

    def expand(self) -> Plan:
        """The plan by now; the same object as before where nothing has changed."""
        products: dict[str, Product] = {}
        changed = False
        for subject in SUBJECTS:
            stage = subject.part("stage")
            if stage is None:
                continue
            asked = self._asked.get(subject.name)
            if asked is None or not asked.holds(products, self._records):
                looked_at = _LookedAt(self._records)
                expansion = stage.expand(self._study, products, looked_at, forecast=self._forecast)
                asked = self._asked[subject.name] = _Asked(
                    dict(products), looked_at.found, expansion
                )
                changed = True
            products.update(asked.expansion.products)
        if changed:
            expansions = {name: asked.expansion for name, asked in self._asked.items()}
            self._plan = Plan(
                {
                    name: each
                    for name, each in expansions.items()
                    if each.tasks or each.waiting or each.stuck
                }
            )
        return self._plan


def expand(study: Study, records: Records, *, forecast: bool = False) -> Plan:
    """The plan of a study that is expanded once; see ``Planner``."""
    return Planner(study, records, forecast=forecast).expand()


@dataclass(frozen=True)
class _Asked:
    """What a stage said, and what it looked at to say it."""

    products: Mapping[str, Product]
    found: Mapping[str, Record | None]
    expansion: Expansion

    def holds(self, products: Mapping[str, Product], records: Records) -> bool:
        return self.products == products and all(
            records.get(key) is record for key, record in self.found.items()
        )


class _LookedAt(Mapping[str, Record]):
    """Records that remember which of them were asked for."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.found: dict[str, Record | None] = {}

    def __getitem__(self, key: str) -> Record:
        record = self.found[key] = self._records.get(key)
        if record is None:
            raise KeyError(key)
        return record

    def __iter__(self) -> Iterator[str]:
        raise TypeError(
            "a stage asks for records by key: all of them together are another study's too"
        )

    def __len__(self) -> int:
        return len(self._records)


@dataclass(frozen=True)
class StageEstimate:
    """What one stage will take.

    Attributes
    ----------
    stage : name
    tasks, done : number of tasks known or forecast, and of those already in the store
    core_hours : expected for those not done, h
    bytes : expected size of the records not yet there, B
    """

    stage: str
    tasks: int
    done: int
    core_hours: float
    bytes: float


def estimate(
    plan: Plan, records: Records, cost_factor: Callable[[str], float] = lambda engine: 1.0
) -> list[StageEstimate]:
    """Tasks, core time and disk by stage.

    Parameters
    ----------
    cost_factor : of an engine, the core time on the site over that of the estimates
    """
    rows = []
    for name, expansion in plan.stages.items():
        keys = {task.key: task for task in expansion.tasks}
        left = [task for key, task in keys.items() if key not in records or not records[key].done]
        rows.append(
            StageEstimate(
                stage=name,
                tasks=len(keys),
                done=len(keys) - len(left),
                core_hours=sum(task.cost.core_seconds * cost_factor(task.engine) for task in left)
                / 3600,
                bytes=sum(task.cost.bytes for task in left),
            )
        )
    return rows
