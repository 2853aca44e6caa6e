"""What comes from strangers is checked before anything of it is seen; each refusal says why, and
leaves nothing.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import largest_file
from filled import PROVENANCE
from packs import STUDY, Contents, entry, forged, refused, rewritten
from records import anything

from borarun.basics.errors import StoreError, StudyError
from borarun.records.store import Store
from borarun.records.task import Task
from borarun.sharing import unpack as module
from borarun.sharing.crate import NAME as CRATE
from borarun.sharing.pack import FORMAT, record_name
from borarun.sharing.unpack import unpack
from borarun.study import load_study


def test_packs_of_the_first_format_stay_readable(tmp_path: Path) -> None:
    found = unpack(Path(__file__).parent / "data" / "format-1.borarun.zip", tmp_path / "theirs")
    store, (key,) = Store(tmp_path / "theirs" / "runs" / "store"), found.keys
    assert load_study(found.study).name == "format-1"
    assert (
        store.attributes(key).facts["space_group"] == "Pa-3 (205)"
        and store.frames(key, "structure").labelled
    )


# changed on the way


@pytest.mark.parametrize("which", [0, 1, -1], ids=["study", "structure", "metadata"])
def test_a_member_that_was_changed(contents: Contents, place: Path, which: int) -> None:
    name, content = contents.members[which]
    contents.fitting = False
    contents.change(name, content.replace(b"i", b"j"))
    refused(contents, place, "does not have the hash in the manifest: it was changed")


def test_a_bit_that_fell_over(packed: Path, contents: Contents, place: Path) -> None:
    content = bytearray(packed.read_bytes())
    content[len(content) // 2] ^= 1
    (bad := place.parent.parent / "bad.zip").write_bytes(content)
    with pytest.raises(StudyError, match=r"is damaged \(Bad CRC-32"):
        unpack(bad, place)


def test_a_pack_cut_short_anywhere(packed: Path, place: Path) -> None:
    content, bad = packed.read_bytes(), place.parent.parent / "bad.zip"
    for part in range(20):
        bad.write_bytes(content[: len(content) * part // 20])
        with pytest.raises(StudyError, match=r"bad\.zip: is not a pack, or is incomplete"):
            unpack(bad, place)


def test_members_that_are_missing_or_too_many(contents: Contents, place: Path) -> None:
    contents.fitting, whole = False, contents.members
    contents.members = whole[1:]
    refused(contents, place, f"'{whole[0][0]}' is missing: it was changed")
    contents.members = [*whole, ("study/more.cif", b"")]
    refused(contents, place, "'study/more.cif' is not in the manifest")
    contents.members = [
        (name, content + b" " if name == CRATE else content) for name, content in whole
    ]
    refused(contents, place, "not the manifest's .* B: it was changed")


# no pack


@pytest.mark.parametrize("content", [b"", b"PK", b"borarun: 1\n", os.urandom(5000)])
def test_what_is_no_zip(place: Path, content: bytes) -> None:
    (bad := place.parent.parent / "bad.zip").write_bytes(content)
    with pytest.raises(StudyError, match="is not a pack, or is incomplete"):
        unpack(bad, place)


def test_what_is_no_file(place: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"nowhere\.zip: cannot be read \(No such file"):
        unpack(tmp_path / "nowhere.zip", place)


def test_another_zip(place: Path) -> None:
    with zipfile.ZipFile(bad := place.parent.parent / "bad.zip", "w") as archive:
        archive.writestr("holiday.jpg", b"")
    with pytest.raises(
        StudyError,
        match=r"is not a pack, or is incomplete: it has no "
        r"manifest\.json",
    ):
        unpack(bad, place)


def test_a_newer_format_is_told_before_anything_in_it(contents: Contents, place: Path) -> None:
    contents.manifest |= {"borarun_pack": FORMAT + 1, "something": "new"}
    contents.members.append(("new/place", b""))
    path = contents.write(place.parent.parent / "bad.zip")
    with pytest.raises(
        StudyError,
        match=r"was packed by a newer borarun \(got format 2, this one reads up to 1\)\. Upgrade",
    ):
        unpack(path, place)


@pytest.mark.parametrize(
    "change",
    [{"borarun_pack": "one"}, {"borarun_pack": 0}, {"borarun_pack": 1, "more": 1}, {"study": 3}],
)
def test_a_manifest_that_is_none(
    contents: Contents, place: Path, change: dict[str, object]
) -> None:
    contents.manifest |= change
    refused(contents, place, r"its manifest\.json is damaged")


# what could do harm


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../evil", "leads out"), ("/evil", "leads out"), ("study/../../evil", "leads out"),
        ("study//evil", "is not the path"), ("study/./evil", "is not the path"),
        ("study/", "is not the path"), ("study\\..\\evil", "not allowed in paths"),
        ("C:evil", "not allowed in paths"),
        ("study/\u202ecif", "not allowed in paths"),
        ("study/" + "x" * 300, "too long"), ("evil", "no place in a pack"), ("runs/evil.sh", "no "
            "place"), ("runs/store/../store/x", "leads out"),
        ("runs/store/evil.zarr.zip", "no place"), ("runs/small/report/report.html", "no place"), ("STUDY/x", "no "  # noqa: E501
            "place"),
    ],
)  # fmt: skip
def test_names_that_lead_elsewhere(contents: Contents, place: Path, name: str, why: str) -> None:
    contents.members.append((name, b"evil"))
    refused(contents, place, why)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "name",
    [
        "study/study.yaml",
        "study/Study.yaml",
        "study/structures",
        "study/study.yaml/x",
        "MANIFEST.json",
    ],
)
def test_names_that_some_machines_take_for_one(contents: Contents, place: Path, name: str) -> None:
    contents.members.append((name, b"evil"))
    refused(contents, place, "is there twice, or with other capitals")


def test_links_and_devices(contents: Contents, place: Path) -> None:
    contents.members.append(("study/link", b"/etc/passwd"))
    contents.entries["study/link"] = entry("study/link", external_attr=0o120777 << 16)
    refused(contents, place, "'study/link' is a link")
    contents.entries["study/link"] = entry("study/link", external_attr=0o020666 << 16)
    refused(contents, place, "is no regular file")


def test_compressed_members(contents: Contents, place: Path) -> None:
    contents.members.append(("study/bomb", bytes(10_000_000)))
    contents.entries["study/bomb"] = entry("study/bomb", compress_type=zipfile.ZIP_DEFLATED)
    refused(
        contents, place, "'study/bomb' is compressed, as if another program had packed it again"
    )


def test_members_that_lie_about_their_size(contents: Contents, place: Path) -> None:
    def huge(each: zipfile.ZipInfo) -> None:
        if each.filename == contents.record:
            each.file_size = each.compress_size = 10**13

    with pytest.raises(StudyError, match=r"its member .* overlaps another one"):
        unpack(rewritten(contents.write(place.parent.parent / "bad.zip"), huge), place)


def test_members_on_top_of_each_other(contents: Contents, place: Path) -> None:
    contents.members += [(f"study/{number}", bytes(10_000)) for number in range(50)]

    def overlapping(each: zipfile.ZipInfo) -> None:
        if each.filename.startswith("study/4"):
            each.file_size = each.compress_size = 10**6

    with pytest.raises(StudyError, match=r"its member .* overlaps another one"):
        unpack(rewritten(contents.write(place.parent.parent / "bad.zip"), overlapping), place)


def test_encrypted_members(contents: Contents, place: Path) -> None:
    def encrypted(each: zipfile.ZipInfo) -> None:
        if each.filename == contents.record:
            each.flag_bits |= 1

    with pytest.raises(StudyError, match="is encrypted"):
        unpack(rewritten(contents.write(place.parent.parent / "bad.zip"), encrypted), place)


def test_too_many_members(contents: Contents, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MEMBERS", 3)
    refused(contents, place, "is not a pack: it has more than 3 members")


def test_a_manifest_without_end(
    contents: Contents, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_MANIFEST_B", 1000)
    contents.manifest["borarun"] = "x" * 1000
    refused(contents, place, r"its manifest\.json is larger than its members need")


def test_a_manifest_of_members_that_are_not_there_is_not_read(
    contents: Contents, place: Path
) -> None:
    contents.fitting = False
    none = {"size_B": 0, "sha256": "0" * 64}
    contents.manifest["members"] = {f"study/{number}": none for number in range(5000)}
    refused(contents, place, r"its manifest\.json is larger than its members need")


def test_too_many_files_of_a_study(
    contents: Contents, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_STUDY_FILES", 10)
    contents.members += [(f"study/more/{number}", b"") for number in range(9)]
    refused(contents, place, "its study has 11 files, most are 10")
    assert not place.exists()


# records that are none


ENERGY = "frames/structure/energy/zarr.json"


@pytest.mark.parametrize(
    ("part", "change", "why"),
    [
        (
            "zarr.json",
            lambda d: d["attributes"]["task"]["settings"].update(max_steps=1),
            "is the record of another task",
        ),
        (
            "zarr.json",
            lambda d: d["attributes"].update(borarun_store=99),
            "was written by a newer borarun",
        ),
        ("zarr.json", lambda d: d["attributes"].pop("task"), "is not a record"),
        (ENERGY, lambda d: d.update(shape=[10**12]), "times larger than the file"),
        (
            ENERGY,
            lambda d: d["chunk_grid"]["configuration"].update(chunk_shape=[10**12]),
            "times larger than the file",
        ),
        (
            ENERGY,
            lambda d: d.update(data_type="string"),
            "has a data type that no record has",
        ),
        (
            ENERGY,
            lambda d: d["codecs"].append({"name": "numcodecs.pickle", "configuration": {}}),
            "has codecs that no record has",
        ),
        (ENERGY, lambda d: d.pop("codecs"), "is not a record"),
    ],
)
def test_records_that_no_store_wrote(
    contents: Contents,
    place: Path,
    tmp_path_factory: pytest.TempPathFactory,
    part: str,
    change: Callable[[Any], object],
    why: str,
) -> None:
    content = dict(contents.members)[contents.record]
    contents.change(
        contents.record, forged(content, tmp_path_factory.mktemp("forge"), part, change)
    )
    refused(contents, place, why)


def test_facts_that_no_engine_wrote(
    contents: Contents, place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for number, (name, content) in enumerate(contents.members):
        if b'"operation": "explore"' in content:
            folder = tmp_path_factory.mktemp(f"forge{number}")
            contents.change(
                name,
                forged(
                    content,
                    folder,
                    "zarr.json",
                    lambda d: d["attributes"]["facts"].pop("n_candidates"),
                ),
            )
    why = (
        r"the study cannot continue from its results \(DamagedError: .*n_candidates: field "
        r"required"
    )
    refused(contents, place, why)


def test_a_record_under_another_name(contents: Contents, place: Path) -> None:
    contents.rename(contents.record, record_name("0" * 24))
    refused(contents, place, "is the record of another task")


def test_a_record_that_is_no_zip(contents: Contents, place: Path) -> None:
    contents.change(contents.record, b"x" * 100)
    refused(contents, place, "is not a record")


# a study that is none


def test_a_study_that_is_not_valid_is_told_with_its_place(contents: Contents, place: Path) -> None:
    contents.change("study/study.yaml", STUDY.replace("relax: {}", "relax: {max_step: 3}").encode())
    path = contents.write(place.parent.parent / "bad.zip")
    with pytest.raises(
        StudyError,
        match=r"bad\.zip: study/study\.yaml:6: relax\.max_step: unknown key\. Did you mean "
        r"max_steps\?",
    ):
        unpack(path, place)


def test_a_study_that_reaches_out_of_its_folder(contents: Contents, place: Path) -> None:
    contents.change(
        "study/study.yaml", STUDY.replace("structures/Li2", "../../../etc/Li2").encode()
    )
    refused(
        contents,
        place,
        r"study/study\.yaml:3: material\.phases\.Pa-3: must be a file in the study's own "
        r"folder \(got '\.\./",
    )


def test_a_study_that_is_not_there(contents: Contents, place: Path) -> None:
    contents.manifest["study"] = "study/other.yaml"
    refused(contents, place, "names a study that is not in it")


# no harm to what is there


def test_a_disk_that_is_full(packed: Path, place: Path) -> None:
    with largest_file(10_000), pytest.raises(StoreError, match=r"there: no space left to write it"):
        unpack(packed, place)


def test_a_disk_that_will_be_full(
    packed: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(place.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(
        StoreError, match=r"there: no room: it needs 0 MB, and 0 MB are free\. Free some space"
    ):
        unpack(packed, place)


def test_a_store_whose_disk_is_full_stays_as_it_was(
    packed: Path,
    place: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    task = Task("bundled", {"x": 1})
    store.write(task, anything(), PROVENANCE)
    adopt, calls = Store.adopt, []

    def full(self: Store, key: str, file: Path) -> list[Path]:
        calls.append(key)
        if len(calls) == 2:
            raise StoreError(f"{self.root}: no space left to write it.")
        return adopt(self, key, file)

    monkeypatch.setattr(Store, "adopt", full)
    with pytest.raises(StoreError, match="no space left"):
        unpack(packed, place, store)
    assert len(calls) == 2 and [path.name for path in store.root.iterdir()] == [
        f"{task.key}.zarr.zip"
    ]


def test_an_interrupt_leaves_nothing(
    packed: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "load_study", interrupted)
    with pytest.raises(KeyboardInterrupt):
        unpack(packed, place)


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_nothing_is_overwritten(packed: Path, tmp_path: Path, kind: str) -> None:
    there = tmp_path / "there"
    {
        "folder": there.mkdir,
        "file": there.touch,
        "link": lambda: there.symlink_to(tmp_path / "nowhere"),
    }[kind]()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StoreError, match="there: already exists"):
        unpack(packed, there)
    assert sorted(tmp_path.rglob("*")) == before
