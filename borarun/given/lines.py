"""Lines of words and numbers in any order of columns as arrays, compiled.

borarun's own dumps have a faster reader (``engines/lammps/output_lines.py``), which takes one order
of columns only. This one takes every order and reads numbers the same way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from borarun.engines.lammps.output_lines import END, ONE, SPACE, U, read_real

Array = NDArray[Any]

SKIPPED, NUMBER, WORD = 0, 1, 2
"""What a column is read as."""

WORD_BYTES = 8
"""Of a word, so many bytes are kept: symbols of elements have two."""


@njit(cache=True)
def read_rows(text: Array, at: int, kinds: Array, values: Array, words: Array) -> Any:
    """Read one line for each row of ``values``.

    Parameters
    ----------
    text : (n,) uint8; the last two bytes are a newline and a zero
    at : where the first line begins
    kinds : (columns,) int64, what each column is read as
    values : (N, numbers) float64, filled
    words : (N, words) uint64, filled with the first bytes of each word

    Returns
    -------
    Two int: how many whole lines there were, and where the last of them ends. Fewer than N: the
    next one is cut short, or has other columns, or a word where a number must be.
    """
    place, last = U(at), U(len(text) - 1)
    for row in range(len(values)):
        begun = place
        number, word = 0, 0
        for column in range(len(kinds)):
            while text[place] <= SPACE and text[place] != END and place < last:
                place += ONE
            if text[place] == END or place >= last:
                return row, np.int64(begun)
            if kinds[column] == NUMBER:
                values[row, number], place = read_real(text, place)
                if place >= last:
                    return row, np.int64(begun)
                number += 1
            else:
                code, shift = U(0), U(0)
                while text[place] > SPACE:
                    if shift < U(8 * WORD_BYTES):
                        code |= U(text[place]) << shift
                        shift += U(8)
                    place += ONE
                if kinds[column] == WORD:
                    words[row, word] = code
                    word += 1
        while text[place] <= SPACE and text[place] != END and place < last:
            place += ONE
        if text[place] != END or place >= last:
            return row, np.int64(begun)
        place += ONE
    return len(values), np.int64(place)


def decoded(code: int) -> str:
    """The word, or its beginning, that ``read_rows`` kept as a number."""
    return int(code).to_bytes(WORD_BYTES, "little").rstrip(b"\0").decode(errors="replace")
