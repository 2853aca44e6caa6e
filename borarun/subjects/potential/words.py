"""Sentences on what a potential learnt from."""

from __future__ import annotations

from collections.abc import Iterable

from borarun.report.text import listed
from borarun.subjects.potential.results import Learning


def given(learning: Iterable[Learning]) -> str:
    """A sentence, with a space before it, on configurations that the study brought along; empty
    where there are none.
    """
    counts = {part.functional: part.n_given for part in learning if part.n_given}
    if not counts:
        return ""
    many = listed([f"{count} ({functional})" for functional, count in counts.items()])
    return (
        f" Of the initial data set, the labels of {many} configurations are from the "
        "study's files; borarun did not compute them."
    )


def pushed(learning: Iterable[Learning]) -> str:
    """A sentence, with a space before it, on fitted configurations that are far from equilibrium;
    empty where there are none.
    """
    counts = {part.n_pushed for part in learning} - {0}
    if not counts:
        return ""
    many = " or ".join(map(str, sorted(counts)))
    what = f"{many} configurations with ions pushed together or bonds strained"
    return (
        f" Fitted data contain {what}, whose forces and errors are many times larger; held-out "
        "data contain none."
    )
