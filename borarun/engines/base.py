"""What an engine is: a module with these names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from borarun.frames import Frames
from borarun.task import Cost, Result, Settings

Inputs = Mapping[str, Any]
"""Results of earlier tasks as the store gave them: a str, an array or a ``Frames``, or a list of one of these."""

Files = dict[str, str | bytes]
"""File name -> content."""


class Engine(Protocol):
    """A module that knows one program: what it reads, how it starts, what it leaves.

    ``RESUMABLE`` says whether a directory that an interrupted run left is continued (True) or emptied first (False).
    """

    NAME: str
    RESUMABLE: bool

    @property
    def Settings(self) -> type[BaseModel]:
        """The model of the engine's settings."""

    def version(self, settings: Any) -> str:
        """Version of the program and of the files this module writes; part of every key."""

    def missing(self, settings: Any) -> str:
        """What must be installed before ``settings`` can run, with the command for it; empty where nothing is missing."""

    def render(self, settings: Any, inputs: Inputs) -> Files:
        """Every input file. Pure: same settings and inputs, same text."""

    def command(self, settings: Any, cores: int) -> list[str]:
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


__all__ = ["Cost", "Engine", "Files", "Frames", "Inputs", "Result", "Settings"]
