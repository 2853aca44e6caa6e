"""A study and its results go to another machine whole, and nothing else goes with them."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from conftest import MINI_STUDY, STUDIES, largest_file
from filled import HOST, PROVENANCE, fill, labelled
from records import anything
from rocrate.rocrate import ROCrate
from synthetic import changed

from borarun.basics.errors import DamagedError, StoreError, StudyError
from borarun.page import collect, files
from borarun.records.operations.reference import Correction, Relaxed
from borarun.records.places import StoredRecords
from borarun.records.store import Store
from borarun.records.task import Result, Task
from borarun.sharing import pack as module
from borarun.sharing.crate import NAME as CRATE
from borarun.sharing.crate import Terms
from borarun.sharing.pack import (
    MANIFEST,
    PRODUCTION,
    STORE,
    Manifest,
    colliding,
    pack,
    record_name,
    unsafe,
)
from borarun.sharing.unpack import unpack
from borarun.study import Study, load_study
from borarun.study.load import study_files
from borarun.study.plan import expand
from borarun.subjects.diffusion.results import DiffusionFound
from borarun.subjects.heating.results import HeatingFound

POTCAR = "  PAW_PBE Li_sv 10Sep2004\n parameters from PSCTR are:\n   VRHFIN =Li: 1s2s2p\n"
UPF = '<UPF version="2.0.1">\n<PP_HEADER element="Li"/>\n'
TERMS = Terms()


@dataclass(frozen=True)
class Group:
    """Whoever ran a study: where it is, and the results."""

    file: Path
    study: Study
    tasks: list[Task]
    store: Store


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Group:
    """A study that extends another, in another folder than its structure, with a result for every
    task.
    """
    home = tmp_path_factory.mktemp("group")
    (home / "base").mkdir()
    shutil.copytree(
        STUDIES / "structures",
        home / "base" / "cells",
        ignore=shutil.ignore_patterns("*.py", "*.md"),
    )
    text = MINI_STUDY.replace("structures/", "cells/").replace(
        "temperatures_K: [200, 300]", "temperatures_K: [200]"
    )
    (home / "base" / "mini.yaml").write_text(text)
    file = home / "ours.yaml"
    file.write_text("borarun: 1\nname: ours\nextends: base/mini.yaml\nrelax: {}\n")
    study, store = load_study(file), Store(home / "runs" / "store")
    return Group(file, study, fill(study, store), store)


def packed(group: Group, folder: Path, *without: str, store: Store | None = None) -> Path:
    return pack(
        group.file,
        group.study,
        store or group.store,
        folder / "ours.borarun.zip",
        terms=TERMS,
        without=without,
    ).path


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def insides(path: Path) -> Iterator[bytes]:
    """Every member, and those of records."""
    for name, content in members(path).items():
        yield content
        if name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(content)) as record:
                yield from (record.read(part) for part in record.namelist())


def with_record(group: Group, folder: Path, task: Task, result: Result) -> Store:
    """The group's store, with another result for one task."""
    shutil.copytree(group.store.root, folder / "store")
    store = Store(folder / "store")
    store.write(task, result, PROVENANCE)
    return store


# what arrives


def test_nothing_that_the_pack_holds_starts_elsewhere(group: Group, tmp_path: Path) -> None:
    found = unpack(packed(group, tmp_path), tmp_path / "theirs")
    study = load_study(found.study)
    known = expand(study, StoredRecords(Store(tmp_path / "theirs" / "runs" / "store")))
    assert {task.key for task in known.tasks} == found.keys == {task.key for task in group.tasks}
    assert not known.waiting and not known.stuck
    assert (tmp_path / "theirs/study/ours.yaml").read_text() == group.file.read_text()
    assert {
        path.name for path in (tmp_path / "theirs/study/base").rglob("*") if path.is_file()
    } == {"mini.yaml", "Li2B12H12-Pa-3.cif"}


def test_one_more_temperature_runs_only_that(group: Group, tmp_path: Path) -> None:
    found = unpack(packed(group, tmp_path), tmp_path / "theirs")
    more = found.study.with_name("more.yaml")
    more.write_text(
        "borarun: 1\nname: more\nextends: ours.yaml\ndiffusion: {temperatures_K: [200, 250]}\n"
    )
    store = Store(tmp_path / "theirs" / "runs" / "store")
    left = [
        task.label
        for task in expand(load_study(more), StoredRecords(store)).tasks
        if task.key not in store
    ]
    assert left == ["PBE-D3, 250 K, 0 vacancies", "PBE-D3, 250 K, 1 vacancy"]


def test_files_that_a_pattern_matches_go_with_the_study(mini_study: Path, tmp_path: Path) -> None:
    labels = labelled(load_study(mini_study), 4, seed=1)
    for name, part in (("a", [0, 1]), ("b", [2, 3])):
        (mini_study.parent / "old" / name).mkdir(parents=True)
        text = labels.take(part).to_extxyz()
        (mini_study.parent / "old" / name / "labels.extxyz").write_text(text)
    mini_study.write_text(
        mini_study.read_text().replace(
            "training_set:\n", "training_set:\n  labels: {PBE-D3: [old/*/labels.extxyz]}\n"
        )
    )
    assert set(study_files(mini_study)) >= {"old/a/labels.extxyz", "old/b/labels.extxyz"}
    found = load_study(mini_study).labels("PBE-D3")
    assert found is not None
    np.testing.assert_array_equal(found.frames.forces, labels.forces)


def test_labels_that_a_study_brings_along_go_with_it(mini_study: Path, tmp_path: Path) -> None:
    labels = labelled(load_study(mini_study), 4, seed=1)
    (mini_study.parent / "labels.extxyz").write_text(labels.to_extxyz())
    mini_study.write_text(
        mini_study.read_text().replace(
            "training_set:\n", "training_set:\n  labels: {PBE-D3: labels.extxyz}\n"
        )
    )
    study, store = load_study(mini_study), Store(tmp_path / "store")
    tasks = fill(study, store)
    found = unpack(
        pack(mini_study, study, store, tmp_path / "mini.borarun.zip", terms=TERMS).path,
        tmp_path / "theirs",
    )
    theirs = Store(tmp_path / "theirs" / "runs" / "store")
    known = expand(load_study(found.study), StoredRecords(theirs)).tasks
    assert {task.key for task in known} == found.keys == {task.key for task in tasks}
    (train,) = (task for task in known if task.stage == "potential")
    np.testing.assert_array_equal(theirs.inputs(train)["labels"][0].forces, labels.forces)


def test_the_report_is_the_same_to_the_last_bit(group: Group, tmp_path: Path) -> None:
    found = unpack(packed(group, tmp_path), tmp_path / "theirs")
    theirs, store = load_study(found.study), Store(tmp_path / "theirs" / "runs" / "store")
    results = [
        collect(study, expand(study, StoredRecords(records)).tasks, records)
        for study, records in ((group.study, group.store), (theirs, store))
    ]
    assert results[0].of(DiffusionFound).transport and results[0].of(HeatingFound).branches
    assert not results[0].gaps
    assert results[0].to_json() == results[1].to_json()
    some = [
        files(
            changed(
                each,
                learning=(),
                rotation=(),
                transport=(),
                arrhenius=(),
                local=(),
                order=(),
            )
        )
        for each in results
    ]  # every figure takes half a second
    assert [name for name in some[0] if name.endswith(".png")] == ["figures/lattice-PBE-D3-0.png"]
    assert some[0] == some[1]


def test_a_pack_describes_itself_for_repositories(group: Group, tmp_path: Path) -> None:
    unpack(packed(group, tmp_path), tmp_path / "theirs")
    crate = ROCrate(tmp_path / "theirs")
    there = {
        path.relative_to(tmp_path / "theirs").as_posix()
        for path in (tmp_path / "theirs").rglob("*")
        if path.is_file()
    }
    assert {file.id for file in crate.get_by_type("File")} == there - {CRATE}
    assert {file["description"] for file in crate.get_by_type("File")} >= {
        task.name for task in group.tasks
    }
    assert crate.root_dataset["license"]["name"] == "No licence chosen"


def test_a_study_without_results_can_go_too(group: Group, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    found = unpack(
        packed(group, tmp_path, store=Store(tmp_path / "none")), tmp_path / "theirs", store
    )
    assert not found.keys and not store.keys() and load_study(found.study).name == "ours"


def test_records_can_be_read_where_they_lie(group: Group, tmp_path: Path) -> None:
    path, task = packed(group, tmp_path), group.tasks[0]
    with (
        zipfile.ZipFile(path) as archive,
        archive.open(record_name(task.key)) as member,
        zipfile.ZipFile(member) as record,
    ):
        assert (
            json.loads(record.read("zarr.json"))["attributes"]["facts"]
            == group.store.attributes(task.key).facts
        )


def test_a_store_takes_what_it_lacks_and_keeps_what_it_has(group: Group, tmp_path: Path) -> None:
    store, task = Store(tmp_path / "store"), group.tasks[0]
    store.write(task, anything({"ours": 1}), PROVENANCE)
    found = unpack(packed(group, tmp_path), tmp_path / "theirs", store)
    assert found.n_there == 1 and store.keys() == found.keys
    assert store.attributes(task.key).facts == {"ours": 1}
    assert not (tmp_path / "theirs" / "runs").exists()


# what is chosen


@pytest.mark.parametrize(
    ("without", "stages"),
    [(("heating",), {"heating"}), (("trajectories",), {"heating", "diffusion"})],
)
def test_results_that_stay_behind(
    group: Group, tmp_path: Path, without: tuple[str, ...], stages: set[str]
) -> None:
    found = unpack(packed(group, tmp_path, *without), tmp_path / "theirs")
    known = expand(
        load_study(found.study), StoredRecords(Store(tmp_path / "theirs" / "runs" / "store"))
    )
    assert {task.stage for task in known.tasks if task.key not in found.keys} == stages


def test_what_cannot_stay_behind_is_told(group: Group, tmp_path: Path) -> None:
    with pytest.raises(
        StudyError,
        match=r"--without: must be one of relax, .*trajectories \(got 'heatin'\)\. Did you mean "
        r"heating\?",
    ):
        packed(group, tmp_path, "heatin")


@pytest.mark.parametrize(
    ("limit", "value", "says"),
    [
        ("MAX_MEMBERS", 10, r"holds at most [45]\. Leave some stages out: --without STAGE"),
        ("MAX_STUDY_FILES", 1, r"a pack holds at most 1\. Join its label files"),
    ],
)
def test_what_unpack_would_refuse_is_not_packed(
    group: Group,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
    says: str,
) -> None:
    monkeypatch.setattr(module, limit, value)
    with pytest.raises(StudyError, match=says):
        packed(group, tmp_path)
    assert not list(tmp_path.glob("*.zip"))


def test_what_is_not_done_is_counted(group: Group, tmp_path: Path) -> None:
    shutil.copytree(group.store.root, tmp_path / "store")
    last = group.tasks[-1]
    (tmp_path / "store" / f"{last.key}.zarr.zip").unlink()
    found = pack(
        group.file, group.study, Store(tmp_path / "store"), tmp_path / "x.zip", terms=TERMS
    )
    assert (found.not_done, found.n_records) == (1, len(group.tasks) - 1)


# what must not leave


def test_nothing_of_the_site_leaves(group: Group, tmp_path: Path) -> None:
    task = group.tasks[0]
    told = f"read {tmp_path}/work/{task.key}/CONTCAR again"
    correction = Correction(handler="Reader", errors=(), actions=(told,))
    facts = Relaxed.model_validate(
        {**group.store.record(task.key).stored, "corrections": (correction,)}
    )
    store = with_record(
        group,
        tmp_path,
        task,
        Result(facts, frames={"structure": group.store.frames(task.key, "structure")}),
    )
    assert str(tmp_path).encode() in b"".join(path.read_bytes() for path in store.root.iterdir())
    path = packed(group, tmp_path, store=store)
    everything = b"\n".join(insides(path))
    for word in (HOST, str(tmp_path), str(group.file.parent)):
        assert word.encode() not in everything
    unpack(path, tmp_path / "theirs")
    found = Store(tmp_path / "theirs" / STORE).attributes(task.key)
    assert found.facts["corrections"] == [
        {"handler": "Reader", "errors": [], "actions": ["read CONTCAR again"]}
    ]
    assert found.provenance == PROVENANCE.model_copy(update={"host": ""})


@pytest.mark.parametrize("text", [POTCAR, UPF])
def test_a_record_with_a_file_under_licence_is_refused(
    group: Group, tmp_path: Path, text: str
) -> None:
    task = group.tasks[0]
    facts = group.store.record(task.key).stored
    store = with_record(group, tmp_path, task, anything(facts, {"input": "x" * 100 + text}))
    with pytest.raises(
        StoreError,
        match=r"contains a .* in texts/input\. Files under licence must not be passed on",
    ):
        packed(group, tmp_path, store=store)
    assert {path.name for path in tmp_path.iterdir()} == {"store"}


def test_a_study_with_a_file_under_licence_is_refused(group: Group, tmp_path: Path) -> None:
    shutil.copytree(group.file.parent, tmp_path / "home", ignore=shutil.ignore_patterns("runs"))
    with (tmp_path / "home" / "base" / "cells" / "Li2B12H12-Pa-3.cif").open("a") as file:
        file.write(f"# {POTCAR.replace(chr(10), chr(10) + '# ')}\n")
    moved = replace(group, file=tmp_path / "home" / "ours.yaml")
    with pytest.raises(StudyError, match=r"Pa-3\.cif: contains a POTCAR of VASP"):
        packed(moved, tmp_path)


def test_thereunder_licence_are_named_by_their_hashes(group: Group, tmp_path: Path) -> None:
    task, potcar = (
        group.tasks[0],
        {"titel": "PAW_PBE Li_sv 10Sep2004", "sha256": "a" * 64, "zval": 3.0},
    )
    upf = {"file": "B.UPF", "md5": "b" * 32}
    facts = Relaxed.model_validate(
        {
            **group.store.record(task.key).stored,
            "potcars": {"Li": potcar},
            "pseudopotentials": {"B": upf},
            "vdw_kernel_sha256": "c" * 64,
        }
    )
    store = with_record(
        group,
        tmp_path,
        task,
        Result(facts, frames={"structure": group.store.frames(task.key, "structure")}),
    )
    manifest = Manifest.model_validate_json(members(packed(group, tmp_path, store=store))[MANIFEST])
    assert [(each.what, each.hash) for each in manifest.licensed] == [
        ("POTCAR of Li, PAW_PBE Li_sv 10Sep2004", "sha256 " + "a" * 64),
        ("pseudopotential of B, B.UPF", "md5 " + "b" * 32),
        ("van der Waals kernel of VASP", "sha256 " + "c" * 64),
    ]


# what cannot go


@pytest.mark.parametrize("crooked", ["base/../base/cells/Li2B12H12-Pa-3.cif", "ABSOLUTE"])
def test_a_path_that_means_another_file_elsewhere_is_refused(
    group: Group, tmp_path: Path, crooked: str
) -> None:
    shutil.copytree(group.file.parent, tmp_path / "home", ignore=shutil.ignore_patterns("runs"))
    file = tmp_path / "home" / "ours.yaml"
    name = crooked.replace("ABSOLUTE", str(tmp_path / "home/base/cells/Li2B12H12-Pa-3.cif"))
    file.write_text(f"{file.read_text()}material:\n  phases:\n    Pa-3: {name}\n")
    with pytest.raises(
        StudyError,
        match=r"ours\.yaml:7: material\.phases\.Pa-3: would point to another file on another "
        r"machine",
    ):
        packed(replace(group, file=file, study=load_study(file)), tmp_path)


def test_a_damaged_record_is_told_and_leaves_no_pack(group: Group, tmp_path: Path) -> None:
    shutil.copytree(group.store.root, tmp_path / "store")
    file = tmp_path / "store" / f"{group.tasks[0].key}.zarr.zip"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(DamagedError, match="is damaged"):
        packed(group, tmp_path, store=Store(tmp_path / "store"))
    assert {path.name for path in tmp_path.iterdir()} == {"store"}


@pytest.mark.parametrize("size_B", [100, 10_000, 100_000])
def test_a_disk_that_is_full_is_told_and_leaves_no_pack(
    group: Group, tmp_path: Path, size_B: int
) -> None:
    with (
        largest_file(size_B),
        pytest.raises(StoreError, match=r"ours\.borarun\.zip: no space left to write it"),
    ):
        packed(group, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_pack_overwrites_nothing(group: Group, tmp_path: Path) -> None:
    (tmp_path / "ours.borarun.zip").write_text("mine")
    with pytest.raises(StoreError, match="already exists"):
        packed(group, tmp_path)
    assert (tmp_path / "ours.borarun.zip").read_text() == "mine"


@pytest.mark.parametrize(
    "name",
    ["../x", "/x", "a/../x", "a//x", "a/./x", "a\\x", "C:x", "a/", "a\nb", "\u202ex", "x" * 300],
)
def test_unsafe_names(name: str) -> None:
    assert unsafe(name)


def test_names_that_some_machines_take_for_one() -> None:
    assert colliding(["a/B.cif", "a/b.cif"]) == "a/b.cif"
    assert colliding(["é", "e\u0301"]) == "e\u0301"
    assert colliding(["a", "a/b"]) and colliding(["a/b", "a"])
    assert not colliding(["a/b", "a/c", "b/a"]) and not unsafe("a/Li2 (x)/é.cif")


def test_trajectories_are_of_every_subject_that_has_some() -> None:
    assert {"heating", "diffusion", "vibrations"} == PRODUCTION
