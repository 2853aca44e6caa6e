"""Which frames of production are examined, by which tasks, and with which potentials."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filled import fill

from borarun.basics.errors import StudyError
from borarun.records.operations.dynamics import MolecularDynamics, snapshot
from borarun.records.places import StoredRecords
from borarun.records.store import Store
from borarun.records.task import Ref, Task, items_of, ref_of
from borarun.study import Study, load_study
from borarun.study.plan import Plan, expand
from borarun.subjects.common.stage import Trajectory
from borarun.subjects.examination.stage import chosen


def ramp(direction: str, vacancies: int = 0) -> Trajectory:
    down = direction == "cooling"
    return Trajectory(
        f"{direction}-{vacancies}",
        direction,
        from_K=1000.0 if down else 0.0,
        to_K=0.0 if down else 1000.0,
        vacancies=vacancies,
        direction=direction,
    )


def held(temperature_K: float, vacancies: int) -> Trajectory:
    return Trajectory(
        f"{temperature_K:g}-{vacancies}",
        "produce",
        from_K=temperature_K,
        to_K=temperature_K,
        vacancies=vacancies,
    )


def test_vacancy_counts_directions_and_temperatures_have_equal_shares() -> None:
    runs = [
        ramp("heating"),
        ramp("cooling"),
        *(held(T, vacancies) for vacancies in (0, 2, 4) for T in (300.0, 500.0, 700.0, 900.0)),
    ]
    found = list(chosen(runs, 36, seed=1))
    count: Counter[int] = Counter()
    for run, parts in found:
        count[run.vacancies] += len(parts)
        assert all(0 <= part < 1 for part in parts)
    assert count == {0: 12, 2: 12, 4: 12}
    by_key = {run.key: parts for run, parts in found}
    assert len(by_key["heating-0"]) == len(by_key["cooling-0"]) == 4
    # one in each quarter of the ramp
    assert [int(4 * part) for part in by_key["heating-0"]] == [0, 1, 2, 3]
    assert {len(by_key[f"{T}-2"]) for T in (300, 500, 700, 900)} == {3}


def test_few_frames_are_spread_over_the_temperatures() -> None:
    runs = [held(T, 0) for T in np.arange(200.0, 1000.0, 100.0)]
    found = [run.from_K for run, _ in chosen(runs, 2, seed=1)]
    assert found[0] < 500 < found[1]
    assert sum(len(parts) for _, parts in chosen(runs, 2, seed=1)) == 2


def test_the_choice_is_a_matter_of_the_seed() -> None:
    runs = [ramp("heating")]
    assert list(chosen(runs, 5, 1)) == list(chosen(runs, 5, 1)) != list(chosen(runs, 5, 2))


def examined_study(mini_study: Path, text: str, *changes: tuple[str, str]) -> Study:
    content = mini_study.read_text() + text
    for before, after in changes:
        assert before in content
        content = content.replace(before, after)
    mini_study.write_text(content)
    return load_study(mini_study)


def of_stage(plan: Plan, operation: str) -> list[Task]:
    tasks = plan.stages["examination"].tasks
    return [task for task in tasks if task.about.stored().get("operation") == operation]


def sources(labelling: list[Task]) -> set[str]:
    """Keys of the runs whose frames are labelled."""
    return {ref_of(item).key for task in labelling for item in items_of(task.inputs["frames"])}


def test_frames_of_production_are_labelled_and_judged(mini_study: Path) -> None:
    study = examined_study(mini_study, "examination: {frames: 12}\n")
    plan = expand(study, {}, forecast=True)
    labels = of_stage(plan, "label")
    frames = [item for task in labels for item in items_of(task.inputs["frames"])]
    production = {task.key for name in ("heating", "diffusion") for task in plan.stages[name].tasks}
    assert len(frames) == 12
    assert {item.key for item in frames if isinstance(item, Ref)} <= production
    assert all(task.settings["functional"] == "PBE-D3" for task in labels)
    (examine,) = of_stage(plan, "examine")
    assert items_of(examine.inputs["labels"]) == tuple(Ref(task.key, "labels") for task in labels)
    about = examine.about.stored()
    assert Counter(about["vacancies"]) == {0: 6, 1: 6}
    assert len(about["temperatures_K"]) == len(about["directions"]) == 12


def test_a_run_that_broke_off_gives_no_frame(mini_study: Path, tmp_path: Path) -> None:
    study = examined_study(mini_study, "examination: {frames: 12}\n")
    store = Store(tmp_path / "store")
    fill(study, store)
    records = StoredRecords(store)
    whole = expand(study, records)
    gone = next(task for task in whole.stages["diffusion"].tasks)

    found = {task.key: records[task.key] for task in whole.tasks}
    found[gone.key] = replace(
        found[gone.key], stored={**found[gone.key].stored, "stop": "exploded", "reason": "broke"}
    )
    left = expand(study, found)
    keys = [
        item.key for task in of_stage(left, "label") for item in items_of(task.inputs["frames"])
    ]
    assert gone.key not in keys and keys
    others = [task.key for task in of_stage(whole, "label") if gone.key not in task.needs]
    assert [task.key for task in of_stage(left, "label")] == others


def test_runs_of_its_own_have_the_cell_that_they_say(mini_study: Path) -> None:
    study = examined_study(
        mini_study,
        "examination: {frames: 8, runs: {temperatures_K: [200, 300], vacancies: [0, 2]}}\n",
        ("supercell: [1, 1, 1]", "supercell: [2, 1, 1]"),
    )
    plan = expand(study, {}, forecast=True)
    runs = [task for task in plan.stages["examination"].tasks if task.engine == "lammps"]
    assert [task.settings["cell"]["supercell"] for task in runs] == [[1, 1, 1]] * 4
    keys = {
        item.key for task in of_stage(plan, "label") for item in items_of(task.inputs["frames"])
    }
    assert keys == {task.key for task in runs}


def test_members_train_the_same_data_and_take_turns_in_repeated_runs(mini_study: Path) -> None:
    study = examined_study(
        mini_study,
        "examination: {frames: 4}\n",
        ("max_evaluations: 15}", "max_evaluations: 15, committee: 2}"),
        ("sample_every_fs: 5", "sample_every_fs: 5\n  runs: 4"),
    )
    plan = expand(study, {}, forecast=True)
    trained = {
        task.about.stored()["member"]: task
        for task in plan.tasks
        if "member" in task.about.stored()
    }
    (first,) = plan.stages["potential"].tasks
    assert list(trained) == [1, 2]
    assert len({first.settings["seed"], *(task.settings["seed"] for task in trained.values())}) == 3
    assert all(task.inputs["labels"] == first.inputs["labels"] for task in trained.values())
    used = {
        task.about.stored()["run"]: task.inputs["potential"]
        for task in plan.stages["diffusion"].tasks
    }
    potentials = [Ref(task.key, "potential") for task in (first, trained[1], trained[2])]
    assert [used[run] for run in range(4)] == [*potentials, potentials[0]]
    (examine,) = of_stage(plan, "examine")
    assert items_of(examine.inputs["potentials"]) == tuple(potentials)


def test_a_committee_changes_no_key_of_the_potential(mini_study: Path) -> None:
    alone = expand(load_study(mini_study), {}, forecast=True)
    study = examined_study(
        mini_study, "", ("max_evaluations: 15}", "max_evaluations: 15, committee: 3}")
    )
    more = expand(study, {}, forecast=True)
    assert {task.key for task in alone.tasks} <= {task.key for task in more.tasks}


def test_a_snapshot_is_the_frame_at_its_part_of_the_segment(
    mini_study: Path, tmp_path: Path
) -> None:
    study = load_study(mini_study)
    store = Store(tmp_path / "store")
    tasks = fill(study, store)
    run = next(task for task in tasks if task.stage == "diffusion")
    positions = store.array(run.key, MolecularDynamics.POSITIONS)
    of_segment = np.flatnonzero(store.array(run.key, MolecularDynamics.SEGMENT) == 2)
    for part in (0.0, 0.4, 0.999999, 1.0):
        frames = store.get(Ref(run.key, snapshot("produce", part)))
        row = of_segment[min(int(part * len(of_segment)), len(of_segment) - 1)]
        assert frames.positions == pytest.approx(positions[:, :, row].astype(float))
        assert frames.cell[0] == pytest.approx(store.array(run.key, MolecularDynamics.CELL)[row])
        assert np.array_equal(
            frames.numbers,
            store.array(run.key, MolecularDynamics.NUMBERS),
        )


def test_a_committee_that_no_repeated_run_uses_is_told(mini_study: Path) -> None:
    def said(*changes: tuple[str, str]) -> list[str]:
        change = ("max_evaluations: 15}", "max_evaluations: 15, committee: 4}")
        study = examined_study(mini_study, "", change, *changes)
        mini_study.write_text(text)
        return [warning for warning in study.warnings if "committee" in warning]

    text = mini_study.read_text()
    (warning,) = said()
    assert "heating and diffusion" in warning and "`runs: 5`" in warning
    heating = ("sample_every_fs: 4}", "sample_every_fs: 4, runs: 5}")
    diffusion = ("sample_every_fs: 5", "sample_every_fs: 5\n  runs: 5")
    assert not said(heating, diffusion)


def test_cells_that_the_reference_cannot_label_are_refused_at_once(mini_study: Path) -> None:
    """An odd number of electrons, in the cells of production."""
    reference = (
        "{engine: bundled}",
        "{engine: quantum-espresso, pseudopotentials: {Li: Li.upf, B: B.upf, H: H.upf}}",
    )
    learning = ("vacancies: [0, 1]\n  max_rounds", "vacancies: [0, 2]\n  max_rounds")
    aimd = ("sample_every_fs: 2, vacancies: [0, 1]", "sample_every_fs: 2, vacancies: [0, 2]")
    text = mini_study.read_text()
    examined_study(mini_study, "", reference, learning, aimd)
    mini_study.write_text(text)
    with pytest.raises(StudyError, match="odd number of electrons"):
        examined_study(mini_study, "examination: {}\n", reference, learning, aimd)
    mini_study.write_text(text)
    own = "examination: {runs: {vacancies: [0, 2]}}\n"
    examined_study(mini_study, own, reference, learning, aimd)
