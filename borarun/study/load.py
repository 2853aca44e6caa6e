"""Load and validate a study file: every mistake at once, each with file, line, key, value and way
out.
"""

from __future__ import annotations

import difflib
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.resources import as_file, files
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from pydantic import ValidationError

from borarun.basics.errors import Problem, StudyError
from borarun.engines import outputs
from borarun.engines.reference.charge import ChargeKeys, charge_of
from borarun.input.messages import in_order, validate
from borarun.input.renamed import Former, with_new_names
from borarun.input.yaml_file import KeyPath, Node, merge, read_yaml
from borarun.labels import Labels, read_configurations, read_labels
from borarun.published import Published, read_published
from borarun.records.frames import Frames
from borarun.records.task import Given
from borarun.sections.dynamics import as_far_as_known
from borarun.sections.study import Compare, Study
from borarun.sections.values import MAX_PATH
from borarun.structures.files import read_average, read_structure
from borarun.structures.ordering import Request, ordered_models
from borarun.structures.structure import composition, formula_units
from borarun.study import checks
from borarun.study.model import RENAMED, StudyFile
from borarun.subjects import SUBJECTS
from borarun.subjects.training_set.section import TrainingSet

__all__ = ["Study", "init_study", "load_study", "study_schema"]

NEEDS = {subject.name: subject.needs for subject in SUBJECTS if subject.needs}
"""Section -> the section that it builds on."""

WILD = re.compile(r"[*?\[]")
"""What a pattern has and a path has not."""

MOST_FILES = 5000
"""That a pattern may match."""

SCHEMA_NAME = "study.schema.json"
"""Beside a new study, whose first line names it."""

STAND_IN: dict[str, Any] = {
    "borarun": 1,
    "name": "study",
    "material": {"formula": "H", "phases": {"none": "none"}, "mobile": "H"},
    "functionals": ["PBE"],
    "reference": {"engine": "bundled"},
}
"""Values that stand in for keys that must be there and did not validate: with them, the rest does.
"""


def load_study(path: Path) -> Study:
    """Read, resolve ``extends``, and validate a study and its structures.

    Raises
    ------
    StudyError
        With every mistake in the study and the files it names.
    """
    root, problems, former = _read(path, ())
    study, misfits, broken = validate(root, StudyFile)
    told = {problem.key for problem in problems}
    problems += [problem for problem in misfits if problem.key not in told]
    problems += _missing_sections(root, told)
    if study is None:
        study = _mended(root, broken)
    phases: dict[str, Atoms] = {}
    models: dict[str, tuple[str, ...]] = {}
    labels: dict[str, Given] = {}
    configurations: list[Frames] = []
    remarks: list[str] = []
    published: list[Published] = []
    for read in (
        _read_phases(root, study, phases, models, remarks),
        _read_labels(root, study, labels, remarks),
        _read_configurations(root, study, configurations, remarks),
        _read_published(root, study, published),
    ):
        problems += as_far_as_known(read)
    if models:
        study = study.with_models(models)
    problems += [root.problem(place, message) for place, message in checks.findings(study, phases)]
    if problems:
        raise StudyError(in_order(problems))
    return study.holding(
        texts={phase: Frames.of([atoms]).to_extxyz() for phase, atoms in phases.items()},
        n_atoms=len(phases[study.phase]),
        n_units=formula_units(phases[study.phase], study.material.formula),
        former=former,
        warnings=[*remarks, *checks.warnings(study, phases)],
        published=published[0] if published else None,
        labels=labels,
        configurations=configurations[0] if configurations else None,
    )


def study_files(path: Path) -> dict[str, Path]:
    """Every file that a study, which is valid, is read from, by its path from the study's folder;
    the study itself is the first.

    Raises
    ------
    StudyError
        Where a path is absolute or holds ``..``: it would mean another file elsewhere.
    """
    named: list[tuple[Path, str, KeyPath]] = []  # folder of the file that names it, name, key
    file = path
    while (parent := read_yaml(file)[0].get("extends")) is not None:
        named.append((file.parent, parent.value, ("extends",)))
        file = file.parent / parent.value
    root = _read(path, ())[0]
    phases = root.along(("material", "phases"))[0].value
    named += [
        (Path(node.file).parent, node.value, ("material", "phases", phase))
        for phase, node in phases.items()
    ]
    labels, place = root.along(("training_set", "labels"))
    if len(place) == 2:
        named += [
            (Path(node.file).parent, name, (*place, functional))
            for functional, node in labels.value.items()
            for name in _matching(Path(node.file).parent, _names(node))
        ]
    for key in (("training_set", "configurations"), ("compare", "file")):
        node, place = root.along(key)
        if len(place) == 2:
            named.append((Path(node.file).parent, node.value, place))
    if crooked := [
        (name, place)
        for _, name, place in named
        if Path(name).is_absolute() or ".." in Path(name).parts
    ]:
        message = (
            "would point to another file on another machine (got {!r:.80}). Write the "
            "path relative to this file's folder, without `..`."
        )
        raise StudyError([root.problem(place, message.format(name)) for name, place in crooked])
    return {
        file.relative_to(path.parent).as_posix(): file
        for file in (path, *(folder / name for folder, name, _ in named))
    }


def study_schema() -> dict[str, Any]:
    """JSON schema of a study file, for editors. What one needs, itself and its material, a study
    that extends another has from there.
    """
    schema = StudyFile.model_json_schema()
    of_material = {"material": {"required": schema["$defs"]["Material"].pop("required")}}
    needed = {
        "if": {"not": {"required": ["extends"]}},
        "then": {"required": schema.pop("required"), "properties": of_material},
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, **needed}


def init_study(directory: Path) -> Path:
    """Write a commented study, its structure, and the schema for editors into ``directory``; return
    the path of the study.

    Raises
    ------
    StudyError
        Where there is such a file already, or the folder cannot be written.
    """
    with as_file(files("borarun.study") / "new_study") as template:
        written = [
            directory / file.relative_to(template) for file in template.rglob("*") if file.is_file()
        ]
        schema = directory / SCHEMA_NAME
        for file in (*written, schema):
            if file.exists():
                raise StudyError(
                    Problem(
                        str(file),
                        0,
                        "",
                        "already exists. Choose another folder, or move the file away.",
                    )
                )
        try:
            shutil.copytree(template, directory, dirs_exist_ok=True)
            schema.write_text(json.dumps(study_schema(), indent=2) + "\n")
        except OSError as error:
            raise StudyError(
                Problem(
                    str(directory),
                    0,
                    "",
                    f"cannot be written ({error.strerror}). Choose another folder.",
                )
            ) from None
    return directory / "study.yaml"


def _read(path: Path, children: tuple[Path, ...]) -> tuple[Node, list[Problem], list[Former]]:
    """The file's nodes, merged over those of the file that it extends; the problems and the former
    names in both.
    """
    root, problems = read_yaml(path)
    root, former = with_new_names(root, RENAMED)
    parent = root.get("extends")
    if parent is None or not isinstance(parent.value, str) or not 0 < len(parent.value) <= MAX_PATH:
        return root, problems, former  # nothing to read; the model says what is wrong
    file = _inside(path.parent, parent.value)
    if file is None:
        raise StudyError(root.problem(("extends",), _outside(parent.value)))
    chain = (*children, path.resolve())
    if file.resolve() in chain:
        raise StudyError(
            root.problem(
                ("extends",),
                f"is a circle: these studies extend each other (got {parent.value!r}). "
                "Remove one `extends`.",
            )
        )
    if not file.exists():
        raise StudyError(
            root.problem(
                ("extends",), f"no such file in the study's folder (got {parent.value!r})."
            )
        )
    base, base_problems, base_former = _read(file, chain)
    return merge(base, root), base_problems + problems, base_former + former


def _inside(folder: Path, name: str) -> Path | None:
    """``folder/name`` where that stays inside ``folder``, links resolved; else None."""
    try:
        file = folder / name
        return file if file.resolve().is_relative_to(folder.resolve()) else None
    except (OSError, RuntimeError, ValueError):  # a circle of links; a name that no file can have
        return None


def _outside(name: str) -> str:
    return (
        f"must be a file in the study's own folder (got {name!r:.80}). Copy it there, and "
        "give its path relative to the study."
    )


def _missing_sections(root: Node, told: set[str]) -> list[Problem]:
    present = {key for key, node in root.value.items() if node.value is not None or key in told}
    meant = {
        close
        for key in root.value.keys() - StudyFile.model_fields
        for close in difflib.get_close_matches(key, NEEDS.values(), n=1)
    }
    return [
        root.problem(
            (section,),
            f"needs the section {needed}, which is absent. Add `{needed}: {{}}` to take its "
            "defaults.",
        )
        for section, needed in NEEDS.items()
        if section in present and needed not in present | meant
    ]


def _mended(root: Node, broken: frozenset[KeyPath]) -> Study:
    """The study without its broken keys, which are withheld; where they cannot be left out by
    themselves, without the sections that hold them.
    """
    for depth in (None, 1):
        content = root.plain()
        places = {_left_out(content, place[:depth]) for place in broken}
        for key, stand_in in STAND_IN.items():
            if (key,) in places:
                content[key] = stand_in
            elif isinstance(stand_in, dict):
                content[key] |= {
                    inner: value for inner, value in stand_in.items() if (key, inner) in places
                }
        with suppress(ValidationError):
            study = StudyFile.model_validate(content)
            break
    # an optional section that is broken is absent
    needed = STAND_IN.keys() | {"supercell"}
    return study.without(place for place in places if len(place) > 1 or place[-1] in needed)


def _left_out(content: Any, place: KeyPath) -> KeyPath:
    """Take a place out of a file's plain content: a key, or the key that holds the list item; where
    that was.
    """
    for depth, step in enumerate(place):
        if depth + 1 == len(place) or not isinstance(content.get(step), dict):
            content.pop(step, None)
            return place[: depth + 1]
        content = content[step]
    return place


def _read_phases(
    root: Node,
    study: Study,
    phases: dict[str, Atoms],
    models: dict[str, tuple[str, ...]],
    remarks: list[str],
) -> Iterator[Problem]:
    """Fill in the structures, by phase, the names of the models of disordered ones, and what is
    worth knowing of these; what is wrong with them.
    """
    for phase, name in study.material.phases.items():
        place = ("material", "phases", phase)
        file = _inside(Path(root.along(place)[0].file).parent, name)
        try:
            if file is None:
                yield root.problem(place, _outside(name))
                continue
            average = read_average(file) if study.material.order else None
            if average is None:
                phases[phase] = read_structure(file)
                continue
            ordered = ordered_models(average, _request(study))
        except StudyError as error:
            yield from (
                root.problem(place, f"{name}: {problem.message}") for problem in error.problems
            )
            continue
        models[phase] = tuple(f"{phase}-{rank + 1}" for rank in range(len(ordered.models)))
        if taken := [each for each in models[phase] if each in study.material.phases]:
            yield root.problem(
                place, f"its models need the name {taken[0]}. Give that phase another name."
            )
        phases |= {
            each: model.atoms for each, model in zip(models[phase], ordered.models, strict=True)
        }
        remarks += [f"material.phases.{phase}: {name}: {each}" for each in ordered.remarks]
    if study.material.order and not models and len(phases) == len(study.material.phases):
        yield root.problem(
            ("material", "order"),
            "has nothing to do: no phase has partly occupied sites. Remove `order`.",
        )


def _request(study: Study) -> Request:
    """What a study asks of ordered models."""
    order = study.material.order
    assert order is not None
    return Request(
        supercell=order.supercell,
        models=order.models,
        seed=order.seed,
        charges=order.charges,
        nearest=order.nearest,
        mobile=frozenset(study.material.ions),
    )


def _read_labels(
    root: Node, study: Study, labels: dict[str, Given], remarks: list[str]
) -> Iterator[Problem]:
    """Fill in the labelled configurations that a study names, by functional, and what was left out
    of them; what is wrong with them.
    """
    section = study.section(TrainingSet) or TrainingSet()
    for functional, names in section.labels.items():
        place = ("training_set", "labels", functional)

        def read(
            files: Mapping[str, Path], elements: list[str], functional: str = functional
        ) -> Labels:
            reader = outputs.reader(functional, study.reference)
            brought = outputs.without_twins(files)
            found = read_labels(
                brought, elements, section.cfg_elements, reader, partial(_charge_of, study)
            )
            labels[functional] = Given(found.frames, found.lengths)
            if twins := len(files) - len(brought):
                said = f"{twins} OUTCAR beside the vasprun.xml of the same run not read"
                return replace(found, remarks=(*found.remarks, said))
            return found

        yield from _read_brought(root, study, place, names, read, remarks)


def _charge_of(study: Study, numbers: NDArray[np.int64]) -> float:
    """The charge that the study's reference gives a cell with these atomic numbers."""
    keys = study.reference if isinstance(study.reference, ChargeKeys) else ChargeKeys()
    return charge_of(keys, numbers, study.material.formula, study.material.vacancy_ion)


def _read_configurations(
    root: Node, study: Study, configurations: list[Frames], remarks: list[str]
) -> Iterator[Problem]:
    """Append the configurations that a study names for the reference to label, where it does; what
    is wrong with them.
    """
    section = study.section(TrainingSet) or TrainingSet()

    def read(files: Mapping[str, Path], elements: list[str]) -> Labels:
        (file,) = files.values()
        found = read_configurations(file, elements)
        configurations.append(found.frames)
        return found

    if section.configurations is not None:
        place = ("training_set", "configurations")
        yield from _read_brought(root, study, place, (section.configurations,), read, remarks)


def _read_brought(
    root: Node,
    study: Study,
    place: KeyPath,
    names: Sequence[str],
    read: Callable[[Mapping[str, Path], list[str]], Labels],
    remarks: list[str],
) -> Iterator[Problem]:
    """Read files of configurations in the study's folder, and add what was left out of them to the
    remarks; what is wrong with them.
    """
    try:
        elements = sorted(composition(study.material.formula))
    except StudyError:  # told where the formula is checked
        return
    folder = Path(root.along(place)[0].file).parent
    files: dict[str, Path] = {}
    for pattern in names:
        matching = _matching(folder, (pattern,))
        if not matching:
            yield root.problem(
                place, f"no file in the study's folder matches (got {pattern!r:.80})."
            )
        if len(matching) > MOST_FILES:
            yield root.problem(
                place, f"{pattern!r:.80} matches more than {MOST_FILES:,} files. Name fewer."
            )
            return
        for name in matching:
            file = _inside(folder, name)
            if file is None or Path(name).is_absolute():
                yield root.problem(place, _outside(name))
                return
            files[name] = file
    if not files:
        return
    called = ", ".join(names)[:MAX_PATH]
    try:
        found = read(files, elements)
    except StudyError as error:
        yield from (
            root.problem(place, f"{called}: {problem.message}") for problem in error.problems
        )
    else:
        remarks += [f"{'.'.join(map(str, place))}: {called}: {each}" for each in found.remarks]


def _names(node: Node) -> list[str]:
    """The paths of a node that is one or a list of them."""
    return [each.value for each in node.value] if isinstance(node.value, list) else [node.value]


def _matching(folder: Path, names: Iterable[str]) -> list[str]:
    """The names, and in place of each that is a pattern the files that it matches, in order."""
    found: dict[str, None] = {}
    for name in names:
        if not WILD.search(name) or (folder / name).is_file():
            found[name] = None
        elif not (Path(name).is_absolute() or ".." in Path(name).parts):
            matches = islice(folder.glob(name), MOST_FILES + 1)
            found |= dict.fromkeys(
                sorted(path.relative_to(folder).as_posix() for path in matches if path.is_file())
            )
    return list(found)


def _read_published(root: Node, study: Study, published: list[Published]) -> Iterator[Problem]:
    """Append what the study's own file of published values holds, where it names one; what is wrong
    with it.
    """
    compare = study.section(Compare)
    if compare is None or compare.file is None:
        return
    place, name = ("compare", "file"), compare.file
    file = _inside(Path(root.along(place)[0].file).parent, name)
    if file is None:
        yield root.problem(place, _outside(name))
    elif not file.exists():
        yield root.problem(place, f"no such file in the study's folder (got {name!r}).")
    else:
        try:
            values, misquoted = read_published(file, study.material.formula)
        except StudyError as error:
            yield from error.problems
        else:
            published.append(values)
            yield from misquoted
