"""The schemas that editors use are current and describe every key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from borarun.published import published_schema
from borarun.site import site_schema
from borarun.study import study_schema

SCHEMAS = Path(__file__).parents[1] / "schemas"
ALL = pytest.mark.parametrize(("name", "schema"), [("study", study_schema), ("site", site_schema), ("published", published_schema)])


def properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for model in [schema, *schema.get("$defs", {}).values()]:
        yield from ((f"{model['title']}.{key}", value) for key, value in model.get("properties", {}).items())


@ALL
def test_the_schema_in_the_repository_is_current(name: str, schema: Callable[[], dict[str, Any]]) -> None:
    current = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    assert current == schema(), "run: borarun schema schemas"


@ALL
def test_every_key_is_described(name: str, schema: Callable[[], dict[str, Any]]) -> None:
    assert [key for key, value in properties(schema()) if not value.get("description")] == []


@ALL
def test_unknown_keys_are_refused_everywhere(name: str, schema: Callable[[], dict[str, Any]]) -> None:
    whole = schema()
    models = [whole, *whole.get("$defs", {}).values()]
    assert all(model["additionalProperties"] is False for model in models)


def test_a_sweep_is_a_number_a_list_or_a_range_for_editors_too() -> None:
    forms = study_schema()["$defs"]["Diffusion"]["properties"]["temperatures_K"]["oneOf"]
    assert [form.get("type", "range") for form in forms] == ["number", "array", "range"]
