"""What every operation has in common: facts, and the arrays, ``Frames`` and texts beside them.

An operation is what a task has an engine do: relax, train, run molecular dynamics. It has one
class, whichever engine does it. The fields of the class are the facts. Its items are declared in
capitals, each once, with unit and shape; engines write through them and everybody else reads
through them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

TRAJECTORY = ("atom", "axis", "frame")
"""The axes of a trajectory of positions."""


@dataclass(frozen=True)
class Quantity:
    """An array with its unit and the names of its axes.

    One whose axes are those of ``TRAJECTORY`` is kept to 6e-5 angstrom, in a form that reads fast
    atom by atom; any other is kept exactly.
    """

    values: NDArray[Any]
    unit: str
    dims: tuple[str, ...]

    def __post_init__(self) -> None:
        if np.ndim(self.values) != len(self.dims):
            raise ValueError(f"{np.ndim(self.values)} axes, but {len(self.dims)} names {self.dims}")


class Item(str):
    """Name of an item of a record. It is a ``str``: the store and ``Ref`` take it as it is.

    Attributes
    ----------
    about : what it is, for DESIGN.md
    optional : whether an engine may leave it out
    """

    about: str
    optional: bool

    def __new__(cls, name: str, about: str, *, optional: bool = False) -> Self:
        item = super().__new__(cls, name)
        item.about, item.optional = about, optional
        return item


class FramesItem(Item):
    """Name of a ``Frames`` of a record."""


class TextItem(Item):
    """Name of a text of a record."""


class Array(Item):
    """Name of an array of a record.

    Attributes
    ----------
    dtype : type of its numbers; engines may give a narrower one of the same kind
    shape : a letter or a number an axis, ``N 3 F``; one letter is one length in all arrays of a
        record
    unit : as in ``borarun.basics.units``; empty for numbers that only count or name
    dims : names of the axes
    """

    dtype: str
    shape: tuple[str, ...]
    unit: str
    dims: tuple[str, ...]

    def __new__(
        cls,
        name: str,
        about: str,
        *,
        optional: bool = False,
        dtype: str = "float64",
        shape: str = "",
        unit: str = "",
        dims: tuple[str, ...] = (),
    ) -> Self:
        item = super().__new__(cls, name, about, optional=optional)
        item.dtype, item.shape, item.unit, item.dims = dtype, tuple(shape.split()), unit, dims
        if len(item.shape) != len(dims):
            raise ValueError(f"{name}: shape {shape!r}, but axes {dims}")
        return item

    def of(self, values: ArrayLike) -> Quantity:
        """Values of it, array-like, with its unit and its axes."""
        return Quantity(np.asarray(values), self.unit, self.dims)


def quantities(values: Mapping[Array, ArrayLike]) -> dict[str, Quantity]:
    """Arrays by name, each with its unit and its axes."""
    return {array: array.of(each) for array, each in values.items()}


class Facts(BaseModel):
    """The facts of an operation. Stored are those that an engine gave, and no others; what a later
    borarun or another engine says beside them is passed over in reading.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        allow_inf_nan=False,
        ignored_types=(Item,),
        defer_build=True,  # validating a study reads no record
    )

    program: str = Field(
        default="", description="name and version of the program that ran, by its own words"
    )

    @classmethod
    def items(cls) -> tuple[Item, ...]:
        """What a record has beside the facts."""
        return _items(cls)

    def stored(self) -> dict[str, JsonValue]:
        """The facts as JSON values, as a record holds them."""
        return self.model_dump(mode="json", exclude_unset=True)


Model = TypeVar("Model", bound=BaseModel)


def changed(model: Model, **values: object) -> Model:
    """A frozen model with other values of some fields, checked like all values; those that were
    defaults stay so.

    Raises
    ------
    TypeError
        Where it has no field of a name.
    ValidationError
        Where a value is not what it must be.
    """
    if unknown := values.keys() - type(model).model_fields.keys():
        raise TypeError(f"{type(model).__name__} has no {', '.join(sorted(unknown))}")
    given = {name: getattr(model, name) for name in model.model_fields_set}
    return model.model_validate({**given, **values})


@cache
def _items(kind: type[Facts]) -> tuple[Item, ...]:
    found: dict[str, Item] = {}
    for base in reversed(kind.__mro__):
        found |= {name: value for name, value in vars(base).items() if isinstance(value, Item)}
    return tuple(found.values())


def misfits(
    facts: Facts, arrays: Mapping[str, Quantity], frames: Iterable[str], texts: Iterable[str]
) -> list[str]:
    """What of a result is not as its operation declares it, one sentence each."""
    declared = {str(item): item for item in facts.items()}
    given = {
        **dict.fromkeys(arrays, Array),
        **dict.fromkeys(frames, FramesItem),
        **dict.fromkeys(texts, TextItem),
    }
    found = [
        f"{name} is not declared"
        for name, kind in given.items()
        if type(declared.get(name)) is not kind
    ]
    found += [
        f"{name} is missing"
        for name, item in declared.items()
        if name not in given and not item.optional
    ]
    lengths: dict[str, int] = {}
    for name, quantity in arrays.items():
        item = declared.get(name)
        if not isinstance(item, Array):
            continue
        values = np.asarray(quantity.values)
        if (quantity.unit, quantity.dims) != (item.unit, item.dims):
            found.append(f"{name} has the unit {quantity.unit!r} and the axes {quantity.dims}")
        elif values.dtype.kind != np.dtype(item.dtype).kind:
            found.append(f"{name} holds {values.dtype}, not {item.dtype}")
        for letter, length in zip(item.shape, values.shape, strict=False):
            wanted = int(letter) if letter.isdecimal() else lengths.setdefault(letter, length)
            if length != wanted:
                found.append(f"{name} has {length} along {letter}, not {wanted}")
    return found


def mistakes(error: ValidationError) -> str:
    """What is wrong with facts, fact by fact."""
    return "; ".join(
        f"{'.'.join(map(str, each['loc']))}: {each['msg'][:1].lower()}{each['msg'][1:]}"
        + ("" if each["type"] == "missing" else f" (got {each['input']!r:.80})")
        for each in error.errors(include_url=False, include_context=False)
    )
