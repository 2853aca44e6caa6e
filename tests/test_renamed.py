"""Former names of keys: read with a warning, the same tasks; a file rewritten, names alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import STUDIES

from borarun.basics.errors import StoreError, StudyError
from borarun.cli.update import backup_of, updated, write
from borarun.input.messages import _models_in
from borarun.input.renamed import Former, Renamed, in_words, with_new_names
from borarun.input.yaml_file import parse_yaml
from borarun.site.model import RENAMED as IN_SITES
from borarun.site.model import Site, load_site
from borarun.study import load_study
from borarun.study.model import RENAMED, StudyFile
from borarun.study.plan import expand
from borarun.subjects.heating.section import Heating

TABLE = (
    Renamed(("a", "old"), "new", "0.1.0"),
    Renamed(("a", "engine"), "current", "0.1.0", value="former"),
)


def renamed(text: str) -> tuple[Any, list[Former]]:
    root, former = with_new_names(parse_yaml(text, "file.yaml")[0], TABLE)
    return root.plain(), former


def aged(path: Path, folder: Path) -> Path:
    """A copy of a study in which every name that has changed is the former one."""
    shutil.copytree(STUDIES / "structures", folder / "structures", dirs_exist_ok=True)
    text = path.read_text()
    root = parse_yaml(text, path.name)[0]
    places = []
    for each in RENAMED:
        node, steps = root.along(each.now)
        if steps == each.now and not each.value:
            places.append((node.key_at, str(each.place[-1])))
    for (start, end), name in sorted(places, reverse=True):
        text = text[:start] + name + text[end:]
    text = text.replace("potential:\n", "potential:\n  engine: motep\n")
    copy = folder / path.name
    copy.write_text(text)
    return copy


def test_names_change_in_place_and_order() -> None:
    found, former = renamed("a: {x: 1, old: 2, engine: former, y: 3}\nold: 4\n")
    assert found == {"a": {"x": 1, "new": 2, "engine": "current", "y": 3}, "old": 4}
    assert list(found["a"]) == ["x", "new", "engine", "y"]
    assert [str(each.problem) for each in former] == [
        "file.yaml:1: a.old: is now called new.",
        "file.yaml:1: a.engine: former is now called current.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a: {new: 2, engine: current}\n",
        "a: 1\n",
        "a: [old]\n",
        "b: {old: 1}\n",
        "a: {engine: [former]}\n",
    ],
)
def test_other_files_stay_as_they_are(text: str) -> None:
    found, former = renamed(text)
    assert not former and found == parse_yaml(text, "")[0].plain()


def test_a_key_under_both_names_is_refused() -> None:
    with pytest.raises(StudyError) as caught:
        renamed("a:\n  new: 1\n  old: 2\n")
    assert str(caught.value) == (
        "file.yaml:3: a.old: is the former name of new, which is in line 2 of file.yaml too. "
        "Remove one of the two."
    )


def test_every_new_name_is_a_key_and_no_former_one_is() -> None:
    for model, table in ((StudyFile, RENAMED), (Site, IN_SITES)):
        for each in table:
            models: list[Any] = [model]
            for step in each.now[:-1]:
                models = _inner(models, str(step))
            keys = {field.alias or name for m in models for name, field in m.model_fields.items()}
            assert each.now[-1] in keys
            assert each.value or each.place[-1] not in keys


def _inner(models: list[Any], key: str) -> list[Any]:
    fields = [m.model_fields[key] for m in models if key in m.model_fields]
    return [
        found
        for field in fields
        for part in (field.annotation, *field.metadata)
        for found in _models_in(part)
    ]


@pytest.mark.parametrize("name", ["quickstart.yaml", "li2b12h12.yaml"])
def test_a_study_with_former_names_has_the_same_tasks(name: str, tmp_path: Path) -> None:
    old = load_study(aged(STUDIES / name, tmp_path))
    new = load_study(STUDIES / name)
    assert len(old.former) > 5 and not new.former
    keys = [{task.key for task in expand(study, {}, forecast=True).tasks} for study in (old, new)]
    assert keys[0] == keys[1] and keys[0]


def test_one_line_a_file_says_what_to_do(tmp_path: Path) -> None:
    base = aged(STUDIES / "quickstart.yaml", tmp_path)
    child = tmp_path / "child.yaml"
    child.write_text("extends: quickstart.yaml\nname: child\nheating: {rate_K_per_ps: 5}\n")
    study = load_study(child)
    heating = study.section(Heating)
    assert heating is not None and heating.heating_rates_K_per_ps == (5,)
    lines = list(in_words(study.former))
    assert lines[-1] == (
        f"{child}: warning: 1 key has a new name. Run `borarun update {child}` to change the file."
    )
    assert lines[0].startswith(f"{base}: warning: ") and len(lines) == 2


def test_a_site_s_former_name_is_read(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("borarun: 1\nname: here\nprograms: {motep: {cores: 2}}\n")
    site = load_site(file)
    assert site.program("borarun-mtp").cores == 2
    assert [each.name for each in site.former] == ["borarun-mtp"]


def test_only_the_names_change(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    before = (
        b"\xef\xbb\xbf# caf\xc3\xa9\r\nborarun:   1\r\nname: here # motep: here\r\n"
        b'programs: {"motep": {cores: 2},  lammps: {}}   # motep\r\n'
    )
    file.write_bytes(before)
    file.chmod(0o640)
    write(updated(file))
    assert file.read_bytes() == before.replace(b'"motep"', b"borarun-mtp")
    assert backup_of(file).read_bytes() == before
    assert file.stat().st_mode & 0o777 == 0o640
    assert not updated(file).former


def test_a_copy_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    file = aged(STUDIES / "quickstart.yaml", tmp_path)
    backup_of(file).write_text("mine")
    text = file.read_text()
    with pytest.raises(StoreError, match=r"quickstart\.yaml\.bak: already exists"):
        write(updated(file))
    assert file.read_text() == text and backup_of(file).read_text() == "mine"


def test_a_study_is_what_it_was_before_it_was_rewritten(tmp_path: Path) -> None:
    file = aged(STUDIES / "quickstart.yaml", tmp_path)
    before = load_study(file)
    write(updated(file))
    after = load_study(file)
    assert after.model_dump() == before.model_dump()
    assert before.former and not after.former
