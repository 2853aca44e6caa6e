"""Whether the framework held in every run."""

from __future__ import annotations

from borarun.report import text
from borarun.report.blocks import Column, Table, Value
from borarun.subjects.common.results import Results


def checks(results: Results) -> Table | None:
    """Whether the framework held in every run."""
    if not results.checks:
        return None
    pairs = list(dict.fromkeys(pair for check in results.checks for pair in check.bonds_A))
    rows: list[list[Value]] = [
        [
            f"{c.stage}, {c.label}",
            *(_bond(c.bonds_A.get(pair)) for pair in pairs),
            c.displacement_A,
            c.unwrap_difference_percent,
            c.grade_max,
            "holds" if c.intact else "broken",
            c.verdict,
        ]
        for c in results.checks
    ]
    columns = (
        Column("run"),
        *(Column(f"{pair}: start, shortest–longest", "Å") for pair in pairs),
        Column(
            f"largest net shift of {'an anion' if results.molecular else 'the framework'}", "Å", 2
        ),
        Column("difference of the two MSDs", "%", 2),
        Column("largest grade", "", 3),
        Column("framework"),
        Column("remark"),
    )
    bonds = (
        "Bond lengths within the anions over all frames of each production run; "
        if results.anions
        else "Of each production run: "
    )
    shift = " and of ".join(
        [
            *(["anion centres"] if results.anions else []),
            *([] if results.molecular else ["framework atoms outside of anions"]),
        ]
    )
    caption = (
        f"{bonds}net displacement of {shift} between the first and the last tenth; largest "
        "relative difference in MSD between unwrapping in scaled coordinates and the "
        "toroidal scheme; largest extrapolation grade of the run."
    )
    return Table("checks", "Checks of every production run", columns, rows, caption)


def _bond(lengths: tuple[float, float, float] | None) -> str:
    return (
        text.NOTHING if lengths is None else f"{lengths[0]:.2f}, {lengths[1]:.2f}–{lengths[2]:.2f}"
    )
