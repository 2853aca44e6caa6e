"""Explorations whose grade nobody watched: a LAMMPS of one's own writes none without candidates."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import filled
import pytest

from borarun.live.server import Page
from borarun.live.terminal import progress_of
from borarun.page.collecting import collect
from borarun.records.places import Places, StoredRecords
from borarun.records.store import Store
from borarun.records.task import Task
from borarun.run.state import Observer
from borarun.site import default_site
from borarun.study import Study, load_study
from borarun.study.plan import expand
from borarun.subjects.active_learning.stage import Exploration
from borarun.subjects.potential.results import PotentialFound
from borarun.subjects.potential.tables import ledger


@pytest.fixture
def ungraded(mini_study: Path, tmp_path: Path) -> tuple[Study, Places, Task]:
    """A finished study, one of whose explorations has no largest grade."""
    study, places = load_study(mini_study), Places.of(tmp_path, "mini")
    store = Store(places.store)
    task = next(task for task in filled.fill(study, store) if isinstance(task.about, Exploration))
    made = filled.result(study, task)
    store.path(task.key).unlink()
    facts = made.facts.model_copy(update={"grade_max": None})
    store.write(task, replace(made, facts=facts), filled.PROVENANCE)
    return study, places, task


def test_the_report_leaves_the_cell_empty(ungraded: tuple[Study, Places, Task]) -> None:
    study, places, _ = ungraded
    store = Store(places.store)
    results = collect(study, expand(study, StoredRecords(store)).tasks, store)
    assert not results.gaps
    runs = [
        run
        for part in results.of(PotentialFound).learning
        for step in part.rounds
        for run in step.explorations
    ]
    assert [run.grade_max for run in runs].count(None) == 1
    table = ledger(results)
    assert table is not None and None in {value for row in table.rows for value in row}


def test_those_who_watch_see_no_grade(ungraded: tuple[Study, Places, Task]) -> None:
    study, places, _ = ungraded
    observer = Observer(study, default_site(), places)
    explored = observer.look().explored
    assert [run.grade_max for run in explored].count(None) == 1
    told = [line for line in progress_of(observer.look(), "") if isinstance(line, str)]
    lines = [line for line in told if "exploration with" in line]
    assert sum("largest grade" not in line for line in lines) == 1
    found = Page(study, "mini.yaml", observer).get("state.json")
    assert found is not None
    assert None in [run["grade_max"] for run in json.loads(found[1])["explored"]]
