"""The plan: every task of a study that is known by now, and what it will cost. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from borarun.stages import STAGES, Expansion, Records
from borarun.stages.base import Product
from borarun.study import Study
from borarun.task import Task


@dataclass(frozen=True)
class Plan:
    """A study, expanded as far as the records allow.

    Attributes
    ----------
    stages : stage name -> its expansion, in the order of the science; only stages that the study has
    """

    stages: Mapping[str, Expansion]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Every known task once, in the order of work."""
        return tuple({task.key: task for expansion in self.stages.values() for task in expansion.tasks}.values())

    @property
    def waiting(self) -> list[str]:
        """Why more tasks may follow."""
        return [f"{name}: {expansion.waiting}" for name, expansion in self.stages.items() if expansion.waiting]

    @property
    def stuck(self) -> list[str]:
        """Why a stage cannot go on although nothing of it is left to run."""
        return [f"{name}: {expansion.stuck}" for name, expansion in self.stages.items() if expansion.stuck]


def expand(study: Study, records: Records, *, forecast: bool = False) -> Plan:
    """Ask every stage for its tasks.

    Parameters
    ----------
    records : the records that exist, by key
    forecast : take missing results to be the good ones, so that the plan shows what will follow at the least
    """
    products: dict[str, Product] = {}
    stages: dict[str, Expansion] = {}
    for stage in STAGES:
        expansion = stage.expand(study, products, records, forecast=forecast)
        products.update(expansion.products)
        if expansion.tasks or expansion.waiting or expansion.stuck:
            stages[stage.NAME] = expansion
    return Plan(stages)


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


def estimate(plan: Plan, records: Records, cost_factor: Callable[[str], float] = lambda engine: 1.0) -> list[StageEstimate]:
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
                core_hours=sum(task.cost.core_seconds * cost_factor(task.engine) for task in left) / 3600,
                bytes=sum(task.cost.bytes for task in left),
            )
        )
    return rows
