"""Imports point downward, in the order that DESIGN.md gives.

The order is read from the chains there, as in ``errors, units < frames < task``: what stands left
of ``<`` may be imported by what stands right of it, and so may all that lies below. A new room
needs its place in a chain.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from borarun.subjects import SUBJECTS

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    path
    for path in (ROOT / "borarun").rglob("*.py")
    if path.name != "__init__.py" or path.parent.name != "borarun"
)
ONLY_IN = {"parsl": {"workers.py", "blocks.py"}, "zarr": {"store.py"}}
SHARED_BY_ENGINES = {"base", "moment_tensor", "potential", "reading", "reference"}
"""What every engine may import of the others' room."""


def chains() -> list[list[list[str]]]:
    rules = (
        (ROOT / "DESIGN.md").read_text().split("Imports point downward only:")[1].split("\n\n")[0]
    )
    return [
        [re.split(r",\s*", level.strip()) for level in chain.split("<")]
        for chain in re.findall(r"`([^`]*<[^`]*)`", rules)
    ]


def rooms_below() -> dict[str, set[str]]:
    """For every room the rooms that it may import."""
    below: dict[str, set[str]] = {}
    for chain in chains():
        for lower, upper in zip([[], *chain], chain, strict=False):
            for room in upper:
                below.setdefault(room, set()).update(lower)
    for _ in below:  # as many times as a path can be long
        for room, rooms in below.items():
            below[room] = rooms.union(*(below[other] for other in rooms))
    return below


BELOW = rooms_below()


PARTS = {"__init__": "subjects", "section": "section", "stage": "stage", "live": "watched"}
"""Rooms of the modules of a subject's folder; all others are of the report, room `shown`."""


def room_of(path: Path) -> str:
    subjects = ROOT / "borarun" / "subjects"
    if path.parent != subjects and subjects in path.parents:  # a subject is in several rooms
        return PARTS.get(path.stem, "shown")
    name = path.relative_to(ROOT / "borarun").parts[0].removesuffix(".py")
    return "cli" if name == "__main__" else name


def room_named(name: str) -> str:
    """Room of the full name of a module, or of what a module has, without ``borarun``."""
    parts = name.split(".")
    if (
        parts[0] == "subjects"
        and len(parts) > 2
        and (ROOT / "borarun" / "subjects" / parts[1]).is_dir()
    ):
        return room_of(ROOT / "borarun" / Path(*parts[:3]).with_suffix(".py"))
    return parts[0]


def imports(path: Path) -> list[str]:
    """Full names of all that a file imports, wherever in it the import stands."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def test_the_rooms_have_an_order() -> None:
    assert {"errors", "engines", "stage", "cli"} <= BELOW.keys()
    assert not [room for room, rooms in BELOW.items() if room in rooms], "a circle"
    assert BELOW["analysis"] == {"causes", "errors", "units"}  # what errors needs, too


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downward(path: Path) -> None:
    room = room_of(path)
    assert room in BELOW, f"DESIGN.md gives {room} no place in the order of imports"
    for name in imports(path):
        package, _, rest = name.partition(".")
        if package == "borarun" and rest != "__version__":
            assert room_named(rest) in BELOW[room] | {room}, (
                f"{room} imports {name}, which is not below it"
            )
        assert path.name in ONLY_IN.get(package, {path.name}), (
            f"only {ONLY_IN.get(package)} may import {package}"
        )


def test_every_room_is_in_the_picture() -> None:
    picture = (ROOT / "DESIGN.md").read_text().split("```\nborarun/")[1].split("```")[0]
    rooms = {
        path.name + "/" * path.is_dir()
        for path in (ROOT / "borarun").iterdir()
        if path.name[0] not in "_." and path.suffix != ".typed"
    }
    assert not {room for room in rooms if room not in picture}


def test_no_module_needs_itself() -> None:
    """Within a room modules may import each other, but not in a circle."""
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in MODULES
    }
    needed = {
        name: {full if full in names else full.rpartition(".")[0] for full in imports(path)}
        & names.keys()
        for name, path in names.items()
    }
    while free := {name for name, others in needed.items() if not others}:
        needed = {name: others - free for name, others in needed.items() if name not in free}
    assert not needed, f"a circle among {sorted(needed)}"


def test_stages_do_not_import_each_other() -> None:
    for path in sorted((ROOT / "borarun" / "subjects").glob("*/stage.py")):
        for name in imports(path):
            assert not name.startswith("borarun.subjects.") or ".stage" not in name, (
                f"{path} imports {name}"
            )


ENGINES = sorted(path for path in (ROOT / "borarun" / "engines").iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", ENGINES, ids=lambda path: path.name)
def test_engines_do_not_import_each_other(folder: Path) -> None:
    """A folder may import itself and what all engines share."""
    for path in sorted(folder.glob("*.py")):
        others = {name.split(".")[2] for name in imports(path) if "borarun.engines." in name}
        assert others <= SHARED_BY_ENGINES | {folder.name}, f"{path} imports {others}"


def test_programs_are_started_not_imported() -> None:
    programs = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in MODULES
        if '__name__ == "__main__"' in path.read_text() and path.name != "__main__.py"
    }
    assert "borarun.engines.lammps.md" in programs
    for path in MODULES:
        assert not programs & set(imports(path)), f"{path} imports a program"


def test_neither_parsl_nor_zarr_is_loaded_before_it_is_needed() -> None:
    """Validating, planning and asking for the state of a run start without them; only running and
    reading arrays load them.
    """
    code = """
import importlib, sys
for module in ("study", "plan", "site", "store", "cli"):
    importlib.import_module(f"borarun.{module}")
    print(module, *{"parsl", "zarr"} & sys.modules.keys())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["study", "plan", "site", "store", "cli"]


def test_only_subjects_name_sections() -> None:
    """A section's name, quoted, stands in its subject's folder and in the list, and nowhere else:
    a second list would not be told of a new one. Engines have items and operations of such names.
    """
    names = {subject.name for subject in SUBJECTS}
    ways = {ROOT / "borarun" / room for room in ("engines", "operations", "subjects", "analysis")}
    named = {
        (path.relative_to(ROOT).as_posix(), node.value)
        for path in MODULES
        if not ways & set(path.parents)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert named <= NAMED


NAMED = {
    ("borarun/stage.py", "potential"),  # an item of a training's record
    ("borarun/study/load.py", "training_set"),  # the files of labels that a study names
    ("borarun/study/load.py", "potential"),
    ("borarun/labels/extended_xyz.py", "potential"),  # a word of the files
}


def test_a_subject_loads_what_it_needs_and_no_more() -> None:
    """Validation loads section.py, planning stage.py; all else is the report's."""
    code = """
import sys
from borarun.study import load_study
def parts():
    return {name.rpartition(".")[2] for name in sys.modules if name.count(".") > 2
            and name.startswith("borarun.subjects.")}
study = load_study(__import__("pathlib").Path("studies/quickstart.yaml"))
print(*sorted(parts()))
from borarun.plan import expand
expand(study, {}, forecast=True)
print(*sorted(parts()))
print(*{"matplotlib", "zarr", "parsl", "plotly"} & sys.modules.keys())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["section", "section stage", ""]


TYPED_ROOMS = (
    "attributes.py",
    "endings.py",
    "live",
    "operations",
    "plan.py",
    "report",
    "run",
    "sharing",
    "stage.py",
    "store.py",
    "subjects",
    "task.py",
    "verdicts.py",
)
"""What passes between stages, engines, the store and the report is of a class."""

UNTYPED = {
    # What a task asks of its engine, by names that each engine has for itself; it is hashed.
    ("borarun/task.py", "Task"),
    ("borarun/attributes.py", "TaskAttributes"),
    # Facts and ``about`` as the file of a record has them: each class of theirs reads its own.
    ("borarun/task.py", "Record"),
    ("borarun/task.py", "stored"),
    ("borarun/attributes.py", "Attributes"),
    ("borarun/attributes.py", "stored"),
    ("borarun/attributes.py", "shared"),
    ("borarun/operations/base.py", "stored"),
    # Of what a verdict is: kept and compared, and never read.
    ("borarun/attributes.py", "VerdictAttributes"),
    ("borarun/store.py", "verdict"),
    ("borarun/store.py", "write_verdict"),
    # What custodian says of its corrections: shown as it is.
    ("borarun/operations/reference.py", "Correction"),
    # The file in which a program says how it ended: each engine has a class that reads its own.
    ("borarun/endings.py", "Ending"),
    ("borarun/endings.py", "Written"),
    # Files that others read: RO-Crate's and ``results.json``.
    ("borarun/sharing/crate.py", "metadata"),
    ("borarun/sharing/crate.py", "text"),
    ("borarun/report/results.py", "to_json"),
}
"""Where JSON itself is the subject: whatever it holds is the business of whoever reads it."""


def test_no_untyped_dictionary_crosses_between_rooms() -> None:
    """No function of these rooms takes or gives a ``dict[str, Any]`` or a value of JSON, and no
    class of theirs has one.
    """
    found = set()
    for path in MODULES:
        place = path.relative_to(ROOT / "borarun").parts[0]
        if place not in TYPED_ROOMS:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                arguments = [*node.args.args, *node.args.kwonlyargs]
                hints = [argument.annotation for argument in arguments] + [node.returns]
                name = node.name
            elif isinstance(node, ast.ClassDef):
                hints = [each.annotation for each in node.body if isinstance(each, ast.AnnAssign)]
                name = node.name
            else:
                continue
            if name.startswith("_"):  # of its own module alone
                continue
            told = [ast.unparse(hint) for hint in hints if hint is not None]
            if any(re.search(r"\[str, (Any|object)\]|\bJson(Value)?\b", hint) for hint in told):
                found.add((path.relative_to(ROOT).as_posix(), name))
    assert found == UNTYPED
