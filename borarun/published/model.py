"""Numbers from the literature to stand beside ours: the model of the files that hold them, those
that ship with borarun and those of a study alike.

They take part in no task: what is compared changes no result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, model_validator

from borarun.basics.errors import Problem
from borarun.input.messages import Section, did_you_mean, in_order, validate
from borarun.input.yaml_file import Node, read_yaml

UNITS = {
    "lattice_parameter": "A",
    "volume": "A3",
    "ordered_lattice_parameter": "A",
    "transition_temperature": "K",
    "transition_volume_step_percent": "%",
    "activation_energy": "meV",
    "diffusivity": "cm2/s",
    "conductivity": "S/cm",
    "largest_deflection": "deg",
    "full_rotations": "1/(anion ns)",
}
"""The unit of each quantity."""

AT_TEMPERATURE = frozenset(
    {
        "lattice_parameter",
        "volume",
        "diffusivity",
        "conductivity",
        "largest_deflection",
        "full_rotations",
    }
)
"""Quantities that say nothing without a temperature."""

RECOMMENDED = "rev-vdW-DF2"
"""The functional that the published study settled on: its numbers stand in where it has none with
ours.
"""

Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=400)]
Pair = Annotated[tuple[float, float], Strict(False)]
Quantity = Literal[
    "lattice_parameter",
    "volume",
    "ordered_lattice_parameter",
    "transition_temperature",
    "transition_volume_step_percent",
    "activation_energy",
    "diffusivity",
    "conductivity",
    "largest_deflection",
    "full_rotations",
]


Definition = Literal["D", "sigma*T", "sigma"]
"""What an activation energy is that of; those of D and of sigma T are larger by about k_B T."""


class Source(Section):
    """Where a number was published."""

    short: Text = Field(description="Author and year, e.g. `Maltsev 2023`.")
    citation: Text = Field(description="The full reference.")
    doi: Annotated[str, Field(pattern=r"^(10\.\d{4,9}/\S+)?$")] = Field(
        default="",
        description="DOI, e.g. `10.1021/acsami.3c07242`; leave it out if you did not check it.",
    )


class Number(Section):
    """One published number: a value, a range, or a value with a range."""

    quantity: Quantity = Field(description="What it is.")
    value: float | None = Field(
        default=None, description="The value. Default: the middle of the range."
    )
    uncertainty: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Published uncertainty, the number after ±."
    )
    low: float | None = Field(default=None, description="Lower end of a published range.")
    high: float | None = Field(default=None, description="Upper end of a published range.")
    at_most: bool = Field(
        default=False, description="Whether the value is an upper bound: it was not detected."
    )
    unit: str = Field(
        description="Unit of these four: A, A3 (per formula unit), K, %, meV, cm2/s, S/cm, deg "
        "or 1/(anion ns), as the quantity has it."
    )
    temperature_K: Annotated[float, Field(gt=0, lt=3000)] | None = Field(
        default=None, description="Temperature of the value, K."
    )
    vacancies: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Vacancies in the cell of the published simulation."
    )
    mol_percent: Annotated[float, Field(ge=0, le=100)] | None = Field(
        default=None, description="Vacancies per formula unit, %."
    )
    phase: Literal["ordered", "disordered"] | None = Field(
        default=None,
        description="Phase of the value. Default: compare with any of our phases.",
    )
    definition: Definition | None = Field(
        default=None,
        description="Only of an activation energy: that of `D`, of `sigma*T` or of `sigma`, as "
        "the source fitted it. Left out where the source does not say; that of `sigma` is then set "
        "beside it.",
    )
    range_K: Pair | None = Field(
        default=None,
        description="Only of an activation energy: lowest and highest temperature of its fit, K.",
    )
    functional: Annotated[str, Field(max_length=60)] = Field(
        default="", description="Density functional of a simulation."
    )
    kind: Literal["paper", "experiment"] = Field(
        description="`paper` for a simulation, `experiment` for a measurement."
    )
    source: Key = Field(description="One of the keys under `sources`.")
    place: Text = Field(
        description="Table or section of the source, and the conditions of the value."
    )

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if self.unit != UNITS[self.quantity]:
            raise ValueError(
                f"the unit of {self.quantity} must be {UNITS[self.quantity]} (got {self.unit})"
            )
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high must be given together, the two ends of one range")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low must be below high (got {self.low:g} and {self.high:g})")
        if self.value is None and self.low is None:
            raise ValueError("a value or a range, low and high, must be given")
        if (
            self.value is not None
            and self.low is not None
            and not self.low <= self.value <= (self.high or self.value)
        ):
            raise ValueError(
                f"value must lie between low and high (got {self.value:g}, {self.low:g} and "
                f"{self.high:g})"
            )
        if self.uncertainty is not None and self.value is None:
            raise ValueError("uncertainty needs a value")
        if self.at_most and (self.value is None or self.half_width is not None):
            raise ValueError("an upper bound, at_most, needs a value without uncertainty or range")
        if self.quantity in AT_TEMPERATURE and self.temperature_K is None:
            raise ValueError(f"{self.quantity} needs a temperature_K")
        if self.quantity != "activation_energy" and (self.definition or self.range_K):
            raise ValueError("definition and range_K belong to an activation_energy only")
        if self.range_K is not None and not 0 < self.range_K[0] < self.range_K[1]:
            raise ValueError(
                "range_K must be two temperatures, the lower first (got "
                f"{self.range_K[0]:g} and {self.range_K[1]:g})"
            )
        if self.kind == "paper" and not self.functional:
            raise ValueError("a number of kind paper needs the functional of its simulation")
        return self

    @property
    def number(self) -> float:
        """The value, or the middle of the range."""
        if self.value is not None:
            return self.value
        assert self.low is not None and self.high is not None
        return (self.low + self.high) / 2

    @property
    def half_width(self) -> float | None:
        """Half the published interval: the uncertainty, else half the range; None where neither was
        published.
        """
        if self.uncertainty is not None:
            return self.uncertainty
        return (
            (self.high - self.low) / 2 if self.low is not None and self.high is not None else None
        )

    @property
    def identity(self) -> tuple[object, ...]:
        """What tells it from every other number."""
        return (
            self.quantity,
            self.kind,
            self.source,
            self.functional,
            self.temperature_K,
            self.vacancies,
            self.mol_percent,
            self.phase,
            self.definition,
        )


class Rmse(Section):
    """Root-mean-square errors of a published potential."""

    energy_meV_per_atom: float = Field(description="Of energies, meV/atom.")
    forces_eV_per_A: float = Field(description="Of forces, eV/angstrom.")
    stress_kbar: float = Field(description="Of stresses, kbar.")


class Statistics(Section):
    """How a published potential was trained."""

    functional: Annotated[str, Field(min_length=1, max_length=60)] = Field(
        description="Density functional of the training set."
    )
    source: Key = Field(description="One of the keys under `sources`.")
    place: Text = Field(description="Table or section of the source.")
    level: int = Field(description="Level of the moment tensor potential.")
    n_initial: int = Field(description="Number of configurations before active learning.")
    n_total: int = Field(description="Number of configurations at the end.")
    energy_eV_per_atom: Pair = Field(description="Lowest and highest energy, eV/atom.")
    forces_eV_per_A: Pair = Field(description="Lowest and highest force, eV/angstrom.")
    stress_kbar: Pair = Field(description="Lowest and highest stress, kbar.")
    rmse: Rmse = Field(description="Its errors.")


class PublishedFile(Section):
    """Published values of one material."""

    borarun: Literal[1] = Field(description="Version of this format.")
    material: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="Formula unit, as in the study."
    )
    cell_atoms: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="Atoms in the cell of the published molecular dynamics."
    )
    sources: dict[Key, Source] = Field(description="Sources of the values, each under its own key.")
    values: Annotated[tuple[Number, ...], Strict(False)] = Field(
        default=(), description="The published numbers."
    )
    training: Annotated[tuple[Statistics, ...], Strict(False)] = Field(
        default=(), description="Training of published potentials."
    )


@dataclass(frozen=True)
class Published:
    """What is published of a material.

    Attributes
    ----------
    sources : by key
    values : numbers, a study's own before those that ship with borarun
    training : of potentials
    cell_atoms : atoms in the cell of the published molecular dynamics, None where it is not known
    """

    sources: dict[str, Source]
    values: tuple[Number, ...] = ()
    training: tuple[Statistics, ...] = ()
    cell_atoms: int | None = None

    def find(self, quantity: str, **conditions: object) -> tuple[Number, ...]:
        """Numbers of one quantity whose attributes are equal to ``conditions``, e.g.
        ``kind="experiment", temperature_K=300``.
        """
        return tuple(
            n
            for n in self.values
            if n.quantity == quantity
            and all(getattr(n, name) == value for name, value in conditions.items())
        )

    def paper(self, quantity: str, functional: str, **conditions: object) -> Number | None:
        """The simulated number with our functional, else with the one that the paper recommends,
        else any; None where there is none.
        """
        found = self.find(quantity, kind="paper", **conditions)
        return next(
            (n for wanted in (functional, RECOMMENDED) for n in found if n.functional == wanted),
            found[0] if found else None,
        )

    def experiment(self, quantity: str, **conditions: object) -> Number | None:
        """The measured number, or None."""
        found = self.find(quantity, kind="experiment", **conditions)
        return found[0] if found else None

    def over(self, other: Published) -> Published:
        """These, and of another's those that are not the same number from the same source."""
        ours, trained = {n.identity for n in self.values}, {t.functional for t in self.training}
        return replace(
            self,
            sources={**other.sources, **self.sources},
            values=(*self.values, *(n for n in other.values if n.identity not in ours)),
            training=(*self.training, *(t for t in other.training if t.functional not in trained)),
            cell_atoms=self.cell_atoms or other.cell_atoms,
        )


def read_published(path: Path, material: str | None = None) -> tuple[Published, list[Problem]]:
    """Published values from a file, and everything that is wrong with it.

    Parameters
    ----------
    path : of the file
    material : formula of the study that names the file; None where the file is looked at alone

    Raises
    ------
    StudyError
        Where the file cannot be read, or is no YAML.
    """
    root, problems = read_yaml(path)
    content, misfits, _ = validate(root, PublishedFile)
    problems += misfits
    if content is None:
        return Published({}), in_order(problems)
    if material is not None and content.material != material:
        problems.append(
            root.problem(
                ("material",), f"must be the study's, {material} (got {content.material})."
            )
        )
    problems += _sources(root, content)
    seen: dict[tuple[object, ...], int] = {}
    for index, number in enumerate(content.values):
        if number.identity in seen:
            message = (
                f"the same number as values.{seen[number.identity]}: quantity, source and "
                "conditions agree. Remove one of them, or add the condition in which "
                "they differ."
            )
            problems.append(root.problem(("values", index), message))
        seen.setdefault(number.identity, index)
    return Published(
        content.sources, content.values, content.training, content.cell_atoms
    ), in_order(problems)


def _sources(root: Node, content: PublishedFile) -> list[Problem]:
    """A mistake for each source that is cited and not there."""
    known = ", ".join(content.sources) or "none"
    return [
        root.problem(
            (name, index, "source"),
            f"must be a key under sources, which has {known} (got "
            f"{source}).{did_you_mean(source, content.sources)}",
        )
        for name, cited in (
            ("values", [n.source for n in content.values]),
            ("training", [t.source for t in content.training]),
        )
        for index, source in enumerate(cited)
        if source not in content.sources
    ]


@cache
def shipped(material: str) -> Published:
    """What ships with borarun for a material; nothing where nothing does."""
    for file in files("borarun.published").iterdir():
        if file.name == f"{material}.yaml":
            with as_file(file) as path:
                found, problems = read_published(path, material)
            assert not problems, problems
            return found
    return Published({})


def published_schema() -> dict[str, Any]:
    """JSON schema of a file of published values, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **PublishedFile.model_json_schema(),
    }
