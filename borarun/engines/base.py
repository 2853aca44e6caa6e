"""What an engine is: a module with these names."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Protocol, Self, TypeVar

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from borarun.basics.causes import Cause
from borarun.basics.errors import EngineError
from borarun.input.messages import Section, did_you_mean
from borarun.records.frames import Frames
from borarun.records.task import Content, Cost, Inputs, Result, Settings, Task

Files = dict[str, str | bytes]
"""File name -> content."""

Kind = TypeVar("Kind", str, Frames, NDArray[Any])


def _of_kind(name: str, value: Content | list[Content], kind: type[Kind]) -> Kind:
    if not isinstance(value, kind):
        raise EngineError(
            f"input {name}: must be of the type {kind.__name__} (got {type(value).__name__}).",
            remedy=Cause.INPUT_DAMAGED.remedy,
            cause=Cause.INPUT_DAMAGED,
        )
    return value


def text_of(inputs: Inputs, name: str) -> str:
    """An input that is a text.

    Raises
    ------
    EngineError
        Where it is something else, here as in ``array_of`` and ``frames_of``.
    """
    return _of_kind(name, inputs[name], str)


def texts_of(inputs: Inputs, name: str) -> list[str]:
    """The texts of an input, one for each item that the task names."""
    value = inputs[name]
    return [_of_kind(name, each, str) for each in (value if isinstance(value, list) else [value])]


def array_of(inputs: Inputs, name: str) -> NDArray[Any]:
    """An input that is an array."""
    return _of_kind(name, inputs[name], np.ndarray)


def frames_of(inputs: Inputs, name: str) -> list[Frames]:
    """The ``Frames`` of an input, one for each item that the task names; empty without the
    input.
    """
    value = inputs.get(name, [])
    return [
        _of_kind(name, each, Frames) for each in (value if isinstance(value, list) else [value])
    ]


def structure_of(inputs: Inputs, name: str = "structure") -> Atoms | None:
    """The last configuration of an input; None without it."""
    found = frames_of(inputs, name)
    return found[-1][-1] if found else None


LAUNCH = "{launch}"
"""In a command: the launcher of the executor, with the nodes that the task has."""

PLACEHOLDERS = ("{cores}", "{ranks}", LAUNCH)


def _command(value: str) -> str:
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"is not a valid command: {error}") from error
    if not words or words == [LAUNCH]:
        raise ValueError("must name a program")
    for placeholder in re.findall(r"\{\w*\}", value):
        if placeholder not in PLACEHOLDERS:
            known = f"{', '.join(PLACEHOLDERS[:-1])} and {LAUNCH}"
            raise ValueError(
                f"{placeholder} is unknown. Known here: {known} (got "
                f"{value!r}).{did_you_mean(placeholder, PLACEHOLDERS)}"
            )
    if LAUNCH in value and words.count(LAUNCH) != 1:
        raise ValueError(f"{LAUNCH} must occur once, as a separate word")
    return value


def _absolute(value: str) -> str:
    if not Path(value).is_absolute():
        raise ValueError(
            "must be an absolute path without `~` or variables, because each task runs "
            "in its own directory"
        )
    return value


Command = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_command)]
"""How a program starts."""

AbsolutePath = Annotated[str, Field(max_length=1000), AfterValidator(_absolute)]


def words(command: str, cores: int, threads: int = 1) -> list[str]:
    """The words of a command, with its numbers of cores and of processes. ``{launch}`` stays for
    whoever knows the nodes.
    """
    return [
        word.replace("{cores}", str(cores)).replace("{ranks}", str(ranks(cores, threads)))
        for word in shlex.split(command)
    ]


def ranks(cores: int, threads: int) -> int:
    """Processes of a program that has so many cores, and so many threads in each process."""
    return max(1, cores // threads)


def first(command: str) -> str:
    """The program that must be found before a command can start; empty where options of the
    launcher hide it.
    """
    name = next(word for word in shlex.split(command) if word != LAUNCH)
    return "" if name.startswith("-") else name


def found(command: str) -> bool:
    """Whether the program of a command is on PATH here, as far as the command shows it."""
    name = first(command)
    return not name or shutil.which(name) is not None


class Program(Section):
    """How a program runs on a site: the same for all its runs there, and never part of a key."""

    cores: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None,
        description="Number of cores of one run. Default: as many as this kind of run can use.",
    )
    executor: str | None = Field(
        default=None,
        description="The executor that it runs on. Default: the smallest one with enough cores.",
    )
    threads: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=1,
        description="Threads of each of its processes, as OMP_NUM_THREADS; `{launch}` starts "
        "`cores` / `threads` processes; `{ranks}` is that number.",
    )
    init: Annotated[str, Field(max_length=10_000)] = Field(
        default="",
        description="Shell commands that run before it, e.g. `module load vasp`. Use it "
        "where programs need different modules; otherwise use `worker_init`.",
    )
    environment: dict[Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")], str] = Field(
        default={}, description="Environment variables for it."
    )
    silence_minutes: Annotated[float, Field(gt=0, le=1e5)] = Field(
        default=60,
        description="A run that writes nothing for so many minutes is ended and started again.",
    )
    cost_factor: Annotated[float, Field(gt=0, le=1e6)] = Field(
        default=1.0,
        description="Core time on this machine divided by the core time that `borarun plan` "
        "assumes: 0.5 if this machine is twice as fast.",
    )

    @model_validator(mode="after")
    def _whole_processes(self) -> Self:
        if self.cores is not None and self.cores % self.threads:
            raise ValueError(
                f"cores must be a multiple of threads, {self.threads} (got {self.cores})"
            )
        return self

    def finds(self, command: str) -> bool:
        """Whether one of its commands is on PATH here, as far as that shows before ``init``."""
        return bool(self.init) or found(command)

    def usable(self, task: Task, cores: int) -> int:
        """How many of ``cores`` a task can use, by the commands that it is
        given here.
        """
        return cores

    @property
    def shares(self) -> bool:
        """Whether a task may run on fewer cores than it can use, with the same result."""
        return False


@dataclass(frozen=True)
class Told:
    """What the answer of a program says of it.

    Attributes
    ----------
    version : empty where it does not tell
    trouble : why it cannot do what the site file says; empty where it can
    remedy : what to do then
    """

    version: str = ""
    trouble: str = ""
    remedy: str = ""


BY_HAND = "Run the command by hand on a node."


@dataclass(frozen=True)
class Probe:
    """A short command that shows what an installed program is. It starts in an empty directory and
    is given nothing to read; its exit code says nothing.

    Attributes
    ----------
    key : of the program's section in the site file
    command : as there, with placeholders, and options that make it short
    read : what its answer says. Pure
    leaves : a file that it may write, read after what it prints
    """

    key: str
    command: str
    read: Callable[[str], Told]
    leaves: str = ""


def python_probe(code: str, remedy: str) -> Probe:
    """Python packages of an embedded program: the code prints ``version`` and their versions."""

    def read(text: str) -> Told:
        found = re.search(r"^version (.+)$", text, re.MULTILINE)
        return Told(found[1]) if found else Told(trouble="cannot be imported", remedy=remedy)

    return Probe("python", shlex.join([sys.executable, "-c", code]), read)


def probes(program: Any) -> list[Probe]:
    """Of an engine that comes with borarun whole: nothing to ask."""
    return []


def paths(program: Any) -> dict[str, str]:
    """Of an engine that reads no files of the site: none."""
    return {}


@cache
def installed(package: str) -> str:
    """Version of an installed package, looked up once: a plan asks for it in every task."""
    return version(package)


class Engine(Protocol):
    """A module that knows one program: what it reads, how it starts, what it leaves.

    ``RESUMABLE`` says whether a directory that an interrupted run left is continued (True) or
    emptied first (False). ``Program`` is the model of what a site file may say about it:
    ``base.Program``, or one with its commands and directories. An engine with a program of others
    has its home page as ``HOME``.
    """

    NAME: str
    RESUMABLE: bool

    @property
    def Settings(self) -> type[Settings]:
        """The model of the engine's settings."""

    @property
    def Program(self) -> type[Section]:
        """The model of how the program runs on a site."""

    def version(self, settings: Any) -> str:
        """Version of the program and of the files this module writes; part of every key."""

    def missing(self, settings: Any, program: Any) -> str:
        """What must be installed before ``settings`` can run here, with the way to it; empty where
        nothing is missing.
        """

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

    def probes(self, program: Any) -> list[Probe]:
        """What to ask of the program as a site has it, before it is trusted. Pure; of an engine
        without one of its own, ``base.probes``.
        """

    def paths(self, program: Any) -> dict[str, str]:
        """Files and folders of the site that must be readable, by their key in the site file; of an
        engine that needs none, ``base.paths``.
        """

    def cost(self, settings: Any, n_atoms: int) -> Cost:
        """Estimated core time and size of the record, for plans."""


__all__ = [
    "Cost",
    "Engine",
    "Files",
    "Frames",
    "Inputs",
    "Probe",
    "Program",
    "Result",
    "Settings",
    "Told",
    "installed",
    "paths",
    "probes",
]
