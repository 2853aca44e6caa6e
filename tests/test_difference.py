"""How studies differ."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from borarun.study import load_study
from borarun.study.difference import Change, difference


@pytest.fixture
def folder(mini_study: Path) -> Path:
    return mini_study.parent


def changed(folder: Path, *changes: tuple[str, str]) -> Path:
    text = (folder / "mini.yaml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "other.yaml"
    path.write_text(text)
    return path


def test_what_does_not_change_a_result_is_no_difference(folder: Path) -> None:
    shutil.copy(folder / "structures/Li2B12H12-Pa-3.cif", folder / "renamed.cif")
    lines = (
        (folder / "mini.yaml")
        .read_text()
        .replace("structures/Li2B12H12-Pa-3.cif", "renamed.cif")
        .replace("name: mini", "name: other")
        .splitlines()
    )
    body = [line for line in lines if line.startswith("reorientation")] + [
        line for line in lines if not line.startswith("reorientation")
    ]
    (folder / "other.yaml").write_text("# a comment\n" + "\n".join(body) + "\n")
    found = difference(load_study(folder / "mini.yaml"), load_study(folder / "other.yaml"), {})
    assert {change.key for change in found.changes} == {"name", "material.phases.Pa-3"}
    assert not found.new and not found.gone


def test_one_more_temperature_makes_its_own_tasks_new(folder: Path) -> None:
    other = changed(folder, ("temperatures_K: [200, 300]", "temperatures_K: [200, 300, 400]"))
    found = difference(load_study(folder / "mini.yaml"), load_study(other), {})
    assert found.changes == (
        Change("diffusion.temperatures_K", "[200.0, 300.0]", "[200.0, 300.0, 400.0]"),
    )
    assert {task.label for task in found.new} == {
        "PBE-D3, 400 K, 0 vacancies",
        "PBE-D3, 400 K, 1 vacancy",
    }
    assert not found.gone


def test_another_seed_or_structure_makes_everything_new(folder: Path) -> None:
    first = load_study(folder / "mini.yaml")
    found = difference(
        first, load_study(changed(folder, ("name: mini", "name: mini\nseed: 2"))), {}
    )
    assert {task.stage for task in found.new} >= {
        "training_set",
        "potential",
        "heating",
        "diffusion",
    }
    cif = folder / "structures/Li2B12H12-Pa-3.cif"
    shutil.copy(cif, folder / "moved.cif")
    text = (folder / "moved.cif").read_text()
    number = next(
        line.split()[1] for line in text.splitlines() if line.startswith("_cell_length_a")
    )
    (folder / "moved.cif").write_text(text.replace(number, str(float(number) + 0.01)))
    found = difference(
        first, load_study(changed(folder, ("structures/Li2B12H12-Pa-3.cif", "moved.cif"))), {}
    )
    assert "structure.Pa-3" in {change.key for change in found.changes}
    assert len(found.new) == len(found.gone) > 0
