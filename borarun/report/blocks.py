"""What a page is made of: notes, figures and tables, grouped in sections."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from borarun.report import text
from borarun.report.measured import Measured
from borarun.report.provenance import Gap
from borarun.report.style import Panel

Plain = str | float | int | bool | None
Value = Plain | Measured


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    header : what it holds
    unit : of its numbers; empty for texts
    digits : significant digits of plain numbers on the page
    """

    header: str
    unit: str = ""
    digits: int = 4


@dataclass(frozen=True)
class Table:
    """A table on the page and as ``tables/NAME.csv``.

    Attributes
    ----------
    name : file name without suffix
    title, caption : above it
    columns, rows : raw values; the page rounds them, the CSV file does not
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Value]]
    caption: str = ""
    kind: str = "table"

    @property
    def cells(self) -> list[list[str]]:
        """Every cell as text."""
        return [
            [_cell(value, column) for value, column in zip(row, self.columns, strict=True)]
            for row in self.rows
        ]

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers."""
        return [
            all(not isinstance(row[index], str) for row in self.rows)
            for index in range(len(self.columns))
        ]

    def flat(self) -> list[tuple[str, list[Plain]]]:
        """Columns as files hold them, each its name with unit and its values; a measured number
        takes three: value, low and high of its 95 % interval.
        """
        found: list[tuple[str, list[Plain]]] = []
        for index, column in enumerate(self.columns):
            values = [row[index] for row in self.rows]
            name = f"{column.header} ({column.unit})" if column.unit else column.header
            found.append(
                (name, [value.value if isinstance(value, Measured) else value for value in values])
            )
            if any(isinstance(value, Measured) for value in values):
                found.append(
                    (
                        f"{name}, low",
                        [value.low if isinstance(value, Measured) else None for value in values],
                    )
                )
                found.append(
                    (
                        f"{name}, high",
                        [value.high if isinstance(value, Measured) else None for value in values],
                    )
                )
        return found

    def csv(self) -> str:
        """Comma-separated text of the same."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        names, columns = zip(*self.flat(), strict=True)
        writer.writerow(names)
        writer.writerows([_raw(value) for value in row] for row in zip(*columns, strict=True))
        return out.getvalue()


def _raw(value: Plain) -> object:
    return "" if value is None else f"{value:.8g}" if isinstance(value, float) else value


def _cell(value: Value, column: Column) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, Measured):
        return text.measured(value)
    return text.number(value, column.digits)


@dataclass(frozen=True)
class Figure:
    """Panels that share a caption; ``data`` is what they draw."""

    title: str
    caption: str
    panels: tuple[Panel, ...]
    data: Table
    kind: str = "figure"


@dataclass(frozen=True)
class Note:
    """A paragraph. ``tone`` is ``plain``, ``warning`` or ``good``."""

    text: str
    tone: str = "plain"
    kind: str = "note"


Block = Figure | Table | Note


@dataclass(frozen=True)
class PageSection:
    """A part of the page. ``gaps`` are its tasks without a result; ``late`` ones stand after the
    others.
    """

    id: str
    title: str
    intro: str
    blocks: Sequence[Block]
    gaps: Sequence[Gap] = field(default_factory=tuple)
    late: bool = False


@dataclass(frozen=True)
class Card:
    """A key number at the top of the page, with what stands beside it: (who, what). ``of_method``
    where it says how good the method is, and nothing of the material.
    """

    title: str
    value: str
    unit: str
    note: str
    beside: Sequence[tuple[str, str]]
    of_method: bool = False


@dataclass(frozen=True)
class File:
    """A file of the report, and what it is."""

    content: bytes
    about: str
