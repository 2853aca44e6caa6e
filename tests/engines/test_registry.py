"""The registry of engines: what a study says of each, and names that have changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from borarun.engines.borarun_mtp.section import BorarunPotential
from borarun.engines.potential.base import PotentialSection
from borarun.engines.reference.base import ReferenceSection
from borarun.engines.registry import ENGINES, Potential, sections
from borarun.records.task import Task

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


def test_a_task_keeps_its_key_under_the_new_name() -> None:
    settings = {"operation": "select"}
    assert Task("motep", settings).key == Task("borarun-mtp", settings).key
    assert Task("mlip-3", settings).key != Task("borarun-mtp", settings).key
