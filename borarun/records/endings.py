"""How the program in a task's directory ended: the one file in which it says so, and its reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from borarun.basics.causes import Cause
from borarun.basics.errors import EngineError, ParseError, TimeUpError
from borarun.basics.file import replacing
from borarun.records.operations.base import mistakes

NAME = "ending.json"
"""Name of the file: it is written last and whole, so that all other files are there where it is."""


Told = TypeVar("Told", bound=BaseModel)


class Nothing(BaseModel):
    """What a program tells whose files say all."""


class Written(BaseModel):
    """Facts of an operation, which its own class reads, and the size of the file beside them.

    Attributes
    ----------
    facts : as ``Facts.stored`` gives them
    bytes : of the file
    """

    model_config = ConfigDict(frozen=True)

    facts: dict[str, JsonValue]
    bytes: int


class Ending(BaseModel):
    """What a program says at its end.

    Attributes
    ----------
    cause : why there is no result; None where there is one
    message : the same in a sentence
    remedy : what the user can do; empty leaves it to the cause
    evidence : last lines of whatever program it ran
    result : what it tells of its result beside its other files
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cause: Cause | None = None
    message: str = ""
    remedy: str = ""
    evidence: str = ""
    result: dict[str, JsonValue] = {}

    @classmethod
    def of_error(cls, error: EngineError) -> Ending:
        """The ending of a program that gave no result."""
        return cls(
            cause=error.cause, message=str(error), remedy=error.remedy, evidence=error.evidence
        )

    def write(self, directory: Path) -> None:
        """Say so in a directory."""
        with replacing(directory / NAME) as file:
            file.write(json.dumps(self.model_dump(), indent=1).encode())


def ending_of(directory: Path) -> Ending:
    """How the program in a directory ended.

    Raises
    ------
    ParseError
        Where it does not say so: it was killed, or something damaged the file.
    """
    file = directory / NAME
    try:
        return Ending.model_validate(json.loads(file.read_bytes()))
    except FileNotFoundError as error:
        raise ParseError(file, "is missing: the program did not come to its end") from error
    except OSError as error:
        raise ParseError(file, f"cannot be read ({error.strerror})") from error
    except (ValidationError, ValueError, RecursionError) as error:
        first = str(error).splitlines()[0]
        raise ParseError(file, f"is cut short or damaged ({first})") from error


def result_of(directory: Path, kind: type[Told]) -> Told:
    """What the program in a directory tells of its result, as the class for it.

    Raises
    ------
    ParseError
        Where it does not say how it ended, or a value is missing or wrong.
    TimeUpError
        Where its job came to its end before.
    EngineError
        Where it says why there is no result.
    """
    ending = ending_of(directory)
    if ending.cause is Cause.OUT_OF_TIME:
        raise TimeUpError(ending.message)
    if ending.cause is not None:
        raise EngineError(
            ending.message, remedy=ending.remedy, evidence=ending.evidence, cause=ending.cause
        )
    try:
        return kind.model_validate(ending.result)
    except ValidationError as error:
        raise ParseError(directory / NAME, f"is damaged ({mistakes(error)})") from error


def is_complete(directory: Path) -> bool:
    """Whether a program left its result in a directory."""
    try:
        return ending_of(directory).cause is None
    except ParseError:
        return False
