"""Models of the files that people write: their base class, and what does not fit, in words."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from borarun.basics.errors import Problem
from borarun.input.yaml_file import DECIMALS, NO_BLANK, KeyPath, Node

Model = TypeVar("Model", bound=BaseModel)

_UNITS = (
    *("eV_per_A", "K_per_ps", "per_ps", "K", "A", "fs", "ps", "ns"),
    *("kbar", "bar", "meV", "eV", "Ry"),
)
_SCALES: tuple[Mapping[str, float], ...] = (
    {"fs": 1e-3, "ps": 1.0, "ns": 1e3},
    {"bar": 1.0, "kbar": 1e3, "MPa": 10.0, "GPa": 1e4},
    {"meV": 1e-3, "eV": 1.0, "Ry": 13.605693},
    {"A": 1.0, "nm": 10.0},
)
"""Units that are known of each other."""
_TYPES = {
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "finite_number": "must be a finite number",
    "dict_type": "must be a mapping of names to values",
    "model_type": "must be a section, lines of `key: value` or `{}` for the defaults",
    "model_attributes_type": "must be a section, lines of `key: value`",
    "list_type": "must be a list, in [ ]",
    "tuple_type": "must be a list, in [ ]",
}
_LIMITS = {
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "too_short": "must not be empty",
    "too_long": "must have at most {max_length} values",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
}


_SWEEPS = {
    "sweep_order": "Exchange them.",
    "sweep_long": "Take a larger step.",
    "sweep_end": "Choose `from`, `to` and `step` so that the last step ends at `to`.",
}
"""What to do about a range."""

TAGS = {"engine": "bundled", "provider": "local"}
"""Keys that say which of several forms a section has, each with a value to show."""


class WithheldError(AttributeError):
    """A key is asked for whose value in the file did not validate."""


class Section(BaseModel):
    """Base of everything in a study or site file: strict, frozen, no unknown keys, finite
    numbers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def without(self, places: Iterable[KeyPath]) -> Self:
        """A copy that lacks the values at these places, each of a key or of the absent key that it
        was meant to be: whoever asks for one of them meets a WithheldError.
        """
        names = {field.alias or name: name for name, field in type(self).model_fields.items()}
        absent = [key for key, name in names.items() if name not in self.model_fields_set]
        inner: dict[str, list[KeyPath]] = {}
        lacking: set[str] = set()
        for key, *rest in places:
            if rest:
                inner.setdefault(names.get(str(key), ""), []).append(tuple(rest))
            else:
                meant = [str(key)] if key in names else []
                meant = meant or difflib.get_close_matches(str(key), absent, n=1)
                lacking |= {names[each] for each in meant}
        parts = {
            name: part.without(below)
            for name, below in inner.items()
            if isinstance(part := self.__dict__.get(name), Section)
        }
        copy = self.model_copy(update=parts)
        for name in lacking:
            copy.__dict__.pop(name, None)
        return copy

    if not TYPE_CHECKING:  # a type checker knows the fields, and should tell of any other name

        def __getattr__(self, name: str) -> Any:
            if name in type(self).model_fields or isinstance(
                getattr(type(self), name, None), property
            ):  # a property asked for what is withheld
                raise WithheldError(name)
            return super().__getattr__(name)


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""What a study or site is called, and its folder after it."""


def validate(
    root: Node, model: type[Model]
) -> tuple[Model | None, list[Problem], frozenset[KeyPath]]:
    """The model of ``root``; or None, every way in which it does not fit, and the places
    concerned.
    """
    try:
        return model.model_validate(root.plain()), [], frozenset()
    except ValidationError as error:
        # a list whose items all failed is told about its items, not about being empty
        errors = [
            details
            for details in error.errors()
            if details["type"] != "too_short" or not details["input"]
        ]
        places = [_place(root, details) for details in errors]
        problems = [
            root.problem(place, _message(model, details))
            for place, details in zip(places, errors, strict=True)
        ]
        return None, problems, frozenset(place for place in places if place)


def in_order(problems: list[Problem]) -> list[Problem]:
    """By file and line."""
    return sorted(problems, key=lambda problem: (problem.file, problem.line))


def _place(root: Node, error: ErrorDetails) -> KeyPath:
    """Where an error is in the file."""
    loc, kind = error["loc"], error["type"]
    _, path = root.along(loc)
    return (*path, loc[-1]) if kind == "missing" and isinstance(loc[-1], str) else path


def _message(model: type[BaseModel], error: ErrorDetails) -> str:
    loc, kind, value, context = error["loc"], error["type"], error["input"], error.get("ctx", {})
    got = f" (got {shown(value)})"
    models, field = _at(model, loc)
    description = (field.description if field else None) or ""
    if kind == "extra_forbidden":
        return _unknown_key(model, loc)
    if kind == "missing":
        if loc == ("borarun",):
            return "is missing: the version of this format. Write `borarun: 1`."
        what = "is missing" if isinstance(loc[-1], str) else f"has too few values{got}"
        return f"{what}. {description}".strip()
    if loc == ("borarun",):
        return (
            f"must be 1, the version of this format{got}. For a higher version, install a "
            "newer borarun."
        )
    if kind == "literal_error":
        return _one_of("must", value, context["expected"])
    if kind == "union_tag_invalid":
        tag = _tag(context["discriminator"])
        return _one_of(f"its {tag} must", value[tag], context["expected_tags"])
    if kind == "union_tag_not_found":
        tag = _tag(context["discriminator"])
        return f"must name its {tag}, e.g. `{{{tag}: {TAGS[tag]}}}`."
    if kind == "string_pattern_mismatch":
        wrong = "contains characters that are not allowed" if value else "must not be empty"
        return f"{wrong}{got}. {description}".strip()
    if kind in _SWEEPS:
        return f"{error['msg']}{got}. {_SWEEPS[kind]}"
    if kind in _LIMITS:
        return f"{_LIMITS[kind].format(**context)}{got}."
    if kind in _TYPES:
        way_out = _way_out(kind, value, models, field, loc) or f" {description}"
        return f"{_TYPES[kind]}{got}.{way_out}".strip()
    if kind == "value_error":  # said by a model of borarun's own
        said = str(context["error"]).rstrip(".")
        return f"{said}{'' if '(got ' in said else got}."
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}{got}."


def _tag(discriminator: str) -> str:
    """The key that tells which form a section has: ``'engine'``, or ``_engine()`` where a function
    gives its default.
    """
    return discriminator.strip("'").removeprefix("_").removesuffix("()")


def _one_of(must: str, value: object, expected: str) -> str:
    words = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    among = f"one of {', '.join(words)}" if len(words) > 1 else words[0]
    return f"{must} be {among} (got {shown(value)}).{did_you_mean(value, words)}"


def shown(value: Any) -> str:
    """A value as YAML writes it in one line, cut to a readable length."""
    text = _flow(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return json.dumps(value) if value is None or isinstance(value, bool) else repr(value)


def did_you_mean(word: object, words: Iterable[str]) -> str:
    """`` Did you mean X?``, or nothing when no word is close."""
    by_case = {known.lower(): known for known in words}
    close = difflib.get_close_matches(str(word).lower(), by_case, n=1)
    return f" Did you mean {by_case[close[0]]}?" if close else ""


def _without_unit(number: str, unit: str, loc: KeyPath) -> str:
    """What to write instead of a number with a unit, where a key of its place has its own."""
    ours = next((each for each in _UNITS for key in loc if str(key).endswith(f"_{each}")), "")
    if ours in ("", unit):
        return f" The unit is in the key: write {number}."
    for scale in _SCALES:
        if ours in scale and unit in scale:
            converted = float(f"{float(number) * scale[unit] / scale[ours]:.12g}")
            return f" The unit is in the key, {ours}: write {converted:g}."
    said = ours.replace("_per_", "/")
    return f" The unit is in the key, {said}: write the number alone, in this unit."


def _way_out(
    kind: str, value: Any, models: list[type[BaseModel]], field: FieldInfo | None, loc: KeyPath
) -> str:
    if kind in ("float_type", "int_type") and isinstance(value, str):
        if found := re.match(r"\s*([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)\s*([A-Za-z/^-]+)", value):
            return _without_unit(found[1], found[2], loc)
        if re.fullmatch(r"[-+]?\d*,\d+", value):
            return f" {DECIMALS.format(value.replace(',', '.'))}"
        return " Write the number without quotes." if re.fullmatch(r"[-+.0-9eE]+", value) else ""
    if kind in ("list_type", "tuple_type"):
        return _as_list(value, field)
    if isinstance(value, str) and re.match(r"\w+:\S", value):
        return f" {NO_BLANK}"
    if kind == "model_attributes_type" and (
        forms := {name: tag for tag in TAGS for each in models for name in _tagged(each, tag)}
    ):
        tag = next(iter(forms.values()))
        return (
            f" Write `{{{tag}: "
            f"{value if isinstance(value, str) and value in forms else TAGS[tag]}}}`."
        )
    return (
        " Put quotes around it." if kind == "string_type" and isinstance(value, int | float) else ""
    )


def _as_list(value: Any, field: FieldInfo | None) -> str:
    """`` Write [...].``: the text or number as the list that was meant; nothing where that is not
    known.
    """
    length = get_args(getattr(field, "annotation", None))
    if isinstance(value, str):
        parts = [part for part in re.split(r"[\sx*,;]+", value) if part]
        return f" Write [{', '.join(parts) if all(part.isdigit() for part in parts) else value}]."
    is_fixed = get_origin(getattr(field, "annotation", None)) is tuple and Ellipsis not in length
    return (
        f" Write [{', '.join([str(value)] * len(length))}]."
        if is_fixed and isinstance(value, int | float)
        else ""
    )


def _unknown_key(model: type[BaseModel], loc: KeyPath) -> str:
    key = str(loc[-1])
    for tag in TAGS:
        if others := [
            name
            for each in _at(model, loc[:-2])[0]
            if key in _keys(each)
            for name in _tagged(each, tag)
        ]:
            return (
                f"is a key of {tag} {' and '.join(others)}, and the {tag} here is {loc[-2]}. "
                f"Remove it, or change the {tag}."
            )
    here = [name for each in _at(model, loc[:-1])[0] for name in _keys(each)]
    if ":" in key:
        return f"unknown key. {NO_BLANK}"
    if hint := did_you_mean(key, here):
        unit = next((unit for unit in _UNITS if hint[:-1].endswith(f"_{unit}")), "")
        return f"unknown key.{hint}" + (
            f" Its unit is {unit.replace('_per_', '/')}."
            if unit and not key.endswith(f"_{unit}")
            else ""
        )
    if sections := [
        name
        for name, field in _keys(model).items()
        for each in _models_in(field.annotation)
        if key in _keys(each)
    ]:
        return f"unknown key here. It is a key of {', '.join(dict.fromkeys(sections))}."
    return f"unknown key. Known here: {', '.join(here)}."


def _keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Every model that an annotation may mean, also behind a union or a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models_in(part)]


def _at(model: type[BaseModel], loc: KeyPath) -> tuple[list[type[BaseModel]], FieldInfo | None]:
    """The models that may stand at ``loc``, and the definition of its key."""
    models, field = [model], None
    for step in loc:
        fields = [keys[str(step)] for keys in map(_keys, models) if str(step) in keys]
        if fields:
            field = fields[0]
            models = [
                found
                for each in fields
                for part in (each.annotation, *each.metadata)
                for found in _models_in(part)
            ]
        else:  # not a key but pydantic's name of one form out of several, e.g. of an engine
            models = [
                each for each in models if any(step in _tagged(each, tag) for tag in TAGS)
            ] or models
    return models, field


def _tagged(model: type[BaseModel], tag: str) -> tuple[Any, ...]:
    """Names of the engine or provider that a section is for; none where it is for any."""
    return get_args(getattr(_keys(model).get(tag), "annotation", None))
