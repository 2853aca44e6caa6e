"""Keys and engines of study and site files that have a new name: the former one is read too.

Who gives a key a new name writes it down beside its section, as ``RENAMED``. Everything else
follows from there: files with the former name are read with a warning, ``borarun update`` rewrites
them, and the reference lists both names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Self

from pydantic import PrivateAttr

from borarun.basics.errors import Problem, StudyError
from borarun.input.messages import Section
from borarun.input.yaml_file import KeyPath, Node


@dataclass(frozen=True)
class Renamed:
    """A key that has a new name, or a key whose value has one.

    Attributes
    ----------
    place : keys that lead to it, the last one by its former name
    name : what the key is called now; or its value, where ``value`` is given
    since : the version of borarun that gave it the new name
    value : the former value, e.g. an engine's name; empty where the key itself has a new name
    """

    place: KeyPath
    name: str
    since: str
    value: str = ""

    def within(self, *outer: str) -> Renamed:
        """The same, seen from outside of the section that has it."""
        return replace(self, place=(*outer, *self.place))

    @property
    def now(self) -> KeyPath:
        """Keys that lead to it today."""
        return self.place if self.value else (*self.place[:-1], self.name)


@dataclass(frozen=True)
class Former:
    """A former name found in a file.

    Attributes
    ----------
    problem : where it is, and what it is called now
    start, end : the first character of the name in the file's text, and that behind its last
    before, name : the name that the file has, and the one to write instead
    """

    problem: Problem
    start: int
    end: int
    before: str
    name: str

    def warning(self, command: str) -> str:
        """The place, both names, and the command that changes the file."""
        place, problem = f"{self.problem.file}:{self.problem.line}", self.problem
        return f"{place}: warning: {problem.key} {problem.message} Run `{command}`."


class WithFormerNames(Section):
    """A file's model that knows which former names its file has."""

    _former: list[Former] = PrivateAttr(default_factory=list)

    def having(self, former: list[Former]) -> Self:
        """A copy that knows them."""
        copy = self.model_copy()
        copy._former = former
        return copy

    @property
    def former(self) -> list[Former]:
        """Names in its file that are read although they have a new one."""
        return self._former


def with_new_names(root: Node, renamed: Iterable[Renamed]) -> tuple[Node, list[Former]]:
    """The file's nodes under the names that they have today, and the former names in it.

    Raises
    ------
    StudyError
        Where a section has a key under both names.
    """
    found: list[Former] = []
    for each in renamed:
        above, steps = root.along(each.place[:-1])
        node = above.get(each.place[-1]) if len(steps) == len(each.place) - 1 else None
        if node is None or (each.value and node.value != each.value):
            continue
        if not each.value and (other := above.get(each.name)):
            message = (
                f"is the former name of {each.name}, which is in line {other.line} of "
                f"{other.file} too. Remove one of the two."
            )
            raise StudyError(root.problem(each.place, message))
        found.append(_former(root, node, each))
        root = _changed(root, each.place, each)
    return root, sorted(found, key=lambda former: former.start)


def _former(root: Node, node: Node, renamed: Renamed) -> Former:
    start, end = node.value_at if renamed.value else node.key_at
    before = renamed.value or str(renamed.place[-1])
    message = f"{f'{before} ' if renamed.value else ''}is now called {renamed.name}."
    return Former(root.problem(renamed.place, message), start, end, before, renamed.name)


def _changed(node: Node, place: KeyPath, renamed: Renamed) -> Node:
    """The nodes with one name changed; the order of the keys stays."""
    first, *rest = place
    inner = node.value[first]
    changed: dict[str | int, Node]
    if rest:
        changed = {first: _changed(inner, tuple(rest), renamed)}
    elif renamed.value:
        changed = {first: replace(inner, value=renamed.name)}
    else:
        changed = {renamed.name: inner}
    items: dict[str | int, Node] = {}
    for key, value in node.value.items():
        items |= changed if key == first else {key: value}
    return replace(node, value=items)


def in_words(formers: Iterable[Former]) -> Iterator[str]:
    """One line for each file with former names in it, and what to do."""
    counts: dict[str, int] = {}
    for former in formers:
        counts[former.problem.file] = counts.get(former.problem.file, 0) + 1
    for file, count in counts.items():
        names = "1 key has a new name" if count == 1 else f"{count} keys have new names"
        yield f"{file}: warning: {names}. Run `borarun update {file}` to change the file."
