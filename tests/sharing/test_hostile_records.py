"""Records that strangers made to run code, to fill the memory or to take for ever: each is refused
with its reason when its pack is unpacked, and when it lies in a store and is read.
"""

from __future__ import annotations

import json
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c
import numcodecs.pickles
import numpy as np
import pytest
from packs import Contents, refused
from records import anything

from borarun.basics.errors import ForeignError, StoreError
from borarun.records.attributes import Provenance
from borarun.records.frames import Frames
from borarun.records.operations.base import TRAJECTORY, Quantity
from borarun.records.record_file import StrangeRecordError, opened_record
from borarun.records.store import Store
from borarun.records.task import Task

TASK = Task("lammps", {"seed": 1})
FRAMES = Frames(np.array([0, 2]), np.array([3, 5], np.int32), np.zeros((2, 3)), np.eye(3)[None])
RESULT = anything(
    texts={"log": "nothing happened"},
    arrays={
        "positions": Quantity(
            np.random.default_rng(0).normal(size=(300, 3, 800)).astype(np.float32),
            "angstrom",
            TRAJECTORY,
        ),
        "energy": Quantity(np.arange(40.0), "eV", ("frame",)),
    },
    frames={"structure": FRAMES},
)
ITEMS = ("positions", "energy", "texts/log", "frames/structure/positions")
SHARD, N_INNER = "positions/c/0/0/0", 3

Members = dict[str, bytes]


def honest(folder: Path) -> Members:
    """The members of a record that borarun wrote, with shards of several chunks."""
    store = Store(folder / "honest")
    store.write(TASK, RESULT, Provenance())
    with zipfile.ZipFile(store.path(TASK.key)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(members: Members, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)


@dataclass(frozen=True)
class Case:
    """A record that is wrong.

    Attributes
    ----------
    name : for people
    spoil : makes the file out of the honest members
    why : part of the reason that is given
    item : whose reading refuses it; empty where only the check of the whole looks there, because
        no reading does
    """

    name: str
    spoil: Callable[[Members, Path], None]
    why: str
    item: str = "energy"


CASES: list[Case] = []


def metadata(name: str, item: str, change: Callable[[dict[str, Any]], object], why: str) -> None:
    """A case in which the metadata of an item are other ones."""

    def spoil(members: Members, path: Path) -> None:
        place = f"{item}/zarr.json".lstrip("/")
        described = json.loads(members[place])
        change(described)
        zipped(members | {place: json.dumps(described).encode()}, path)

    CASES.append(Case(name, spoil, why, item))


def members(name: str, change: Callable[[Members], object], why: str, item: str = "") -> None:
    """A case in which members are other ones."""

    def spoil(found: Members, path: Path) -> None:
        change(found)
        zipped(found, path)

    CASES.append(Case(name, spoil, why, item))


def entries(name: str, change: Callable[[zipfile.ZipInfo], object], why: str) -> None:
    """A case in which the directory of the zip says something else of a member."""

    def spoil(found: Members, path: Path) -> None:
        zipped(found, path)
        with zipfile.ZipFile(path, "a") as archive:
            change(archive.getinfo("energy/c/0"))
            archive._didModify = True  # type: ignore[attr-defined]

    CASES.append(Case(name, spoil, why))


def raw(name: str, change: Callable[[bytes], bytes], why: str) -> None:
    """A case in which the bytes of the file are other ones."""

    def spoil(found: Members, path: Path) -> None:
        zipped(found, path)
        path.write_bytes(change(path.read_bytes()))

    CASES.append(Case(name, spoil, why))


def codecs(*names: str) -> Callable[[dict[str, Any]], None]:
    def change(described: dict[str, Any]) -> None:
        known = {each["name"]: each for each in described["codecs"]}
        described["codecs"] = [
            known.get(name, {"name": name, "configuration": {}}) for name in names
        ]

    return change


def set_at(*keys: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    """Set a value of the metadata, by its path."""

    def change(described: Any) -> None:
        for key in keys[:-1]:
            described = described[key]
        described[keys[-1]] = to

    return change


PICKLING = {
    "zarr_format": 2,
    "shape": [1],
    "chunks": [1],
    "dtype": "|O",
    "compressor": {"id": "pickle", "protocol": 5},
    "fill_value": None,
    "order": "C",
    "filters": [{"id": "vlen-utf8"}],
    "attributes": {},
}


class _Touch:
    """What runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def consolidated(metadata: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "inline", "must_understand": False, "metadata": metadata}


# what runs code

for place in ("frames/structure", "frames", "texts", ""):
    metadata(
        f"metadata of others in {place or 'the root'}",
        place,
        set_at("consolidated_metadata", to=consolidated({"positions": PICKLING})),
        "has metadata of others in it: consolidated_metadata",
    )
metadata("format 2 within format 3", "energy", set_at("zarr_format", to=2), "not of zarr format 3")
members(
    "an array of format 2",
    lambda found: found.update({"evil/.zarray": json.dumps(PICKLING).encode(), "evil/0": b"x"}),
    "'evil/.zarray' has no place in it",
)
members(
    "a whole record of format 2",
    lambda found: (
        [found.pop(name) for name in list(found)],
        found.update({".zgroup": b'{"zarr_format": 2}', ".zmetadata": b"{}"}),
    ),
    "",
)
for codec in ("numcodecs.pickle", "pickle", "vlen-utf8", "numcodecs.json2", "gzip", "cast_value"):
    metadata(
        f"codec {codec}",
        "energy",
        codecs("bytes", codec, "crc32c"),
        rf"has codecs that no record has: \['bytes', '{codec}', 'crc32c'\]",
    )
metadata("no codecs", "energy", codecs(), r"codecs that no record has: \[\]")
metadata("codecs that are no list", "energy", set_at("codecs", to={}), "codecs that no record has")
metadata("Blosc twice", "energy", codecs("bytes", "blosc", "blosc", "crc32c"), "no record has")
metadata("no checksum", "energy", codecs("bytes", "blosc"), "codecs that no record has")
metadata(
    "pickle within a shard",
    "positions",
    set_at("codecs", 0, "configuration", "codecs", 1, "name", to="numcodecs.pickle"),
    "codecs that no record has",
)
metadata(
    "pickle in the index of a shard",
    "positions",
    set_at("codecs", 0, "configuration", "index_codecs", 1, "name", to="numcodecs.pickle"),
    "an index that no record has",
)
metadata(
    "a shard within a shard",
    "positions",
    lambda d: d["codecs"][0]["configuration"].update(codecs=[deepcopy(d["codecs"][0])]),
    "codecs that no record has",
)
for data_type in (
    "string",
    "bytes",
    "variable_length_bytes",
    "complex128",
    "r8",
    "object",
    {"name": "numpy.datetime64", "configuration": {}},
    {"name": "struct", "configuration": {"fields": []}},
    ["float64"],
    None,
):
    metadata(
        f"data type {data_type}",
        "energy",
        set_at("data_type", to=data_type),
        "a data type that no record has",
    )
metadata("a fill value", "energy", set_at("fill_value", to="gASVKgAAAAAA"), "a fill value that")
metadata("a fill of another type", "energy", set_at("fill_value", to=[1]), "a fill value that")
metadata(
    "storage transformers",
    "energy",
    set_at("storage_transformers", to=[{"name": "evil"}]),
    "has storage transformers",
)
metadata(
    "an extension",
    "energy",
    set_at("evil", to={"must_understand": False}),
    "says more than a record does: 'evil'",
)
metadata("a node of a new kind", "energy", set_at("node_type", to="link"), "neither of a group")
metadata("names of chunks", "energy", set_at("chunk_key_encoding", "name", to="v2"), "names its ch")
metadata("a grid", "energy", set_at("chunk_grid", "name", to="rectilinear"), "a part regular that")

# shapes and sizes

SHAPE = "has a shape that is none|is no metadata: .* is no number|another number of axes"
for shape in (
    [-1],
    [-2, -20],
    [float("nan")],
    [float("inf")],
    [40.0],
    [True],
    ["40"],
    [[40]],
    [2**41],
    [10**30],
    [1] * 7,
    "40",
    None,
):
    metadata(f"shape {shape}", "energy", set_at("shape", to=shape), SHAPE)
for chunk in ([0], [-40], [40, 1], [], [2**50], [1e3]):
    metadata(
        f"chunk {chunk}",
        "energy",
        set_at("chunk_grid", "configuration", "chunk_shape", to=chunk),
        "energy has ",
    )
metadata("a huge array", "energy", set_at("shape", to=[10**10]), "times larger than the file")
metadata(
    "a huge chunk",
    "energy",
    set_at("chunk_grid", "configuration", "chunk_shape", to=[10**10]),
    "times larger than the file",
)
metadata(
    "millions of missing chunks",
    "energy",
    lambda d: (
        d.update(shape=[5_000_000]),
        d["chunk_grid"]["configuration"].update(chunk_shape=[1]),
    ),
    "lacks most of its chunks",
)
metadata(
    "chunks that do not fill a shard",
    "positions",
    set_at("codecs", 0, "configuration", "chunk_shape", to=[7, 3, 800]),
    "do not fill its shards",
)
metadata(
    "a shard of a million chunks",
    "positions",
    set_at("codecs", 0, "configuration", "chunk_shape", to=[1, 1, 1]),
    "has shards of ",
)
members(
    "many arrays, each of which is not too large",
    lambda found: found.update(
        {
            f"more{n}/zarr.json": found["energy/zarr.json"].replace(b"40", b"7000000")
            for n in range(20)
        }
    ),
    "times larger than the file",
)


def spoilt(content: bytes, at: int, *numbers: int) -> bytes:
    """Content with other numbers of four bytes at a place."""
    change = struct.pack(f"<{len(numbers)}I", *numbers)
    return content[:at] + change + content[at + len(change) :]


def change_of(name: str, *arguments: int) -> Callable[[Members], None]:
    return lambda found: found.update({name: spoilt(found[name], *arguments)})


CHUNK = "another number of bytes than its array has"
members("a chunk that becomes 2 GB", change_of("energy/c/0", 4, 2**31 - 1), CHUNK, "energy")
members("a chunk with other blocks", change_of("energy/c/0", 8, 2**31 - 1), CHUNK, "energy")
members("a chunk that reads past its end", change_of("energy/c/0", 12, 2**20), CHUNK, "energy")
members("a chunk in a shard that becomes 2 GB", change_of(SHARD, 4, 2**31 - 1), CHUNK, "positions")
members(
    "a chunk without content",
    lambda found: found.update({"energy/c/0": b""}),
    "a chunk is cut short",
    "energy",
)
members(
    "a shard without content",
    lambda found: found.update({SHARD: b"xx"}),
    "a shard is cut short",
    "positions",
)


def with_index(shard: bytes, *index: int) -> bytes:
    """A shard with another index, whose checksum is right."""
    packed = struct.pack(f"<{len(index)}Q", *index)
    content = shard[: -len(packed) - 4] + packed
    return content + struct.pack("<I", google_crc32c.value(packed))


for wrong in ((2**40, 900), (0, 2**40), (2**64 - 1, 5)):
    members(
        f"a shard whose index says {wrong}",
        lambda found, wrong=wrong: found.update(  # type: ignore[misc]
            {SHARD: with_index(found[SHARD], *(wrong * N_INNER))}
        ),
        "the index of a shard leads out of it",
        "positions",
    )

# members

for evil in (
    "evil.sh",
    "energy/evil.py",
    "energy/c/0/0",
    "energy/c/1",
    "energy/c/00",
    "energy/c/99999999999999999999",
    "frames/c/0",
):
    members(
        f"member {evil}",
        lambda found, evil=evil: found.update({evil: b"x"}),  # type: ignore[misc]
        "has no place in it|is outside its array",
    )
for evil in ("../evil", "a/../../evil", "/evil", "a//b", ".", "a\\b", "C:", "a\x1b[2Jb", "x" * 300):
    members(
        f"item {evil!r:.20}",
        lambda found, evil=evil: found.update({f"{evil}/zarr.json": found["energy/zarr.json"]}),  # type: ignore[misc]
        "has a name that no record uses",
    )
members(
    "an array within an array",
    lambda found: found.update({"energy/more/zarr.json": found["texts/log/zarr.json"]}),
    "is within an array",
)
members(
    "a group with attributes",
    lambda found: found.update(
        {"frames/zarr.json": b'{"zarr_format": 3, "node_type": "group", "attributes": {"a": 1}}'}
    ),
    "is a group with attributes",
)
members(
    "a record that is an array",
    lambda found: found.update({"zarr.json": found["energy/zarr.json"]}),
    "",
)
members(
    "very many members",
    lambda found: found.update({f"energy/c/{n}": b"" for n in range(60_000)}),
    "more than 50000 members",
    "energy",
)
members(
    "huge metadata",
    lambda found: found.update({"energy/zarr.json": found["energy/zarr.json"] + b" " * 10_000_000}),
    "is larger than any metadata",
    "energy",
)
for content in (b"[" * 90_000, b"\xff\xfe{", b"null", b"[]", b'{"zarr_format": NaN}', b"1" * 9000):
    members(
        f"metadata {content[:12]!r}",
        lambda found, content=content: found.update({"energy/zarr.json": content}),  # type: ignore[misc]
        "is no metadata|not of zarr format 3",
        "energy",
    )
entries("a link", lambda e: setattr(e, "external_attr", 0o120777 << 16), "is a link")
entries("a device", lambda e: setattr(e, "external_attr", 0o020666 << 16), "is no regular file")
entries("an encrypted member", lambda e: setattr(e, "flag_bits", 1), "is encrypted")
entries(
    "members on top of each other",
    lambda e: setattr(e, "header_offset", e.header_offset - 40),
    "overlaps another one",
)


def doubled(found: Members, path: Path) -> None:
    zipped(found, path)
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo("energy/zarr.json"), found["texts/log/zarr.json"])


def deflated(found: Members, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in found.items():
            archive.writestr(name, content + b" " * 10**7 if name == "zarr.json" else content)


CASES += [
    Case("a member twice", doubled, "a member is in it twice"),
    Case("a bomb of the zip", deflated, "is compressed"),
]
raw("bytes before", lambda content: b"#!/bin/sh\n" + content, "bytes before its members")
raw("a false count", lambda c: c[:-14] + b"\0\0\0\0" + c[-10:], r"members and says 0")


def large_form(content: bytes) -> bytes:
    """A directory in its large form that is said to lie elsewhere."""
    record = b"PK\6\6" + struct.pack("<Q2H2I4Q", 44, 45, 45, 0, 0, 2**40, 2**40, 2**50, 0)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, len(content) - 22, 1)
    return content[:-22] + record + locator + content[-22:]


raw("a directory of a trillion members", large_form, "more than 50000 members")
raw(
    "a large directory elsewhere",
    lambda c: c[:-22] + b"PK\6\7" + struct.pack("<IQI", 0, 0, 1) + c[-22:],
    "is not where it must be",
)

# facts

for number, value in enumerate(("NaN", "-Infinity", "1e999", "9" * 30, "[" * 60 + "]" * 60)):
    members(
        f"a fact {value[:12]}",
        lambda found, value=value: found.update(  # type: ignore[misc]
            {
                "zarr.json": found["zarr.json"].replace(
                    b'"facts": {}', b'"facts": {"n": %s}' % value.encode()
                )
            }
        ),
        "is no metadata: .* is no number|its facts",
        "" if number > 1 else "energy",
    )

IDS = [case.name for case in CASES]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Members:
    return honest(tmp_path_factory.mktemp("honest"))


def test_there_are_enough_of_them() -> None:
    assert len(set(IDS)) == len(IDS) >= 100


def test_the_honest_record_is_taken(good: Members, tmp_path: Path) -> None:
    store = Store(tmp_path)
    zipped(good, store.path(TASK.key))
    store.check(TASK.key)
    assert store.array(TASK.key, "positions").shape == (300, 3, 800)
    with opened_record(store.path(TASK.key)) as record:
        assert record.layout("positions").n_inner == N_INNER


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_store_refuses_it(good: Members, tmp_path: Path, case: Case) -> None:
    store = Store(tmp_path)
    case.spoil(dict(good), store.path(TASK.key))
    with pytest.raises(
        StoreError, match=rf"is (not a record that borarun wrote|damaged) \(.*({case.why})"
    ):
        store.check(TASK.key)
    if case.item in ITEMS:
        with pytest.raises(ForeignError, match=case.why):
            store.array(TASK.key, case.item)
        with pytest.raises(ForeignError, match=case.why):
            store.array(TASK.key, case.item, np.array([0]))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_unpack_refuses_it(
    good: Members,
    contents: Contents,
    place: Path,
    tmp_path_factory: pytest.TempPathFactory,
    case: Case,
) -> None:
    """In a pack the record has the name and the task of one of the study's."""
    path = tmp_path_factory.mktemp("record") / "record.zip"
    path.write_bytes(dict(contents.members)[contents.record])
    with zipfile.ZipFile(path) as archive:
        root = json.loads(archive.read("zarr.json"))
    root["attributes"]["facts"] = {}
    case.spoil({**good, "zarr.json": json.dumps(root, indent=1).encode()}, path)
    contents.change(contents.record, path.read_bytes())
    refused(contents, place, f"is not a record.*({case.why})")


def test_what_ran_a_command_runs_none(
    good: Members, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The metadata of a sub-group declare an array of format 2 that is compressed by pickle.
    numcodecs up to 0.16.3 unpickles it, later ones where they are told to.
    """
    monkeypatch.setattr(numcodecs.pickles, "ALLOW_UNSAFE_PICKLE_DECODE", True, raising=False)
    store, touched = Store(tmp_path), tmp_path / "touched"
    described = json.loads(good["frames/structure/zarr.json"])
    described["consolidated_metadata"] = consolidated({"positions": PICKLING})
    forged = good | {
        "frames/structure/zarr.json": json.dumps(described).encode(),
        "frames/structure/positions/0": pickle.dumps(np.array([_Touch(touched)], object)),
    }
    zipped(forged, store.path(TASK.key))
    try:
        found: Any = store.frames(TASK.key, "structure")
    except StoreError:
        found = None
    assert not touched.exists()
    assert found is None or np.array_equal(found.positions, FRAMES.positions)
    with pytest.raises(ForeignError, match="consolidated_metadata"):
        store.check(TASK.key)


def test_a_reading_touches_only_its_item(good: Members, tmp_path: Path) -> None:
    """zarr is shown one array, whatever lies beside it."""
    store = Store(tmp_path)
    spoilt = json.loads(good["energy/zarr.json"]) | {"data_type": "string"}
    zipped(good | {"energy/zarr.json": json.dumps(spoilt).encode()}, store.path(TASK.key))
    assert store.text(TASK.key, ["texts", "log"][1]) == "nothing happened"
    with opened_record(store.path(TASK.key)) as record, pytest.raises(StrangeRecordError):
        record.layout("energy")
