"""Where a run keeps its things, and the records it finds there."""

from __future__ import annotations

from pathlib import Path

from records import anything

from borarun.basics.errors import DamagedError
from borarun.records.attributes import Provenance
from borarun.records.places import Places, StoredRecords
from borarun.records.store import Store
from borarun.records.task import Task

TASK = Task("lammps", {"seed": 1}, {}, "1", "heating", "PBE")
OTHER = Task("lammps", {"seed": 2}, {}, "1", "heating", "PBE")


def test_studies_share_a_store_and_have_a_folder_each(tmp_path: Path) -> None:
    one, other = Places.of(tmp_path, "one"), Places.of(tmp_path, "other")
    assert one.store == other.store and one.work == other.work and one.study != other.study
    assert all(tmp_path in path.parents for path in (one.store, one.work, one.study))


def test_a_record_is_there_once_it_is_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    records = StoredRecords(store)
    assert TASK.key not in records and records.get(TASK.key) is None
    store.write(TASK, anything(facts={"steps": 3}), Provenance())
    assert TASK.key in records and records[TASK.key].stored["steps"] == 3
    assert OTHER.key not in records


def test_a_damaged_record_is_none_and_whoever_asked_is_told(tmp_path: Path) -> None:
    store, told = Store(tmp_path), list[DamagedError]()
    store.write(TASK, anything(facts={"steps": 3}), Provenance())
    store.path(TASK.key).write_bytes(b"half a record")
    records = StoredRecords(store, told.append)
    assert records.get(TASK.key) is None and records.get(TASK.key) is None
    assert [error.key for error in told] == [TASK.key], "once"


def test_a_record_that_is_set_aside_is_lost(tmp_path: Path) -> None:
    store = Store(tmp_path)
    records = StoredRecords(store)
    for task in (TASK, OTHER):
        store.write(task, anything(facts={"steps": 3}), Provenance())
        assert task.key in records
    store.set_aside(TASK.key)
    assert (
        records.lost([TASK.key, OTHER.key]) == {TASK.key}
        and TASK.key not in records
        and OTHER.key in records
    )
