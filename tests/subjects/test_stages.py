"""Stages are pure: which tasks follow from which records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filled import labelled
from records import ran, record_of

from borarun.records.frames import Frames
from borarun.records.operations.base import Facts
from borarun.records.operations.potential import Selected
from borarun.records.task import Given, Record, Ref, Task, items_of
from borarun.study import Study, load_study
from borarun.study.plan import Plan, estimate, expand

Edit = Callable[[str], str]


def _edited(path: Path, *changes: tuple[str, str]) -> Study:
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return load_study(path)


def selected(count: int) -> Selected:
    return Selected(n_candidates=count, n_selected=count, grades=(3.0,) * count)


def _of(plan: Plan, stage: str, **about: Any) -> list[Task]:
    tasks = [task for task in plan.tasks if task.stage == stage]
    return [task for task in tasks if about.items() <= task.about.stored().items()]


def _explored(
    plan: Plan, number: int, candidates: int, stop: str = "completed"
) -> dict[str, Record]:
    tasks = _of(plan, "active_learning", operation="explore", round=number)
    return {task.key: record_of(task, ran(n_candidates=candidates, stop=stop)) for task in tasks}


def _learned(plan: Plan, number: int) -> dict[str, Record]:
    found = {}
    for task in _of(plan, "active_learning"):
        if (task.about.operation, task.about.round) in {
            ("select", number),
            ("label", number),
            ("train", number + 1),
        }:
            found[task.key] = record_of(task, selected(2))
    return found


def test_a_plan_is_the_same_each_time(study: Study) -> None:
    assert [task.key for task in expand(study, {}).tasks] == [
        task.key for task in expand(study, {}).tasks
    ]


def test_every_input_is_made_by_a_task_of_the_plan(study: Study) -> None:
    plan = expand(study, {}, forecast=True)
    known = {task.key for task in plan.tasks}
    assert all(task.needs <= known for task in plan.tasks)


def test_no_two_tasks_share_a_label(study: Study) -> None:
    tasks = expand(study, {}, forecast=True).tasks
    assert len({task.name for task in tasks}) == len(tasks)


def test_production_waits_for_active_learning(study: Study) -> None:
    plan = expand(study, {})
    assert set(plan.stages) == {"training_set", "potential", "active_learning"}
    assert plan.waiting and not plan.stuck


def test_a_forecast_shows_what_follows_at_the_least(study: Study) -> None:
    plan = expand(study, {}, forecast=True)
    assert {name: len(stage.tasks) for name, stage in plan.stages.items()} == {
        "training_set": 2,
        "potential": 1,
        "active_learning": 2,
        "heating": 2,
        "diffusion": 4,
    }


def test_labels_that_are_given_take_the_place_of_dynamics(mini_study: Path) -> None:
    given = _given(mini_study)
    study = _edited(
        mini_study,
        (
            "aimd: {temperatures_K: 600, time_ps: 0.04, sample_every_fs: 2, vacancies: [0, 1]}",
            "labels: {PBE-D3: labels.extxyz}",
        ),
    )
    plan = expand(study, {})
    assert not _of(plan, "training_set")
    (train,) = _of(plan, "potential")
    assert train.inputs["labels"] == (given,) and train.needs == frozenset()


def test_labels_that_are_given_are_learnt_beside_those_of_dynamics(mini_study: Path) -> None:
    given = _given(mini_study)
    study = _edited(
        mini_study, ("training_set:\n", "training_set:\n  labels: {PBE-D3: labels.extxyz}\n")
    )
    plan = expand(study, {})
    (train,) = _of(plan, "potential")
    assert train.inputs["labels"] == (
        given,
        *(Ref(task.key, "labels") for task in _of(plan, "training_set")),
    )
    explored = {**_explored(plan, 0, candidates=3)}
    records = explored | _learned(expand(study, explored), 0)
    again = _of(
        expand(study, records | _learned(expand(study, records), 0)),
        "active_learning",
        operation="train",
    )[0]
    assert again.inputs["labels"] == train.inputs["labels"]


def test_a_label_that_changes_makes_another_training(mini_study: Path) -> None:
    _given(mini_study)
    study = _edited(
        mini_study, ("training_set:\n", "training_set:\n  labels: {PBE-D3: labels.extxyz}\n")
    )
    file = mini_study.parent / "labels.extxyz"
    text = file.read_text()
    file.write_text(text.replace("pbc=", "config_type=md pbc="))
    same = load_study(mini_study)
    energy = text.split("energy=")[1].split()[0]
    file.write_text(text.replace(f"energy={energy}", f"energy={float(energy) + 1e-9!r}", 1))
    other = load_study(mini_study)
    keys = [_of(expand(each, {}), "potential")[0].key for each in (study, same, other)]
    assert keys[0] == keys[1] != keys[2]


def test_configurations_that_are_given_are_labelled_in_place_of_dynamics(mini_study: Path) -> None:
    study, given = _to_label(mini_study, 5)
    label = _of(expand(study, {}), "training_set")
    assert [len(_frames(task)) for task in label] == [2, 2, 1]
    assert all(task.settings["operation"] == "label" for task in label)
    np.testing.assert_allclose(_frames(label[1]).positions, given.take([2, 3]).positions, atol=1e-7)
    assert _frames(label[0]).energy is None
    (train,) = _of(expand(study, {}), "potential")
    assert items_of(train.inputs["labels"]) == tuple(Ref(task.key, "labels") for task in label)


def test_configurations_added_at_the_end_leave_the_other_tasks_as_they_are(
    mini_study: Path,
) -> None:
    study, given = _to_label(mini_study, 4)
    before = {task.key for task in _of(expand(study, {}), "training_set")}
    more = [*given, labelled(study, 1, seed=8)[0]]
    (mini_study.parent / "configurations.extxyz").write_text(Frames.of(more).to_extxyz())
    after = {task.key for task in _of(expand(load_study(mini_study), {}), "training_set")}
    assert before < after and len(after) == 3


def test_configurations_whose_labels_are_given_are_not_labelled_again(mini_study: Path) -> None:
    study, given = _to_label(mini_study, 5, "labels: {PBE-D3: labels.extxyz}\n  ")
    (mini_study.parent / "labels.extxyz").write_text(given.take([0, 1, 3]).to_extxyz())
    study = load_study(mini_study)
    (label,) = _of(expand(study, {}), "training_set")
    np.testing.assert_allclose(_frames(label).positions, given.take([2, 4]).positions, atol=1e-7)
    (train,) = _of(expand(study, {}), "potential")
    assert items_of(train.inputs["labels"]) == (
        study.labels("PBE-D3"),
        Ref(label.key, "labels"),
    )


@pytest.mark.parametrize("reference", ["bundled", "quantum-espresso"])
@pytest.mark.parametrize("asked", [None, True, False])
def test_configurations_of_dynamics_are_labelled_again_with_one_setting(
    mini_study: Path, reference: str, asked: bool | None
) -> None:
    """Where molecular dynamics has a setting of its own, or where it is asked for."""
    espresso = "pseudopotentials: {Li: Li.upf, B: B.upf, H: H.upf}, degauss_Ry: 0.0147"
    said = "" if asked is None else f"label_again: {str(asked).lower()}, "
    study = _edited(
        mini_study,
        (
            "{engine: bundled}",
            f"{{engine: {reference}, labels_per_task: 8"
            f"{f', {espresso}' if reference == 'quantum-espresso' else ''}}}",
        ),
        ("aimd: {", f"aimd: {{{said}"),
    )
    plan = expand(study, {})
    dynamics = [task for task in _of(plan, "training_set") if task.settings["operation"] == "aimd"]
    again = _of(plan, "training_set", operation="label")
    expected = reference == "quantum-espresso" if asked is None else asked
    (train,) = _of(plan, "potential")
    assert len(dynamics) == 2
    if not expected:
        assert not again
        assert items_of(train.inputs["labels"]) == tuple(Ref(d.key, "labels") for d in dynamics)
        return
    assert items_of(train.inputs["labels"]) == tuple(Ref(d.key, "labels") for d in again)
    parts = [[part, 3] for part in range(3)]  # 40 fs, one in 2 fs: 20 configurations, 8 a task
    for each in dynamics:
        mine = [task for task in again if task.inputs["frames"] == Ref(each.key, "labels")]
        assert [task.settings["part"] for task in mine] == parts


def _to_label(mini_study: Path, count: int, labels: str = "") -> tuple[Study, Frames]:
    """A study with a file of configurations, two a task, and what is in that file."""
    given = labelled(load_study(mini_study), count, seed=1)
    for name in ("configurations", "labels"):
        (mini_study.parent / f"{name}.extxyz").write_text(given.to_extxyz())
    study = _edited(
        mini_study,
        ("{engine: bundled}", "{engine: bundled, labels_per_task: 2}"),
        (
            "aimd: {temperatures_K: 600, time_ps: 0.04, sample_every_fs: 2, vacancies: [0, 1]}",
            f"{labels}configurations: configurations.extxyz",
        ),
    )
    return study, given


def _frames(task: Task) -> Frames:
    """The configurations that a task was given."""
    given = task.inputs["frames"]
    assert isinstance(given, Given)
    return given.frames


def _given(mini_study: Path) -> Given:
    """Labels in a file beside the study."""
    given = Given(labelled(load_study(mini_study), 4, seed=1))
    (mini_study.parent / "labels.extxyz").write_text(given.frames.to_extxyz())
    return given


def test_a_clean_round_ends_the_learning(study: Study) -> None:
    records = _explored(expand(study, {}), 0, candidates=0)
    plan = expand(study, records)
    [train] = _of(plan, "potential")
    assert not plan.waiting
    for task in _of(plan, "diffusion") + _of(plan, "heating"):
        assert task.inputs["potential"] == Ref(train.key, "potential")


def test_candidates_are_selected_labelled_and_learned(study: Study) -> None:
    records = _explored(expand(study, {}), 0, candidates=3)
    plan = expand(study, records)
    [select] = _of(plan, "active_learning", operation="select")
    assert len(items_of(select.inputs["candidates"])) == 2
    assert not _of(
        plan, "active_learning", operation="label"
    )  # how many there are to label is not known yet
    records[select.key] = record_of(select, selected(2))
    plan = expand(study, records)
    [label] = _of(plan, "active_learning", operation="label")
    [first] = _of(plan, "potential")
    [again] = _of(plan, "active_learning", operation="train")
    assert label.inputs["frames"] == Ref(select.key, "selected")
    assert again.inputs["potential"] == Ref(first.key, "potential")
    assert again.inputs["labels"] == first.inputs["labels"]
    assert items_of(again.inputs["selected"]) == (Ref(label.key, "labels"),)
    assert not _of(plan, "active_learning", operation="explore", round=1)
    plan = expand(study, records | _learned(plan, 0))
    assert len(_of(plan, "active_learning", operation="explore", round=1)) == 2


def test_the_engine_that_trains_also_selects_from_its_own_state(
    study: Study, mini_study: Path
) -> None:
    other = _edited(
        mini_study,
        (
            "{level: 8, max_evaluations: 15}",
            "{engine: mlip-3, level: 8, al_mode: nbh, cut_radius_A: 7, iteration_limit: 50}",
        ),
    )
    for it, engine, state in ((study, "borarun-mtp", "active_set"), (other, "mlip-3", "almtp")):
        plan = expand(it, _explored(expand(it, {}), 0, candidates=3))
        [train] = _of(plan, "potential")
        [select] = _of(plan, "active_learning", operation="select")
        assert (train.engine, select.engine) == (engine, engine)
        assert set(select.inputs) == {"potential", state, "candidates"}
        assert select.inputs[state] == Ref(train.key, state)
    assert train.settings["iteration_limit"] == 50
    assert (select.settings["al_mode"], select.settings["cut_radius_A"]) == ("nbh", 7.0)


def test_many_labels_are_spread_over_tasks(mini_study: Path) -> None:
    study = _edited(mini_study, ("{engine: bundled}", "{engine: bundled, labels_per_task: 10}"))
    records = _explored(expand(study, {}), 0, candidates=30)
    [select] = _of(expand(study, records), "active_learning", operation="select")
    records[select.key] = record_of(select, selected(25))
    plan = expand(study, records)
    assert [task.settings["part"] for task in _of(plan, "active_learning", operation="label")] == [
        [0, 3],
        [1, 3],
        [2, 3],
    ]
    [train] = _of(plan, "active_learning", operation="train")
    assert (len(items_of(train.inputs["labels"])), len(items_of(train.inputs["selected"]))) == (
        2,
        3,
    )


def test_candidates_that_teach_nothing_end_the_learning(study: Study) -> None:
    """D-optimality may find all candidates within the active set: then there is nothing to
    label.
    """
    records = _explored(expand(study, {}), 0, candidates=3)
    [select] = _of(expand(study, records), "active_learning", operation="select")
    plan = expand(study, records | {select.key: record_of(select, selected(0))})
    assert _of(plan, "diffusion")


def test_runs_that_explode_without_a_trace_are_no_clean_round(study: Study) -> None:
    records: dict[str, Record] = {}
    for number in range(3):
        before = expand(study, records)
        assert not _of(before, "diffusion") and not before.stuck
        explorations = _of(before, "active_learning", operation="explore", round=number)
        assert len(
            {task.settings["seed"] for task in _of(before, "active_learning", operation="explore")}
        ) == 2 * (number + 1)
        assert all(
            task.inputs["potential"] == explorations[0].inputs["potential"] for task in explorations
        )
        records |= _explored(before, number, candidates=0, stop="exploded")
    plan = expand(study, records)
    assert not _of(plan, "diffusion") and "threshold_save" in plan.stuck[0]


def test_a_clean_round_after_one_that_left_nothing_ends_the_learning(study: Study) -> None:
    records = _explored(expand(study, {}), 0, candidates=0, stop="exploded")
    plan = expand(study, records | _explored(expand(study, records), 1, candidates=0))
    [first] = _of(plan, "potential")
    assert all(
        task.inputs["potential"] == Ref(first.key, "potential") for task in _of(plan, "diffusion")
    )


def test_close_contacts_are_learnt_by_every_training(mini_study: Path) -> None:
    study = _edited(
        mini_study,
        ("{engine: bundled}", "{engine: bundled, labels_per_task: 10}"),
        ("validation_fraction", "contacts: 25\n  validation_fraction"),
    )
    plan = expand(study, {})
    made = _of(plan, "training_set", operation="contacts")
    assert [task.settings["part"] for task in made] == [[0, 3], [1, 3], [2, 3]]
    assert {task.settings["contacts"]["number"] for task in made} == {25}
    [train] = _of(plan, "potential")
    contacts = tuple(Ref(task.key, "labels") for task in made)
    assert items_of(train.inputs["selected"]) == contacts
    records = _explored(plan, 0, candidates=3)
    [select] = _of(expand(study, records), "active_learning", operation="select")
    records[select.key] = record_of(select, selected(2))
    [again] = _of(expand(study, records), "active_learning", operation="train")
    assert items_of(again.inputs["selected"])[:3] == contacts


def _all_rounds(study: Study, stop: str) -> Plan:
    records: dict[str, Record] = {}
    for number in range(3):
        records |= _explored(expand(study, records), number, candidates=1, stop=stop)
        [select] = _of(expand(study, records), "active_learning", operation="select", round=number)
        records[select.key] = record_of(select, selected(1))
        records |= _learned(expand(study, records), number)
    return expand(study, records)


def test_after_the_last_round_candidates_short_of_a_break_are_accepted(study: Study) -> None:
    plan = _all_rounds(study, "completed")
    [last] = _of(plan, "active_learning", operation="train", round=3)
    assert all(
        task.inputs["potential"] == Ref(last.key, "potential") for task in _of(plan, "diffusion")
    )


def test_runs_that_still_break_after_the_last_round_stop_the_study(study: Study) -> None:
    plan = _all_rounds(study, "extrapolation")
    assert not _of(plan, "diffusion")
    assert "max_rounds" in plan.stuck[0]


def test_without_active_learning_the_first_potential_is_final(mini_study: Path) -> None:
    text = mini_study.read_text()
    start, end = text.index("active_learning:"), text.index("heating:")
    mini_study.write_text(text[:start] + text[end:])
    plan = expand(load_study(mini_study), {})
    assert _of(plan, "diffusion") and not plan.waiting
    assert all(task.settings["grade"] is None for task in _of(plan, "diffusion"))


def test_relaxed_structures_are_what_the_runs_start_from(mini_study: Path) -> None:
    study = _edited(mini_study, ("training_set:", "relax: {}\ntraining_set:"))
    plan = expand(study, {})
    [relax] = _of(plan, "relax")
    for task in _of(plan, "training_set"):
        assert (
            task.inputs["structure"] == Ref(relax.key, "structure")
            and task.settings["cell"]["text"] == ""
        )


def test_cooling_starts_where_heating_ended(study: Study) -> None:
    plan = expand(study, {}, forecast=True)
    [heating], [cooling] = (
        _of(plan, "heating", branch="heating"),
        _of(plan, "heating", branch="cooling"),
    )
    assert cooling.inputs["structure"] == Ref(heating.key, "last")
    assert cooling.settings["cell"]["vacancies"] == 0


@pytest.mark.parametrize(
    ("stop", "cooled"), [("completed", 1), ("exploded", 0), ("extrapolation", 0)]
)
def test_what_was_not_heated_to_the_end_is_not_cooled(study: Study, stop: str, cooled: int) -> None:
    records = _explored(expand(study, {}), 0, candidates=0)
    [heating] = _of(expand(study, records), "heating", branch="heating")
    plan = expand(study, records | {heating.key: record_of(heating, ran(stop=stop))})
    assert (
        len(_of(plan, "heating", branch="heating")) == 1
        and len(_of(plan, "heating", branch="cooling")) == cooled
    )
    assert not plan.waiting and not plan.stuck and _of(plan, "diffusion")


def test_another_rate_adds_its_ramps_and_changes_no_other_key(mini_study: Path) -> None:
    """The cell and its velocities are those of the first rate; the slowest cooling follows the
    slowest heating.
    """
    before = {task.key for task in expand(load_study(mini_study), {}, forecast=True).tasks}
    study = _edited(
        mini_study,
        (
            "heating_rates_K_per_ps: 1000, cooling_rates_K_per_ps: 1000",
            "heating_rates_K_per_ps: [1000, 500], cooling_rates_K_per_ps: [250, 1000]",
        ),
    )
    plan = expand(study, {}, forecast=True)
    assert before < {task.key for task in plan.tasks} and len(plan.tasks) - len(before) == 2
    ramps = {(t.about.heating_K_per_ps, t.about.branch): t for t in _of(plan, "heating")}
    assert [
        ramps[rate, "cooling"].settings["segments"][0]["time_ps"] for rate in (500, 1000)
    ] == pytest.approx([0.8, 0.2])
    for rate in (500, 1000):
        assert ramps[rate, "cooling"].inputs["structure"] == Ref(ramps[rate, "heating"].key, "last")
    assert ramps[500, "heating"].settings["seed"] == ramps[1000, "heating"].settings["seed"]
    assert len({t.label for t in ramps.values()}) == 4


def test_repeated_ramps_change_no_other_key(mini_study: Path) -> None:
    """Each run has velocities of its own; nothing is trained again."""
    before = {task.key for task in expand(load_study(mini_study), {}, forecast=True).tasks}
    study = _edited(
        mini_study, ("cooling_rates_K_per_ps: 1000", "cooling_rates_K_per_ps: 1000, runs: 3")
    )
    plan = expand(study, {}, forecast=True)
    assert before < {task.key for task in plan.tasks} and len(plan.tasks) - len(before) == 4
    heated = [t for t in _of(plan, "heating") if t.about.branch == "heating"]
    assert [t.about.run for t in heated] == [0, 1, 2]
    assert len({t.settings["seed"] for t in heated}) == 3
    assert len({t.label for t in heated}) == 3


def test_more_temperatures_change_no_other_key(mini_study: Path) -> None:
    before = {task.key for task in expand(load_study(mini_study), {}, forecast=True).tasks}
    study = _edited(mini_study, ("temperatures_K: [200, 300]", "temperatures_K: [200, 250, 300]"))
    after = {task.key for task in expand(study, {}, forecast=True).tasks}
    assert before < after and len(after - before) == 2


def test_another_seed_changes_every_random_run(mini_study: Path) -> None:
    before = {task.key for task in expand(load_study(mini_study), {}, forecast=True).tasks}
    study = _edited(mini_study, ("name: mini", "name: mini\nseed: 2"))
    assert not before & {task.key for task in expand(study, {}, forecast=True).tasks}


def test_the_estimate_counts_what_is_done(study: Study) -> None:
    plan = expand(study, {}, forecast=True)
    first = plan.tasks[0]
    records: Mapping[str, Record] = {first.key: record_of(first, Facts())}
    rows = {row.stage: row for row in estimate(plan, records)}
    assert (rows["training_set"].done, rows["training_set"].tasks) == (1, 2)
    assert rows["diffusion"].core_hours == pytest.approx(
        sum(task.cost.core_seconds for task in _of(plan, "diffusion")) / 3600
    )
