"""Write the reference pages of docs/reference, and the table of records in DESIGN.md, from the
models, the parser and nothing else: `python docs/reference.py`.

They are kept in the repository, so that they read without building anything; a test says when they
are out of date.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any, get_args

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from borarun.cli import app
from borarun.engines.moment_tensor.results import TrainedMomentTensor
from borarun.given.model import Analysis
from borarun.input.messages import TAGS, Section
from borarun.input.renamed import Renamed
from borarun.published import PublishedFile
from borarun.records.operations import OPERATIONS
from borarun.records.operations.base import Array, Facts, FramesItem, Item
from borarun.records.operations.potential import Trained
from borarun.records.operations.reference import Computed
from borarun.sections.values import Range
from borarun.site import Site
from borarun.site.model import RENAMED as IN_SITES
from borarun.study.model import RENAMED as IN_STUDIES
from borarun.study.model import StudyFile

OF_ENGINES: dict[type[Facts], tuple[type[Facts], ...]] = {Trained: (TrainedMomentTensor,)}
"""Operations that some engines have a class of their own for."""

DIRECTORY = Path(__file__).parent / "reference"
DESIGN = Path(__file__).parents[1] / "DESIGN.md"
TABLE, TABLE_END = (
    "<!-- Written by `python docs/reference.py` from borarun/records/operations. -->",
    "<!-- End of the table. -->",
)
GENERATED = (
    "<!-- Written by `python docs/reference.py`. Change the models or the parser, not this page. "
    "-->\n\n"
)

UNITS = {
    "K_per_ps": "K/ps",
    "per_ps": "1/ps",
    "per_cm": "1/cm",
    "eV_per_A": "eV/Å",
    "eV_per_atom": "eV/atom",
    "meV_per_atom": "meV/atom",
    "eV": "eV",
    "meV": "meV",
    "Ry": "Ry",
    "kbar": "kbar",
    "bar": "bar",
    "K": "K",
    "A": "Å",
    "fs": "fs",
    "ps": "ps",
    "ns": "ns",
    "s": "s",
    "minutes": "min",
    "hours": "h",
    "percent": "%",
}
"""The unit that the end of a key stands for."""

STUDY = """\
# The study file

What is computed, the same on every machine. Every key of every section: its type and unit, what
values it may have, its value where it is absent (**needed** where there is none), what it means. A
section that is absent is not run; `{}` takes all of its defaults. The unit of a number stands at
the end of its key. Where the type says *or list or range*, `700`, `[600, 700, 800]` and
`{from: 200, to: 700, step: 25}` are all taken, and every value is run.
"""

SITE = """\
# The site file

Where programs run and how they start: [On a cluster](../clusters.md) explains it step by step.
Nothing in it takes part in the identity of a result. Without `--site`,
tasks run on all cores of this machine.
"""

PUBLISHED = """\
# The file of published values

What the report sets our results beside: [Comparison](../comparison.md) explains it.
"""

ANALYSIS = """\
# The file of an analysis

Trajectories that are there already: [Trajectories that you already have](../analyse.md) explains
it.
"""

COMMANDS = """\
# Commands

What `borarun COMMAND --help` prints. Exit codes: [Errors and exit codes](exit-codes.md).
"""


def pages() -> dict[str, str]:
    """Text of every page by its name."""
    return {
        "study-file.md": GENERATED
        + STUDY
        + "".join(sections(StudyFile))
        + "".join(former(IN_STUDIES, "study.yaml")),
        "site-file.md": GENERATED
        + SITE
        + "".join(sections(Site))
        + "".join(former(IN_SITES, "site.yaml")),
        "published-file.md": GENERATED + PUBLISHED + "".join(sections(PublishedFile)),
        "analysis-file.md": GENERATED + ANALYSIS + "".join(sections(Analysis)),
        "command-line.md": GENERATED + COMMANDS + "".join(commands()),
    }


def former(renamed: tuple[Renamed, ...], file: str) -> Iterator[str]:
    """The names that have changed."""
    yield f"""
## Former names

These names are still read, with a warning. `borarun update {file}` writes the new ones into the
file and keeps everything else, comments too; `--check` shows first what would change.

| former name | name | since |
|---|---|---|
"""
    for each in renamed:
        old, new = (".".join(map(str, place)) for place in (each.place, each.now))
        if each.value:
            old, new = f"{old}: {each.value}", f"{new}: {each.name}"
        yield _row(f"`{old}`", f"`{new}`", each.since)


def sections(
    model: type[Section],
    path: str = "",
    level: int = 1,
    seen: dict[type[Section], str] | None = None,
) -> Iterator[str]:
    """The table of a section's own keys, then those of the sections inside it; what stands above
    already is pointed to.
    """
    seen = {} if seen is None else seen
    yield from _table(model, model.model_fields)
    inner = {
        field.alias or name: (field, _models(field.annotation))
        for name, field in model.model_fields.items()
    }
    alike = _shared([models[0] for _, models in inner.values() if len(models) == 1])
    if alike is not None:
        yield f"\n{_doc(alike)} Keys of all of them:\n"
        yield from _table(alike, alike.model_fields)
    for key, (field, models) in inner.items():
        place = f"{path}.{key}" if path else key
        if not models or (models[0] is alike and len(models) == 1):
            continue
        yield (
            f"\n{'#' * (level + 1)} "
            f"`{place}`\n\n{_doc(models[0]) if len(models) == 1 else field.description}\n"
        )
        if len(models) == 1 and models[0] in seen:
            yield f"\nIts keys are those of `{seen[models[0]]}` above.\n"
        elif all(each in seen for each in models):
            yield (
                f"\nIts forms and keys are those of `{seen[models[0]]}` above: "
                f"{', '.join(_tags(models)[1].values())}.\n"
            )
        elif len(models) == 1 and alike is not None:
            yield from _table(models[0], _own(models[0], alike))
        elif len(models) == 1:
            yield from sections(models[0], place, level + 1, seen)
        else:
            yield from _forms(models, place, level + 2)
        seen.update((each, place) for each in models if each not in seen)


def _forms(models: list[type[Section]], place: str, level: int) -> Iterator[str]:
    """The tables of a section that has several forms, which a tag tells apart: first what some of
    them share.
    """
    (tag, names), shared = _tags(models), _shared(models)
    if shared is not None and shared.model_fields:
        alike = ", ".join(name for each, name in names.items() if issubclass(each, shared))
        yield f"\n{'#' * level} `{place}`: {alike} alike\n\n{_doc(shared)}\n"
        yield from _table(shared, shared.model_fields)
    for each, name in names.items():
        yield f"\n{'#' * level} `{place}: {{{tag}: {name}}}`\n\n{_doc(each)}\n"
        yield from _table(each, _own(each, shared))


def _tags(models: list[type[Section]]) -> tuple[str, dict[type[Section], str]]:
    """The key that tells the forms of a section apart, and its value in each."""
    tag = next(tag for tag in TAGS if tag in models[0].model_fields)
    return tag, {each: get_args(each.model_fields[tag].annotation)[0] for each in models}


def _own(model: type[Section], base: type[Section] | None) -> dict[str, FieldInfo]:
    """The keys that a section has beyond those of a base; all where it is not built on that."""
    known = base.model_fields if base is not None and issubclass(model, base) else {}
    return {name: field for name, field in model.model_fields.items() if name not in known}


def _models(annotation: Any) -> list[type[Section]]:
    """The sections that an annotation names, in order, once each; a range is a value and no
    section.
    """
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [] if issubclass(annotation, Range) else [annotation]
    found = [model for part in get_args(annotation) for model in _models(part)]
    return list(dict.fromkeys(found))


def _shared(models: list[type[Section]]) -> type[Section] | None:
    """The base that the most of several sections have in common, beside the one of all sections."""
    bases = [
        base
        for model in dict.fromkeys(models)
        for base in model.__mro__[:-1]
        if issubclass(base, Section) and base is not Section
    ]
    common = max(bases, key=bases.count, default=None)
    return common if common is not None and bases.count(common) > 1 else None


def _table(model: type[Section], fields: dict[str, FieldInfo]) -> Iterator[str]:
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    yield "\n| key | type | default | what it is |\n|---|---|---|---|\n"
    for name, field in sorted(fields.items(), key=lambda item: item[0] not in TAGS):
        key = field.alias or name
        kind = _type(schema["properties"][key], definitions, _unit(key))
        yield _row(f"`{key}`", kind, _default(field), field.description or "")


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"


def _unit(key: str) -> str:
    return next((unit for end, unit in UNITS.items() if key.endswith(f"_{end}")), "")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**needed**"
    value = field.get_default(call_default_factory=True)
    if value is None or value == "":
        return "none"
    if isinstance(value, dict):
        value = {name: _plain(each) for name, each in value.items()}
    if isinstance(value, Section):
        value = _plain(value)
    if isinstance(value, tuple) and len(value) > 6:
        return f"`{value[0]:g}` to `{value[-1]:g}`, {len(value)} values"
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def _plain(value: Any) -> Any:
    """A section that is a default, as it would be written: only what tells it from another."""
    return (
        value.model_dump(include={"provider"} & value.__class__.model_fields.keys())
        if isinstance(value, Section)
        else value
    )


def _type(schema: dict[str, Any], definitions: dict[str, Any], unit: str) -> str:
    """What a key takes, in words, with its unit and its limits."""
    if "$ref" in schema:
        target = definitions[schema["$ref"].rsplit("/", 1)[1]]
        return "section" if target.get("type") == "object" else _type(target, definitions, unit)
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    forms = schema.get("oneOf") or schema.get("anyOf")
    if forms:
        if any(form.get("$ref", "").rsplit("/", 1)[-1].startswith("Range") for form in forms):
            return _type(forms[0], definitions, unit) + ", or list or range"
        kinds = [_type(form, definitions, unit) for form in forms if form.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    kind = schema.get("type")
    if kind == "array":
        parts = schema.get("prefixItems") or [schema.get("items", {})]
        inner = " or ".join(dict.fromkeys(_type(part, definitions, unit) for part in parts))
        count = f"{len(parts)}: " if "prefixItems" in schema else ""
        return f"list of {count}{inner}"
    if kind == "object":
        values = schema.get("additionalProperties") or next(
            iter(schema["patternProperties"].values())
        )
        return f"names, each with {_type(values, definitions, unit)}"
    word = {
        "number": "number",
        "integer": "whole number",
        "string": "text",
        "boolean": "`true` or `false`",
    }[str(kind)]
    limits = [
        f"{sign}\N{NO-BREAK SPACE}{_number(schema[limit])}"
        for limit, sign in LIMITS.items()
        if limit in schema
    ]
    return ", ".join(
        [f"{word}, {unit}" if unit and kind in ("number", "integer") else word, *limits]
    )


LIMITS = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}


def _number(value: float) -> str:
    return (
        f"{value:g}".replace("e+0", "e")
        if f"{value:g}" != str(value) and float(f"{value:g}") == value
        else str(value)
    )


def _doc(model: type[Section]) -> str:
    return " ".join((model.__doc__ or "").split("\n\n")[0].split())


def commands() -> Iterator[str]:
    """Every command with its arguments and options."""
    group: Any = typer.main.get_command(app)
    yield from _parameters(group, "borarun")
    for name, command in group.commands.items():
        yield f"\n## `borarun {name}`\n\n{' '.join(command.help.split())}\n"
        yield from _parameters(command, f"borarun {name}")


def _parameters(command: Any, name: str) -> Iterator[str]:
    """How a command is called, and the table of its arguments and options."""
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [
        param for param in command.params if param.param_type_name == "option" and not param.hidden
    ]
    words = [name, *(["[OPTIONS]"] if options else [])]
    words += [
        (_shown(each) if each.required else f"[{_shown(each)}]")
        + ("..." if each.nargs == -1 else "")
        for each in arguments
    ]
    more = ["COMMAND ..."] if hasattr(command, "commands") else []
    yield f"\n```text\n{' '.join([*words, *more])}\n```\n"
    yield "\n| argument or option | default | what it is |\n|---|---|---|\n"
    for param in [*arguments, *options]:
        default = (
            "**needed**"
            if param.required
            else ""
            if param.default in (None, False, "")
            else f"`{param.default}`"
        )
        variable = (
            f" The environment variable `{param.envvar}` says the same." if param.envvar else ""
        )
        yield _row(f"`{_shown(param)}`", default, (param.help or "") + variable)


def _shown(param: Any) -> str:
    """An argument or option as one writes it."""
    if param.param_type_name == "argument":
        return str(param.metavar or param.name).upper()
    flags = ", ".join(param.opts)
    return (
        flags if param.is_flag else f"{flags} {param.metavar or param.opts[0].lstrip('-').upper()}"
    )


def design() -> str:
    """DESIGN.md with the table of what records hold."""
    before, rest = DESIGN.read_text().split(TABLE)
    _, after = rest.split(TABLE_END)
    return f"{before}{TABLE}\n{''.join(_records())}\n{TABLE_END}{after}"


def _records() -> Iterator[str]:
    """One row an operation, without what all of them share."""
    yield "\n| operation | facts | arrays, frames, texts |\n|---|---|---|\n"
    yield _row("all", _facts(Facts, frozenset()), "")
    yield _row("all of a reference", _facts(Computed, Facts.model_fields.keys()), "")
    for kind in OPERATIONS:
        yield _row(
            f"`{kind.__name__}`: {_summary(kind)}",
            _facts(kind, Computed.model_fields.keys()),
            "<br>".join(_item(item) for item in kind.items()),
        )
        for own in OF_ENGINES.get(kind, ()):
            yield _row(
                f"`{own.__name__}`: {_summary(own)}; beside that",
                _facts(own, kind.model_fields.keys()),
                "<br>".join(_item(item) for item in own.items() if item not in kind.items()),
            )


def _summary(kind: type[Facts]) -> str:
    text = " ".join((kind.__doc__ or "").split(".")[0].split())
    return text[:1].lower() + text[1:]


def _facts(kind: type[BaseModel], known: Set[str]) -> str:
    return "<br>".join(
        f"`{name}`{_inside(field)}" + (f" ({field.description})" if field.description else "")
        for name, field in kind.model_fields.items()
        if name not in known
    )


def _inside(field: FieldInfo) -> str:
    """The facts within a fact."""
    models = [
        each
        for each in (field.annotation, *get_args(field.annotation))
        if isinstance(each, type) and issubclass(each, BaseModel)
    ]
    return "".join(
        f" {{{', '.join(f'`{name}`{_inside(part)}' for name, part in model.model_fields.items())}}}"
        for model in models
    )


def _item(item: Item) -> str:
    what = "text"
    if isinstance(item, FramesItem):
        what = "frames"
    elif isinstance(item, Array):
        what = " ".join(filter(None, [item.dtype, f"({', '.join(item.shape)})", item.unit]))
    about = f": {item.about}" if item.about else ""
    return f"`{item}`, {what}{about}" + (", where there is one" if item.optional else "")


def main() -> None:
    """Write the pages and the table."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, text in pages().items():
        (DIRECTORY / name).write_text(text)
    DESIGN.write_text(design())


if __name__ == "__main__":
    main()
