"""Blocks that are there, and a note on those that are not."""

from __future__ import annotations

from collections.abc import Sequence

from borarun.report import text
from borarun.report.blocks import Block, Note
from borarun.report.provenance.results import Gap


def present(gaps: Sequence[Gap], *parts: tuple[str, Block | None]) -> list[Block]:
    """The blocks that are there, and one note that says what is missing and why."""
    missing = [what for what, block in parts if block is None]
    found = [block for _, block in parts if block is not None]
    return [_absent(text.listed(missing), gaps), *found] if missing else found


def _absent(what: str, gaps: Sequence[Gap]) -> Note:
    failed = [gap for gap in gaps if gap.failed]
    if failed:
        return Note(f"{what}: not available, because {_first(failed)}", "warning")
    if gaps:
        return Note(
            f"{what}: no results yet. {text.count(len(gaps), 'run')} still to come; the first is "
            f"{gaps[0].label}.",
            "missing",
        )
    return Note(
        f"{what}: no results yet. Its runs depend on results that are still missing.", "missing"
    )


def _first(failed: Sequence[Gap]) -> str:
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return f"{failed[0].stage} {failed[0].label} failed{more}: {failed[0].reason}"


def optional(block: Block | None) -> list[tuple[str, Block | None]]:
    """A block that not every study has: nothing is missing where it is not there."""
    return [] if block is None else [("", block)]
