"""A production run that cannot be used is a failure for everybody."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import filled
import numpy as np
import pytest
from records import ran, record_of

from borarun.basics.causes import Cause
from borarun.cli import main
from borarun.live.terminal import failures_of
from borarun.page.collecting import collect
from borarun.records.operations.base import TRAJECTORY, Quantity
from borarun.records.operations.reference import Sampled
from borarun.records.places import Places, StoredRecords
from borarun.records.store import Store
from borarun.records.task import Task
from borarun.run.state import Observer
from borarun.site import default_site
from borarun.study import load_study
from borarun.study.plan import expand
from borarun.subjects.common.verdicts import Verdicts, broken, ended_early


def test_only_production_runs_that_stopped_are_failures(mini_study: Path) -> None:
    plan = expand(load_study(mini_study), {}, forecast=True)
    told = {}
    for task in plan.tasks:
        record = record_of(task, ran(stop="exploded", reason="an anion came apart", time_fs=620.0))
        if (failure := ended_early(task, record)) is not None:
            told[task.stage] = failure
            for whole in (ran(), Sampled(n_labels=2, temperature_K=300.0, steps=9)):
                assert ended_early(task, record_of(task, whole)) is None
    assert set(told) == {"heating", "diffusion"}
    failure = told["diffusion"]
    assert failure.cause is Cause.ENDED_EARLY
    assert failure.message == (
        "the run ended early after 0.62 ps: an anion came apart. Its results are not used."
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
    facts = made.facts.model_copy(update={"stop": "extrapolation", "reason": "grade 12.3"})
    store.write(broken, replace(made, facts=facts), filled.PROVENANCE)
    state = Observer(study, default_site(), places).look()
    assert [each.task.key for each in state.failed] == [broken.key]
    assert [each.task.key for each in state.tasks if each.condition == "failed"] == [broken.key]
    assert state.ended and state.left_s == 0.0
    said = "\n".join(failures_of(state))
    assert "ended early: the run ended early" in said and "grade 12.3" in said
    assert "what to do: The run left the region" in said


@pytest.fixture
def broken_run(mini_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """A finished study, in one of whose runs an anion came apart."""
    monkeypatch.chdir(tmp_path)
    study, store = load_study(mini_study), Store(Places.of(Path("runs"), "mini").store)
    tasks = filled.fill(study, store)
    broken = next(task for task in tasks if task.stage == "diffusion")
    made = filled.result(study, broken)
    positions = made.arrays["positions"].values.copy()
    boron = int(np.flatnonzero(made.arrays["numbers"].values == 5)[0])
    positions[boron, 0] += np.linspace(0.0, 4.0, positions.shape[2])
    store.path(broken.key).unlink()
    arrays = {**made.arrays, "positions": Quantity(positions, "angstrom", TRAJECTORY)}
    store.write(broken, replace(made, arrays=arrays), filled.PROVENANCE)
    return broken


def said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str]:
    """What `borarun` said, and its exit code."""
    monkeypatch.setattr(sys, "argv", ["borarun", *arguments])
    code = 0
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    return code, "".join(capsys.readouterr())


def test_a_broken_framework_is_a_failure_everywhere(
    broken_run: Task,
    mini_study: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for _ in range(2):  # found by the report, then kept
        code, text = said(monkeypatch, capsys, "submit", str(mini_study))
        assert code == 1
        assert f"failed: {broken_run.name}: the framework did not hold" in text
        assert "All tasks are done" not in text
    code, text = said(monkeypatch, capsys, "status", str(mini_study), "--json")
    stages = {stage["stage"]: stage for stage in json.loads(text)["stages"]}
    assert stages["diffusion"]["failed"] == [broken_run.label]
    code, text = said(monkeypatch, capsys, "why", str(mini_study), "--json")
    (failed,) = json.loads(text)["failed"]
    assert failed["key"] == broken_run.key and failed["cause"] == "framework broken"
    assert failed["remedy"]
    study, store = load_study(mini_study), Store(Places.of(Path("runs"), "mini").store)
    results = collect(study, expand(study, StoredRecords(store)).tasks, store)
    (gap,) = [gap for gap in results.gaps if gap.failed]
    assert (gap.stage, gap.label) == ("diffusion", broken_run.label)
    assert gap.reason == failed["message"]


def test_a_verdict_is_found_again_where_it_was_lost(
    broken_run: Task,
    mini_study: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said(monkeypatch, capsys, "submit", str(mini_study))
    for file in Path("runs/store").glob("*.verdict.json"):
        file.write_text("{" * 100_000 if broken_run.key in file.name else "")
    assert said(monkeypatch, capsys, "why", str(mini_study))[1].startswith("Nothing has failed")
    assert said(monkeypatch, capsys, "submit", str(mini_study))[0] == 1
    assert broken_run.label in said(monkeypatch, capsys, "why", str(mini_study))[1]


def test_a_verdict_holds_for_the_anions_of_its_study(
    broken_run: Task, mini_study: Path, tmp_path: Path
) -> None:
    study, store = load_study(mini_study), Store(tmp_path / "runs/store")
    record = store.record(broken_run.key)
    assert record is not None
    verdicts = Verdicts(study, store)
    assert not verdicts.known(broken_run, record)
    verdicts.keep(broken_run.key, broken("B-H bonds broke"))
    assert Verdicts(study, store).unusable(broken_run, record) == broken("B-H bonds broke")
    store.write_verdict(broken_run.key, ["BH4", "Li"], None)
    assert not Verdicts(study, store).known(broken_run, record)
    store.set_aside(broken_run.key)
    assert store.verdict(broken_run.key) is None
