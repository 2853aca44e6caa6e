"""Packs taken apart, and put together wrong: what a stranger might send."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from borarun.basics.errors import StoreError, StudyError
from borarun.sharing.pack import MANIFEST
from borarun.sharing.unpack import unpack

STUDY = """\
borarun: 1
name: small
material: {formula: Li2B12H12, phases: {Pa-3: structures/Li2B12H12-Pa-3.cif}, mobile: Li, anions: B12H12}
functionals: [PBE-D3]
reference: {engine: bundled}
relax: {}
training_set: {aimd: {temperatures_K: 600, time_ps: 0.04, sample_every_fs: 2}}
potential: {level: 8}
active_learning: {}
"""  # noqa: E501


@dataclass
class Contents:
    """A pack taken apart, to be put together wrong.

    Attributes
    ----------
    members : all but the manifest
    manifest : its JSON
    fitting : write the manifest's sizes and hashes anew, as whoever means harm would
    entries : how a member is written, where it is not as usual
    """

    members: list[tuple[str, bytes]]
    manifest: dict[str, object]
    fitting: bool = True
    entries: dict[str, zipfile.ZipInfo] = field(default_factory=dict)

    @property
    def record(self) -> str:
        return next(name for name, _ in self.members if name.endswith(".zarr.zip"))

    def change(self, name: str, content: bytes) -> None:
        self.members = [(each, content if each == name else old) for each, old in self.members]

    def rename(self, old: str, new: str) -> None:
        self.members = [(new if name == old else name, content) for name, content in self.members]

    def write(self, path: Path) -> Path:
        if self.fitting:
            self.manifest["members"] = {
                name: {"size_B": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                for name, content in self.members
            }
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in [*self.members, (MANIFEST, json.dumps(self.manifest).encode())]:
                archive.writestr(self.entries.get(name, zipfile.ZipInfo(name)), content)
        return path


def refused(contents: Contents, place: Path, match: str) -> None:
    path = contents.write(place.parent.parent / "bad.zip")
    with pytest.raises((StudyError, StoreError), match=match) as caught:
        unpack(path, place)
    assert str(path) in str(caught.value) and str(caught.value).endswith((".", "--upgrade borarun"))


def entry(name: str, **attributes: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    for attribute, value in attributes.items():
        setattr(made, attribute, value)
    return made


def rewritten(path: Path, change: Callable[[zipfile.ZipInfo], None]) -> Path:
    """A zip whose directory says something else than its members."""
    with zipfile.ZipFile(path, "a") as archive:
        for each in archive.infolist():
            change(each)
        archive._didModify = True  # type: ignore[attr-defined]
    return path


def forged(content: bytes, folder: Path, part: str, change: Callable[[Any], object]) -> bytes:
    """A record in which a part of its description has changed."""
    (old := folder / "old").write_bytes(content)
    with zipfile.ZipFile(old) as archive, zipfile.ZipFile(folder / "new", "w") as copy:
        for name in archive.namelist():
            described = json.loads(archive.read(name)) if name == part else None
            if described is not None:
                change(described)
            copy.writestr(name, archive.read(name) if described is None else json.dumps(described))
    return (folder / "new").read_bytes()
