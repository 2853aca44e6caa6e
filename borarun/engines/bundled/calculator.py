"""A moment tensor potential as a calculator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ase.calculators.calculator import BaseCalculator

from borarun.mtp.evaluate import MTPCalculator
from borarun.mtp.potential import Potential


@contextmanager
def opened(
    directory: Path, functional: str, cores: int, command: Sequence[str]
) -> Iterator[BaseCalculator]:
    """The calculator of the potential in the task's directory."""
    yield MTPCalculator(Potential.read((directory / "potential.mtp").read_text()))
