"""A stage is asked again where, and only where, something that it looked at has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from borarun.records.task import Record, Ref, Task
from borarun.study import load_study, plan
from borarun.study.plan import Planner
from borarun.subjects.common.stage import Expansion

FIRST, NEXT, LAST = (
    Task("borarun-mtp", {"name": "first"}),
    Task("borarun-mtp", {"name": "next"}),
    Task("borarun-mtp", {"name": "last"}),
)


def record(task: Task) -> dict[str, Record]:
    return {task.key: Record(task.key, task.engine, "", "")}


class _Stages:
    """``early`` goes on with NEXT when FIRST is there; ``late`` builds on what ``early`` says, and
    looks at no record.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []

    def early(self, study: Any, products: Any, records: Any, *, forecast: bool) -> Expansion:
        self.asked.append("early")
        done = forecast or FIRST.key in records
        return Expansion(
            (FIRST, NEXT) if done else (FIRST,),
            {"potential": Ref((NEXT if done else FIRST).key, "x")},
        )

    def late(self, study: Any, products: Any, records: Any, *, forecast: bool) -> Expansion:
        self.asked.append("late")
        return Expansion(
            (Task("borarun-mtp", LAST.settings, {"potential": products["potential"]}),)
        )


def _subject(name: str, expand: Callable[..., Expansion]) -> SimpleNamespace:
    return SimpleNamespace(name=name, part=lambda _: SimpleNamespace(expand=expand))


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> _Stages:
    made = _Stages()
    monkeypatch.setattr(
        plan,
        "SUBJECTS",
        [
            _subject("early", made.early),
            _subject("late", made.late),
        ],
    )
    return made


def test_nothing_is_asked_twice_while_nothing_has_changed(
    stages: _Stages, mini_study: Path
) -> None:
    records: dict[str, Record] = {}
    planner = Planner(load_study(mini_study), records)
    first = planner.expand()
    records |= record(LAST)  # nobody looks at it
    assert planner.expand() is first and stages.asked == ["early", "late"]


def test_a_record_that_was_looked_for_makes_its_stage_and_those_that_build_on_it_anew(
    stages: _Stages, mini_study: Path
) -> None:
    records: dict[str, Record] = {}
    planner = Planner(load_study(mini_study), records)
    before = planner.expand()
    records |= record(FIRST)
    after = planner.expand()
    assert len(before.tasks) == 2 and NEXT in after.tasks and after.tasks[-1].needs == {NEXT.key}
    assert stages.asked == ["early", "late"] * 2
    records |= record(NEXT)
    assert planner.expand() is after
    del records[FIRST.key]  # damaged, and set aside
    assert planner.expand().tasks == before.tasks


def test_a_stage_has_no_business_with_records_that_it_does_not_know(mini_study: Path) -> None:
    with pytest.raises(TypeError, match="by key"):
        list(plan._LookedAt(record(FIRST)))
