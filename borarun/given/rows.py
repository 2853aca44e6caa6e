"""Text files in memory as they are needed, and their lines as arrays."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np

from borarun.given.frame import Array, wrong
from borarun.given.lines import NUMBER, WORD, read_rows


def mapped(file: Path) -> mmap.mmap:
    """The bytes of a file that is not empty.

    Raises
    ------
    StudyError
        Where it is empty, or cannot be read.
    """
    try:
        with file.open("rb") as handle:
            return mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is empty"
        raise wrong(file, f"is unreadable ({why}). Check the path and its permissions.") from error


def rows_of(
    text: mmap.mmap, at: int, n: int, kinds: Array, size: int
) -> tuple[int, int, Array, Array]:
    """Read n lines from a place on: how many were whole, where they end, their numbers (n, numbers)
    and words (n, words).

    Parameters
    ----------
    size : a guess of how long they are, bytes
    """
    values = np.empty((n, int((kinds == NUMBER).sum())))
    words = np.zeros((n, int((kinds == WORD).sum())), np.uint64)
    while True:
        part = np.frombuffer(text[at : at + size] + b"\n\0", np.uint8)
        rows, end = read_rows(part, 0, kinds, values, words)
        # a part that ends within the last line may seem whole: only a line behind it is sure
        if at + size >= len(text):
            if end > len(part) - 2:  # the last line has no end: its last number may be cut
                rows -= 1
            return rows, at + min(end, len(part) - 2), values, words
        whole = rows == n or text.find(b"\n", at + end, at + size) >= 0  # a line that does not fit
        if whole and end <= size:
            return rows, at + end, values, words
        size *= 2
