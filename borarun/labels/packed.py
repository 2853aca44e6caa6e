"""Files of configurations, which may be compressed, read within a bound."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from borarun.labels.sifted import wrong

LARGEST_FILE_B = 60_000_000
"""Unpacked: six thousand configurations of a hundred atoms as extended XYZ."""

OPENERS: dict[str, Callable[[Path], Any]] = {
    ".xz": lzma.open,
    ".gz": gzip.open,
    ".bz2": bz2.open,
}
"""What opens a compressed file, by the end of its name."""


def name_of(path: Path) -> PurePath:
    """The name of a file without the ending of its compression."""
    return PurePath(path.stem if path.suffix.lower() in OPENERS else path.name)


def content_of(path: Path) -> bytes:
    """The content of a file, unpacked where it is compressed.

    Raises
    ------
    StudyError
        Where it is missing, unreadable, damaged or too large.
    """
    if not path.is_file():
        raise wrong("no such file in the study's folder.")
    opener = OPENERS.get(path.suffix.lower())
    try:
        with opener(path) if opener else path.open("rb") as file:
            content: bytes = file.read(LARGEST_FILE_B + 1)
    except (lzma.LZMAError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise wrong(f"is damaged ({error}). Compress it again.") from error
    except OSError as error:
        if opener and error.errno is None:  # what bz2 says of a damaged file
            raise wrong(f"is damaged ({error}). Compress it again.") from error
        raise wrong(
            f"cannot be read ({error.strerror}). Check the path and its permissions."
        ) from error
    if len(content) > LARGEST_FILE_B:
        size = "more" if opener else f"{path.stat().st_size / 1e6:.0f} MB"
        raise wrong(
            f"too large (got {size}, at most {LARGEST_FILE_B / 1e6:.0f} MB"
            f"{' unpacked' if opener else ''}). Keep fewer configurations, which differ more."
        )
    return content


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """A file of the content of ``path``, unpacked where it is compressed.

    Raises
    ------
    StudyError
        As for ``content_of``.
    """
    content = content_of(path)
    if path.suffix.lower() not in OPENERS:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="borarun-") as folder:
        file = Path(folder, name_of(path))
        file.write_bytes(content)
        yield file
