"""Measured conductivities of lithium electrolytes: the table of OBELiX, which ships with borarun.

Source, licence and what was changed: ``obelix.md`` beside this module.
"""

from __future__ import annotations

import csv
import lzma
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from ase.formula import Formula

from borarun.published.model import Number, Published, Source

ROOM_TEMPERATURE_K = 298.0
"""The table gives conductivities at room temperature, without a number."""

SAME_COMPOSITION = 5e-4
"""Fractions of atoms that differ by less are equal: compositions have two or three digits."""

CITATION = (
    "as compiled in OBELiX: F. Therrien et al., OBELiX: a curated dataset of crystal structures "
    "and experimentally measured ionic conductivities for lithium solid-state electrolytes (2025), "
    "CC BY 4.0"
)

_ELEMENT = re.compile(r"([A-Z][a-z]?)([\d.]+)")


def measured(formula: str) -> Published:
    """Every measurement of a composition.

    Parameters
    ----------
    formula : e.g. ``Li3N``, or any multiple of it

    Returns
    -------
    Conductivities at room temperature, each with a source of its own; empty where the table does
    not have the composition. Of a sample whose bulk conductivity is known, that: a simulated
    crystal has no grain boundaries. Its total conductivity stands under ``place``.
    """
    wanted = _fractions(Formula(formula).count())
    sources, values = {}, []
    for row, fractions in _table():
        if fractions.keys() == wanted.keys() and all(
            abs(fractions[element] - wanted[element]) < SAME_COMPOSITION for element in wanted
        ):
            key = f"obelix-{row['id']}"
            dois = row["doi"].split("|")
            sources[key] = Source(
                short=f"OBELiX {row['id']}",
                citation="; ".join([*(f"also doi {doi}" for doi in dois[1:]), CITATION]),
                doi=dois[0],
            )
            values.append(_number(row, key))
    return Published(sources, tuple(values))


def _number(row: Mapping[str, str], source: str) -> Number:
    said = row["bulk_S_cm"] or row["conductivity_S_cm"]
    place = [row["space_group"], "room temperature"]
    if row["bulk_S_cm"]:
        place.append(f"bulk; total {float(row['total_S_cm'] or row['conductivity_S_cm']):g} S/cm")
    place.append(f"doi {row['doi'].replace('|', ', ')}")
    if row["note"]:
        place.append(f"its remark: {row['note']}")
    return Number(
        quantity="conductivity",
        value=float(said.lstrip("<")),
        at_most=said.startswith("<"),
        unit="S/cm",
        temperature_K=ROOM_TEMPERATURE_K,
        kind="experiment",
        source=source,
        place=", ".join(place),
    )


def _fractions(composition: Mapping[str, int] | Mapping[str, float]) -> dict[str, float]:
    atoms = sum(composition.values())
    return {element: count / atoms for element, count in composition.items()}


@cache
def _table() -> tuple[tuple[dict[str, str], dict[str, float]], ...]:
    """Rows of the table, and their atomic fractions."""
    packed = files("borarun.published").joinpath("obelix.csv.xz").read_bytes()
    rows = csv.DictReader(lzma.decompress(packed).decode("utf-8").splitlines())
    return tuple(
        (
            row,
            _fractions({e: float(count) for e, count in _ELEMENT.findall(row["composition"])}),
        )
        for row in rows
    )
