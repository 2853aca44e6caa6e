"""The schemas that editors use are current and describe every key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from borarun.given.load import analysis_schema
from borarun.input.yaml_file import read_yaml
from borarun.published import published_schema
from borarun.site import site_schema
from borarun.study import study_schema

PROJECT = Path(__file__).parents[1]
SCHEMAS = PROJECT / "schemas"
SHIPPED = {
    "study": [*PROJECT.glob("studies/*.yaml"), PROJECT / "borarun/study/new_study/study.yaml"],
    "site": [*PROJECT.glob("site-configs/*.yaml")],
    "published": [*PROJECT.glob("borarun/published/*.yaml")],
    "analysis": [],
}
ALL = pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("study", study_schema),
        ("site", site_schema),
        ("published", published_schema),
        ("analysis", analysis_schema),
    ],
)


def properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for model in [schema, *schema.get("$defs", {}).values()]:
        yield from (
            (f"{model['title']}.{key}", value) for key, value in model.get("properties", {}).items()
        )


@ALL
def test_the_schema_in_the_repository_is_current(
    name: str, schema: Callable[[], dict[str, Any]]
) -> None:
    current = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    assert current == schema(), "run: borarun schema schemas"


@ALL
def test_every_key_is_described(name: str, schema: Callable[[], dict[str, Any]]) -> None:
    assert [key for key, value in properties(schema()) if not value.get("description")] == []


@ALL
def test_unknown_keys_are_refused_everywhere(
    name: str, schema: Callable[[], dict[str, Any]]
) -> None:
    whole = schema()
    models = [whole, *whole.get("$defs", {}).values()]
    assert all(model["additionalProperties"] is False for model in models)


@pytest.mark.parametrize(
    ("name", "path"),
    [(name, path) for name, paths in SHIPPED.items() for path in sorted(paths)],
    ids=lambda each: Path(each).stem,
)
def test_what_ships_is_valid_for_editors_and_a_mistyped_key_is_not(name: str, path: Path) -> None:
    judge = Draft202012Validator(json.loads((SCHEMAS / f"{name}.schema.json").read_text()))
    content = read_yaml(path)[0].plain()
    assert [error.message for error in judge.iter_errors(content)] == []
    sections = {
        key: value
        for key, value in content.items()
        if isinstance(value, dict) and key not in ("executors", "sources")
    }
    for wrong in (
        {"heatings": {}},
        *({key: {**value, "to_C": 700}} for key, value in sections.items()),
    ):
        assert not judge.is_valid({**content, **wrong}), wrong


def test_a_study_that_extends_another_needs_no_more(tmp_path: Path) -> None:
    judge = Draft202012Validator(study_schema())
    assert judge.is_valid(
        {"borarun": 1, "name": "child", "extends": "base.yaml", "heating": {"to_K": 900}}
    )
    assert not judge.is_valid({"borarun": 1, "name": "child", "heating": {"to_K": 900}})


def test_a_sweep_is_a_number_a_list_or_a_range_for_editors_too() -> None:
    forms = study_schema()["$defs"]["Diffusion"]["properties"]["temperatures_K"]["oneOf"]
    assert [form.get("type", "range") for form in forms] == ["number", "array", "range"]
