"""Load and validate a study file: every mistake at once, each with file, line, key, value and way out."""

from __future__ import annotations

import json
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from ase import Atoms

from borarun import physics
from borarun.errors import Problem, StudyError
from borarun.frames import Frames
from borarun.labels import read_labels
from borarun.messages import in_order, validate
from borarun.protocol import MAX_PATH, Study, TrainingSet
from borarun.published import Published, read_published
from borarun.structure import composition, formula_units, read_structure
from borarun.task import Given
from borarun.yaml_file import KeyPath, Node, merge, read_yaml

__all__ = ["Study", "init_study", "load_study", "study_schema"]

NEEDS = {
    "phonons": "relax",
    "potential": "training_set",
    "active_learning": "potential",
    "heating": "potential",
    "diffusion": "potential",
    "reorientation": "diffusion",
    "vibrations": "potential",
}
"""Section -> the section that it builds on."""

SCHEMA_NAME = "study.schema.json"
"""Beside a new study, whose first line names it."""

STAND_IN: dict[str, Any] = {
    "borarun": 1,
    "name": "study",
    "material": {"formula": "H", "phases": {"none": "none"}, "mobile": "H", "anion": "H"},
    "functionals": ["PBE"],
    "supercell": [1, 1, 1],
    "reference": {"engine": "bundled"},
}
"""Values that stand in for keys that did not validate, so that the physics of all others is checked in the same pass."""


def load_study(path: Path) -> Study:
    """Read, resolve ``extends``, and validate a study and its structures.

    Raises
    ------
    StudyError
        With every mistake in the study and the files it names.
    """
    root, problems = _read(path, ())
    study, misfits, broken = validate(root, Study)
    told = {problem.key for problem in problems}
    problems += [problem for problem in misfits if problem.key not in told]
    problems += _missing_sections(root, told)
    if study is None:
        study = _mended(root, broken)
    phases, unreadable = ({}, []) if "material" in broken else _read_phases(root, study)
    problems += unreadable
    published, misquoted = (None, []) if "compare" in broken else _read_published(root, study, broken)
    problems += misquoted
    labels, mislabelled = ({}, []) if broken & {"training_set", "material"} else _read_labels(root, study)
    problems += mislabelled
    problems += [root.problem(place, message) for place, message in physics.findings(study, phases, broken)]
    if problems:
        raise StudyError(in_order(problems))
    study.attach(
        texts={phase: Frames.of([atoms]).to_extxyz() for phase, atoms in phases.items()},
        n_atoms=len(phases[study.phase]),
        n_units=formula_units(phases[study.phase], study.material.formula),
        warnings=list(physics.warnings(study, phases)),
        published=published,
        labels=labels,
    )
    return study


def study_files(path: Path) -> dict[str, Path]:
    """Every file that a study, which is valid, is read from, by its path from the study's folder; the study itself is the first.

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
    root, _ = _read(path, ())
    phases = root.along(("material", "phases"))[0].value
    named += [(Path(node.file).parent, node.value, ("material", "phases", phase)) for phase, node in phases.items()]
    labels, place = root.along(("training_set", "labels"))
    if len(place) == 2:
        named += [(Path(node.file).parent, node.value, (*place, functional)) for functional, node in labels.value.items()]
    quoted, place = root.along(("compare", "file"))
    if len(place) == 2:
        named.append((Path(quoted.file).parent, quoted.value, place))
    if crooked := [(name, place) for _, name, place in named if Path(name).is_absolute() or ".." in Path(name).parts]:
        message = "means another file on another machine (got {!r:.80}). Write the path from this file's own folder, without `..`."
        raise StudyError([root.problem(place, message.format(name)) for name, place in crooked])
    return {file.relative_to(path.parent).as_posix(): file for file in (path, *(folder / name for folder, name, _ in named))}


def study_schema() -> dict[str, Any]:
    """JSON schema of a study file, for editors. What one needs, a study that extends another has from there."""
    schema = Study.model_json_schema()
    needed = {"if": {"not": {"required": ["extends"]}}, "then": {"required": schema.pop("required")}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, **needed}


def init_study(directory: Path) -> Path:
    """Write a commented study, its structure, and the schema for editors into ``directory``; return the path of the study.

    Raises
    ------
    StudyError
        Where there is such a file already, or the folder cannot be written.
    """
    with as_file(files("borarun") / "new_study") as template:
        written = [directory / file.relative_to(template) for file in template.rglob("*") if file.is_file()]
        schema = directory / SCHEMA_NAME
        for file in (*written, schema):
            if file.exists():
                raise StudyError(Problem(str(file), 0, "", "is there already. Choose another folder, or move it away."))
        try:
            shutil.copytree(template, directory, dirs_exist_ok=True)
            schema.write_text(json.dumps(study_schema(), indent=2) + "\n")
        except OSError as error:
            raise StudyError(Problem(str(directory), 0, "", f"cannot be written ({error.strerror}). Choose another folder.")) from None
    return directory / "study.yaml"


def _read(path: Path, children: tuple[Path, ...]) -> tuple[Node, list[Problem]]:
    """The file's nodes, merged over those of the file that it extends."""
    root, problems = read_yaml(path)
    parent = root.get("extends")
    if parent is None or not isinstance(parent.value, str) or not 0 < len(parent.value) <= MAX_PATH:
        return root, problems  # nothing to read; the model says what is wrong
    file = _inside(path.parent, parent.value)
    if file is None:
        raise StudyError(root.problem(("extends",), _outside(parent.value)))
    chain = (*children, path.resolve())
    if file.resolve() in chain:
        raise StudyError(root.problem(("extends",), f"studies extend each other in a circle (got {parent.value!r}). Break it."))
    if not file.exists():
        raise StudyError(root.problem(("extends",), f"no such file in the study's folder (got {parent.value!r})."))
    base, base_problems = _read(file, chain)
    return merge(base, root), base_problems + problems


def _inside(folder: Path, name: str) -> Path | None:
    """``folder/name`` where that stays inside ``folder``, links resolved; else None."""
    try:
        file = folder / name
        return file if file.resolve().is_relative_to(folder.resolve()) else None
    except (OSError, RuntimeError, ValueError):  # a circle of links; a name that no file can have
        return None


def _outside(name: str) -> str:
    return f"must be a file in the study's own folder (got {name!r:.80}). Copy it there and give the path from the study."


def _missing_sections(root: Node, told: set[str]) -> list[Problem]:
    present = {key for key, node in root.value.items() if node.value is not None or key in told}
    return [
        root.problem((section,), f"needs the section {needed}, which is absent. Add `{needed}: {{}}` to take its defaults.")
        for section, needed in NEEDS.items()
        if section in present and needed not in present
    ]


def _mended(root: Node, broken: frozenset[str]) -> Study:
    """The study with its broken keys left out or stood in for."""
    whole = {key: value for key, value in root.plain().items() if key not in broken}
    return Study.model_validate({**{key: STAND_IN[key] for key in broken & STAND_IN.keys()}, **whole})


def _read_phases(root: Node, study: Study) -> tuple[dict[str, Atoms], list[Problem]]:
    phases, problems = {}, []
    for phase, name in study.material.phases.items():
        place = ("material", "phases", phase)
        file = _inside(Path(root.along(place)[0].file).parent, name)
        try:
            if file is None:
                problems.append(root.problem(place, _outside(name)))
            else:
                phases[phase] = read_structure(file)
        except StudyError as error:
            problems += [root.problem(place, f"{name}: {problem.message}") for problem in error.problems]
    return phases, problems


def _read_labels(root: Node, study: Study) -> tuple[dict[str, Given], list[Problem]]:
    """The labelled configurations that a study names, by functional."""
    found: dict[str, Given] = {}
    problems: list[Problem] = []
    section = study.training_set or TrainingSet()
    try:
        elements = sorted(composition(study.material.formula))
    except StudyError:  # told where the formula is checked
        return found, problems
    for functional, name in section.labels.items():
        place = ("training_set", "labels", functional)
        file = _inside(Path(root.along(place)[0].file).parent, name)
        try:
            if file is None:
                problems.append(root.problem(place, _outside(name)))
            else:
                found[functional] = Given(read_labels(file, elements, section.cfg_elements))
        except StudyError as error:
            problems += [root.problem(place, f"{name}: {problem.message}") for problem in error.problems]
    return found, problems


def _read_published(root: Node, study: Study, broken: frozenset[str]) -> tuple[Published | None, list[Problem]]:
    """The study's own file of published values, where it names one."""
    if study.compare is None or study.compare.file is None or "material" in broken:
        return None, []
    place, name = ("compare", "file"), study.compare.file
    file = _inside(Path(root.along(place)[0].file).parent, name)
    if file is None:
        return None, [root.problem(place, _outside(name))]
    if not file.exists():
        return None, [root.problem(place, f"no such file in the study's folder (got {name!r}).")]
    try:
        return read_published(file, study.material.formula)
    except StudyError as error:
        return None, list(error.problems)
