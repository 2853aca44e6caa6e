"""Ordered models in a study: phases of their own, from which its runs start."""

from __future__ import annotations

from pathlib import Path

import pytest

from borarun.basics.errors import StudyError
from borarun.study import Study, load_study
from borarun.study.plan import expand
from borarun.subjects.diffusion.stage import DiffusionRun

CIF = """data_argyrodite
_cell_length_a 9.859
_cell_length_b 9.859
_cell_length_c 9.859
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F -4 3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Li1 Li 0.3071 0.0251 0.6929 0.5
P1 P 0 0 0.5 1
S1 S 0.1196 -0.1196 0.6196 1
S2 S 0.25 0.25 0.75 0.5
Cl2 Cl 0.25 0.25 0.75 0.5
S3 S 0 0 0 0.5
Cl3 Cl 0 0 0 0.5
"""

STUDY = """borarun: 1
name: argyrodite
material:
  formula: Li6PS5Cl
  phases: {disordered: argyrodite.cif}
  order: ORDER
  mobile: Li
  anions: PS4
functionals: [PBE]
reference: {engine: sevennet}
supercell: [1, 1, 1]
training_set: {aimd: {temperatures_K: [600, 700, 900], timestep_fs: 1, vacancies: 0}}
potential: {}
active_learning: {timestep_fs: 1, vacancies: 0, runs: 1}
diffusion: {temperatures_K: [600, 700], time_ns: 0.1, timestep_fs: 1, vacancies: 0}
"""


def loaded(folder: Path, text: str = STUDY, order: str = "{models: 2}") -> Study:
    (folder / "argyrodite.cif").write_text(CIF)
    (folder / "study.yaml").write_text(text.replace("ORDER", order))
    return load_study(folder / "study.yaml")


def refusals(folder: Path, text: str = STUDY, order: str = "{models: 2}") -> list[str]:
    with pytest.raises(StudyError) as refused:
        loaded(folder, text, order)
    return [f"{problem.key}: {problem.message}" for problem in refused.value.problems]


def test_each_model_is_a_phase_and_all_are_run(tmp_path: Path) -> None:
    study = loaded(tmp_path)
    assert list(study.material.phases) == ["disordered-1", "disordered-2"]
    tasks = expand(study, {}, forecast=True).tasks
    runs = [task.about for task in tasks if isinstance(task.about, DiffusionRun)]
    assert [(run.model, run.temperature_K) for run in runs] == [
        (model, temperature)
        for model in ("disordered-1", "disordered-2")
        for temperature in (600, 700)
    ]

    def starts(stage: str) -> list[str]:
        return [
            task.settings["cell"]["text"]
            for task in tasks
            if task.stage == stage and "cell" in task.settings and task.settings["cell"]
        ]

    first, second = study.phase_text("disordered-1"), study.phase_text("disordered-2")
    assert first != second
    assert starts("diffusion") == [first, first, second, second]
    assert starts("training_set") == [first, second, first]
    assert starts("active_learning") == [first, second]


def test_the_first_model_has_the_tasks_of_an_ordered_structure(tmp_path: Path) -> None:
    """So a study that names the written model as its phase takes over the records."""
    study = loaded(tmp_path, order="{models: 1}")
    (tmp_path / "model.xyz").write_text(study.phase_text("disordered-1"))
    ordered = STUDY.replace("argyrodite.cif", "model.xyz").replace("  order: ORDER\n", "")
    keys = [
        [task.key for task in expand(each, {}, forecast=True).tasks]
        for each in (study, loaded(tmp_path, ordered))
    ]
    assert keys[0] == keys[1]


def test_the_same_study_has_the_same_tasks(tmp_path: Path) -> None:
    keys = [
        [task.key for task in expand(loaded(tmp_path), {}, forecast=True).tasks] for _ in range(2)
    ]
    assert keys[0] == keys[1]


def test_what_is_refused(tmp_path: Path) -> None:
    (said,) = refusals(tmp_path, STUDY.replace("  order: ORDER\n", ""))
    assert said.startswith("material.phases.disordered: argyrodite.cif: line 16: site Li1: is")
    assert "Write `material: {order: {}}` in the study" in said
    (said,) = refusals(tmp_path, order="{supercell: [3, 3, 3]}")
    assert "a 3x3x3 supercell has 2,052 sites" in said
    (said,) = refusals(tmp_path, order="{charges: {Fe: 3}}")
    assert "gets a charge for Fe, which it does not have" in said
    (said,) = refusals(tmp_path, order="{models: 0}")
    assert said == "material.order.models: must be at least 1 (got 0)."
    for said in refusals(tmp_path, STUDY.replace("Li6PS5Cl", "Li5PS4Cl")):
        assert said.startswith("material.phases.disordered")


def test_an_ordered_structure_needs_no_order(tmp_path: Path) -> None:
    (tmp_path / "model.xyz").write_text(loaded(tmp_path).phase_text("disordered-1"))
    (said,) = refusals(tmp_path, STUDY.replace("argyrodite.cif", "model.xyz"))
    assert said == (
        "material.order: has nothing to do: no phase has partly occupied sites. Remove `order`."
    )
