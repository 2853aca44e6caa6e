"""Records that leave the site, and records that come from elsewhere."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from typing import IO

from pydantic import JsonValue

from borarun.basics.errors import StoreError
from borarun.records.attributes import Provenance
from borarun.records.store import Store, readable
from borarun.sharing.disclosure import licensed, without_paths


def share(store: Store, key: str, file: IO[bytes]) -> None:
    """Write a copy of a record that may leave the site: it names no host and no path. The rest is
    the same, byte for byte.

    Raises
    ------
    StoreError
        Where the record is damaged, or holds what is under licence.
    """
    store.check(key)
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
                        f"{path}: contains {kind} in {item}. Files under licence must not "
                        "be passed on: leave out its stage."
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
        store.check(key)
        if (found := store.task(key).key) != key:
            raise StoreError(
                f"{path}: is the record of another task (got {found}), or was changed. Do "
                "not use it."
            )


def _shared(content: bytes) -> bytes:
    """Attributes of a record without what is of its site."""
    described = json.loads(content)
    attributes = described["attributes"]
    attributes["provenance"] = Provenance.model_validate(attributes["provenance"]).shared()
    attributes["facts"] = _each_text(attributes["facts"], without_paths)
    return json.dumps(described, indent=2).encode()


def _each_text(value: JsonValue, change: Callable[[str], str]) -> JsonValue:
    """A JSON value with every text in it changed, keys left alone."""
    if isinstance(value, dict):
        return {name: _each_text(item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [_each_text(item, change) for item in value]
    return change(value) if isinstance(value, str) else value
