"""Tables: rounded on the page, whole in files."""

from __future__ import annotations

import csv
import io
import math

from borarun.report.blocks import Column, Table
from borarun.report.measured import Measured

TABLE = Table(
    "example",
    "Example",
    (
        Column("who"),
        Column("temperature", "K"),
        Column("conductivity", "S/cm", 2),
        Column("accepted"),
    ),
    [
        ["this study", 300, Measured(1.234567891e-3, 1e-3, 1.5e-3), True],
        ["paper, a", None, 2.5, False],
        ["experiment", 1 / 3, None, True],
    ],
)


def test_the_page_has_rounded_numbers_with_their_intervals() -> None:
    assert TABLE.cells == [
        ["this study", "300", "(1.2 ± 0.2) × 10⁻³", "yes"],
        ["paper, a", "–", "2.5", "no"],
        ["experiment", "0.3333", "–", "yes"],
    ]
    assert TABLE.numeric == [False, True, True, True]


def test_files_have_whole_numbers_units_and_three_columns_for_a_measured_one() -> None:
    rows = list(csv.reader(io.StringIO(TABLE.csv())))
    assert rows[0] == [
        "who",
        "temperature (K)",
        "conductivity (S/cm)",
        "conductivity (S/cm), low",
        "conductivity (S/cm), high",
        "accepted",
    ]
    assert rows[1] == ["this study", "300", "0.0012345679", "0.001", "0.0015", "True"]
    assert rows[2] == ["paper, a", "", "2.5", "", "", "False"], (
        "a comma within a text stays within it"
    )
    assert math.isclose(float(rows[3][1]), 1 / 3, rel_tol=1e-7) and rows[3][2:5] == ["", "", ""]
