"""What an engine is: a module with these names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, BaseModel, Field

from borarun.frames import Frames
from borarun.messages import Section, did_you_mean
from borarun.task import Cost, Result, Settings

Inputs = Mapping[str, Any]
"""Results of earlier tasks as the store gave them: a str, an array or a ``Frames``, or a list of one of these."""

Files = dict[str, str | bytes]
"""File name -> content."""

LAUNCH = "{launch}"
"""In a command: the launcher of the executor, with the nodes that the task has."""

PLACEHOLDERS = ("{cores}", LAUNCH)


def _command(value: str) -> str:
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"is no command: {error}") from error
    if not words or words == [LAUNCH]:
        raise ValueError("must name a program")
    for placeholder in re.findall(r"\{\w*\}", value):
        if placeholder not in PLACEHOLDERS:
            raise ValueError(
                f"{placeholder} stands for nothing: {' and '.join(PLACEHOLDERS)} do (got {value!r}).{did_you_mean(placeholder, PLACEHOLDERS)}"
            )
    if LAUNCH in value and words.count(LAUNCH) != 1:
        raise ValueError(f"{LAUNCH} must stand once and be a word of its own")
    return value


def _absolute(value: str) -> str:
    if not Path(value).is_absolute():
        raise ValueError("must be an absolute path, written out: each task runs in a directory of its own")
    return value


Command = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_command)]
"""How a program starts."""

AbsolutePath = Annotated[str, Field(max_length=1000), AfterValidator(_absolute)]


def words(command: str, cores: int) -> list[str]:
    """The words of a command, with its number of cores. ``{launch}`` stays for whoever knows the nodes."""
    return [word.replace("{cores}", str(cores)) for word in shlex.split(command)]


def first(command: str) -> str:
    """The program that must be found before a command can start."""
    return next(word for word in shlex.split(command) if word != LAUNCH)


class Program(Section):
    """How a program runs on a site: the same for all its runs there, and never part of a key."""

    cores: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None, description="Cores that one run takes; without it, as many as its kind of run can use."
    )
    executor: str | None = Field(default=None, description="The executor that it runs on; without it the smallest that has the cores.")
    silence_minutes: Annotated[float, Field(gt=0, le=1e5)] = Field(
        default=60, description="A run that writes nothing for so long hangs: it is ended, and started again as after an accident."
    )
    cost_factor: Annotated[float, Field(gt=0, le=1e6)] = Field(
        default=1.0, description="Core time on this machine over that which `borarun plan` assumes: 0.5 where it is twice as fast."
    )


@cache
def installed(package: str) -> str:
    """Version of an installed package, looked up once: a plan asks for it in every task."""
    return version(package)


class Engine(Protocol):
    """A module that knows one program: what it reads, how it starts, what it leaves.

    ``RESUMABLE`` says whether a directory that an interrupted run left is continued (True) or emptied first (False).
    ``Program`` is the model of what a site file may say about it: ``base.Program``, or one with its commands and directories.
    """

    NAME: str
    RESUMABLE: bool

    @property
    def Settings(self) -> type[BaseModel]:
        """The model of the engine's settings."""

    @property
    def Program(self) -> type[Section]:
        """The model of how the program runs on a site."""

    def version(self, settings: Any) -> str:
        """Version of the program and of the files this module writes; part of every key."""

    def missing(self, settings: Any, program: Any) -> str:
        """What must be installed before ``settings`` can run here, with the way to it; empty where nothing is missing."""

    def render(self, settings: Any, inputs: Inputs, program: Any) -> Files:
        """Every input file. Pure: same arguments, same text."""

    def command(self, settings: Any, cores: int, program: Any) -> list[str]:
        """The command to start in the directory, one argument an item."""

    def parse(self, settings: Any, directory: Path) -> Result:
        """What the run left.

        Raises
        ------
        ParseError
            Where a file is missing, empty, cut short or not physical.
        EngineError
            Where the program itself said why it failed.
        """

    def cost(self, settings: Any, n_atoms: int) -> Cost:
        """Estimated core time and size of the record, for plans."""


__all__ = ["Cost", "Engine", "Files", "Frames", "Inputs", "Program", "Result", "Settings", "installed"]
