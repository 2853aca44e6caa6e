"""What every reader of a program's files says where one cannot be read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from borarun.basics.errors import ParseError
from borarun.records.operations.base import Array, Facts, Quantity, mistakes, quantities

Found = TypeVar("Found", bound=Facts)
Model = TypeVar("Model", bound=BaseModel)


def read_bytes(file: Path) -> bytes:
    """The content of a file that a program left.

    Raises
    ------
    ParseError
        Where it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise unreadable(file, error) from error


def read_whole(file: Path, size: int) -> bytes:
    """The content of a file whose size the program told, bytes.

    Raises
    ------
    ParseError
        Where it cannot be read, or has another size.
    """
    content = read_bytes(file)
    if len(content) != size:
        raise ParseError(file, f"is cut short or damaged ({len(content)} of {size} bytes)")
    return content


def read_arrays(file: Path, size: int, names: Mapping[Array, str]) -> dict[str, Quantity]:
    """The arrays of a numpy archive whose size the program told.

    Parameters
    ----------
    size : of the file, bytes
    names : array of the record -> its name in the file

    Raises
    ------
    ParseError
        Where the file is cut short or damaged, or an array holds something that is no number.
    """
    content = read_whole(file, size)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            arrays = quantities({array: found[inside] for array, inside in names.items()})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ParseError(file, f"is damaged ({error})") from error
    for name, quantity in arrays.items():
        if not np.isfinite(quantity.values).all():
            raise ParseError(file, f"holds {name} that are not numbers")
    return arrays


def read_facts(kind: type[Found], values: object, file: Path) -> Found:
    """The facts of an operation, as a program left them.

    Raises
    ------
    ParseError
        Where one is missing, or is not what it must be.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ParseError(file, f"is damaged ({mistakes(error)})") from error


def read_json(kind: type[Model], file: Path) -> Model:
    """What a JSON file holds.

    Raises
    ------
    ParseError
        Where the file cannot be read, is no JSON, or one of its values is missing or wrong.
    """
    try:
        return kind.model_validate_json(read_bytes(file))
    except ValidationError as error:
        raise ParseError(file, f"is damaged ({mistakes(error)})") from error


def unreadable(file: Path, error: OSError) -> ParseError:
    """The error of a file that cannot be read."""
    return ParseError(
        file,
        f"cannot be read ({error.strerror})",
        remedy="See the program's last lines in stderr.txt.",
    )
