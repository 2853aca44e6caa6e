"""Rewrite a study or site file that has former names, and change nothing else in it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from borarun.basics.errors import StudyError
from borarun.basics.file import must_be_new, replacing
from borarun.cli.kinds import Kind, kind_of
from borarun.input.renamed import Former, Renamed, with_new_names
from borarun.input.yaml_file import parse_yaml, read_text
from borarun.sections.study import RENAMED as IN_ANALYSES
from borarun.site.model import RENAMED as IN_SITES
from borarun.study.model import RENAMED as IN_STUDIES

_TABLES: dict[Kind, tuple[Renamed, ...]] = {
    "study": IN_STUDIES,
    "site": IN_SITES,
    "published": (),
    "analysis": IN_ANALYSES,
}


@dataclass(frozen=True)
class Updated:
    """A file, as it is and with the names of today.

    Attributes
    ----------
    path : of the file
    before, after : its text
    former : the former names in it
    """

    path: Path
    before: str
    after: str
    former: list[Former]

    def difference(self) -> str:
        """The lines that change, as ``diff -u`` shows them."""
        lines = difflib.unified_diff(
            self.before.splitlines(),
            self.after.splitlines(),
            str(self.path),
            str(self.path),
            n=0,
            lineterm="",
        )
        return "\n".join(lines)


def updated(path: Path) -> Updated:
    """A file with the names of today. Every other character stays: comments, order, line ends.

    Raises
    ------
    StudyError
        Where the file cannot be read, is of no known kind, or has a key twice.
    """
    kind = kind_of(path)
    text = read_text(path)
    root, problems = parse_yaml(text, str(path))
    if problems:
        raise StudyError(problems)
    _, former = with_new_names(root, _TABLES[kind])
    after = text
    for each in reversed(former):  # from the end, so that places before stay
        after = after[: each.start] + each.name + after[each.end :]
    return Updated(path, text, after, former)


def backup_of(path: Path) -> Path:
    """Where the file as it was is kept."""
    return path.with_name(f"{path.name}.bak")


def write(file: Updated) -> None:
    """Put the new text in the place of the file, and keep the file as it was beside it.

    Raises
    ------
    StoreError
        Where there is such a copy already, or the folder cannot be written.
    """
    path, backup = file.path.resolve(), backup_of(file.path)
    must_be_new(backup)
    content, mode = path.read_bytes(), path.stat().st_mode
    mark = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
    with replacing(backup) as copy:
        copy.write(content)
    with replacing(path) as new:
        new.write(mark + file.after.encode())
    path.chmod(mode)
