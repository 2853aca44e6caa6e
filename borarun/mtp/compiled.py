"""Where compiled kernels are kept.

numba keeps them beside the source or in the user's cache folder, and refuses to import a kernel
where it can write to neither, as in an installation of root's used by an account without a home.
They then go to a folder for temporary files that belongs to this account alone: what numba reads
there can run code.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"


def fallback(environment: Mapping[str, str], package: Path, temporary: Path) -> Path | None:
    """A folder for compiled kernels; None where numba finds one of its own.

    Parameters
    ----------
    package : folder of the kernels' source
    temporary : folder for temporary files
    """
    home = Path(environment.get("HOME") or "/")
    cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    if environment.get(VARIABLE) or _can_write(package / "__pycache__") or _can_write(cache):
        return None
    own = temporary / f"borarun-kernels-{os.getuid()}"
    try:
        own.mkdir(mode=0o700, exist_ok=True)
        found = own.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
            own.chmod(0o700)
            return own
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="borarun-kernels-", dir=temporary))


def _can_write(folder: Path) -> bool:
    """Whether a folder can be written, or be made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)


def prepare() -> None:
    """Have numba keep kernels where it can; to be called before numba is imported. Processes that
    this one starts do the same.
    """
    found = fallback(os.environ, Path(__file__).parent, Path(tempfile.gettempdir()))
    if found is not None:
        os.environ[VARIABLE] = str(found)
