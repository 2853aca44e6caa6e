"""Records come back as they went in, and are whole or absent."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from records import anything

from borarun.basics.causes import Cause
from borarun.basics.errors import DamagedError, EngineError, StoreError
from borarun.records.attributes import Provenance
from borarun.records.frames import Frames
from borarun.records.operations.base import TRAJECTORY, Quantity
from borarun.records.operations.reference import Labelled
from borarun.records.store import FORMAT, RESOLUTION_A, Store, trajectory_chunks
from borarun.records.task import About, Failure, Ref, Result, Task

TASK = Task(
    engine="lammps",
    settings={"seed": 1, "segments": [{"name": "heat"}]},
    inputs={"potential": Ref("a" * 24, "potential"), "labels": (Ref("b" * 24, "labels"),)},
    version="2025.7",
    stage="heating",
    label="PBE/heating",
    about=About(functional="PBE"),
)
FAILURE = Failure(Cause.FAILED, "no licence", "buy one", "FLEXlm: -5")
RNG = np.random.default_rng(0)
FRAMES = Frames(
    offsets=np.array([0, 2, 3]),
    numbers=np.array([3, 5, 1], np.int32),
    positions=RNG.normal(size=(3, 3)),
    cell=RNG.normal(size=(2, 3, 3)),
    energy=RNG.normal(size=2),
    forces=RNG.normal(size=(3, 3)),
    stress=RNG.normal(size=(2, 6)),
)
POSITIONS = RNG.normal(scale=30, size=(40, 3, 500)).astype(np.float32)
RESULT = anything(
    facts={
        "stop": "completed",
        "steps": 10,
        "grade_max": None,
        "range": [0.5, 1e300],
        "errors": {"valid": {"x": 0.1}},
        "ok": True,
    },
    texts={"potential": "MTP\nversion = 1.1.0\nå\n", "empty": ""},
    arrays={
        "positions": Quantity(POSITIONS, "angstrom", TRAJECTORY),
        "thermo/temperature": Quantity(RNG.normal(size=500), "K", ("frame",)),
        "step": Quantity(np.arange(500), "", ("frame",)),
        "active_set": Quantity(RNG.normal(size=(7, 7)), "", ("row", "parameter")),
        "zeros": Quantity(np.zeros((2, 3)), "eV", ("a", "b")),
        "gaps": Quantity(np.array([np.nan, np.inf, 1.0]), "", ("a",)),
        "nothing": Quantity(np.zeros(0, np.int64), "", ("a",)),
    },
    frames={"labels": FRAMES, "none": Frames.of([])},
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def full(store: Store) -> Store:
    store.write(TASK, RESULT, Provenance(host="node7"))
    return store


def record_file(store: Store) -> Path:
    return store.root / f"{TASK.key}.zarr.zip"


def change_attributes(store: Store, name: str, value: object) -> None:
    """Write something else among what a record says beside its arrays."""
    path = record_file(store)
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    said = json.loads(members["zarr.json"])
    said["attributes"][name] = value
    members["zarr.json"] = json.dumps(said).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in members.items():
            archive.writestr(each, content)


# what comes back


def test_an_empty_store_needs_no_directory(store: Store) -> None:
    assert TASK.key not in store
    assert store.keys() == set()
    assert store.failures() == {}
    assert store.record(TASK.key) is None
    assert not store.root.exists()


def test_a_record_is_one_file(full: Store) -> None:
    assert [path.name for path in full.root.iterdir()] == [f"{TASK.key}.zarr.zip"]
    assert TASK.key in full
    assert full.keys() == {TASK.key}


def test_facts_and_provenance(full: Store) -> None:
    record = full.record(TASK.key)
    assert record is not None
    assert record.done
    assert (record.key, record.engine, record.stage, record.label) == (
        TASK.key,
        "lammps",
        "heating",
        "PBE/heating",
    )
    assert record.stored == RESULT.facts.stored()
    assert full.attributes(TASK.key).model_dump() == {
        "borarun_store": FORMAT,
        "task": {
            "engine": "lammps",
            "version": "2025.7",
            "settings": {"seed": 1, "segments": [{"name": "heat"}]},
            "inputs": {"potential": [("a" * 24, "potential")], "labels": [("b" * 24, "labels")]},
            "stage": "heating",
            "label": "PBE/heating",
            "about": {"functional": "PBE"},
        },
        "facts": RESULT.facts.stored(),
        "provenance": Provenance(host="node7").model_dump(),
    }


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"borarun": "0.1.0", "seconds": 1.5, "cores": 4},
        {
            "borarun": "0.1.0",
            "host": "node7",
            "started": "2025-01-01T10:00:00+00:00",
            "seconds": 7200.25,
            "cores": 4,
            "exit_code": -9,
        },
        {
            "borarun": "0.1.0",
            "started": "2025-01-01T10:00:00+00:00",
            "file": "a.dump",
            "size_B": 5,
            "sha256": "c" * 64,
        },
    ],
)
def test_provenance_of_every_version_is_read_and_stays_as_it_was(
    full: Store, said: dict[str, object]
) -> None:
    """What earlier versions wrote, as they wrote it; a word of a later one is passed over."""
    change_attributes(full, "provenance", {**said, "of a later version": 1})
    told = full.attributes(TASK.key).provenance
    assert told.stored() == said
    assert not {"host", "file", "size_B", "sha256"} & told.shared().keys()


def test_provenance_that_is_not_what_it_must_be_is_damage(full: Store) -> None:
    change_attributes(full, "provenance", {"started": "yesterday"})
    with pytest.raises(DamagedError, match="started"):
        full.attributes(TASK.key)


@pytest.mark.parametrize("item", [name for name in RESULT.arrays if name != "positions"])
def test_arrays_are_exact(full: Store, item: str) -> None:
    found = full.array(TASK.key, item)
    np.testing.assert_array_equal(found, RESULT.arrays[item].values)
    assert found.dtype == RESULT.arrays[item].values.dtype
    assert full.unit(TASK.key, item) == RESULT.arrays[item].unit


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_trajectory_is_rounded_to_its_resolution(store: Store, kind: type) -> None:
    store.write(
        TASK,
        anything(arrays={"positions": Quantity(POSITIONS.astype(kind), "angstrom", TRAJECTORY)}),
        Provenance(),
    )
    found = store.array(TASK.key, "positions")
    assert found.dtype == np.float32
    assert np.abs(found - POSITIONS).max() <= RESOLUTION_A / 2
    assert (found / RESOLUTION_A % 1 == 0).all()
    np.testing.assert_array_equal(store.array(TASK.key, "positions", slice(5, 9)), found[5:9])
    np.testing.assert_array_equal(
        store.array(TASK.key, "positions", np.array([1, 2, 30])), found[[1, 2, 30]]
    )


def test_a_trajectory_is_read_by_shards_and_by_frames(store: Store) -> None:
    """Every atom comes once, whatever the shapes of chunks and shards."""
    positions = np.random.default_rng(4).normal(size=(400, 3, 9000)).astype(np.float32)
    store.write(
        TASK,
        anything(arrays={"positions": Quantity(positions, "angstrom", TRAJECTORY)}),
        Provenance(),
    )
    whole = store.array(TASK.key, "positions")
    blocks = list(store.atom_blocks(TASK.key, "positions", slice(100, 8900)))
    assert [atom for rows, _ in blocks for atom in range(rows.start, rows.stop)] == list(range(400))
    assert len(blocks) > 1
    np.testing.assert_array_equal(
        np.concatenate([part for _, part in blocks]), whole[:, :, 100:8900]
    )
    for rows in ([], [399, 0, 1, 1, 250], range(0, 400, 7)):
        atoms = np.array(rows, int)
        np.testing.assert_array_equal(store.array(TASK.key, "positions", atoms), whole[atoms])
    assert store.chunk_frames(TASK.key, "positions") == 8192
    assert all(
        part.shape[2] == 0
        for _, part in store.atom_blocks(TASK.key, "positions", slice(9000, 9000))
    )


def test_texts_and_frames(full: Store) -> None:
    assert full.text(TASK.key, "potential") == RESULT.texts["potential"]
    found = full.frames(TASK.key, "labels")
    assert found.arrays().keys() == FRAMES.arrays().keys()
    for name, values in FRAMES.arrays().items():
        np.testing.assert_array_equal(found.arrays()[name], values)


def test_get_knows_what_an_item_is(full: Store) -> None:
    assert full.get(Ref(TASK.key, "empty")) == ""
    np.testing.assert_array_equal(
        full.get(Ref(TASK.key, "thermo/temperature")), RESULT.arrays["thermo/temperature"].values
    )
    nothing = full.get(Ref(TASK.key, "none"))
    assert isinstance(nothing, Frames)
    assert len(nothing) == 0


def test_missing_records_and_items_are_told(full: Store) -> None:
    with pytest.raises(StoreError, match="has no 'velocities'"):
        full.get(Ref(TASK.key, "velocities"))
    with pytest.raises(StoreError, match="No such file"):
        full.get(Ref("f" * 24, "potential"))


def test_a_result_that_is_not_as_declared_is_not_stored(store: Store) -> None:
    labels = {Labelled.LABELS: FRAMES}
    for result, told in (
        (Result(Labelled(n_labels=2)), "labels is missing"),
        (Result(Labelled(n_labels=2), {"log": "x"}, frames=labels), "log is not declared"),
    ):
        with pytest.raises(EngineError, match=f"lammps: Labelled: {told}"):
            store.write(TASK, result, Provenance())
    assert store.keys() == set()


def test_facts_that_do_not_fit_name_the_task_and_what_to_do(store: Store) -> None:
    store.write(TASK, anything({"n_labels": "two"}), Provenance())
    with pytest.raises(DamagedError) as caught:
        store.record(TASK.key).facts(Labelled)
    assert caught.value.key == TASK.key
    assert str(caught.value).startswith(
        "heating PBE/heating: the facts of its record are not those of Labelled (n_labels: "
    )
    assert f"(got 'two')). Remove {TASK.key}.zarr.zip from the store and submit" in str(
        caught.value
    )


# the format


def test_plain_zarr_reads_a_record(full: Store) -> None:
    group = zarr.open_group(zarr.storage.ZipStore(record_file(full), mode="r"), mode="r")
    assert group.attrs["facts"]["stop"] == "completed"
    positions = group["positions"]
    assert positions.metadata.zarr_format == 3
    assert positions.metadata.dimension_names == TRAJECTORY
    assert positions.attrs["unit"] == "angstrom"
    assert positions.attrs["n_frames"] == 500
    assert np.abs(positions[...] - POSITIONS).max() < 7e-5
    assert bytes(group["texts/potential"][...]).decode() == RESULT.texts["potential"]
    np.testing.assert_array_equal(group["frames/labels/forces"][...], FRAMES.forces)


def test_equal_results_are_equal_files(full: Store) -> None:
    before = record_file(full).read_bytes()
    full.write(TASK, RESULT, Provenance(host="node7"))
    assert record_file(full).read_bytes() == before


@pytest.mark.parametrize(
    "shape",
    [(1, 3, 1), (104, 3, 200), (104, 3, 100_000), (2808, 3, 20_000), (100_000, 3, 50), (5, 3, 0)],
)
def test_chunks_and_shards_have_a_sound_size(shape: tuple[int, int, int]) -> None:
    chunk, shard = trajectory_chunks(*shape)
    assert all(outer % inner == 0 and inner >= 1 for outer, inner in zip(shard, chunk, strict=True))
    assert np.prod(chunk) % 8 == 0, "bit shuffling needs it"
    assert 4 * np.prod(chunk) <= 1_000_000
    assert 4 * np.prod(shard) <= 16_000_000
    if 4 * np.prod(shape) > 16_000_000:
        assert 4 * np.prod(shard) >= 6_000_000


def test_a_record_of_a_newer_format_is_refused_with_both_versions(store: Store) -> None:
    store.root.mkdir()
    with zipfile.ZipFile(record_file(store), "w") as archive:
        archive.writestr(
            "zarr.json",
            json.dumps(
                {
                    "zarr_format": 3,
                    "node_type": "group",
                    "attributes": {"borarun_store": FORMAT + 1},
                }
            ),
        )
    for read in (store.record, lambda key: store.get(Ref(key, "potential"))):
        with pytest.raises(
            StoreError,
            match=rf"format {FORMAT + 1}, this one reads up to {FORMAT}.*pip install --upgrade "
            r"borarun",
        ):
            read(TASK.key)


# damage


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_record_is_damaged(store: Store, content: bytes) -> None:
    store.root.mkdir()
    record_file(store).write_bytes(content)
    with pytest.raises(StoreError, match=r"\.zarr\.zip: is damaged .* submit again"):
        store.record(TASK.key)


@pytest.mark.parametrize("part", [0.3, 0.9, 0.999])
def test_a_file_cut_short_is_damaged(full: Store, part: float) -> None:
    path = record_file(full)
    os.truncate(path, int(path.stat().st_size * part))
    with pytest.raises(StoreError, match="is damaged"):
        full.record(TASK.key)


@pytest.mark.parametrize("rows", [..., slice(0, 2)])
def test_a_flipped_bit_is_found(store: Store, rows: slice) -> None:
    large = Quantity(RNG.normal(scale=30, size=(104, 3, 4000)), "angstrom", TRAJECTORY)
    store.write(TASK, anything(arrays={"positions": large}), Provenance())
    path = record_file(store)
    content = bytearray(path.read_bytes())
    content[40_000] ^= 4
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        store.array(TASK.key, "positions", rows)


# failures


def test_a_failure_is_kept_until_the_task_succeeds(store: Store) -> None:
    store.write_failure(TASK, FAILURE)
    assert TASK.key not in store
    assert store.keys() == set()
    assert store.failures() == {TASK.key: FAILURE}
    record = store.record(TASK.key)
    assert record is not None
    assert record.failure == FAILURE
    assert record.label == "PBE/heating"
    store.write(TASK, anything(), Provenance())
    assert store.record(TASK.key).done
    assert store.failures() == {}
    assert [path.name for path in store.root.iterdir()] == [f"{TASK.key}.zarr.zip"]


def test_a_success_outranks_a_failure(full: Store) -> None:
    full.write_failure(TASK, FAILURE)
    assert full.record(TASK.key).done
    assert full.failures() == {}


def test_a_failure_that_cannot_be_read_is_damaged(store: Store) -> None:
    store.write_failure(TASK, FAILURE)
    (store.root / f"{TASK.key}.failure.json").write_text("{")
    with pytest.raises(StoreError, match=r"failure\.json: is damaged"):
        store.record(TASK.key)


def test_a_failure_of_before_causes_is_read(store: Store) -> None:
    store.write_failure(TASK, FAILURE)
    file = store.root / f"{TASK.key}.failure.json"
    stored = json.loads(file.read_text())
    del stored["failure"]["cause"]
    stored["failure"] |= {"kind": "ParseError", "passing": True}
    file.write_text(json.dumps(stored))
    record = store.record(TASK.key)
    assert record and record.failure == replace(FAILURE, cause=Cause.UNREADABLE)


# many writers, and their deaths

WRITERS = """
import os, signal, sys
import numpy as np, zarr
from pathlib import Path
from borarun.records.attributes import Provenance
from borarun.records.store import Store
from borarun.records.operations.base import TRAJECTORY, Quantity
from borarun.records.task import Task
from tests.records import anything

signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # a dead child is gone at once
parent = os.getpid()
for line in sys.stdin:
    if os.fork():
        continue
    store, number = Store(Path(line.strip())), 0
    os.write(1, f"{os.getpid()}\\n".encode())
    while os.getppid() == parent:
        number += 1
        value = os.getpid() + number / 1000
        array = Quantity(np.full((30, 3, 3000), value), "angstrom", TRAJECTORY)
        same = Task("same", {})
        own = Task("own", {"pid": os.getpid(), "number": number % 5})
        for task in (same, own):
            store.write(task, anything({"value": value}, {"text": str(value)}, {"positions": array}), Provenance())
"""  # noqa: E501


def assert_whole(store: Store, key: str) -> None:
    value = float(store.text(key, "text"))
    np.testing.assert_allclose(store.array(key, "positions"), value, atol=RESOLUTION_A, rtol=1e-7)


def test_killed_writers_leave_whole_records_or_none(store: Store) -> None:
    """Two writers at a time, of one common record and of their own, killed at random instants."""
    chance = random.Random(1)
    patience = time.monotonic() + 60
    command = [sys.executable, "-c", WRITERS]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    ) as nursery:
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        for _ in range(15):
            nursery.stdin.write(f"{store.root}\n" * 2)
            nursery.stdin.flush()
            for writer in [int(nursery.stdout.readline()) for _ in range(2)]:
                while Task("same", {}).key not in store and time.monotonic() < patience:
                    time.sleep(0.01)
                time.sleep(chance.uniform(0, 0.3))
                os.kill(writer, signal.SIGKILL)
            for key in sorted(store.keys()):
                assert_whole(store, key)
        nursery.stdin.close()
    assert Task("same", {}).key in store
    store.write(TASK, anything(), Provenance())
    assert not list(store.root.glob(".*")), "the next writer clears what the dead ones left"


def test_a_record_is_whole_to_readers_while_it_is_replaced(store: Store) -> None:
    def result(value: float) -> Result:
        return anything(
            {"value": value},
            {"text": str(value)},
            {"positions": Quantity(np.full((30, 3, 300), value), "angstrom", TRAJECTORY)},
        )

    store.write(TASK, result(0.0), Provenance())

    def write(first: int) -> None:
        for number in range(first, first + 8):
            store.write(TASK, result(number), Provenance())

    writers = [threading.Thread(target=write, args=(first,)) for first in (100, 200)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        value = store.record(TASK.key).stored["value"]
        assert value in {0.0, *range(100, 108), *range(200, 208)}
        assert len(np.unique(store.array(TASK.key, "positions"))) == 1
    assert store.record(TASK.key).stored["value"] in {107, 207}


def test_many_records_are_as_many_files(store: Store) -> None:
    tasks = [replace(TASK, settings={"seed": seed}) for seed in range(20)]
    for task in tasks:
        store.write(task, anything(facts={"seed": task.settings["seed"]}), Provenance())
    assert store.keys() == {task.key for task in tasks}
    assert len(list(store.root.iterdir())) == 20


def test_a_record_says_which_arrays_it_has(full: Store) -> None:
    assert (
        full.has(TASK.key, "active_set")
        and full.has(TASK.key, "texts/potential")
        and not full.has(TASK.key, "almtp")
    )


def test_a_record_tells_its_task(full: Store) -> None:
    told = full.task(TASK.key)
    assert (told.name, told.engine, told.about, told.key) == (
        TASK.name,
        TASK.engine,
        TASK.about,
        TASK.key,
    )


def test_a_record_is_taken_over_once(full: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    assert other.adopt(TASK.key, record_file(full)) == [record_file(other)]
    assert record_file(other).read_bytes() == record_file(full).read_bytes()
    store_before = record_file(other).stat().st_mtime_ns
    assert (
        other.adopt(TASK.key, record_file(full)) == []
        and record_file(other).stat().st_mtime_ns == store_before
    )
