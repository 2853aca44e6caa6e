"""Zip files as borarun writes them, read within bounds whoever wrote them."""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

END_B, LOCATOR_B, END_64_B = 22, 20, 56
"""Sizes of the parts that end a zip file. Source: APPNOTE.TXT of PKWARE, 4.3.14 to 4.3.16."""

LOCAL_HEADER_B, LISTED_B = 30, 46
"""Sizes of what stands before a member's name where its content is, and in the directory."""

MEAN_NAME_B = 256
"""A directory whose members have longer names and extra fields on average is refused unread."""


class OddZipError(Exception):
    """A zip file that borarun did not write."""


@contextmanager
def opened_zip(path: Path, most_members: int) -> Iterator[tuple[zipfile.ZipFile, BinaryIO]]:
    """Open a zip file after a look at its end, so that a directory of millions is never read.

    Parameters
    ----------
    most_members : it may have

    Returns
    -------
    The archive, and the file below it, to read parts of members from where they lie.

    Raises
    ------
    OddZipError
        Where it has too many members, or bytes that belong to none.
    zipfile.BadZipFile
        Where it is no zip file, or is cut short.
    OSError
        Where it cannot be read.
    """
    with path.open("rb") as file:
        count, end_B = _checked_end(file, most_members)
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if len(entries) != count:
                raise OddZipError(f"it has {len(entries)} members and says {count}")
            if name := _overlapping(entries, end_B):
                raise OddZipError(f"its member {name!r:.200} overlaps another one")
            yield archive, file


def _checked_end(file: BinaryIO, most_members: int) -> tuple[int, int]:
    """How many members there are, and where they end and the directory begins, in bytes."""
    size_B = file.seek(0, 2)
    end_B = min(size_B, END_B + LOCATOR_B + END_64_B)
    file.seek(size_B - end_B)
    end = file.read(end_B)
    if len(end) < END_B or end[-END_B:][:4] != b"PK\5\6":
        raise zipfile.BadZipFile("it has no directory at its end")
    count, directory_B, start_B = struct.unpack("<10xH2I2x", end[-END_B:])
    last_B = size_B - END_B
    locator = end[:-END_B][-LOCATOR_B:]
    if locator[:4] == b"PK\6\7":  # zipfile believes it, whether there is need of it or not
        last_B -= LOCATOR_B + END_64_B
        found = end[: -END_B - LOCATOR_B]
        if found[:4] != b"PK\6\6" or struct.unpack("<8xQ4x", locator) != (last_B,):
            raise OddZipError("the large form of its directory is not where it must be")
        count, directory_B, start_B = struct.unpack("<32x3Q", found)
    if count > most_members or directory_B > most_members * (LISTED_B + MEAN_NAME_B):
        raise OddZipError(f"it has more than {most_members} members")
    if start_B + directory_B != last_B:
        raise OddZipError("it holds bytes before its members or after its directory")
    return count, start_B


def odd(entry: zipfile.ZipInfo) -> str:
    """What is strange about a member: borarun writes plain files that are not compressed. Empty
    where all is well.
    """
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or entry.is_dir():
        return "is a link" if kind == stat.S_IFLNK else "is no regular file"
    if entry.filename != entry.orig_filename:
        return "has a name that is cut short"
    if entry.flag_bits & 0x1:
        return "is encrypted"
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        return "is compressed, as if another program had packed it again"
    return ""


def _overlapping(entries: Iterable[zipfile.ZipInfo], end_B: int) -> str:
    """A member whose content runs into the next one's or into the directory; empty where there is
    none.
    """
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    starts = [*(entry.header_offset for entry in ordered[1:]), end_B]
    for entry, following in zip(ordered, starts, strict=bool(ordered)):
        shortest = LOCAL_HEADER_B + len(entry.orig_filename) + entry.compress_size
        if entry.header_offset + shortest > following:
            return entry.filename
    return ""
