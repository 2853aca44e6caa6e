"""A pack, and a place to unpack it into."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from filled import fill
from packs import STUDY, Contents

from borarun.records.store import Store
from borarun.sharing.crate import Terms
from borarun.sharing.pack import MANIFEST, pack
from borarun.study import load_study

STUDIES = Path(__file__).parents[2] / "studies"


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of a study with a few results."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(
        STUDIES / "structures", home / "structures", ignore=shutil.ignore_patterns("*.py", "*.md")
    )
    (home / "study.yaml").write_text(STUDY)
    study, store = load_study(home / "study.yaml"), Store(home / "runs" / "store")
    fill(study, store)
    return pack(home / "study.yaml", study, store, home / "small.borarun.zip", terms=Terms()).path


@pytest.fixture
def contents(packed: Path) -> Contents:
    with zipfile.ZipFile(packed) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    return Contents(list(found.items())[:-1], json.loads(found[MANIFEST]))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder to unpack into, in which nothing must be left."""
    folder = tmp_path / "here"
    folder.mkdir()
    yield folder / "there"
    assert not list(folder.iterdir())
    assert {path.name for path in tmp_path.iterdir()} <= {"here", "bad.zip"}, (
        "something was written outside"
    )
