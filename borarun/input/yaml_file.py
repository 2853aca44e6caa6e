"""Read a YAML file written by a person: plain data, every value with its file and line.

The format is a small, safe part of YAML 1.2: one document, mappings with distinct keys, lists, and
scalars of the core schema. Anchors, aliases, merge keys and tags are refused, so that nothing in a
file can refer to itself, grow, or name a Python object.

Source: YAML 1.2.2, section 10.3.2 (core schema).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, events
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from borarun.basics.errors import Problem, StudyError
from borarun.basics.printable import printable

KeyPath = tuple[str | int, ...]
"""Keys and list indices that lead from the top of a file to a value."""

NO_BLANK = "Put a space after the colon."
DECIMALS = "Write decimals with a point, as in {}."

MAX_BYTES = 1_000_000
MAX_DEPTH = 20

_NULL = re.compile(r"(null|Null|NULL|~)?")
_TRUE, _FALSE = re.compile(r"true|True|TRUE"), re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}")
_BASED = re.compile(r"0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(?:(inf|Inf|INF)|(nan|NaN|NAN))")
_SURROGATE = re.compile("[\ud800-\udfff]")
_GLUED = re.compile(r"^ *(?P<key>[A-Za-z_]\w*):(?P<value>[^\s/:]\S*) *(?:#.*)?$", re.MULTILINE)
"""A key without a blank behind its colon, for YAML a word."""

_ODD_BLANK = re.compile("[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff]")
_NO_CHARACTER = (
    "contains an invalid escape sequence in double quotes, such as \\UFFFFFFFF. Use "
    "single quotes around text with a backslash."
)


@dataclass(frozen=True)
class Node:
    """A value with its place.

    Attributes
    ----------
    value : dict of nodes by key, list of nodes, or a scalar
    file : name of the file, as the user gave it
    line : line of the key, of the list item, or of the start of the document, from 1
    key_at, value_at : the first character of the key, and of the value, in the file's text, and
        that behind the last, quotes included
    """

    value: Any
    file: str
    line: int
    key_at: tuple[int, int] = (0, 0)
    value_at: tuple[int, int] = (0, 0)

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return [node.plain() for node in self.value] if isinstance(self.value, list) else self.value

    def get(self, step: str | int) -> Node | None:
        """The node under a key or at an index; None where there is none."""
        if isinstance(self.value, dict):
            return self.value.get(step)
        return (
            self.value[step]
            if isinstance(self.value, list) and isinstance(step, int) and step < len(self.value)
            else None
        )

    def along(self, path: KeyPath) -> tuple[Node, KeyPath]:
        """The deepest node on ``path`` and the steps that lead to it; steps that the file does not
        hold are passed over.
        """
        node, found = self, []
        for step in path:
            if (below := node.get(step)) is not None:
                node = below
                found.append(step)
        return node, tuple(found)

    def problem(self, path: KeyPath, message: str) -> Problem:
        """A mistake at ``path``, placed at the nearest line that the file holds."""
        node, _ = self.along(path)
        return _problem(node.file, node.line, path, message)


def _problem(file: str, line: int, path: KeyPath, message: str) -> Problem:
    """A mistake, in characters that a terminal prints: whatever else the file holds is escaped."""
    key = ".".join(str(step) for step in path)
    return Problem(file, line, printable(key), printable(message))


def merge(base: Node, over: Node) -> Node:
    """``base`` changed by ``over``: mappings are merged key by key, everything else is replaced.

    A mapping that names another ``engine`` replaces the old one whole, since the keys of one engine
    mean nothing to the other.
    """
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    engines = [node.value for node in (base.get("engine"), over.get("engine")) if node is not None]
    if len(engines) == 2 and engines[0] != engines[1]:
        return over
    merged = {
        key: merge(base.value[key], node) if key in base.value else node
        for key, node in over.value.items()
    }
    return replace(over, value={**base.value, **merged})


def read_yaml(path: Path) -> tuple[Node, list[Problem]]:
    """Read a file whose top level is a mapping; keys that stand twice or have no value are returned
    as problems.

    Raises
    ------
    StudyError
        Where the file cannot be read, is not YAML, or uses what this format leaves out.
    """
    return parse_yaml(read_text(path), str(path))


def read_text(path: Path) -> str:
    """The text of a file, its line ends as they are.

    Raises
    ------
    StudyError
        Where it cannot be read, is too large or is not UTF-8.
    """

    def wrong(message: str, line: int = 0) -> StudyError:
        return StudyError(_problem(str(path), line, (), message))

    try:
        if path.is_dir():
            raise wrong("is a folder. Give the path of a YAML file.")
        if not path.exists():
            raise wrong("no such file. Check the path, or write a new study with `borarun init`.")
        if not path.is_file():
            raise wrong("is not a regular file. Give the path of a YAML file.")
        if path.stat().st_size > MAX_BYTES:
            raise wrong(
                f"is larger than {MAX_BYTES // 1_000_000} MB (got {path.stat().st_size} "
                "bytes). This is not a study file."
            )
        content = path.read_bytes()
    except OSError as error:
        raise wrong(
            f"cannot be read ({error.strerror}). Check the path and its permissions."
        ) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise wrong(
            f"is not UTF-8 text (got byte 0x{content[error.start]:02x}). Save it as UTF-8.", line
        ) from None


def parse_yaml(text: str, file: str) -> tuple[Node, list[Problem]]:
    """As ``read_yaml``, from text; ``file`` is the name used in messages."""
    try:
        builder = _Builder(text, file)
        return builder.document(), builder.problems
    except MarkedYAMLError as error:
        at_end = "end of stream" in str(error.problem) or "<stream end>" in str(error.problem)
        mark = (
            error.context_mark if at_end and error.context_mark else error.problem_mark
        )  # where it opened, not where the file ends
        if odd := _within(_ODD_BLANK, text, error):
            line = text.count("\n", 0, odd.start()) + 1
            message = (
                f"contains a special space character (got U+{ord(odd[0]):04X}). Delete it "
                "and type a normal space."
            )
            raise StudyError(_problem(file, line, (), message)) from None
        if glued := _within(_GLUED, text, error):
            line = text.count("\n", 0, glued.start("key")) + 1
            message = (
                "needs a space after the colon (got "
                f"{glued['key']}:{glued['value']:.40}). {NO_BLANK}"
            )
            raise StudyError(_problem(file, line, (glued["key"],), message)) from None
        raise StudyError(
            _problem(file, mark.line + 1 if mark else 0, (), _syntax_message(error))
        ) from None
    except ReaderError as error:
        message = f"contains a control character (got U+{error.character:04X}). Remove it."
        raise StudyError(
            _problem(file, text.count("\n", 0, error.position) + 1, (), message)
        ) from None
    except (ValueError, OverflowError):
        raise StudyError(_problem(file, 0, (), _NO_CHARACTER)) from None
    except YAMLError as error:
        raise StudyError(
            _problem(
                file,
                0,
                (),
                f"is not valid YAML ({' '.join(str(error).split()):.200}). Correct the file.",
            )
        ) from None


def _within(pattern: re.Pattern[str], text: str, error: MarkedYAMLError) -> re.Match[str] | None:
    """The first match in the lines that an error is about, or in the one before, which may go on in
    them.
    """
    lines = [mark.line for mark in (error.context_mark, error.problem_mark) if mark is not None]
    begins = [0, *(found.end() for found in re.finditer("\n", text)), len(text)]
    return (
        pattern.search(
            text, begins[max(min(lines) - 1, 0)], begins[min(max(lines) + 1, len(begins) - 1)]
        )
        if lines
        else None
    )


def _syntax_message(error: MarkedYAMLError) -> str:
    what = " ".join(str(error.problem or error.context or "cannot be read").split())
    if "'\\t'" in what:
        return "is indented with a tab. Use spaces."
    if "mapping values are not allowed" in what:
        return (
            "has two `:` on one line, or is indented too far. Put quotes around text "
            "that contains `: `, and align the keys of a section."
        )
    if "expected <block end>" in what or "did not find expected key" in what:
        return (
            "has an indentation that does not match the lines above, or a misplaced "
            f"bracket ({what}). Align the keys of a section."
        )
    return f"is not valid YAML: {what}. Check brackets, quotes and indentation near this line."


class _Builder:
    """One pass over the parser's events."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.events: Iterator[Any] = iter(YAML(typ="safe", pure=True).parse(text))

    def document(self) -> Node:
        next(self.events)  # start of the stream
        first = next(self.events)
        if not isinstance(first, events.DocumentStartEvent):
            raise self._refuse(None, "is empty. Write a new study with `borarun init`.")
        root = self._node(next(self.events), (), 1)
        next(self.events)  # end of the document
        after = next(self.events)
        if isinstance(after, events.DocumentStartEvent):
            raise self._refuse(after, "starts a second document (`---`). Write one study per file.")
        if root.value is None:
            raise self._refuse(None, "is empty. Write a new study with `borarun init`.")
        if not isinstance(root.value, dict):
            raise self._refuse(
                None, f"must be a mapping, lines of `key: value` (got {_kind(root.value)})."
            )
        return root

    def _refuse(self, event: Any, message: str) -> StudyError:
        return StudyError(
            _problem(self.file, event.start_mark.line + 1 if event is not None else 0, (), message)
        )

    def _node(self, event: Any, path: KeyPath, line: int) -> Node:
        if isinstance(event, events.AliasEvent):
            raise self._refuse(
                event,
                f"aliases are not part of this format (got *{event.anchor}). Write the value "
                "out, or use `extends`.",
            )
        if event.anchor is not None:
            raise self._refuse(
                event,
                f"anchors are not part of this format (got &{event.anchor}). Remove it, or "
                "use `extends`.",
            )
        tag = getattr(event, "tag", None)
        if tag is not None and str(tag) != "!":
            raise self._refuse(
                event, f"tags are not part of this format (got {str(tag)!r}). Remove it."
            )
        if len(path) > MAX_DEPTH:
            raise self._refuse(
                event, f"is nested more than {MAX_DEPTH} levels deep. This is not a study file."
            )
        if isinstance(event, events.ScalarEvent):
            if _SURROGATE.search(event.value):
                raise self._refuse(event, _NO_CHARACTER)
            return Node(
                self._scalar(event, path, line), self.file, line, value_at=_characters(event)
            )
        if isinstance(event, events.SequenceStartEvent):
            return Node(self._list(path), self.file, line)
        return Node(self._mapping(path), self.file, line)

    def _list(self, path: KeyPath) -> list[Node]:
        items: list[Node] = []
        while not isinstance(event := next(self.events), events.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items)), event.start_mark.line + 1))
        return items

    def _mapping(self, path: KeyPath) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        while not isinstance(event := next(self.events), events.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, events.ScalarEvent):
                raise self._refuse(event, "a key must be a single word.")
            key = event.value
            self._node(event, (), line)  # refuses anchors and tags on the key
            if key == "<<" and event.implicit[0]:
                raise self._refuse(
                    event,
                    "merge keys are not part of this format (got <<). Write the keys out, or "
                    "use `extends`.",
                )
            node = self._node(next(self.events), (*path, key), line)
            if key in entries:
                self.problems.append(
                    _problem(
                        self.file,
                        line,
                        (*path, key),
                        f"is in this section twice, first in line {entries[key].line}. "
                        "Remove one of them.",
                    )
                )
            else:
                entries[key] = replace(node, key_at=_characters(event))
        return entries

    def _scalar(self, event: Any, path: KeyPath, line: int) -> Any:
        if not event.implicit[0] or event.tag is not None:  # quoted text stays text
            return event.value
        if event.value == "" and path:
            self.problems.append(
                _problem(self.file, line, path, f"has no value. {_what_was_meant(str(path[-1]))}")
            )
        return resolve(event.value)


def _characters(event: Any) -> tuple[int, int]:
    """Where something begins and ends in the text."""
    return event.start_mark.index, event.end_mark.index


def _what_was_meant(key: str) -> str:
    """The way out for a key without a value."""
    if ":" in key:
        return NO_BLANK
    if key.isdigit():  # {timestep_fs: 0,5}
        return DECIMALS.format("0.5")
    return "Write a value, or `{}` for a section with all defaults, or remove the line."


def resolve(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar by the core schema: null, boolean, integer, float, else the text
    itself.
    """
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text[0] in "tT"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if special := _SPECIAL.fullmatch(text):
        return float(f"{special[1]}inf") if special[2] else float("nan")
    return text


def _kind(value: Any) -> str:
    return "a list" if isinstance(value, list) else f"{value!r:.60}"
