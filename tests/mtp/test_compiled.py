"""Where compiled kernels are kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from borarun.mtp import compiled


def test_numba_is_left_alone_where_it_can_write(tmp_path: Path) -> None:
    assert compiled.fallback({"HOME": str(tmp_path)}, Path("/proc/none"), tmp_path) is None
    assert compiled.fallback({"HOME": "/proc/none"}, tmp_path, tmp_path) is None
    own = {"HOME": "/proc/none", compiled.VARIABLE: str(tmp_path)}
    assert compiled.fallback(own, Path("/proc/none"), tmp_path) is None


def test_without_a_home_kernels_go_to_a_folder_of_this_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "_can_write", lambda _: False)
    found = compiled.fallback({}, tmp_path, tmp_path)
    assert found is not None and found.parent == tmp_path
    assert found.stat().st_mode & 0o777 == 0o700
    assert compiled.fallback({}, tmp_path, tmp_path) == found


def test_a_link_that_somebody_put_there_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "_can_write", lambda _: False)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"borarun-kernels-{os.getuid()}").symlink_to(elsewhere)
    found = compiled.fallback({}, tmp_path, tmp_path)
    assert found is not None and not found.is_symlink() and found != elsewhere


def test_kernels_can_be_imported_where_numba_has_no_folder_of_its_own(tmp_path: Path) -> None:
    """As in a read-only installation without a home; root writes everywhere, so numba is told not
    to.
    """
    code = (
        "from borarun.mtp import compiled\n"
        "compiled._can_write = lambda _: False\n"
        "import os; os.environ.pop('NUMBA_CACHE_DIR', None); compiled.prepare()\n"
        "import numba.core.caching as caching\n"
        "names = ('_InTreeCacheLocator', '_UserWideCacheLocator')\n"
        "for name in names:\n"
        "    found = getattr(caching, name, None) or getattr(caching, name[1:])\n"
        "    found.ensure_cache_path = lambda self: (_ for _ in ()).throw(OSError('read-only'))\n"
        "import borarun.mtp.neighbours\n"
        "print(os.environ['NUMBA_CACHE_DIR'])\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith(str(tmp_path))
