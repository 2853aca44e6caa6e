"""Records that leave the site, and records that come from elsewhere."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable
from typing import IO, Any

from borarun.errors import StoreError
from borarun.sharing.disclosure import licensed, without_paths
from borarun.store import Store, readable
from borarun.task import Json

SHARED_PROVENANCE = ("borarun", "started", "seconds", "cores", "exit_code")
"""What of a record's provenance leaves the site."""

KEPT_TYPES = {
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
"""Types of number that records hold, with their sizes in bytes."""

KEPT_CODECS = {"bytes", "blosc", "crc32c", "sharding_indexed"}

MOST_RAW, SMALL_B = 1000, 64_000_000
"""A record is taken for a bomb where its arrays are so many times larger than its file, and larger
than this.
"""


def share(store: Store, key: str, file: IO[bytes]) -> None:
    """Write a copy of a record that may leave the site: it names no host and no path. The rest is
    the same, byte for byte.

    Raises
    ------
    StoreError
        Where the record is damaged, or holds what is under licence.
    """
    path = store.path(key)
    with (
        readable(path),
        zipfile.ZipFile(path) as ours,
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as copy,
    ):
        for name in ours.namelist():
            content = ours.read(name)  # checks its checksum
            if name == "zarr.json":
                content = _shared(content)
            elif (
                name.endswith("/zarr.json") and json.loads(content).get("data_type") == "uint8"
            ):  # a text, or a file as it was
                item = name.removesuffix("/zarr.json")
                if kind := licensed(store.array(key, item).tobytes()):
                    raise StoreError(
                        f"{path}: holds {kind} in {item}. Files under licence are not passed "
                        "on: leave its stage out."
                    )
            copy.writestr(zipfile.ZipInfo(name), content)


def verify(store: Store, key: str) -> None:
    """Check a record that came from elsewhere before anything reads its arrays.

    Raises
    ------
    StoreError
        Where it is damaged, of a newer borarun, of another task than its name says, or no record
        that a store wrote.
    """
    path = store.path(key)
    with readable(path):
        with zipfile.ZipFile(path) as archive:
            if strange := _strange(archive, path.stat().st_size):
                raise StoreError(
                    f"{path}: is no record that borarun wrote ({strange}). Do not use it."
                )
        if (found := store.task(key).key) != key:
            raise StoreError(
                f"{path}: is the record of another task (got {found}), or was changed. Do "
                "not use it."
            )


def _shared(content: bytes) -> bytes:
    """Attributes of a record without what is of its site."""
    described = json.loads(content)
    attributes = described["attributes"]
    provenance = attributes["provenance"]
    attributes["provenance"] = {
        name: provenance[name] for name in SHARED_PROVENANCE if name in provenance
    }
    attributes["facts"] = _each_text(attributes["facts"], without_paths)
    return json.dumps(described, indent=2).encode()


def _each_text(value: Json, change: Callable[[str], str]) -> Json:
    """A JSON value with every text in it changed, keys left alone."""
    if isinstance(value, dict):
        return {name: _each_text(item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [_each_text(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def _strange(archive: zipfile.ZipFile, size_B: int) -> str:
    """What a record holds that a store writes into none; empty where all is well.

    Parameters
    ----------
    size_B : of the whole record
    """
    raw = 0.0
    for entry in archive.infolist():
        if entry.compress_type != zipfile.ZIP_STORED:
            return f"{entry.filename} is compressed"
        if entry.filename.rpartition("/")[2] != "zarr.json":
            continue
        array = json.loads(archive.read(entry))
        if array["node_type"] == "group":
            continue
        if array["data_type"] not in KEPT_TYPES or not _codecs(array["codecs"]) <= KEPT_CODECS:
            return f"{entry.filename} names a type or a codec that no record has"
        shapes = array["shape"], array["chunk_grid"]["configuration"]["chunk_shape"]
        raw += KEPT_TYPES[array["data_type"]] * max(math.prod(shape) for shape in shapes)
    return (
        f"its arrays say that they are {raw / size_B:.0f} times larger than the file"
        if raw > max(SMALL_B, MOST_RAW * size_B)
        else ""
    )


def _codecs(codecs: list[Any]) -> set[str]:
    """Names of codecs, and of those within a shard."""
    within = [
        codec["configuration"].get(kind, [])
        for codec in codecs
        for kind in ("codecs", "index_codecs")
        if "configuration" in codec
    ]
    return {codec["name"] for codec in codecs}.union(*map(_codecs, within))
