"""The site file."""

from __future__ import annotations

from pathlib import Path

import pytest

from borarun.errors import StudyError
from borarun.site import default_site, load_site

PROJECT = Path(__file__).parents[1]


def write(folder: Path, text: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(text)
    return path


def test_the_default_is_this_machine_with_all_cores() -> None:
    site = default_site()
    assert (site.name, site.executor, site.cores) == ("local", "local", None)


def test_the_shipped_site_is_the_default() -> None:
    path = PROJECT / "site-configs/local.yaml"
    assert load_site(path) == default_site()
    assert path.read_text().startswith("# yaml-language-server: $schema=../schemas/site.schema.json\n")


def test_cores_are_read(tmp_path: Path) -> None:
    assert load_site(write(tmp_path, "borarun: 1\nname: desk\ncores: 2\n")).cores == 2


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "borarun: 1\nname: a b\ncore: 2\ncores: 0\nexecutor: slurm\n")
    with pytest.raises(StudyError) as caught:
        load_site(path)
    assert [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems] == [
        "2: name: has characters that do not fit (got 'a b'). Name of the site: letters, digits, `.`, `_` and `-`, at most 64.",
        "3: core: unknown key. Did you mean cores?",
        "4: cores: must be at least 1 (got 0).",
        "5: executor: must be local (got 'slurm').",
    ]
