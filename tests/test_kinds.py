"""Studies and sites are told apart by what is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from borarun.basics.errors import StudyError
from borarun.cli.kinds import kind_of

PROJECT = Path(__file__).parents[1]


def write(folder: Path, text: str) -> Path:
    path = folder / "file.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "studies").glob("*.yaml")), ids=lambda path: path.stem
)
def test_the_studies_of_the_project_are_studies(path: Path) -> None:
    assert kind_of(path) == "study"


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "site-configs").glob("*.yaml")), ids=lambda path: path.stem
)
def test_the_sites_of_the_project_are_sites(path: Path) -> None:
    assert kind_of(path) == "site"


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "borarun/published").glob("*.yaml")), ids=lambda path: path.stem
)
def test_published_values_are_published_values(path: Path) -> None:
    assert kind_of(path) == "published"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("name: x\nprograms: {}\n", "site"),
        ("name: x\nextends: other.yaml\n", "study"),
        ("name: x\nexecuters: {}\n", "site"),
        ("name: x\nmaterials: {}\n", "study"),
        ("name: x\nmaterial: {}\nmethod: PBE\ntrajectories: []\n", "analysis"),
        ("reference: {}\nmaterial: {}\nprograms: {}\n", "study"),
    ],
)
def test_most_keys_decide_and_else_those_that_were_meant(
    tmp_path: Path, text: str, kind: str
) -> None:
    assert kind_of(write(tmp_path, text)) == kind


def test_a_file_that_tells_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        StudyError,
        match=r"is neither a study nor a site, published values or an analysis \(got the keys "
        r"borarun, name\)\. A study has `material`",
    ):
        kind_of(write(tmp_path, "borarun: 1\nname: x\n"))


def test_a_file_of_two_kinds_is_told_to_be_two(tmp_path: Path) -> None:
    with pytest.raises(
        StudyError,
        match=r"mixes keys of a study \(reference\) and of a site \(executors\)\. Write each",
    ):
        kind_of(write(tmp_path, "borarun: 1\nname: x\nreference: {}\nexecutors: {}\n"))
