"""The store: one zarr group in a zip file per record, whole or absent. The only file that imports
zarr; DESIGN.md describes the format.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import EllipsisType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from borarun.basics.errors import DamagedError, EngineError, ForeignError, StoreError
from borarun.basics.file import replacing
from borarun.records.attributes import (
    Attributes,
    FailedAttributes,
    FailureAttributes,
    Provenance,
    TaskAttributes,
    VerdictAttributes,
)
from borarun.records.frames import Frames
from borarun.records.operations.base import TRAJECTORY, Quantity
from borarun.records.operations.dynamics import SNAPSHOT, MolecularDynamics
from borarun.records.record_file import (
    BLOSC_B,
    DOCUMENT,
    RecordFile,
    StrangeRecordError,
    opened_record,
)
from borarun.records.task import Content, Failure, Given, Input, Inputs, Record, Ref, Result, Task

# zarr takes most of a second to import and only arrays need it: it is imported where it is used.

FORMAT = 1
"""Version of the layout of a record."""

RESOLUTION_A = 2.0**-13
"""Trajectories are rounded to this: the last bits of a number become zeros, which compress. A power
of two stays a plain float32.
"""

CHUNK_B, SHARD_B, FRAMES_PER_CHUNK = 1_000_000, 16_000_000, 8192
"""Raw size of what is compressed and of what is stored together, and the longest run of frames in
one chunk.

A chunk holds few atoms and many frames: analyses follow atoms through time.
``benchmarks/store_size.py`` measures what it brings.
"""

FRAMES_UNITS = {
    "positions": "angstrom",
    "cell": "angstrom",
    "energy": "eV",
    "forces": "eV/angstrom",
    "stress": "eV/angstrom^3",
}
FRAMES_DIMS = {
    "offsets": ("bound",),
    "numbers": ("atom",),
    "positions": ("atom", "axis"),
    "cell": ("frame", "vector", "axis"),
    "energy": ("frame",),
    "forces": ("atom", "axis"),
    "stress": ("frame", "voigt"),
    "grade": ("frame",),
}

Array = NDArray[Any]


class Store:
    """The records below one directory, which need not exist yet. Any number of processes may read
    and write it at once.

    Parameters
    ----------
    root : directory
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def __contains__(self, key: str) -> bool:
        """Whether the task ``key`` succeeded."""
        return self.path(key).exists()

    def keys(self) -> set[str]:
        """Keys of the tasks that succeeded."""
        return {path.name.removesuffix(".zarr.zip") for path in self.root.glob("[!.]*.zarr.zip")}

    def failures(self) -> dict[str, Failure]:
        """Why tasks failed that have not succeeded since, by key."""
        keys = {
            path.name.removesuffix(".failure.json") for path in self.root.glob("[!.]*.failure.json")
        }
        records = (self.record(key) for key in sorted(keys - self.keys()))
        return {record.key: record.failure for record in records if record and record.failure}

    def record(self, key: str) -> Record | None:
        """What the task ``key`` left, without its arrays; None where it left nothing yet.

        Raises
        ------
        StoreError
            Where the record is damaged or of a newer borarun.
        """
        path = self._failure_path(key)
        failed = None
        with readable(path), suppress(FileNotFoundError):
            content = json.loads(path.read_bytes())
            _check_format(path, content)
            failed = FailedAttributes.model_validate(content)
        if key in self:  # asked last: a success is stored before its failure is removed
            said = self.attributes(key)
            return _record(key, said.task, stored=said.facts)
        if failed is None:
            return None
        return _record(key, failed.task, failure=failed.failure.failure())

    def attributes(self, key: str) -> Attributes:
        """Everything that a record says beside its arrays.

        Raises
        ------
        StoreError
            Where the record is damaged or of a newer borarun.
        """
        with self._opened(key) as record:
            return Attributes.model_validate(record.about)

    def task(self, key: str) -> Task:
        """The task of a record, without the content of what it was given: its hash stands for it in
        the key as it does here.
        """
        return self.attributes(key).task.task()

    def has(self, key: str, item: str) -> bool:
        """Whether a record has an array of this name."""
        with self._opened(key) as record:
            return item in record

    def unit(self, key: str, item: str) -> str:
        """Unit of an array."""
        with self._opened(key) as record:
            return str(record.attributes(item)["unit"])

    def array(self, key: str, item: str, rows: slice | Array | EllipsisType = ...) -> Array:
        """An array of a record.

        Parameters
        ----------
        rows : part of the first axis, a slice or indices; of a trajectory only the chunks with
            these atoms are read
        """
        with self._opened(key) as record:
            array = self._member(key, record, item)
            return _rows(array, rows) if isinstance(rows, np.ndarray) else np.asarray(array[rows])

    def chunk_frames(self, key: str, item: str) -> int:
        """How many frames of a trajectory are stored together."""
        with self._opened(key) as record:
            return record.layout(item).chunk[2]

    def atom_blocks(self, key: str, item: str, frames: slice) -> Iterator[tuple[slice, Array]]:
        """Some frames of a trajectory, shard by shard: atoms that are stored together, and their
        positions, (n, 3, f).
        """
        with self._opened(key) as record:
            array = self._member(key, record, item)
            together = record.layout(item).stored[0]
            for start in range(0, array.shape[0], together):
                rows = slice(start, min(start + together, array.shape[0]))
                yield rows, np.asarray(array[rows, :, frames])

    def text(self, key: str, item: str) -> str:
        """A text of a record."""
        return self.array(key, f"texts/{item}").tobytes().decode()

    def frames(self, key: str, item: str) -> Frames:
        """The ``Frames`` of a record."""
        with self._opened(key) as record:
            places = {name: f"frames/{item}/{name}" for name in FRAMES_DIMS}
            return Frames(
                **{
                    name: np.asarray(self._member(key, record, place)[...])
                    for name, place in places.items()
                    if place in record or name == "offsets"
                }
            )

    def snapshot(self, key: str, segment: str, part: float) -> Frames:
        """One frame of a trajectory, see ``operations.dynamics.snapshot``."""
        names = MolecularDynamics.model_validate(self.attributes(key).facts).segments
        of_segment = self.array(key, MolecularDynamics.SEGMENT) == names.index(segment)
        rows = np.flatnonzero(of_segment)
        row = int(rows[min(int(part * len(rows)), len(rows) - 1)])
        with self._opened(key) as record:
            positions = self._member(key, record, MolecularDynamics.POSITIONS)[:, :, row]
            cell = self._member(key, record, MolecularDynamics.CELL)[row]
        return Frames(
            offsets=np.array([0, len(positions)], np.int64),
            numbers=self.array(key, MolecularDynamics.NUMBERS),
            positions=np.asarray(positions, np.float64),
            cell=np.asarray(cell)[None],
        )

    def get(self, ref: Ref) -> Content:
        """The text, ``Frames`` or array that ``ref`` names."""
        if ref.item.startswith(f"{SNAPSHOT}/"):
            _, segment, part = ref.item.split("/")
            return self.snapshot(ref.key, segment, float(part))
        with self._opened(ref.key) as record:
            is_text = f"texts/{ref.item}" in record
            is_frames = f"frames/{ref.item}/offsets" in record
        if is_text:
            return self.text(ref.key, ref.item)
        return self.frames(ref.key, ref.item) if is_frames else self.array(ref.key, ref.item)

    def inputs(self, task: Task) -> Inputs:
        """What a task reads, by the names that its engine knows; of several items a list. All that
        it needs is in the store.
        """
        return {
            name: [self._item(item) for item in value]
            if isinstance(value, tuple)
            else self._item(value)
            for name, value in task.inputs.items()
        }

    def _item(self, item: Input) -> Content:
        return item.frames if isinstance(item, Given) else self.get(item)

    def write(self, task: Task, result: Result, provenance: Provenance) -> None:
        """Store what a task left and forget its failures. Afterwards the record is on the disk,
        whole; before, nothing of it is to be seen.

        Raises
        ------
        StoreError
            Where the disk is full or not writable.
        EngineError
            Where the result is not as its operation declares it.
        """
        if wrong := result.misfits():
            raise EngineError(
                f"{task.engine}: {type(result.facts).__name__}: {'; '.join(wrong)}.",
                remedy="Please report it: the engine must give what its operation declares.",
            )
        attributes: dict[str, JsonValue] = {
            "borarun_store": FORMAT,
            "task": TaskAttributes.of(task).model_dump(mode="json"),
            "facts": result.facts.stored(),
            "provenance": provenance.stored(),
        }
        entries = _encode(result, attributes)
        with (
            replacing(self.path(task.key)) as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
        ):
            for name, content in entries.items():  # a fixed time makes equal records equal files
                archive.writestr(zipfile.ZipInfo(name), content)
        self._failure_path(task.key).unlink(missing_ok=True)

    def write_failure(self, task: Task, failure: Failure) -> None:
        """Store why a task failed.

        Raises
        ------
        StoreError
            Where the disk is full or not writable.
        """
        content = FailedAttributes(
            borarun_store=FORMAT,
            task=TaskAttributes.of(task),
            failure=FailureAttributes.of(failure),
        ).model_dump(mode="json")
        with replacing(self._failure_path(task.key)) as file:
            file.write(json.dumps(content, indent=2).encode())

    def verdict(self, key: str) -> tuple[JsonValue, Failure | None] | None:
        """What was found when the record was looked at: of what, and why it is of no use. None
        where nobody looked, or the file is damaged.
        """
        try:
            kept = VerdictAttributes.model_validate(
                json.loads(self._verdict_path(key).read_bytes())
            )
        except (OSError, ValueError, RecursionError):
            return None
        return kept.of, None if kept.failure is None else kept.failure.failure()

    def write_verdict(self, key: str, of: JsonValue, failure: Failure | None) -> None:
        """Store what was found when the record was looked at.

        Parameters
        ----------
        of : for which anions and mobile ions
        failure : why the record is of no use; None where it is of use

        Raises
        ------
        StoreError
            Where the disk is full or not writable.
        """
        content = VerdictAttributes(
            of=of, failure=None if failure is None else FailureAttributes.of(failure)
        ).model_dump(mode="json")
        with replacing(self._verdict_path(key)) as file:
            file.write(json.dumps(content, indent=2).encode())

    def check(self, key: str) -> None:
        """Check every part of a record that came from elsewhere; whoever reads an item of it has
        that item checked alone.

        Raises
        ------
        StoreError
            Where it is damaged, of a newer borarun, or not as borarun writes records.
        """
        with self._opened(key) as record:
            record.check()

    def set_aside(self, key: str) -> None:
        """Take a damaged record out of use, and keep its file for whoever wants to know how it came
        to be damaged.
        """
        with suppress(FileNotFoundError):  # another driver was quicker
            self.path(key).rename(self.root / f"{key}.damaged.zip")
        self._verdict_path(key).unlink(missing_ok=True)

    def adopt(self, key: str, file: Path) -> list[Path]:
        """Take over a record's file from elsewhere, once it was found good, unless there is one
        already; what that added to the store.

        Raises
        ------
        StoreError
            Where the disk is full or not writable.
        """
        if key in self:
            return []
        with file.open("rb") as theirs, replacing(self.path(key)) as ours:
            shutil.copyfileobj(theirs, ours, 1 << 20)
        return [self.path(key)]

    def path(self, key: str) -> Path:
        """The file of a record."""
        return self.root / f"{key}.zarr.zip"

    def _verdict_path(self, key: str) -> Path:
        return self.root / f"{key}.verdict.json"

    def _failure_path(self, key: str) -> Path:
        return self.root / f"{key}.failure.json"

    @contextmanager
    def _opened(self, key: str) -> Iterator[RecordFile]:
        path = self.path(key)
        with readable(path), opened_record(path) as record:
            _check_format(path, record.about)
            yield record

    def _member(self, key: str, record: RecordFile, item: str) -> Any:
        """An array as zarr reads it."""
        if item not in record:
            raise DamagedError(
                f"{self.path(key)}: has no {item!r}, because an older borarun wrote it. "
                "Remove the file and submit again to compute the task anew.",
                key,
            )
        import zarr

        return zarr.open_array(_served()(record, item), mode="r", zarr_format=3)


@cache
def _served() -> Any:
    """zarr's view of one array of a record: its metadata as ``record_file`` writes them anew, and
    chunks that it has looked at. There is nothing else to be found in it.
    """
    from zarr.abc.store import OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest

    class Served(Store):
        supports_writes = supports_deletes = supports_listing = False
        supports_partial_writes = False

        def __init__(self, record: RecordFile, item: str) -> None:
            super().__init__(read_only=True)
            self._record, self._item, self._layout = record, item, record.layout(item)

        async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
            if key == DOCUMENT:
                return prototype.buffer.from_bytes(self._layout.document())
            name = f"{self._item}/{key}"
            if not await self.exists(key):
                return None
            start, end = 0, self._record.size(name)
            match byte_range:
                case RangeByteRequest(start, end):
                    pass
                case OffsetByteRequest(start):
                    pass
                case SuffixByteRequest(suffix):
                    start = max(end - suffix, 0)
            content = self._record.read(name, start, end)
            match byte_range:
                case None:
                    self._layout.check_member(lambda start, end: content[start:end], len(content))
                case SuffixByteRequest():  # the index of a shard
                    self._layout.places(content, end)
                case _:  # a chunk of a shard
                    self._layout.check_chunk(content[:BLOSC_B], len(content))
            return prototype.buffer.from_bytes(content)

        async def get_partial_values(self, prototype: Any, key_ranges: Any) -> list[Any]:
            return [await self.get(key, prototype, part) for key, part in key_ranges]

        async def exists(self, key: str) -> bool:
            return key == DOCUMENT or f"{self._item}/{key}" in self._record.members

        def __eq__(self, other: object) -> bool:
            return self is other

        async def set(self, key: str, value: Any) -> None:
            raise NotImplementedError

        async def delete(self, key: str) -> None:
            raise NotImplementedError

        def list(self) -> Any:
            raise NotImplementedError

        def list_prefix(self, prefix: str) -> Any:
            raise NotImplementedError

        def list_dir(self, prefix: str) -> Any:
            raise NotImplementedError

    return Served


def _rows(array: Any, rows: Array) -> Array:
    """Rows of a zarr array by their indices, out of the whole chunks that hold them: the selection
    that zarr has takes longer than the rest.
    """
    length = array.chunks[0]
    chunks = rows // length
    needed = np.unique(chunks)
    out = np.empty((len(rows), *array.shape[1:]), array.dtype)
    for run in np.split(needed, np.flatnonzero(np.diff(needed) != 1) + 1) if len(needed) else ():
        inside = np.flatnonzero((chunks >= run[0]) & (chunks <= run[-1]))
        out[inside] = array[run[0] * length : min((run[-1] + 1) * length, array.shape[0])][
            rows[inside] - run[0] * length
        ]
    return out


def _encode(result: Result, attributes: dict[str, JsonValue]) -> dict[str, bytes]:
    """The files of a record's zarr group, by their paths in it."""
    import zarr

    files: dict[str, Any] = {}
    group = zarr.create_group(zarr.storage.MemoryStore(files), attributes=attributes)
    for name, quantity in result.arrays.items():
        _add(group, name, quantity)
    for name, text in result.texts.items():
        _add(
            group, f"texts/{name}", Quantity(np.frombuffer(text.encode(), np.uint8), "", ("byte",))
        )
    for name, frames in result.frames.items():
        for field, values in frames.arrays().items():
            _add(
                group,
                f"frames/{name}/{field}",
                Quantity(values, FRAMES_UNITS.get(field, ""), FRAMES_DIMS[field]),
            )
    return {name: content.to_bytes() for name, content in files.items()}


def _add(group: Any, name: str, quantity: Quantity) -> None:
    from zarr.codecs import BloscCodec, Crc32cCodec

    values = np.asarray(quantity.values)
    attributes: dict[str, JsonValue] = {"unit": quantity.unit}
    chunks, shards, codec = (
        tuple(max(length, 1) for length in values.shape),
        None,
        BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle"),
    )
    if quantity.dims == TRAJECTORY:
        values = (values / RESOLUTION_A).astype(np.float32)
        np.rint(values, out=values)
        values *= np.float32(RESOLUTION_A)
        attributes |= {"n_frames": values.shape[2], "resolution": RESOLUTION_A}
        chunks, shards = trajectory_chunks(*values.shape)
        codec = BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle", typesize=4)
    array = group.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=chunks,
        shards=shards,
        compressors=[
            codec,
            Crc32cCodec(),
        ],  # a part of a shard is read without the zip's own checksum
        fill_value=np.nan if values.dtype.kind == "f" else 0,
        dimension_names=quantity.dims,
        attributes=attributes,
    )
    array[...] = values


def trajectory_chunks(
    n_atoms: int, n_axes: int, n_frames: int
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Shapes of a chunk and of a shard for a trajectory of float32 (atoms, axes, frames)."""
    # Blosc shuffles bits of eight numbers at a time and leaves the end of a chunk whose length is
    # no multiple of eight uncompressed.
    frames = min(8 * max(1, -(-n_frames // 8)), FRAMES_PER_CHUNK)
    atom = 4 * n_axes * frames
    atoms = max(1, min(n_atoms, CHUNK_B // atom))
    together = max(1, min(-(-n_atoms // atoms), SHARD_B // (atoms * atom)))
    return (atoms, n_axes, frames), (atoms * together, n_axes, frames)


def _record(
    key: str,
    task: TaskAttributes,
    *,
    stored: Mapping[str, JsonValue] | None = None,
    failure: Failure | None = None,
) -> Record:
    return Record(key, task.engine, task.stage, task.label, stored or {}, failure)


def _check_format(path: Path, attributes: Mapping[str, Any]) -> None:
    found = attributes["borarun_store"]
    if found > FORMAT:
        raise StoreError(
            f"{path}: was written by a newer borarun (got format {found}, this one reads up "
            f"to {FORMAT}). Upgrade: python -m pip install --upgrade borarun"
        )


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what reading a damaged record raises into a StoreError that says so."""
    try:
        yield
    except StoreError:
        raise
    except StrangeRecordError as error:
        raise ForeignError(path, str(error)) from error
    except (FileNotFoundError, PermissionError) as error:
        raise StoreError(
            f"{path}: cannot be read ({error.strerror}). Check the path and its permissions."
        ) from error
    except Exception as error:  # zip, JSON, zarr and its codecs each have their own
        what = f"{type(error).__name__}: {error}"
        raise DamagedError(
            f"{path}: is damaged ({what}). Remove the file and submit again to compute "
            "the task anew.",
            path.name.split(".")[0],
        ) from error
