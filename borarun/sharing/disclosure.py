"""What must not leave a site with its results: where its files are, and files under licence."""

from __future__ import annotations

import re

_PATH = re.compile(
    r"(?<![\w.:/)-])~?/(?:[^\s/'\"<>|:;,()\[\]{}]+/)+(?P<name>[^\s/'\"<>|:;,()\[\]{}]*)"
)
"""An absolute path of two steps or more: a single one is as often a fraction or an option."""

_LICENSED = (
    (re.compile(rb"VRHFIN *=|parameters from PSCTR are"), "a POTCAR of VASP"),
    (re.compile(rb"<UPF[ >]|<PP_HEADER"), "a pseudopotential (UPF)"),
)
"""Words that stand in every file of a kind; a TITEL alone only names one."""


def without_paths(text: str) -> str:
    """A text in which every absolute path is cut to its last name."""
    return _PATH.sub(lambda found: found["name"] or "...", text)


def licensed(content: bytes) -> str:
    """What kind of file under licence this is, or holds; empty where it is none.

    Most pseudopotentials are free, but not all: none is passed on. VASP's kernel is a table of
    numbers and has no mark of its own; no engine reads it.
    """
    return next((kind for pattern, kind in _LICENSED if pattern.search(content)), "")
