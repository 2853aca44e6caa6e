"""Records leave a site without what is of the site; what comes from elsewhere is looked through."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from records import anything

from borarun.basics.errors import DamagedError, StoreError
from borarun.records.attributes import Provenance
from borarun.records.frames import Frames
from borarun.records.operations.base import TRAJECTORY, Quantity
from borarun.records.store import Store
from borarun.records.task import About, Ref, Task
from borarun.sharing.records import share, verify

TASK = Task(
    "lammps",
    {"seed": 1},
    {"potential": Ref("a" * 24, "potential")},
    "2025.7",
    "heating",
    "PBE/heating",
    About(functional="PBE"),
)
RNG = np.random.default_rng(0)
RESULT = anything(
    facts={
        "stop": "completed",
        "errors": {"valid": {"x": 0.1}},
        "notes": ["see /home/ada/runs/OUTCAR"],
        "path": "cut short in /scratch/a/b.log",
    },
    texts={"potential": "MTP\nversion = 1.1.0\n", "empty": ""},
    arrays={
        "positions": Quantity(
            RNG.normal(scale=30, size=(40, 3, 500)).astype(np.float32), "angstrom", TRAJECTORY
        ),
        "gaps": Quantity(np.array([np.nan, np.inf, 1.0]), "", ("a",)),
        "almtp": Quantity(np.frombuffer(b"MTP with a selection state", np.uint8), "", ("byte",)),
    },
    frames={
        "labels": Frames(
            np.array([0, 2]), np.array([3, 5], np.int32), RNG.normal(size=(2, 3)), np.eye(3)[None]
        )
    },
)
SITE = Provenance(host="node7", borarun="0.1.0", seconds=1.5)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    made.write(TASK, RESULT, SITE)
    return made


def copied(store: Store, folder: Path, names: dict[str, bytes | None]) -> Store:
    """A store with a copy of the record in which some members are others, or gone."""
    folder.mkdir()
    with (
        zipfile.ZipFile(store.path(TASK.key)) as ours,
        zipfile.ZipFile(folder / store.path(TASK.key).name, "w") as theirs,
    ):
        for name in ours.namelist():
            content = names.get(name, ours.read(name))
            if content is not None:
                theirs.writestr(zipfile.ZipInfo(name), content)
    return Store(folder)


def test_a_shared_record_is_the_same_but_for_its_site(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    with (folder / store.path(TASK.key).name).open("wb") as file:
        share(store, TASK.key, file)
    copy = Store(folder)
    verify(copy, TASK.key)
    ours, theirs = store.attributes(TASK.key), copy.attributes(TASK.key)
    facts = {**RESULT.facts.stored(), "notes": ["see OUTCAR"], "path": "cut short in b.log"}
    assert theirs.facts == facts
    assert theirs.provenance == Provenance(borarun="0.1.0", seconds=1.5)
    assert (theirs.task, theirs.borarun_store) == (ours.task, ours.borarun_store)
    with (
        zipfile.ZipFile(store.path(TASK.key)) as one,
        zipfile.ZipFile(copy.path(TASK.key)) as other,
    ):
        assert one.namelist() == other.namelist()
        assert {name for name in one.namelist() if one.read(name) != other.read(name)} == {
            "zarr.json"
        }


def test_a_file_under_licence_is_not_passed_on(store: Store) -> None:
    store.write(
        TASK,
        anything(texts={"potcar": "  PAW_PBE Li_sv 10Sep2004\n parameters from PSCTR are:\n"}),
        SITE,
    )
    with pytest.raises(
        StoreError, match=r"a POTCAR of VASP in texts/potcar\. .* leave out its stage"
    ):
        share(store, TASK.key, io.BytesIO())


def test_own_records_are_no_strangers(store: Store) -> None:
    verify(store, TASK.key)


def test_arrays_that_compress_well_are_no_bombs(store: Store) -> None:
    """Zeros compress a thousandfold; a record of them is small all the same."""
    store.write(
        TASK, anything(arrays={"zeros": Quantity(np.zeros(5_000_000), "", ("a",))}), Provenance()
    )
    assert store.path(TASK.key).stat().st_size < 5_000_000 * 8 / 1000
    verify(store, TASK.key)


def test_arrays_that_say_they_are_huge_are(store: Store, tmp_path: Path) -> None:
    with zipfile.ZipFile(store.path(TASK.key)) as archive:
        said = archive.read("gaps/zarr.json").replace(b"3\n", b"3000000000\n", 1)
    with pytest.raises(StoreError, match="times larger than the file"):
        verify(copied(store, tmp_path / "bomb", {"gaps/zarr.json": said}), TASK.key)


def test_a_codec_that_no_record_has_is_strange(store: Store, tmp_path: Path) -> None:
    with zipfile.ZipFile(store.path(TASK.key)) as archive:
        said = archive.read("gaps/zarr.json").replace(b'"crc32c"', b'"pickle"')
    with pytest.raises(StoreError, match="has codecs that no record has"):
        verify(copied(store, tmp_path / "strange", {"gaps/zarr.json": said}), TASK.key)


def test_a_record_of_another_task_is_found_out(store: Store, tmp_path: Path) -> None:
    with zipfile.ZipFile(store.path(TASK.key)) as archive:
        said = archive.read("zarr.json").replace(b'"seed": 1', b'"seed": 2')
    with pytest.raises(StoreError, match="is the record of another task"):
        verify(copied(store, tmp_path / "other", {"zarr.json": said}), TASK.key)


def test_a_record_without_its_attributes_is_damaged(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DamagedError):
        verify(copied(store, tmp_path / "damaged", {"zarr.json": None}), TASK.key)
