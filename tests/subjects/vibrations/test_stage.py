"""Tasks of the vibrations stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from borarun.basics.errors import StudyError
from borarun.study import load_study
from borarun.study.plan import expand

STUDY = """\
borarun: 1
name: test
material: {formula: Li2B12H12, phases: {Pa-3: Pa-3.cif}, mobile: Li, anions: B12H12}
functionals: [PBE-D3]
supercell: [1, 1, 1]
reference: {engine: bundled}
training_set: {}
potential: {level: 8}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = Path(__file__).parents[3] / "borarun/study/new_study/structures/Li2B12H12-Pa-3.cif"
    (tmp_path / "Pa-3.cif").write_bytes(source.read_bytes())
    return tmp_path


def write(folder: Path, text: str) -> Path:
    (folder / "study.yaml").write_text(STUDY + text)
    return folder / "study.yaml"


def test_each_temperature_and_vacancy_count_is_a_run_with_dense_frames(folder: Path) -> None:
    study = load_study(
        write(
            folder,
            "vibrations: {temperatures_K: [300, 700], vacancies: [0, 1], sample_every_fs: 4}\n",
        )
    )
    tasks = [task for task in expand(study, {}, forecast=True).tasks if task.stage == "vibrations"]
    assert [(task.about.vacancies, task.about.temperature_K) for task in tasks] == [
        (0, 300),
        (0, 700),
        (1, 300),
        (1, 700),
    ]
    assert len({task.settings["seed"] for task in tasks}) == 4
    heat, equilibrate, produce = tasks[1].settings["segments"]
    assert (heat["from_K"], heat["to_K"], heat["time_ps"]) == (10, 700, pytest.approx(13.8))
    assert (equilibrate["sample_every_fs"], produce["sample_every_fs"], produce["time_ps"]) == (
        None,
        4,
        20,
    )


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{sample_every_fs: 8}", "vibrations.sample_every_fs: must be at most 6 (got 8)."),
        (
            "{sample_every_fs: 4.2}",
            "vibrations.sample_every_fs: must be an integer multiple of timestep_fs, 0.5 "
            "(got 4.2).",
        ),
        ("{time_ps: 0.05}", "vibrations.time_ps: gives a run of 50 fs, only 12 frames"),
        (
            "{from_K: 400}",
            "vibrations.from_K: must not be above the lowest of temperatures_K, 300 (got 400).",
        ),
        (
            "{functional: PBE}",
            "vibrations.functional: must be one of this study's functionals, PBE-D3 (got PBE).",
        ),
        ("{vacancies: 8}", "vibrations.vacancies: must leave at least one mobile ion"),
    ],
)
def test_what_makes_no_spectrum_is_refused(folder: Path, section: str, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        load_study(write(folder, f"vibrations: {section}\n"))
    assert said in str(caught.value)


def test_it_needs_a_potential(folder: Path) -> None:
    path = write(folder, "vibrations: {}\n")
    path.write_text(path.read_text().replace("potential: {level: 8}\n", ""))
    with pytest.raises(StudyError, match="vibrations: needs the section potential"):
        load_study(path)
