"""Imports point downward, in the order of the table of rooms in DESIGN.md.

A room is a folder of ``borarun/``. It imports what its row says, and all that stands above that
row. Whoever draws a new arrow between rooms writes it down there.
"""

from __future__ import annotations

import ast
import importlib
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
SHARED_BY_ENGINES = {
    "base",
    "job",
    "moment_tensor",
    "networks",
    "potential",
    "reading",
    "reference",
}
"""What every engine may import of the others' room."""

NARROW = {
    "analysis": {"basics.errors", "basics.units"},
    "mtp": {"basics.tether", "basics.units", "records.frames"},
}
"""All that these rooms import of others: they could be libraries of their own."""


def rooms() -> dict[str, set[str]]:
    """What each room imports, from the lowest to the highest, as DESIGN.md says."""
    table = (ROOT / "DESIGN.md").read_text().split("| room | imports |\n|---|---|\n")[1]
    rows = [row.split("|")[1:3] for row in table.split("\n\n")[0].splitlines()]
    return {
        room.strip().strip("`"): set(re.findall(r"`(\w+)`", imported)) for room, imported in rows
    }


ROOMS = rooms()


def room_of(path: Path) -> str:
    """The folder of ``borarun/`` that a file is in."""
    name = path.relative_to(ROOT / "borarun").parts[0].removesuffix(".py")
    return "cli" if name == "__main__" else name


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


def arrows(path: Path) -> set[str]:
    """The other rooms' modules that a file imports, without ``borarun``."""
    return {
        rest
        for package, _, rest in (name.partition(".") for name in imports(path))
        if package == "borarun" and rest != "__version__" and rest.split(".")[0] != room_of(path)
    }


def test_every_room_stands_above_what_it_imports() -> None:
    below: set[str] = set()
    for room, imported in ROOMS.items():
        assert imported <= below, (
            f"{room} imports {sorted(imported - below)}, no rows above its own"
        )
        below.add(room)


def test_the_table_of_rooms_has_every_import_and_no_other() -> None:
    found: dict[str, set[str]] = {}
    for path in MODULES:
        found.setdefault(room_of(path), set()).update(name.split(".")[0] for name in arrows(path))
    assert found == ROOMS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downward(path: Path) -> None:
    room = room_of(path)
    for name in arrows(path):
        assert name.split(".")[0] in ROOMS[room], (
            f"{path} imports {name}, which is not below {room}"
        )
        assert any(f"{name}.".startswith(f"{all_}.") for all_ in NARROW.get(room, {name})), (
            f"{room} imports {name}"
        )
    for name in imports(path):
        package = name.partition(".")[0]
        assert path.name in ONLY_IN.get(package, {path.name}), (
            f"only {ONLY_IN.get(package)} may import {package}"
        )


PARTS = ("section", "subject", "__init__", "stage")
"""Modules of ``subjects/``, lowest first: above them stands all that only the report loads."""


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if room_of(path) == "subjects"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_subjects_are_planned_without_the_report(path: Path) -> None:
    """A section imports no stage, a stage no figure."""

    def height(file: Path) -> int:
        return PARTS.index(file.stem) if file.stem in PARTS else len(PARTS)

    for name in imports(path):
        module = (ROOT / Path(*name.split("."))).with_suffix(".py")
        if not module.is_file():
            module = module.parent.with_suffix(".py")
        if not module.is_file():
            module = module.with_suffix("") / "__init__.py"
        if module.is_file() and room_of(module) == "subjects":
            assert height(module) <= height(path), f"{path} imports {name}"


def held(folder: Path) -> bool:
    """Whether a folder has files: one that was moved away may have left compiled ones."""
    return any(file.is_file() and file.suffix != ".pyc" for file in folder.rglob("*"))


def test_every_room_is_in_the_picture() -> None:
    picture = (ROOT / "DESIGN.md").read_text().split("```\nborarun/")[1].split("```")[0]
    rooms = {
        path.name + "/" * path.is_dir()
        for path in (ROOT / "borarun").iterdir()
        if path.name[0] not in "_." and path.suffix != ".typed"
        if path.is_file() or held(path)
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


SCRIPTS = sorted(
    path for folder in ("benchmarks", "docs", "studies") for path in (ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_scripts_beside_the_package_import_what_there_is(path: Path) -> None:
    """They run for hours, on other days than the tests."""
    modules = {
        ".".join(each.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for each in (ROOT / "borarun").rglob("*.py")
    }
    for name in imports(path):
        module, _, item = name.rpartition(".")
        if name.startswith("borarun.") and name not in modules:
            assert module in modules, f"{path} imports {name}"
            assert hasattr(importlib.import_module(module), item), f"{path} imports {name}"


def test_stages_do_not_import_each_other() -> None:
    for path in sorted((ROOT / "borarun" / "subjects").glob("*/stage.py")):
        for name in imports(path):
            parts = [*name.split("."), ""]
            assert parts[1] != "subjects" or parts[3:4] != ["stage"] or parts[2] == "common", (
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
for module in ("study", "study.plan", "site", "records.store", "cli"):
    importlib.import_module(f"borarun.{module}")
    print(module, *{"parsl", "zarr"} & sys.modules.keys())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "study",
        "study.plan",
        "site",
        "records.store",
        "cli",
    ]


def test_only_subjects_name_sections() -> None:
    """A section's name, quoted, stands in its subject's folder and in the list, and nowhere else:
    a second list would not be told of a new one. Engines have items and operations of such names.
    """
    names = {subject.name for subject in SUBJECTS}
    ways = {
        ROOT / "borarun" / room
        for room in ("engines", "records/operations", "subjects", "analysis")
    }
    named = {
        (path.relative_to(ROOT).as_posix(), node.value)
        for path in MODULES
        if not ways & set(path.parents)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert named <= NAMED


NAMED = {
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
from borarun.study.plan import expand
expand(study, {}, forecast=True)
print(*sorted(parts()))
print(*{"matplotlib", "zarr", "parsl", "plotly"} & sys.modules.keys())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["section", "section stage", ""]


TYPED_ROOMS = {
    "engines",
    "live",
    "page",
    "records",
    "report",
    "run",
    "sharing",
    "study",
    "subjects",
}
"""What passes between stages, engines, the store and the report is of a class."""

UNTYPED = {
    # What a task asks of its engine, by names that each engine has for itself; it is hashed.
    ("borarun/records/task.py", "Task"),
    ("borarun/records/attributes.py", "TaskAttributes"),
    # Facts and ``about`` as the file of a record has them: each class of theirs reads its own.
    ("borarun/records/task.py", "Record"),
    ("borarun/records/task.py", "stored"),
    ("borarun/records/attributes.py", "Attributes"),
    ("borarun/records/attributes.py", "stored"),
    ("borarun/records/attributes.py", "shared"),
    ("borarun/records/operations/base.py", "stored"),
    ("borarun/records/record_file.py", "attributes"),
    ("borarun/records/record_file.py", "about"),
    # Of what a verdict is: kept and compared, and never read.
    ("borarun/records/attributes.py", "VerdictAttributes"),
    ("borarun/records/store.py", "verdict"),
    ("borarun/records/store.py", "write_verdict"),
    # What custodian says of its corrections: shown as it is.
    ("borarun/records/operations/reference.py", "Correction"),
    # INCAR tags: names and values are VASP's own.
    ("borarun/engines/vasp/inputs.py", "kind_of_run"),
    ("borarun/engines/vasp/labels.py", "Found"),
    ("borarun/engines/vasp/output.py", "Run"),
    ("borarun/engines/vasp/output.py", "converged"),
    ("borarun/engines/vasp/output.py", "tags_in_force"),
    # A method of custodian's, with its result.
    ("borarun/engines/vasp/program.py", "correct"),
    # The file in which a program says how it ended: each engine has a class that reads its own.
    ("borarun/records/endings.py", "Ending"),
    ("borarun/records/endings.py", "Written"),
    # Files that others read: JSON schemas, RO-Crate's and ``results.json``.
    ("borarun/study/load.py", "study_schema"),
    ("borarun/sharing/crate.py", "metadata"),
    ("borarun/sharing/crate.py", "text"),
    ("borarun/subjects/common/results.py", "to_json"),
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


OF_MOMENT_TENSORS = re.compile(
    r"\bMTP|moment tensor|almtp|active_set|\bmlip|potential\.level", re.IGNORECASE
)

NAMED_AFTER_THEM = {
    # Files of others, by the names that they have.
    "borarun/labels/__init__.py",
    "borarun/labels/cfg_file.py",
    "borarun/labels/sifted.py",
    "borarun/subjects/training_set/section.py",
    # What was published.
    "borarun/analysis/deviations.py",
    "borarun/published/model.py",
    "borarun/subjects/potential/tables.py",
    # Programs of a site, and kernels that are compiled there.
    "borarun/site/checkup.py",
    "borarun/site/new.py",
    # A former name of an engine, which keys hold.
    "borarun/records/task.py",
}
"""Files outside ``engines/`` and ``mtp/`` that name moment tensor potentials all the same."""


def test_only_engines_know_that_a_potential_is_a_moment_tensor_potential() -> None:
    named = {
        path.relative_to(ROOT).as_posix()
        for path in MODULES
        if room_of(path) not in {"engines", "mtp"} and OF_MOMENT_TENSORS.search(path.read_text())
    }
    assert named == NAMED_AFTER_THEM
