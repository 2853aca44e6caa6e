"""Everything that borarun raises on purpose.

BorarunError
├── StudyError      a study, site, structure or pack is wrong       exit 2
├── StoreError      the store cannot be read or written             exit 1
│   └── DamagedError    a record's checksums do not fit: it is set aside and its task done anew
│       └── ForeignError    the same, of a file that borarun did not write
├── BusyError       another driver works on this study              exit 1
└── EngineError     a program could not run or ended badly  a failed record; exit 1 at the end
    ├── ParseError  a program's output is missing, cut short or wrong
    └── TimeUpError the job that it ran in comes to its end: it goes on in the next one

A message reads: place: what is wrong (got value). What to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from borarun.basics.causes import Cause


class BorarunError(Exception):
    """Base of all errors whose message is meant for the user; never shown with a traceback."""


@dataclass(frozen=True)
class Problem:
    """One mistake in an input file.

    Attributes
    ----------
    file : name of the file as the user gave it
    line : line number, from 1; 0 where no line applies
    key : dotted path of the key, e.g. ``diffusion.temperatures_K``; empty where none applies
    message : what is wrong, with the value, and what to do
    """

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class StudyError(BorarunError):
    """An input file is wrong. Carries every problem found, not only the first."""

    def __init__(self, problems: Problem | list[Problem]) -> None:
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class StoreError(BorarunError):
    """The store is of a newer format, damaged, or its disk is full."""


class DamagedError(StoreError):
    """A record is not what was written.

    Parameters
    ----------
    message : where and how
    key : of the record
    """

    def __init__(self, message: str, key: str) -> None:
        super().__init__(message)
        self.key = key


class ForeignError(DamagedError):
    """A record that borarun did not write, and that is not read.

    Parameters
    ----------
    why : what it has that no record has
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path}: is not a record that borarun wrote ({why}). Do not use it. Remove "
            "the file and submit again to compute the task.",
            path.name.split(".")[0],
        )
        self.why = why


class BusyError(BorarunError):
    """Another driver holds this study."""


class EngineError(BorarunError):
    """A program could not be started or ended badly.

    Parameters
    ----------
    message : what happened
    remedy : what the user can do about it; empty leaves it to the cause
    evidence : the program's own last lines
    cause : decides whether it is tried again
    """

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        evidence: str = "",
        cause: Cause = Cause.FAILED,
    ) -> None:
        super().__init__(message)
        self.remedy = remedy or cause.remedy
        self.evidence = evidence
        self.cause = cause


class ParseError(EngineError):
    """An output file is missing, empty, cut short or holds what it must not."""

    def __init__(
        self, file: Path | str, message: str, *, remedy: str = "", evidence: str = ""
    ) -> None:
        super().__init__(
            f"{Path(file).name}: {message}",
            remedy=remedy,
            evidence=evidence,
            cause=Cause.UNREADABLE,
        )
        self.file = str(file)


class TimeUpError(EngineError):
    """The job that a program ran in comes to its end before the program; what it left is gone on
    with in another job.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, cause=Cause.OUT_OF_TIME)
