"""What every reader of a program's files says where one cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from borarun.errors import ParseError
from borarun.operations.base import Facts, mistakes

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
