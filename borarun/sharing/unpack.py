"""Unpack what ``pack`` packed, from whomever it comes: everything is checked before anything of it
is to be seen.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from borarun.basics.errors import DamagedError, ForeignError, Problem, StoreError, StudyError
from borarun.basics.file import appearing
from borarun.basics.zip_file import OddZipError, odd, opened_zip
from borarun.records.places import StoredRecords
from borarun.records.store import Store
from borarun.records.task import Task
from borarun.sharing import crate
from borarun.sharing.pack import (
    FORMAT,
    MANIFEST,
    MANIFEST_B_A_MEMBER,
    MAX_MANIFEST_B,
    MAX_MEMBERS,
    MAX_STUDY_FILES,
    RECORD,
    STORE,
    STUDY,
    Format,
    Licensed,
    Manifest,
    Member,
    colliding,
    record_name,
    unsafe,
)
from borarun.sharing.records import verify
from borarun.study import load_study
from borarun.study.plan import expand

PIECE_B = 1 << 20
FORGED = "borarun does not write such packs: do not use it."
AGAIN = "Ask for it again, and compare its SHA-256 with the sender's."


@dataclass(frozen=True)
class Unpacked:
    """What came of unpacking.

    Attributes
    ----------
    study : its file
    keys : of all records of the pack
    n_there : of these, in the store already, and left as they were
    borarun : version that packed it
    licensed : what records were made with, and what is not in the pack
    """

    study: Path
    keys: frozenset[str]
    n_there: int
    borarun: str
    licensed: tuple[Licensed, ...]


def unpack(file: Path, directory: Path, store: Store | None = None) -> Unpacked:
    """Unpack into a new folder, which appears when everything in it is checked, or not at all.

    Parameters
    ----------
    directory : the new folder
    store : where records go; without it, into the folder too

    Raises
    ------
    StudyError
        Where the pack is damaged, cut short, changed, of a newer borarun, or no pack; where it
        holds what could do harm, or a study that is not valid.
    StoreError
        Where a record is not what a store wrote, or the folder or the store cannot be written.
    """
    added: list[Path] = []
    try:
        with _opened(file) as archive:
            manifest = _checked(file, archive)
            keys = frozenset(
                found["key"] for name in manifest.members if (found := RECORD.fullmatch(name))
            )
            with appearing(directory) as place:
                _check_room(
                    directory, place, sum(member.size_B for member in manifest.members.values())
                )
                names = sorted(
                    [*manifest.members, MANIFEST], key=lambda name: name.startswith(STORE)
                )
                for name in names:  # records last: what is wrong is found before the most is read
                    _extract(file, archive, name, place / name, manifest.members.get(name))
                    if found := RECORD.fullmatch(name):
                        _check_record(file, place, found["key"])
                _check_study(file, place, manifest.study)
                if store is not None and keys:
                    for key in sorted(keys):
                        added += store.adopt(key, place / record_name(key))
                    shutil.rmtree(place / Path(STORE).parts[0])
    except BaseException:
        for path in added:
            path.unlink(missing_ok=True)
        raise
    there = 0 if store is None else len(keys) - len(added)
    return Unpacked(
        directory / manifest.study, keys, there, manifest.borarun, tuple(manifest.licensed)
    )


def differing_versions(tasks: Iterable[Task], keys: Iterable[str], store: Store) -> list[str]:
    """Why records are of none of a study's tasks here: the programs whose version has changed.

    Parameters
    ----------
    tasks : of the study, as they are here
    keys : of the records
    """
    here: dict[str, set[str]] = {}
    for task in tasks:
        here.setdefault(task.engine, set()).add(task.version)
    there = {(told.engine, told.version) for key in keys for told in [store.attributes(key).task]}
    return [
        f"{engine} is {', '.join(sorted(here[engine]))} here, and was {was}"
        for engine, was in sorted(there)
        if engine in here and was not in here[engine]
    ]


def _refuse(file: Path, message: str) -> StudyError:
    return StudyError(Problem(str(file), 0, "", message))


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    with ExitStack() as stack:
        try:
            archive, _ = stack.enter_context(opened_zip(file, MAX_MEMBERS))
        except OSError as error:
            raise _refuse(
                file, f"cannot be read ({error.strerror}). Check the path and its permissions."
            ) from error
        except OddZipError as error:
            raise _refuse(file, f"is not a pack: {error}. {FORGED}") from error
        except Exception as error:  # besides its own, whatever zipfile stumbles over
            raise _refuse(file, f"is not a pack, or is incomplete ({error}). {AGAIN}") from error
        yield archive


def _checked(file: Path, archive: zipfile.ZipFile) -> Manifest:
    """The manifest; every member is what it says, by name and size. Nothing is unpacked yet."""
    entries = archive.infolist()
    manifest = _manifest(file, archive)
    for entry in entries:
        if why := unsafe(entry.filename) or odd(entry):
            raise _refuse(file, f"its member {entry.filename!r:.200} {why}. {FORGED}")
    if twice := colliding(entry.filename for entry in entries):
        raise _refuse(
            file, f"its member {twice!r:.200} is there twice, or with other capitals. {FORGED}"
        )
    sizes = {entry.filename: entry.file_size for entry in entries if entry.filename != MANIFEST}
    for name in sorted(sizes.keys() ^ manifest.members.keys()):
        raise _refuse(
            file,
            f"its member {name!r:.200} is "
            f"{'not in the manifest' if name in sizes else 'missing'}: it was changed. {AGAIN}",
        )
    if (n_files := sum(name.startswith(STUDY) for name in sizes)) > MAX_STUDY_FILES:
        raise _refuse(file, f"its study has {n_files} files, most are {MAX_STUDY_FILES}. {FORGED}")
    for name, member in manifest.members.items():
        if not (RECORD.fullmatch(name) or name.startswith(STUDY) or name == crate.NAME):
            raise _refuse(file, f"its member {name!r:.200} has no place in a pack. {FORGED}")
        if member.size_B != sizes[name]:
            raise _refuse(
                file,
                f"its member {name!r:.200} has {sizes[name]} B, not the manifest's "
                f"{member.size_B} B: it was changed. {AGAIN}",
            )
    if manifest.study not in manifest.members or not manifest.study.startswith(STUDY):
        raise _refuse(
            file, f"it names a study that is not in it (got {manifest.study!r:.200}). {FORGED}"
        )
    return manifest


def _manifest(file: Path, archive: zipfile.ZipFile) -> Manifest:
    entry = next((entry for entry in archive.infolist() if entry.filename == MANIFEST), None)
    if entry is None:
        raise _refuse(
            file,
            f"is not a pack, or is incomplete: it has no {MANIFEST}. Give a complete file "
            "written by `borarun pack`.",
        )
    most_B = min(MAX_MANIFEST_B, MANIFEST_B_A_MEMBER * (len(archive.infolist()) + 100))
    if entry.file_size > most_B:
        raise _refuse(
            file,
            f"its {MANIFEST} is larger than its members need (got {entry.file_size} B, most "
            f"{most_B} B). {FORGED}",
        )
    content = b"".join(_pieces(file, archive, MANIFEST))
    try:
        if (found := Format.model_validate_json(content).borarun_pack) > FORMAT:
            raise _refuse(
                file,
                f"was packed by a newer borarun (got format {found}, this one reads up to "
                f"{FORMAT}). Upgrade: python -m pip install --upgrade borarun",
            )
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise _refuse(
            file,
            f"its {MANIFEST} is damaged ({'.'.join(map(str, first['loc']))}: "
            f"{first['msg']}). {AGAIN}",
        ) from None


def _pieces(file: Path, archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    try:
        with archive.open(name) as member:
            while piece := member.read(PIECE_B):
                yield piece
    except Exception as error:  # zipfile and its codecs each have their own
        raise _refuse(file, f"its member {name!r:.200} is damaged ({error}). {AGAIN}") from error


def _check_room(directory: Path, place: Path, needed_B: int) -> None:
    if (free_B := shutil.disk_usage(place).free) < needed_B:
        raise StoreError(
            f"{directory}: no room: it needs {needed_B / 1e6:.0f} MB, and "
            f"{free_B / 1e6:.0f} MB are free. Free some space, or choose a folder on "
            "another disk."
        )


def _extract(
    file: Path, archive: zipfile.ZipFile, name: str, target: Path, member: Member | None
) -> None:
    """Unpack a member, and check its hash; the manifest has none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("xb") as out:
        for piece in _pieces(file, archive, name):
            out.write(piece)
            digest.update(piece)
    if member is not None and digest.hexdigest() != member.sha256:
        raise _refuse(
            file,
            f"its member {name!r:.200} does not have the hash in the manifest: it was "
            f"changed. {AGAIN}",
        )


def _check_study(file: Path, place: Path, name: str) -> None:
    """The study is valid, and can go on from the records."""
    try:
        study = load_study(place / name)
    except StudyError as error:
        raise StudyError(
            [
                replace(problem, file=f"{file}: {Path(problem.file).relative_to(place)}")
                for problem in error.problems
            ]
        ) from None
    try:
        expand(study, StoredRecords(Store(place / STORE)))
    except Exception as error:  # whatever stages stumble over in facts that no engine wrote
        raise _refuse(
            file,
            f"the study cannot continue from its results ({type(error).__name__}: "
            f"{error}). {FORGED}",
        ) from error


def _check_record(file: Path, place: Path, key: str) -> None:
    try:
        verify(Store(place / STORE), key)
    except ForeignError as error:
        raise _refuse(
            file, f"its member {record_name(key)!r} is not a record ({error.why}). {FORGED}"
        ) from error
    except DamagedError as error:
        raise _refuse(file, f"its member {record_name(key)!r} is not a record. {FORGED}") from error
    except StoreError as error:
        raise _refuse(file, f"its member {str(error).removeprefix(f'{place}/')}") from error
