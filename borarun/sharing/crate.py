"""The metadata file of a data set, by which a repository knows what it takes: who made what, with
which programs, under which licence. Pure.

Source: RO-Crate 1.2, w3id.org/ro/crate/1.2; schema.org.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePosixPath
from urllib.parse import quote

from pydantic import JsonValue

from borarun import __version__
from borarun.basics.errors import Problem, StudyError
from borarun.engines.potential.base import PotentialSection
from borarun.engines.registry import ENGINES
from borarun.input.messages import Section
from borarun.records.attributes import Attributes, span
from borarun.records.task import Task
from borarun.sections.study import Study
from borarun.subjects import SUBJECTS

NAME = "ro-crate-metadata.json"

FORMATS = {
    ".yaml": "application/yaml",
    ".json": "application/json",
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".html": "text/html",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".cif": "chemical/x-cif",
    ".xyz": "chemical/x-xyz",
    ".extxyz": "chemical/x-xyz",
    ".zip": "application/zip",
}
"""Suffix -> media type; whatever is not here is text."""

_AUTHOR = re.compile(
    r"(?P<name>[^\d\s<>\"][^\d<>\"]*?)(?:[\s,]+(?P<orcid>\d{4}-\d{4}-\d{4}-\d{3}[\dX]))?"
)


@dataclass(frozen=True)
class File:
    """What the metadata say of a file.

    Attributes
    ----------
    size_B, sha256 : of its content; None where it cannot be known, because the file has the hash of
        this one
    about : what it is
    """

    size_B: int | None
    sha256: str | None
    about: str


@dataclass(frozen=True)
class Person:
    """An author; ``orcid`` is empty where none was given."""

    name: str
    orcid: str = ""


@dataclass(frozen=True)
class Terms:
    """What only the authors can say.

    Attributes
    ----------
    authors : in their order
    licence : SPDX identifier or address; empty where none is chosen
    """

    authors: tuple[Person, ...] = ()
    licence: str = ""

    @classmethod
    def of(cls, authors: Iterable[str], licence: str) -> Terms:
        """Terms from the words of a command line: ``Ada Lovelace 0000-0002-1825-0097``,
        ``CC-BY-4.0``.

        Raises
        ------
        StudyError
            Where they are not of that form.
        """
        people, problems = [], []
        for text in authors:
            found = _AUTHOR.fullmatch(text.strip())
            if found is None or (found["orcid"] and not _is_orcid(found["orcid"])):
                problems.append(
                    Problem(
                        "--author",
                        0,
                        "",
                        f"must be a name, with or without an ORCID (got {text!r:.80}). "
                        "Write 'Ada Lovelace 0000-0002-1825-0097'.",
                    )
                )
            else:
                people.append(Person(found["name"], found["orcid"] or ""))
        if licence and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]*|https?://\S+", licence):
            problems.append(
                Problem(
                    "--license",
                    0,
                    "",
                    f"must be an SPDX identifier or a URL (got {licence!r:.80}). Write "
                    "for example CC-BY-4.0.",
                )
            )
        if problems:
            raise StudyError(problems)
        return cls(tuple(people), licence)


def _is_orcid(orcid: str) -> bool:
    """Whether the last character is the check of the others, by ISO 7064, 11-2."""
    total = 0
    for digit in orcid.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2 % 11
    return "0123456789X"[(12 - total) % 11] == orcid[-1]


@dataclass(frozen=True)
class History:
    """How records came to be.

    Attributes
    ----------
    programs : name -> versions
    started, ended : ISO 8601; empty where no record tells
    """

    programs: Mapping[str, str] = field(default_factory=dict)
    started: str = ""
    ended: str = ""

    @classmethod
    def of(cls, tasks: Sequence[Task], told: Sequence[Attributes]) -> History:
        """From the tasks that are done and the attributes of their records, in the same order."""
        notes = [each.provenance for each in told]
        found: dict[str, set[str]] = {
            "borarun": {note.borarun for note in notes if note.borarun} or {__version__}
        }
        for task, each in zip(tasks, told, strict=True):
            program = each.facts.get("program")
            found.setdefault(task.engine, set()).add(
                f"{program} ({task.version})" if program else task.version
            )
        started, ended = span(notes)
        return cls(
            {name: ", ".join(sorted(versions)) for name, versions in found.items()},
            started.isoformat() if started else "",
            ended.isoformat() if ended else "",
        )


def metadata(
    study: Study,
    study_file: str,
    files: Mapping[str, File],
    history: History,
    terms: Terms,
    today: date,
) -> JsonValue:
    """The JSON-LD of a data set.

    Parameters
    ----------
    study_file : path of the study in the data set
    files : every file of the data set but this one, by its path there
    today : date of publication until a repository gives its own
    """
    action: dict[str, JsonValue] = {
        "@id": "#computation",
        "@type": "CreateAction",
        "name": f"borarun submit {PurePosixPath(study_file).name}",
        "instrument": _refer(f"#{name}" for name in history.programs),
        "object": _refer([quote(study_file)]),
        "result": _refer(["./"]),
    }
    if history.started:
        action |= {"startTime": history.started, "endTime": history.ended}
    licence, entity = _licence(terms.licence)
    potential = study.section(PotentialSection)
    root: dict[str, JsonValue] = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{study.name}: {study.material.formula}, computed with borarun",
        "description": _description(study),
        "datePublished": today.isoformat(),
        "license": {"@id": licence},
        "keywords": [
            study.material.formula,
            "solid electrolyte",
            *([potential.KIND] if potential else []),
            "molecular dynamics",
            *study.functionals,
        ],
        "hasPart": _refer(map(quote, files)),
        "mentions": _refer(["#computation"]),
    }
    people = [_person(person) for person in terms.authors]
    if people:
        root["author"] = _refer(map(_place, terms.authors))
    return {
        "@context": "https://w3id.org/ro/crate/1.2/context",
        "@graph": [
            {
                "@id": NAME,
                "@type": "CreativeWork",
                "conformsTo": {"@id": "https://w3id.org/ro/crate/1.2"},
                "about": {"@id": "./"},
            },
            root,
            *(_file(path, file) for path, file in files.items()),
            action,
            *(_program(name, version) for name, version in history.programs.items()),
            *people,
            entity,
        ],
    }


def _refer(places: Iterable[str]) -> JsonValue:
    """References to other entities; a single one stands without a list."""
    found: list[JsonValue] = [{"@id": place} for place in places]
    return found[0] if len(found) == 1 else found


def text(described: JsonValue) -> bytes:
    """The content of the metadata file."""
    return json.dumps(described, indent=1, ensure_ascii=False).encode() + b"\n"


def _description(study: Study) -> str:
    present = {name for name, _ in study.sections(Section)}
    done = ", ".join(
        subject.name.replace("_", " ") for subject in SUBJECTS if subject.name in present
    )
    stand_in = study.reference.stand_in(", ".join(study.functionals))
    not_dft = f" They are not DFT, but from {stand_in}." if stand_in else ""
    return (
        f"Order-disorder transition and ionic conductivity of {study.material.formula} with "
        f"{', '.join(study.functionals)}, from one study file ({done}). "
        f"Energies, forces and stresses are from {study.reference.engine}.{not_dft}"
    )


def _file(path: str, file: File) -> dict[str, JsonValue]:
    suffix = PurePosixPath(path).suffix.lower()
    described: dict[str, JsonValue] = {
        "@id": quote(path),
        "@type": "File",
        "name": PurePosixPath(path).name,
        "description": file.about,
        "encodingFormat": FORMATS.get(suffix, "text/plain"),
    }
    if file.size_B is not None:
        described |= {"contentSize": str(file.size_B), "sha256": file.sha256}
    return described


def _program(name: str, version: str) -> dict[str, JsonValue]:
    described: dict[str, JsonValue] = {"@id": f"#{name}", "name": name, "version": version}
    home = getattr(ENGINES.get(name), "HOME", "")
    if home:  # the specification wants an address of an application
        return described | {"@type": "SoftwareApplication", "url": home}
    return described | {"@type": "CreativeWork", "description": "Program, or part of borarun."}


def _place(person: Person) -> str:
    return f"https://orcid.org/{person.orcid}" if person.orcid else f"#{quote(person.name)}"


def _person(person: Person) -> dict[str, JsonValue]:
    return {"@id": _place(person), "@type": "Person", "name": person.name}


def _licence(licence: str) -> tuple[str, dict[str, JsonValue]]:
    """Its address, and what is said of it."""
    if not licence:
        place, name, about = (
            "#no-licence",
            "No licence chosen",
            "The authors have not stated a licence for this data set. Ask them.",
        )
    else:
        place = licence if "://" in licence else f"https://spdx.org/licenses/{licence}"
        name, about = licence, "The licence of this data set."
    return place, {"@id": place, "@type": "CreativeWork", "name": name, "description": about}
