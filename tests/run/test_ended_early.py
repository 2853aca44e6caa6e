"""A production run that ended early is a failure for everybody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import filled

from borarun.causes import Cause
from borarun.live.terminal import failures_of
from borarun.places import Places
from borarun.plan import expand
from borarun.run.ended_early import ended_early
from borarun.run.state import Observer
from borarun.site import default_site
from borarun.store import Store
from borarun.study import load_study
from borarun.task import Record


def test_only_production_runs_that_stopped_are_failures(mini_study: Path) -> None:
    plan = expand(load_study(mini_study), {}, forecast=True)
    told = {}
    for task in plan.tasks:
        facts = {"stop": "exploded", "reason": "an anion broke", "time_fs": 620.0}
        record = Record(task.key, task.engine, task.stage, task.label, facts)
        if (failure := ended_early(task, record)) is not None:
            told[task.stage] = failure
            for whole in ({"stop": "completed"}, {}):
                assert ended_early(task, Record(task.key, "", "", "", whole)) is None
    assert set(told) == {"heating", "diffusion"}
    failure = told["diffusion"]
    assert failure.cause is Cause.ENDED_EARLY
    assert failure.message == (
        "the run ended early after 0.62 ps: an anion broke. Its results are not used."
    )
    assert failure.remedy


def test_status_and_why_tell_it(mini_study: Path, tmp_path: Path) -> None:
    study, places = load_study(mini_study), Places.of(tmp_path, "mini")
    store = Store(places.store)
    tasks = filled.fill(study, store)
    observer = Observer(study, default_site(), places)
    whole = observer.look()
    assert not whole.failed and whole.ended
    broken = next(task for task in tasks if task.stage == "diffusion")
    made = filled.result(study, broken)
    store.path(broken.key).unlink()
    facts = {**made.facts, "stop": "extrapolation", "reason": "grade 12.3"}
    store.write(broken, replace(made, facts=facts), filled.PROVENANCE)
    state = Observer(study, default_site(), places).look()
    assert [each.task.key for each in state.failed] == [broken.key]
    assert [each.task.key for each in state.tasks if each.condition == "failed"] == [broken.key]
    assert state.ended and state.left_s == 0.0
    said = "\n".join(failures_of(state))
    assert "ended early: the run ended early" in said and "grade 12.3" in said
    assert "what to do: The run left the region" in said
