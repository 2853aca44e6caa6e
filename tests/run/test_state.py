"""A study seen from outside, at every stage of its life."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from filled import PROVENANCE, fill, result

from borarun.basics.causes import Cause
from borarun.records.attributes import Provenance
from borarun.records.places import Places
from borarun.records.store import Store
from borarun.records.task import Failure
from borarun.run.claim import BEAT_S, Claim
from borarun.run.state import Observer
from borarun.run.work import claim_of
from borarun.site import default_site
from borarun.study import Study
from borarun.study.plan import expand


def observer(study: Study, places: Places) -> Observer:
    return Observer(study, default_site(), places)


def conditions(found: Observer) -> Counter[str]:
    return Counter(each.condition for each in found.look().tasks)


def test_a_study_that_has_not_begun_waits_and_is_left_alone(study: Study, places: Places) -> None:
    state = observer(study, places).look()
    assert {each.condition for each in state.tasks} == {"waiting"}
    assert (state.driver, state.failed, state.stuck, state.trained) == ("", (), (), ())
    assert state.left_s > 0
    assert not places.store.parent.exists(), "looking makes no folders"


def test_a_finished_study_is_done_and_tells_how_its_potential_learnt(
    study: Study, places: Places
) -> None:
    tasks = fill(study, Store(places.store))
    state = observer(study, places).look()
    assert len(state.tasks) == len(tasks) and {each.condition for each in state.tasks} == {"done"}
    assert state.left_s == 0
    assert [
        (one.number, one.energy_meV_per_atom, one.forces_eV_per_A) for one in state.trained
    ] == [(0, 1.0, 0.1), (1, 1.0, 0.1)]
    assert {(one.round, one.vacancies) for one in state.explored} == {
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    }
    assert {one.grade_max for one in state.explored} == {1.5}


def test_what_needs_a_failed_task_is_blocked_until_it_succeeds(
    study: Study, places: Places
) -> None:
    store = Store(places.store)
    first, second = expand(study, {}).tasks[:2]
    store.write_failure(first, Failure(Cause.FAILED, "it broke", "mend it", "its last line"))
    watching = observer(study, places)
    state = watching.look()
    assert [(each.task.key, each.failure.remedy) for each in state.failed] == [
        (first.key, "mend it")
    ]
    assert any("training" in name for name in state.failed[0].waiting)
    known = {each.task.key: each.condition for each in state.tasks}
    assert known[first.key] == "failed" and known[second.key] == "waiting"
    assert known.pop(first.key) and known.pop(second.key) and set(known.values()) == {"blocked"}
    store.write(first, result(study, first), PROVENANCE)
    assert not watching.look().failed
    assert conditions(watching)["blocked"] == 0 and conditions(watching)["done"] == 1


def test_a_running_task_is_told_with_its_place_its_part_and_its_time(
    study: Study, places: Places
) -> None:
    task = expand(study, {}).tasks[0]
    Store(places.store).write_failure(task, Failure(Cause.FAILED, "last time"))
    claim = claim_of(places.work, task.key)
    assert claim.take()
    try:
        (places.work / task.key).mkdir()
        (places.work / task.key / "progress").write_text("0.25\n")
        state = observer(study, places).look()
        (found,) = [each for each in state.tasks if each.condition == "running"]
        assert (found.task.key, found.part) == (task.key, 0.25) and found.where.startswith(
            "process "
        )
        assert not state.failed, "it runs again"
    finally:
        claim.release()
    assert conditions(observer(study, places))["running"] == 0


def test_the_time_of_a_claim_is_counted_by_its_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = Claim(tmp_path / "x.claim")
    assert claim.seconds() == 0.0
    monkeypatch.setattr(claim, "beat", lambda: b'{"beat": 12}')
    assert claim.seconds() == 12 * BEAT_S


def test_time_left_follows_how_long_finished_tasks_of_the_kind_took(
    study: Study, places: Places
) -> None:
    store, watching = Store(places.store), observer(study, places)
    task, other = (each for each in expand(study, {}).tasks if each.name.startswith("training_set"))
    store.write(task, result(study, task), Provenance(seconds=task.cost.core_seconds))
    as_estimated = watching.look().left_s
    store.write(task, result(study, task), Provenance(seconds=task.cost.core_seconds + 10_000))
    assert observer(study, places).look().left_s > as_estimated + 100 * other.cost.core_seconds
