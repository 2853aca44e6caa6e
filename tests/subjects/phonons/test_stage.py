"""The phonon stage: which tasks follow from which records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from records import record_of

from borarun.basics.errors import StudyError
from borarun.basics.units import THZ_IN_MEV
from borarun.records.frames import Frames
from borarun.records.operations.phonons import Displaced
from borarun.records.task import Record, Ref, Task, items_of
from borarun.structures.files import read_structure
from borarun.study import Study, load_study
from borarun.study.plan import Plan, expand

STUDY = """\
borarun: 1
name: phonons
material:
  formula: Li2B12H12
  phases: {Pa-3: structures/Li2B12H12-Pa-3.cif, again: structures/again.xyz}
  mobile: Li
  anions: B12H12
functionals: [PBE, PBE-D3]
reference: {engine: sevennet, labels_per_task: 10}
relax: {ground_state: Pa-3, measured_lattice_A: {Pa-3: [9.577, 9.577, 9.577]}}
phonons: {width_meV: 2, measured_peaks_per_cm: [750]}
"""


def study_of(mini_study: Path, *changes: tuple[str, str]) -> Study:
    text = STUDY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    mini_study.write_text(text)
    swollen = read_structure(mini_study.parent / "structures" / "Li2B12H12-Pa-3.cif")
    swollen.set_cell(1.01 * swollen.cell.array, scale_atoms=True)
    (mini_study.parent / "structures" / "again.xyz").write_text(Frames.of([swollen]).to_extxyz())
    return load_study(mini_study)


def of(plan: Plan, operation: str, **about: Any) -> list[Task]:
    wanted = {"operation": operation, **about}.items()
    return [
        task
        for task in plan.tasks
        if task.stage == "phonons" and wanted <= task.about.stored().items()
    ]


def record(task: Task, **facts: Any) -> dict[str, Record]:
    return {task.key: record_of(task, Displaced(**facts))}


def test_the_first_phase_is_displaced_with_every_functional_and_the_rest_waits(
    mini_study: Path,
) -> None:
    plan = expand(study_of(mini_study), {})
    assert [task.about.functional for task in of(plan, "displace")] == ["PBE", "PBE-D3"]
    assert {task.about.phase for task in of(plan, "displace")} == {"Pa-3"}
    assert not of(plan, "label") and not of(plan, "phonons")
    assert plan.waiting == [
        "phonons: waiting for the displacements of Pa-3 with PBE, Pa-3 with PBE-D3"
    ]


def test_displacements_start_from_the_relaxed_structure(mini_study: Path) -> None:
    plan = expand(study_of(mini_study), {})
    relaxed = {
        (task.about.phase, task.about.functional): task
        for task in plan.tasks
        if task.stage == "relax"
    }
    for task in of(plan, "displace"):
        assert task.inputs == {
            "structure": Ref(relaxed["Pa-3", task.about.functional].key, "structure")
        }


def test_the_count_of_displacements_decides_the_label_tasks(mini_study: Path) -> None:
    study = study_of(mini_study)
    [displace] = of(expand(study, {}), "displace", functional="PBE")
    plan = expand(study, record(displace, n_displacements=26))
    labels = of(plan, "label")
    assert [task.settings["part"] for task in labels] == [[0, 3], [1, 3], [2, 3]]
    assert all(
        task.inputs == {"frames": Ref(displace.key, "displaced")}
        and task.settings["functional"] == "PBE"
        for task in labels
    )
    [phonons] = of(plan, "phonons")
    assert items_of(phonons.inputs["labels"]) == tuple(Ref(label.key, "labels") for label in labels)
    assert phonons.settings["width_THz"] == pytest.approx(2 / THZ_IN_MEV)
    assert plan.waiting == ["phonons: waiting for the displacements of Pa-3 with PBE-D3"]


def test_a_forecast_counts_the_displacements_of_the_start(mini_study: Path) -> None:
    plan = expand(study_of(mini_study), {}, forecast=True)
    assert not plan.waiting
    assert len(of(plan, "label", functional="PBE")) == 3  # 26 displacements, ten a task
    assert len(of(plan, "phonons")) == 2


def test_phases_are_chosen(mini_study: Path) -> None:
    plan = expand(
        study_of(mini_study, ("phonons: {", "phonons: {phases: [again], ")), {}, forecast=True
    )
    assert {task.about.phase for task in of(plan, "phonons")} == {"again"}


def test_measured_peaks_change_no_key(mini_study: Path) -> None:
    """They are compared with in the report: no run is done again for them."""
    before = [task.key for task in expand(study_of(mini_study), {}, forecast=True).tasks]
    assert before == [
        task.key
        for task in expand(
            study_of(mini_study, ("measured_peaks_per_cm: [750]", "measured_peaks_meV: [93, 300]")),
            {},
            forecast=True,
        ).tasks
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "width_meV: 2",
            "phases: [Pbca]",
            "phonons.phases: must be one of this study's phases, Pa-3, again (got Pbca)",
        ),
        (
            "ground_state: Pa-3",
            "ground_state: Pbca",
            "relax.ground_state: must be one of this study's phases, Pa-3, again (got Pbca)",
        ),
        (
            "measured_lattice_A: {Pa-3",
            "measured_lattice_A: {Pbca",
            "relax.measured_lattice_A.Pbca: must be one of this study's phases, Pa-3, again (got "
            "Pbca)",
        ),
        (
            "width_meV: 2",
            "measured_peaks_meV: [93]",
            "phonons.measured_peaks_per_cm: repeats measured_peaks_meV",
        ),
        (
            "relax: {ground_state: Pa-3, measured_lattice_A: {Pa-3: [9.577, 9.577, 9.577]}}\n",
            "",
            "phonons: needs the section relax, which is absent",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(
    mini_study: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(StudyError) as caught:
        study_of(mini_study, (old, new))
    assert any(message in str(problem) for problem in caught.value.problems), [
        str(problem) for problem in caught.value.problems
    ]


def test_loosely_relaxed_structures_get_a_warning(mini_study: Path) -> None:
    assert study_of(mini_study).warnings == []
    [warning] = study_of(mini_study, ("relax: {", "relax: {max_force_eV_per_A: 0.05, ")).warnings
    assert warning.startswith(
        "relax.max_force_eV_per_A: 0.05 leaves forces that shift the softest phonons"
    )
