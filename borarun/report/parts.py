"""Blocks that are there, and a note on those that are not."""

from __future__ import annotations

from collections.abc import Sequence

from borarun.report import text
from borarun.report.blocks import Block, Note
from borarun.report.provenance import Gap


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


def why_no_value(gaps: Sequence[Gap]) -> str:
    """Why a card has no value: nothing has run yet, or what has run failed.

    Parameters
    ----------
    gaps : tasks without a result that the value follows from
    """
    failed = sum(gap.failed for gap in gaps)
    if not failed:
        return "not computed yet"
    if failed < len(gaps):
        return f"not computed yet; {text.count(failed, 'run')} failed"
    return f"no result: {text.count(failed, 'run')} failed"


def _first(failed: Sequence[Gap]) -> str:
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return f"{failed[0].stage} {failed[0].label} failed{more}: {failed[0].reason}"


def optional(block: Block | None) -> list[tuple[str, Block | None]]:
    """A block that not every study has: nothing is missing where it is not there."""
    return [] if block is None else [("", block)]
