"""What ran, and what failed."""

from __future__ import annotations

from collections.abc import Sequence

from borarun.report.blocks import Column, Table, Value
from borarun.report.provenance import Gap
from borarun.subjects.common.results import Results


def runs(results: Results) -> Table:
    """Every task: engine, version, seed, key."""
    rows: list[list[Value]] = [
        [
            run.stage,
            run.label,
            run.engine,
            run.version,
            str(run.seed) if run.seed is not None else "",
            run.key,
        ]
        for run in results.provenance.runs
    ]
    columns = (
        Column("stage"),
        Column("run"),
        Column("engine"),
        Column("version"),
        Column("seed"),
        Column("key"),
    )
    caption = (
        "The key is the hash of everything that determines the result: engine, version, settings "
        "and inputs. The store holds one file KEY.zarr.zip for each."
    )
    return Table("runs", "Runs", columns, rows, caption)


def failures(gaps: Sequence[Gap]) -> Table | None:
    """What failed and why."""
    rows: list[list[Value]] = [
        [gap.stage, gap.label, gap.reason, gap.remedy] for gap in gaps if gap.failed
    ]
    columns = (Column("stage"), Column("run"), Column("why"), Column("what to do"))
    return Table("failures", "Failures", columns, rows) if rows else None


def versions(results: Results) -> Table | None:
    """Program versions."""
    if not results.provenance.versions:
        return None
    rows: list[list[Value]] = [
        [name, version] for name, version in results.provenance.versions.items()
    ]
    return Table("versions", "Versions", (Column("program"), Column("version")), rows)
