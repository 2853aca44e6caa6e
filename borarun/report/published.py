"""Numbers from the literature to stand beside ours; they live in ``published.json`` and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class Source:
    """Where a number was published.

    Attributes
    ----------
    short : author and year
    citation : the full reference
    doi : without resolver; empty where it was not checked
    """

    short: str
    citation: str
    doi: str = ""


@dataclass(frozen=True)
class Published:
    """One published number.

    Attributes
    ----------
    material : formula
    quantity : e.g. ``lattice_parameter``, ``transition_temperature``, ``activation_energy``, ``conductivity``, ``training``
    unit : of ``value``, ``error``, ``low`` and ``high``
    kind : ``paper`` for a simulation, ``experiment`` for a measurement
    source : key of ``sources()``
    place : table or section, with what the number holds for
    value : the number
    error : as published, or None
    low, high : ends of a published range, or None
    functional : exchange-correlation functional of a simulation
    temperature_K, vacancies, mol_percent : conditions, None where the number does not depend on them; vacancies in a 3x3x3 supercell
    statistics : the column of a table, for ``training``
    """

    material: str
    quantity: str
    unit: str
    kind: str
    source: str
    place: str
    value: float = 0.0
    error: float | None = None
    low: float | None = None
    high: float | None = None
    functional: str = ""
    temperature_K: float | None = None
    vacancies: int | None = None
    mol_percent: float | None = None
    statistics: Mapping[str, Any] = field(default_factory=dict)


@cache
def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(resources.files("borarun.report").joinpath("published.json").read_text(encoding="utf-8"))
    return content


@cache
def sources() -> Mapping[str, Source]:
    """All sources by key."""
    return {key: Source(**entry) for key, entry in _content()["sources"].items()}


@cache
def _numbers() -> tuple[Published, ...]:
    return tuple(Published(**entry) for entry in _content()["numbers"])


def numbers(material: str) -> tuple[Published, ...]:
    """All published numbers of a material, in the file's order."""
    return tuple(number for number in _numbers() if number.material == material)


def find(material: str, quantity: str, **conditions: object) -> tuple[Published, ...]:
    """Published numbers of one quantity of one material, in the file's order.

    Parameters
    ----------
    material : formula, e.g. ``Li2B12H12``
    quantity : see `Published`
    conditions : attributes that must be equal, e.g. ``kind="experiment"``, ``temperature_K=300``
    """
    return tuple(
        number for number in numbers(material) if number.quantity == quantity and all(getattr(number, name) == value for name, value in conditions.items())
    )


def paper(material: str, quantity: str, functional: str, **conditions: object) -> Published | None:
    """The paper's number for our functional, else for the one it recommends (rev-vdW-DF2), else None."""
    for wanted in (functional, "rev-vdW-DF2"):
        found = find(material, quantity, kind="paper", functional=wanted, **conditions)
        if found:
            return found[0]
    return None


def experiment(material: str, quantity: str, **conditions: object) -> Published | None:
    """The measured number, or None."""
    found = find(material, quantity, kind="experiment", **conditions)
    return found[0] if found else None
