"""What a page is made of: notes, figures and tables, grouped in sections."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from borarun.report import text
from borarun.report.results import Gap, Measured
from borarun.report.style import Panel

Value = str | float | int | bool | Measured | None


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
        return [[_cell(value, column) for value, column in zip(row, self.columns, strict=True)] for row in self.rows]

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers."""
        return [all(not isinstance(row[index], str) for row in self.rows) for index in range(len(self.columns))]

    def csv(self) -> str:
        """Comma-separated text; a measured number takes three columns: value, low, high of its 95 % interval."""
        spans = [any(isinstance(row[index], Measured) for row in self.rows) for index in range(len(self.columns))]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        header: list[str] = []
        for column, span in zip(self.columns, spans, strict=True):
            name = f"{column.header} ({column.unit})" if column.unit else column.header
            header += [name, f"{name}, low", f"{name}, high"] if span else [name]
        writer.writerow(header)
        for row in self.rows:
            line: list[object] = []
            for value, span in zip(row, spans, strict=True):
                if isinstance(value, Measured):
                    line += [_raw(value.value), _raw(value.low), _raw(value.high)]
                else:
                    line += [_raw(value), "", ""] if span else [_raw(value)]
            writer.writerow(line)
        return out.getvalue()


def _raw(value: Value) -> object:
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
class Section:
    """A part of the page. ``gaps`` are its tasks without a result."""

    id: str
    title: str
    intro: str
    blocks: Sequence[Block]
    gaps: Sequence[Gap] = field(default_factory=tuple)


@dataclass(frozen=True)
class Card:
    """A key number at the top of the page, with what stands beside it: (who, what)."""

    title: str
    value: str
    unit: str
    note: str
    beside: Sequence[tuple[str, str]]
