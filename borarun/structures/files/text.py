"""What all readers share: the text of a file, its numbers and its elements, strictly read.

A number is what a program prints: Python's ``float`` also takes ``1_000.0`` and ``nan``, which
stand in a damaged file only.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from borarun.basics.errors import Problem, StudyError

LARGEST_NUMBER = 1e12
"""Of anything in a structure or label, whatever its unit."""

LARGEST_COUNT = 15
"""Digits of a number of atoms, which Python would read a million of."""

HYDROGEN = {"D": 2.014, "T": 3.016}
"""Isotopes that have a symbol of their own, and their mass in u."""

REMARKS = "remarks"
"""In ``info`` of a structure that was read: what its reader took for something else."""

_ELEMENTS = frozenset(chemical_symbols[1:])
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d{1,3})?")
_ISOTOPE = re.compile(r"(\d{1,3})([A-Z][a-z]?)")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def wrong(message: str, file: str = "structure", line: int = 0) -> StudyError:
    """What is wrong with an input file, and in which line of it."""
    return StudyError(Problem(file, 0, "", f"line {line}: {message}" if line else message))


def text_of(path: Path) -> str:
    """The text of a file: UTF-8, with or without a byte order mark, UTF-16 with one, or Latin-1.

    Raises
    ------
    StudyError
        Where it is no text.
    """
    return decoded(path.read_bytes())


def decoded(content: bytes) -> str:
    """The text that the content of a file is, as ``text_of`` tells it."""
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if "\0" in text:
        raise wrong("is not text: it contains zero bytes. Export the file again.")
    return text


def number(word: str) -> float:
    """The number that a word is.

    Raises
    ------
    ValueError
        Where it is none, or larger than anything that is measured in angstrom or eV.
    """
    if not _NUMBER.fullmatch(word):
        raise ValueError(f"{word[:40]!r} is not a number")
    value = float(word.replace("d", "e").replace("D", "e"))
    if not math.isfinite(value) or abs(value) > LARGEST_NUMBER:
        raise ValueError(f"{word[:40]} is too large")
    return value


def numbers(words: Sequence[str]) -> NDArray[Any]:
    """The numbers of many words at once; (number of words,) float.

    Raises
    ------
    ValueError
        As for ``number``.
    """
    try:
        values = np.array(list(map(float, words)))  # faster than NumPy's own parser
    except ValueError:
        values = np.array([number(word) for word in words])
    if "_" in "".join(words) or not (np.abs(values) <= LARGEST_NUMBER).all():
        for word in words:
            number(word)
    return values


def count(word: str) -> int:
    """The whole number that a word is, from 0.

    Raises
    ------
    ValueError
        Where it is none.
    """
    if not (word.isascii() and word.isdigit() and len(word) <= LARGEST_COUNT):
        raise ValueError(f"{word[:40]!r} is not a number of atoms")
    return int(word)


def element(word: str) -> str:
    """The element that a word names: D and T are hydrogen.

    Raises
    ------
    ValueError
        Where it names none; the message says what to write.
    """
    if word in HYDROGEN:
        return "H"
    if word in _ELEMENTS:
        return word
    way_out = "Write its symbol, e.g. Li."
    if (isotope := _ISOTOPE.fullmatch(word)) and isotope[2] in _ELEMENTS:
        way_out = f"Write {isotope[2]}: atoms get the natural mean mass."
    elif (symbol := word.capitalize()) in _ELEMENTS:
        way_out = f"Write {symbol}."
    elif (symbol := re.sub(r"[\d.+-].*", "", word).capitalize()) in _ELEMENTS:
        way_out = f"If it is {symbol}, write {symbol}."
    raise ValueError(f"{word[:40]!r} is not an element. {way_out}")


def isotope_remarks(words: Sequence[str] | set[str]) -> list[str]:
    """What a user should know of symbols that are taken for hydrogen."""
    return [
        f"{isotope} is treated as H, with the mass of H (1.008 u, not {mass} u): "
        "frequencies and rates are those of the compound with H."
        for isotope, mass in HYDROGEN.items()
        if isotope in words
    ]
