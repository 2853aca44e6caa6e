"""Types of the values that a study's keys have: sweeps, temperatures, lengths, names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    Strict,
    Tag,
)
from pydantic_core import PydanticCustomError

from borarun.input.messages import Section

MAX_SWEEP = 10_000
"""A sweep with more values than this is a slip of the pen."""

MAX_PATH = 200
"""Longest path in a study file, characters."""


PhaseName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./() -]{0,39}$")]
FilePath = Annotated[str, Field(min_length=1, max_length=MAX_PATH, pattern=r"^[^\x00-\x1f\x7f]*$")]
FilePaths = Annotated[
    Annotated[tuple[FilePath, ...], Field(min_length=1, max_length=1000), Strict(False)],
    BeforeValidator(
        lambda value: [value] if isinstance(value, str) else value,
        json_schema_input_type=FilePath | tuple[FilePath, ...],
    ),
]
"""A path or a list of paths, which may be patterns."""
Positive = Annotated[float, Field(gt=0, le=1e9)]
TimeStep = Annotated[float, Field(ge=0.01, le=1000)]
Kelvin = Annotated[float, Field(gt=0, lt=3000)]
Bar = Annotated[float, Field(ge=-1e5, le=1e7)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
PositiveInt = Annotated[int, Field(gt=0, le=1_000_000_000)]
Number = TypeVar("Number", bound=float)


class Range(Section, Generic[Number]):
    """Evenly spaced values from `from` to `to`, both included."""

    from_: Number = Field(alias="from", description="First value.")
    to: Number = Field(description="Last value, included.")
    step: Number = Field(gt=0, description="Difference between neighbouring values.")

    def values(self) -> list[float]:
        """The values in rising order; whole numbers stay whole."""
        if self.to < self.from_:
            raise PydanticCustomError("sweep_order", "`to` must not be below `from`")
        steps = (self.to - self.from_) / self.step
        if steps >= MAX_SWEEP:
            raise PydanticCustomError(
                "sweep_long", "has more than {limit} values", {"limit": MAX_SWEEP}
            )
        if abs(steps - round(steps)) > 1e-6:
            context = {"first": f"{self.from_:g}", "last": f"{self.to:g}", "step": f"{self.step:g}"}
            raise PydanticCustomError(
                "sweep_end", "steps of {step} from {first} do not end at {last}", context
            )
        return [self.from_ + index * self.step for index in range(round(steps) + 1)]


def _form(value: Any) -> str:
    return (
        "range"
        if isinstance(value, dict | Range)
        else "list"
        if isinstance(value, list | tuple)
        else "number"
    )


def _sorted_values(value: Any) -> tuple[Any, ...]:
    values = (
        value.values()
        if isinstance(value, Range)
        else value
        if isinstance(value, list)
        else [value]
    )
    return tuple(sorted(set(values)))


def _sweep(item: Any) -> Any:
    """A number, a list of numbers or a range in the file; a sorted tuple without repeats in the
    model.
    """
    number = Annotated[item, Tag("number")]
    values = Annotated[
        list[item], Field(min_length=1, max_length=MAX_SWEEP), Strict(False), Tag("list")
    ]
    spaced = Annotated[Range[item], Tag("range")]
    return Annotated[
        number | values | spaced,
        Discriminator(_form),
        AfterValidator(_sorted_values),
        PlainSerializer(list),
    ]


if TYPE_CHECKING:
    Kelvins = tuple[float, ...]
    Counts = tuple[int, ...]
    Rates = tuple[float, ...]
    Pressures = tuple[float, ...]
else:
    Kelvins = _sweep(Kelvin)
    Rates = _sweep(Positive)
    Pressures = _sweep(Bar)
    Counts = _sweep(Count)

Repeat = Annotated[int, Field(ge=1, le=50)]
Supercell = Annotated[tuple[Repeat, Repeat, Repeat], Strict(False)]

Functional = Literal[
    "PBE",
    "PBE-D3",
    "PBE-D3-zero",
    "PBEsol",
    "rev-vdW-DF2",
    "vdW-DF2",
    "optB86b-vdW",
    "optB88-vdW",
    "optPBE-vdW",
    "SCAN+rVV10",
    "r2SCAN",
    "r2SCAN+rVV10",
]
"""``PBE-D3`` is D3 with Becke-Johnson damping, ``PBE-D3-zero`` with zero damping."""
CellMode = Literal["isotropic", "anisotropic", "triclinic"]

VACANCIES = (
    "Vacancies: the number of mobile ions removed at random from each supercell. A "
    "number, a list or a range."
)
CELL_MODE = (
    "How the barostat may change the cell: `isotropic` (one scale), `anisotropic` (each "
    "edge separately), `triclinic` (edges and angles)."
)
