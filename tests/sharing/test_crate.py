"""The description for repositories; tests of packs and exports read it with a library of the
format.
"""

from __future__ import annotations

import pytest

from borarun.basics.errors import StudyError
from borarun.engines.registry import ENGINES
from borarun.records.attributes import Attributes, Provenance, TaskAttributes
from borarun.records.task import Task
from borarun.sharing.crate import History, Person, Terms


def test_authors_and_licence() -> None:
    terms = Terms.of(["Ada Lovelace 0000-0002-1825-0097", "Émilie du Châtelet"], "CC-BY-4.0")
    assert terms == Terms(
        (Person("Ada Lovelace", "0000-0002-1825-0097"), Person("Émilie du Châtelet")), "CC-BY-4.0"
    )
    for authors, licence in (
        (["Ada Lovelace 0000-0002-1825-0098"], ""),
        (["0000-0002-1825-0097"], ""),
        ([], "my own licence"),
    ):
        with pytest.raises(StudyError, match="got"):
            Terms.of(authors, licence)


def test_every_program_has_a_home_page() -> None:
    for name, engine in ENGINES.items():
        home = getattr(engine, "HOME", "")
        assert home.startswith("https://") or name in {"bundled", "examination"}


def test_a_history_spans_all_records_and_names_every_version() -> None:
    tasks = [
        Task("lammps", {"x": number}, version=version)
        for number, version in enumerate(("2", "1", "2"))
    ]
    notes = [
        Provenance(borarun="0.1.0", started="2025-01-01T10:00:00+00:00", seconds=7200.0),
        Provenance(borarun="0.2.0", started="2025-01-01T11:00:00+00:00", seconds=60.0),
        Provenance(),
    ]
    told = [
        Attributes(borarun_store=1, task=TaskAttributes.of(task), facts=facts, provenance=note)
        for task, note, facts in zip(tasks, notes, ({}, {"program": "LAMMPS 3"}, {}), strict=True)
    ]
    programs = {"borarun": "0.1.0, 0.2.0", "lammps": "2, LAMMPS 3 (1)"}
    assert History.of(tasks, told) == History(
        programs, "2025-01-01T10:00:00+00:00", "2025-01-01T12:00:00+00:00"
    )
