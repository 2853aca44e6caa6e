"""The file of a record as data: what it may hold, checked before zarr sees any of it.

A record is a zip of a zarr group (DESIGN.md). zarr itself does whatever the file says: it believes
the metadata of sub-groups, reads arrays of format 2 and runs every codec that is installed, of
which some execute what they read. So a file, from whomever it comes and be it one's own, passes
through here. What is allowed stands here in full; all else is refused.
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from borarun.basics.zip_file import LOCAL_HEADER_B, OddZipError, odd, opened_zip

SIZES_B = {
    "bool": 1,
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "uint16": 2,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
    "uint64": 8,
    "float32": 4,
    "float64": 8,
}
"""Data types that records hold, with the sizes of their numbers."""

MOST_MEMBERS = 50_000
MOST_AXES, MOST_LENGTH = 6, 2**40
MOST_ABSENT_CHUNKS, MOST_INNER_CHUNKS = 1000, 4096
MOST_DEPTH = 40
ROOT_B, NODE_B = 16_000_000, 100_000
"""Largest metadata of a record, which has its facts, and of one of its arrays."""

MOST_RAW, SMALL_B = 256, 64_000_000
"""A record is taken for a bomb where its arrays are so many times larger than its file, and larger
than this. LZ4, which trajectories are compressed with, cannot do better than 255.
"""

DOCUMENT = "zarr.json"
CHUNK = re.compile(r"(?P<item>.+)/c(?P<index>(?:/(?:0|[1-9][0-9]{0,12}))*)")
BLOSC, BLOSC_B = struct.Struct("<3xB3I"), 16
"""Header of a Blosc buffer, and its size: size of a number, then bytes raw, in a block, and in all.
"""

CHECKSUM_B, ABSENT = 4, (2**64 - 1, 2**64 - 1)
"""Size of the checksum after each chunk and index, and what an index says of a missing chunk.
Source: zarr's specification of crc32c and sharding_indexed.
"""

GROUP_KEYS = {"attributes", "zarr_format", "node_type", "consolidated_metadata"}
ARRAY_KEYS = {
    "shape",
    "data_type",
    "chunk_grid",
    "chunk_key_encoding",
    "fill_value",
    "codecs",
    "attributes",
    "dimension_names",
    "zarr_format",
    "node_type",
    "storage_transformers",
}
COMPRESSORS, SHUFFLES = {"zstd", "lz4"}, {"noshuffle", "shuffle", "bitshuffle"}


class StrangeRecordError(Exception):
    """A file that is no record; the text says why."""


@dataclass(frozen=True)
class Layout:
    """How an array of a record is stored, as far as it was found allowed.

    Attributes
    ----------
    data_type : a name in ``SIZES_B``
    shape : of the array
    stored : shape of what is one member of the zip: a chunk or a shard
    inner : shape of the chunks in a shard; None where there are no shards
    """

    data_type: str
    shape: tuple[int, ...]
    stored: tuple[int, ...]
    inner: tuple[int, ...] | None

    @property
    def chunk(self) -> tuple[int, ...]:
        """Shape of what is compressed in one piece."""
        return self.stored if self.inner is None else self.inner

    @property
    def chunk_B(self) -> int:
        """Size of a chunk once decompressed."""
        return SIZES_B[self.data_type] * math.prod(self.chunk)

    @property
    def raw_B(self) -> int:
        """Size of the array, or of one of its members if that is larger."""
        return SIZES_B[self.data_type] * max(math.prod(self.shape), math.prod(self.stored))

    @property
    def grid(self) -> tuple[int, ...]:
        """How many members there are along each axis."""
        return tuple(-(-n // m) for n, m in zip(self.shape, self.stored, strict=True))

    @cached_property
    def n_inner(self) -> int:
        """How many chunks there are in a shard."""
        return math.prod(n // m for n, m in zip(self.stored, self.chunk, strict=True))

    @property
    def index_B(self) -> int:
        """Size of the index that ends a shard, with its checksum."""
        return 16 * self.n_inner + CHECKSUM_B

    def document(self) -> bytes:
        """The metadata that zarr is shown: written anew, so that nothing else is in it."""
        codecs = _codecs(SIZES_B[self.data_type])
        if self.inner is not None:
            codecs = [
                _named(
                    "sharding_indexed",
                    chunk_shape=self.inner,
                    codecs=codecs,
                    index_codecs=[_named("bytes", endian="little"), {"name": "crc32c"}],
                    index_location="end",
                )
            ]
        return json.dumps(
            {
                "zarr_format": 3,
                "node_type": "array",
                "shape": self.shape,
                "data_type": self.data_type,
                "chunk_grid": _named("regular", chunk_shape=self.stored),
                "chunk_key_encoding": _named("default", separator="/"),
                "fill_value": _fill(self.data_type),
                "codecs": codecs,
                "attributes": {},
            }
        ).encode()

    def check_member(self, read: Callable[[int, int], bytes], size_B: int) -> None:
        """Refuse a member of the zip, a chunk or a shard, that would not become what it must be.

        Parameters
        ----------
        read : its bytes from one place to another
        size_B : of all of it

        Raises
        ------
        StrangeRecordError
        """
        if self.inner is None:
            return self.check_chunk(read(0, min(BLOSC_B, size_B)), size_B)
        index_B = max(size_B - self.index_B, 0)
        for start, length in self.places(read(index_B, size_B), size_B):
            self.check_chunk(read(start, start + min(BLOSC_B, length)), length)
        return None

    def places(self, index: bytes, size_B: int) -> list[tuple[int, int]]:
        """Start and length of every chunk in a shard.

        Parameters
        ----------
        index : of the shard, with its checksum
        size_B : of the shard

        Raises
        ------
        StrangeRecordError
        """
        if len(index) != self.index_B:
            _refuse("a shard is cut short")
        numbers = struct.unpack_from(f"<{2 * self.n_inner}Q", index)
        found = [
            place for place in zip(numbers[::2], numbers[1::2], strict=True) if place != ABSENT
        ]
        if any(start + length > size_B - self.index_B for start, length in found):
            _refuse("the index of a shard leads out of it")
        return found

    def check_chunk(self, header: bytes, size_B: int) -> None:
        """The same for a chunk, by its first bytes: Blosc makes room for what they say."""
        if len(header) < BLOSC_B:
            _refuse("a chunk is cut short")
        _, raw_B, block_B, all_B = BLOSC.unpack_from(header)
        if raw_B != self.chunk_B or all_B != size_B - CHECKSUM_B or not 0 < block_B <= raw_B:
            _refuse("a chunk says that it holds another number of bytes than its array has")


class RecordFile:
    """A record's file, open. Made by ``opened_record``.

    Raises
    ------
    StrangeRecordError
        At the first look at a part that is not allowed.
    """

    def __init__(self, archive: zipfile.ZipFile, file: BinaryIO) -> None:
        self._archive, self._file = archive, file
        entries = archive.infolist()
        self.size_B = os.fstat(file.fileno()).st_size
        self.members = {entry.filename: entry for entry in entries}
        if len(self.members) != len(entries):
            _refuse("a member is in it twice")
        for entry in entries:
            if why := odd(entry):
                _refuse(f"{entry.filename!r:.200} {why}")

    def __contains__(self, item: str) -> bool:
        return f"{item}/{DOCUMENT}" in self.members

    @cached_property
    def about(self) -> dict[str, Any]:
        """What the record says beside its arrays."""
        return self.attributes("")

    def attributes(self, item: str) -> dict[str, Any]:
        """Attributes of an array."""
        found: dict[str, Any] = self._node(item)["attributes"]
        return found

    def layout(self, item: str) -> Layout:
        """How an array is stored."""
        return self._layout(item, self._node(item))

    def _layout(self, item: str, node: dict[str, Any]) -> Layout:
        if node["node_type"] != "array":
            _refuse(f"{item!r:.200} is no array")
        made = _layout(item, node)
        self._check_raw(made.raw_B)
        n_chunks = math.prod(made.grid)
        if n_chunks > MOST_ABSENT_CHUNKS and n_chunks > MOST_ABSENT_CHUNKS + self._chunks[item]:
            _refuse(f"{item!r:.200} lacks most of its chunks")
        return made

    @cached_property
    def _chunks(self) -> Counter[str]:
        """How many members each array has."""
        return Counter(found["item"] for name in self.members if (found := CHUNK.fullmatch(name)))

    def size(self, name: str) -> int:
        """Size of a member in bytes."""
        return self.members[name].file_size

    def read(self, name: str, start: int, end: int) -> bytes:
        """Part of a member, from where it lies: `zipfile` reads all that is before it, again for
        each part.
        """
        entry, file = self.members[name], self._file.fileno()
        if not 0 <= start <= end <= entry.file_size:
            _refuse("the index of a shard leads out of it")
        # A header's last two numbers are the lengths of the name and of what follows it.
        lengths = struct.unpack("<26x2H", os.pread(file, LOCAL_HEADER_B, entry.header_offset))
        return os.pread(
            file, end - start, entry.header_offset + LOCAL_HEADER_B + sum(lengths) + start
        )

    def check(self) -> None:
        """Check every member at every level, as the reading of one item checks that item."""
        nodes: dict[str, Layout | None] = {}
        for name in self.members:
            if name == DOCUMENT or name.endswith(f"/{DOCUMENT}"):
                item = name.removesuffix(DOCUMENT).removesuffix("/")
                node = self._node(item)
                is_group = node["node_type"] == "group"
                if item and is_group and node["attributes"]:
                    _refuse(f"{item!r:.200} is a group with attributes of its own")
                nodes[item] = None if is_group else self._layout(item, node)
        if "" not in nodes:
            raise KeyError(DOCUMENT)
        if nodes[""] is not None:
            _refuse("it is a single array")
        _check_values(self.about)
        self._check_raw(sum(layout.raw_B for layout in nodes.values() if layout))
        for item in nodes:
            parents = item.split("/")[:-1]
            if any(nodes.get("/".join(parents[: n + 1])) for n in range(len(parents))):
                _refuse(f"{item!r:.200} is within an array")
        for name in self.members:
            if name.removesuffix(DOCUMENT).removesuffix("/") not in nodes:
                self._check_member(name, nodes)

    def _check_member(self, name: str, nodes: dict[str, Layout | None]) -> None:
        """A member that is no metadata is a chunk of an array, in its place and not a bomb."""
        found = CHUNK.fullmatch(name)
        layout = nodes.get(found["item"]) if found else None
        if found is None or layout is None:
            _refuse(f"{name!r:.200} has no place in it")
        index = [int(each) for each in found["index"].split("/")[1:]]
        if len(index) != len(layout.grid) or any(
            n >= m for n, m in zip(index, layout.grid, strict=True)
        ):
            _refuse(f"{name!r:.200} is outside its array")
        layout.check_member(partial(self.read, name), self.size(name))

    def _check_raw(self, raw_B: int) -> None:
        if raw_B > max(SMALL_B, MOST_RAW * self.size_B):
            _refuse(
                f"its arrays say that they are {raw_B / self.size_B:.0f} times larger than the file"
            )

    def _node(self, item: str) -> dict[str, Any]:
        """Metadata of a group or an array."""
        name = f"{item}/{DOCUMENT}" if item else DOCUMENT
        if item and not _is_name(item):
            _refuse(f"{name!r:.200} has a name that no record uses")
        if self.size(name) > (NODE_B if item else ROOT_B):
            _refuse(f"{name!r:.200} is larger than any metadata")
        return _node(name, self._archive.read(name))  # checks its checksum


@contextmanager
def opened_record(path: Path) -> Iterator[RecordFile]:
    """Open the file of a record.

    Raises
    ------
    StrangeRecordError
        Where it is not a record. zipfile.BadZipFile, KeyError, OSError
        Where it is damaged, or cannot be read.
    """
    try:
        with opened_zip(path, MOST_MEMBERS) as (archive, file):
            yield RecordFile(archive, file)
    except OddZipError as error:
        raise StrangeRecordError(str(error)) from error


def _refuse(why: str) -> NoReturn:
    raise StrangeRecordError(why)


def _number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


_DECODER = json.JSONDecoder(parse_constant=_number)


def _node(name: str, content: bytes) -> dict[str, Any]:
    try:
        node = _DECODER.decode(content.decode())
    except (ValueError, RecursionError) as error:
        _refuse(f"{name} is no metadata: {error}")
    if not isinstance(node, dict) or node.get("zarr_format") != 3:
        _refuse(f"{name} is not of zarr format 3")
    kind = node.get("node_type")
    if kind not in ("group", "array"):
        _refuse(f"{name} is neither of a group nor of an array")
    if strange := sorted(node.keys() - (GROUP_KEYS if kind == "group" else ARRAY_KEYS)):
        _refuse(f"{name} says more than a record does: {strange[0]!r:.80}")
    if node.get("consolidated_metadata") is not None:
        _refuse(f"{name} has metadata of others in it: consolidated_metadata")
    if not isinstance(node.get("attributes"), dict):
        _refuse(f"{name} has no attributes")
    return node


def _is_name(item: str) -> bool:
    parts = item.split("/")
    return len(item) <= 255 and all(
        part.isprintable() and part not in ("", ".", "..") and not set(part) & set("\\:")
        for part in parts
    )


def _named(name: str, **configuration: Any) -> dict[str, Any]:
    return {"name": name, "configuration": configuration}


def _codecs(size_B: int) -> list[dict[str, Any]]:
    """The codecs of every chunk; how Blosc compressed it is said in the chunk."""
    return [
        _named("bytes", endian="little") if size_B > 1 else {"name": "bytes"},
        _named("blosc", typesize=size_B, cname="zstd", clevel=5, shuffle="bitshuffle", blocksize=0),
        {"name": "crc32c"},
    ]


def _fill(data_type: str) -> Any:
    return "NaN" if data_type.startswith("float") else False if data_type == "bool" else 0


def _layout(item: str, node: dict[str, Any]) -> Layout:
    """What an array's metadata say, where it is allowed to the last word."""
    data_type = node.get("data_type")
    if not isinstance(data_type, str) or data_type not in SIZES_B:
        _refuse(f"{item} has a data type that no record has: {data_type!r:.80}")
    if type(node.get("fill_value")) is not type(_fill(data_type)) or (
        node["fill_value"] != _fill(data_type)
    ):
        _refuse(f"{item} has a fill value that no record has: {node.get('fill_value')!r:.80}")
    if node.get("storage_transformers", []) != []:
        _refuse(f"{item} has storage transformers, which no record has")
    if node.get("chunk_key_encoding") != _named("default", separator="/"):
        _refuse(f"{item} names its chunks in a way that no record does")
    shape = _shape(item, node.get("shape"), 0)
    names = node.get("dimension_names")
    if names is not None and not (
        isinstance(names, list)
        and len(names) == len(shape)
        and all(name is None or isinstance(name, str) for name in names)
    ):
        _refuse(f"{item} has other names of axes than axes")
    stored = _shape(item, _configured(item, node.get("chunk_grid"), "regular", "chunk_shape"), 1)
    inner: tuple[int, ...] | None = None
    codecs = node.get("codecs")
    if isinstance(codecs, list) and [_name(each) for each in codecs] == ["sharding_indexed"]:
        keys = "chunk_shape", "codecs", "index_codecs", "index_location"
        found, codecs, index_codecs, location = _configured(
            item, codecs[0], "sharding_indexed", *keys
        )
        inner = _shape(item, found, 1)
        if len(inner) != len(stored) or any(n % m for n, m in zip(stored, inner, strict=True)):
            _refuse(f"{item} has chunks that do not fill its shards")
        if (index_codecs, location) != (
            [_named("bytes", endian="little"), {"name": "crc32c"}],
            "end",
        ):
            _refuse(f"{item} has shards with an index that no record has")
    if len(stored) != len(shape):
        _refuse(f"{item} has chunks with another number of axes than it has")
    _check_codecs(item, codecs, SIZES_B[data_type])
    made = Layout(data_type, shape, stored, inner)
    if made.n_inner > MOST_INNER_CHUNKS:
        _refuse(f"{item} has shards of {made.n_inner} chunks")
    return made


def _name(codec: Any) -> Any:
    return codec.get("name") if isinstance(codec, dict) else None


def _configured(item: str, found: Any, name: str, *keys: str) -> Any:
    """Values of exactly these keys of a part of the metadata with this name."""
    configuration = found.get("configuration") if isinstance(found, dict) else None
    if (
        not isinstance(configuration, dict)
        or found.keys() != {"name", "configuration"}
        or found["name"] != name
        or configuration.keys() != set(keys)
    ):
        _refuse(f"{item} has a part {name} that no record has")
    values = [configuration[key] for key in keys]
    return values if len(values) > 1 else values[0]


def _shape(item: str, found: Any, least: int) -> tuple[int, ...]:
    if not isinstance(found, list) or len(found) > MOST_AXES:
        _refuse(f"{item} has a shape that is none: {found!r:.80}")
    for length in found:
        if type(length) is not int or not least <= length <= MOST_LENGTH:
            _refuse(f"{item} has a shape that is none: {found!r:.80}")
    return tuple(found)


def _check_codecs(item: str, codecs: Any, size_B: int) -> None:
    if not isinstance(codecs, list) or [_name(each) for each in codecs] != [
        "bytes",
        "blosc",
        "crc32c",
    ]:
        named = [_name(each) for each in codecs] if isinstance(codecs, list) else codecs
        _refuse(f"{item} has codecs that no record has: {named!r:.200}")
    order, blosc, checksum = codecs
    compressor, level, shuffle, block, size = _configured(
        item, blosc, "blosc", "cname", "clevel", "shuffle", "blocksize", "typesize"
    )
    if (
        order not in ({"name": "bytes"}, _named("bytes", endian="little"))
        or checksum != {"name": "crc32c"}
        or compressor not in COMPRESSORS
        or shuffle not in SHUFFLES
        or type(level) is not int
        or not 0 <= level <= 9
        or (block, size) != (0, size_B)
    ):
        _refuse(f"{item} has codecs that are set as in no record")


def _check_values(value: Any) -> None:
    """Finite numbers, not nested without end."""
    level = [value]
    for _ in range(MOST_DEPTH):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += each.values()
            elif isinstance(each, list):
                below += each
            elif isinstance(each, float) and not math.isfinite(each):
                _refuse("its facts hold a number that is not finite")
            elif isinstance(each, int) and abs(each) >= 2**64:
                _refuse("its facts hold a number that is too large")
        if not (level := below):
            return
    _refuse(f"its facts are nested more than {MOST_DEPTH} deep")
