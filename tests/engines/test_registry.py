"""The registry of engines: what a study says of each, and names that have changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from borarun.engines.borarun_mtp.section import BorarunPotential
from borarun.engines.potential.base import PotentialSection
from borarun.engines.reference.base import ReferenceSection
from borarun.engines.registry import ENGINES, Potential, sections
from borarun.study import load_study
from borarun.task import Task

STUDIES = Path(__file__).parents[2] / "studies"


@pytest.mark.parametrize("name", ENGINES)
def test_no_default_of_the_study_differs_from_that_of_the_tasks(name: str) -> None:
    said = sections(ReferenceSection) | sections(PotentialSection)
    if name not in said:
        return
    tasks = ENGINES[name].Settings.model_fields
    for key, field in said[name].model_fields.items():
        if key in tasks:
            assert tasks[key].annotation == field.annotation, key
            assert tasks[key].get_default() == field.get_default(), key


def test_a_study_without_an_engine_of_potentials_takes_borarun_s_own() -> None:
    read = TypeAdapter(Potential).validate_python
    assert isinstance(read({"level": 8}), BorarunPotential)
    assert read({"engine": "motep", "level": 8}) == read({"engine": "borarun-mtp", "level": 8})


def test_a_former_name_is_read_and_told(tmp_path: Path) -> None:
    text = (STUDIES / "quickstart.yaml").read_text()
    shutil.copytree(STUDIES / "structures", tmp_path / "structures")
    file = tmp_path / "study.yaml"
    file.write_text(text.replace("potential:\n", "potential:\n  engine: motep\n"))
    study = load_study(file)
    assert study.section(PotentialSection) == load_study(STUDIES / "quickstart.yaml").section(
        PotentialSection
    )
    assert study.warnings[0] == (
        "potential.engine: motep is now called borarun-mtp. Write `engine: borarun-mtp`."
    )


def test_a_task_keeps_its_key_under_the_new_name() -> None:
    settings = {"operation": "select"}
    assert Task("motep", settings).key == Task("borarun-mtp", settings).key
    assert Task("mlip-3", settings).key != Task("borarun-mtp", settings).key
