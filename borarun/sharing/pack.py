"""A pack: one file with a study, the files that it names and its records, for another group.
``unpack`` reads it.

It is a zip whose members are not compressed, for records are already: the file of each can be read
where it lies. Its folders are those of a run:

    manifest.json                   format, hash of every other member, what is under licence and
                                    not in it
    ro-crate-metadata.json          the same for repositories
    study/NAME.yaml, ...            the study, what it extends, its structures
    runs/store/KEY.zarr.zip         a record each
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedRandom
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, StringConstraints

from borarun import __version__
from borarun.basics.errors import DamagedError, Problem, StudyError
from borarun.basics.file import must_be_new, replacing
from borarun.input.messages import did_you_mean
from borarun.records.operations.reference import Computed
from borarun.records.places import StoredRecords
from borarun.records.store import Store
from borarun.records.task import Record
from borarun.sharing import crate
from borarun.sharing.disclosure import licensed
from borarun.sharing.records import share
from borarun.study import Study, study_files
from borarun.study.plan import Plan, expand
from borarun.subjects import PRODUCTION

FORMAT = 1
"""Version of the layout above."""

MANIFEST = "manifest.json"
STUDY, STORE = "study/", "runs/store/"
RECORD = re.compile(rf"{STORE}(?P<key>[0-9a-f]{{24}})\.zarr\.zip")

MAX_MEMBERS, MAX_STUDY_FILES = 200_000, 2_000
"""Members of a pack, and those of them that are files of the study."""

MAX_MANIFEST_B = 100_000_000
MANIFEST_B_A_MEMBER = 1_000
"""Twice the longest name, its size and its hash."""

STUDY_FILE = "the study, or a file that it names"

TRAJECTORIES = "trajectories"

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class Part(BaseModel):
    """Base of the manifest's parts."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Member(Part):
    """Size and hash of a member."""

    size_B: NonNegativeInt
    sha256: Sha256


class Licensed(Part):
    """A file that records were made with, and that whoever goes on needs: it is not in the pack.

    Attributes
    ----------
    what : kind, element and name
    hash : of its content, with the name of the method
    """

    what: str
    hash: str


class Format(BaseModel):
    """What a pack of any version says."""

    borarun_pack: Annotated[int, Field(ge=1)]


class Manifest(Part):
    """What a pack says of itself.

    Attributes
    ----------
    borarun_pack : version of the format
    borarun : version that packed it
    study : path of the study
    members : every other member, by its path
    licensed : what is not in it
    """

    borarun_pack: Annotated[int, Field(ge=1)]
    borarun: str
    study: str
    members: dict[str, Member]
    licensed: list[Licensed] = []


@dataclass(frozen=True)
class Packed:
    """What came of packing.

    Attributes
    ----------
    path, size_B, sha256 : of the pack
    n_records : in it
    left_out : stage -> records that were asked to stay behind
    not_done : known tasks that have no record
    """

    path: Path
    size_B: int
    sha256: str
    n_records: int
    left_out: Mapping[str, int]
    not_done: int


def pack(
    file: Path,
    study: Study,
    store: Store,
    output: Path,
    *,
    terms: crate.Terms,
    without: Sequence[str] = (),
) -> Packed:
    """Write a pack. Nothing of the site goes in: no host, no path, no failure, nothing under
    licence.

    Parameters
    ----------
    file : of the study
    terms : authors and licence, for repositories
    without : stages whose records stay behind, or ``trajectories``

    Raises
    ------
    StudyError
        Where the study cannot go to another machine as it is, or ``without`` names what it does not
        have.
    StoreError
        Where a record is damaged or holds what is under licence, or the pack cannot be written.
    """
    must_be_new(output)
    contents = study_contents(file)
    records = StoredRecords(store, _refuse)
    plan = expand(study, records)
    stays = _stages(without, plan)
    done = [task for task in plan.tasks if task.key in records]
    chosen = [task for task in done if task.stage not in stays]
    _must_fit(file, len(contents), len(chosen))
    members: dict[str, crate.File] = {}
    with replacing(output) as target, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in contents.items():
            members[STUDY + name] = _add(archive, STUDY + name, content, STUDY_FILE)
        for task in chosen:
            with tempfile.TemporaryFile(
                dir=output.parent
            ) as copy:  # a zip within a zip is written in two steps, so that it can be read in one
                share(store, task.key, copy)
                copy.seek(0)
                members[record_name(task.key)] = _copy(
                    archive, record_name(task.key), copy, task.name
                )
        history = crate.History.of(chosen, [store.attributes(task.key) for task in chosen])
        described = crate.metadata(
            study,
            STUDY + file.name,
            {**members, MANIFEST: crate.File(None, None, "sizes and hashes")},
            history,
            terms,
            datetime.now(UTC).date(),
        )
        members[crate.NAME] = _add(archive, crate.NAME, crate.text(described), "")
        manifest = Manifest(
            borarun_pack=FORMAT,
            borarun=__version__,
            study=STUDY + file.name,
            members={
                name: Member(size_B=member.size_B or 0, sha256=member.sha256 or "")
                for name, member in members.items()
            },
            licensed=_licensed(records[task.key] for task in chosen),
        )
        _add(archive, MANIFEST, manifest.model_dump_json(indent=1).encode() + b"\n", "")
    with output.open("rb") as written:
        sha256 = hashlib.file_digest(written, "sha256").hexdigest()
    return Packed(
        output,
        output.stat().st_size,
        sha256,
        len(chosen),
        Counter(task.stage for task in done if task.stage in stays),
        len(plan.tasks) - len(done),
    )


def _must_fit(file: Path, n_files: int, n_records: int) -> None:
    """Refuse to write what `unpack` would refuse.

    Raises
    ------
    StudyError
        Where there are more files or records than a pack may hold.
    """
    if n_files > MAX_STUDY_FILES:
        raise StudyError(
            Problem(
                str(file),
                0,
                "",
                f"names {n_files} files, and a pack holds at most {MAX_STUDY_FILES}. Join its "
                "label files into fewer ones.",
            )
        )
    most = MAX_MEMBERS - n_files - 2  # of which one is the manifest, and one describes the pack
    if n_records > most:
        raise StudyError(
            Problem(
                str(file),
                0,
                "",
                f"has {n_records} records, and a pack holds at most {most}. Leave some stages out: "
                "--without STAGE, or --without trajectories.",
            )
        )


def study_contents(file: Path) -> dict[str, bytes]:
    """Content of every file that a study is read from, by its path from the study.

    Raises
    ------
    StudyError
        Where one of them cannot go to another machine as it is.
    """
    files = study_files(file)
    problems = [
        Problem(str(path), 0, "", f"{why}. Rename it.")
        for name, path in files.items()
        if (why := unsafe(name))
    ]
    if twice := colliding(files):
        problems.append(
            Problem(
                str(files[twice]),
                0,
                "",
                "differs from the name of another file only in capitals, and some "
                "machines do not distinguish them. Rename it.",
            )
        )
    contents = {name: path.read_bytes() for name, path in files.items()}
    for name, content in contents.items():
        if kind := licensed(content):
            problems.append(
                Problem(
                    str(files[name]),
                    0,
                    "",
                    f"contains {kind}. Files under licence must not be passed on.",
                )
            )
    if problems:
        raise StudyError(problems)
    return contents


def record_name(key: str) -> str:
    """The member that is a record."""
    return f"{STORE}{key}.zarr.zip"


def unsafe(name: str) -> str:
    """Why a path must not be a member's: it would leave the folder, or not be the same on every
    machine. Empty where it may.
    """
    parts = name.split("/")
    if name.startswith("/") or ".." in parts:
        return "leads out of the folder"
    if "" in parts or "." in parts:
        return "is not the path of a file"
    if (
        "\\" in name
        or ":" in name
        or any(unicodedata.category(character).startswith("C") for character in name)
    ):
        return "contains a character that is not allowed in paths on some machines"
    return (
        "is too long" if len(name) > 500 or any(len(part.encode()) > 255 for part in parts) else ""
    )


def colliding(names: Iterable[str]) -> str:
    """A name that some file systems take for one of the others, or for its folder; empty where
    there is none.
    """
    seen: dict[str, str] = {}
    folders: set[str] = set()
    for name in names:
        folded = unicodedata.normalize("NFC", name).casefold()
        if folded in seen:
            return name
        seen[folded] = name
        folders |= {folded[:index] for index, character in enumerate(folded) if character == "/"}
    return next((name for folded, name in seen.items() if folded in folders), "")


def _stages(without: Sequence[str], plan: Plan) -> set[str]:
    known = [*plan.stages, TRAJECTORIES]
    problems = [
        Problem(
            "--without",
            0,
            "",
            f"must be one of {', '.join(known)} (got {word!r:.80}).{did_you_mean(word, known)}",
        )
        for word in without
        if word not in known
    ]
    if problems:
        raise StudyError(problems)
    return {
        stage for word in without for stage in (PRODUCTION if word == TRAJECTORIES else (word,))
    }


def _refuse(error: DamagedError) -> None:
    raise error


def _licensed(records: Iterable[Record]) -> list[Licensed]:
    """The files under licence that records name, each once."""
    found: set[tuple[str, str]] = set()
    for facts in (record.facts(Computed) for record in records):
        found |= {
            (f"POTCAR of {element}, {each.titel}", f"sha256 {each.sha256}")
            for element, each in facts.potcars.items()
        }
        found |= {
            (f"pseudopotential of {element}, {each.file}", f"md5 {each.md5}")
            for element, each in facts.pseudopotentials.items()
        }
        if kernel := facts.vdw_kernel_sha256:
            found.add(("van der Waals kernel of VASP", f"sha256 {kernel}"))
    return [Licensed(what=what, hash=hashed) for what, hashed in sorted(found)]


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)  # a fixed time: the same content makes the same member
    entry.external_attr = 0o100644 << 16
    return entry


def _add(archive: zipfile.ZipFile, name: str, content: bytes, about: str) -> crate.File:
    archive.writestr(_entry(name), content)
    return crate.File(len(content), hashlib.sha256(content).hexdigest(), about)


def _copy(archive: zipfile.ZipFile, name: str, source: BufferedRandom, about: str) -> crate.File:
    with archive.open(_entry(name), "w", force_zip64=True) as member:
        shutil.copyfileobj(source, member, 1 << 20)
    source.seek(0)
    sha256 = hashlib.file_digest(source, "sha256").hexdigest()
    return crate.File(source.tell(), sha256, about)
