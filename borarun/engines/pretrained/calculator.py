"""Pretrained potentials as calculators of the reference program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ase.calculators.calculator import BaseCalculator

from borarun.engines.networks.calculator import NetworkJob, calculator

JOB = "model.json"


@contextmanager
def opened(
    directory: Path, functional: str, cores: int, command: Sequence[str]
) -> Iterator[BaseCalculator]:
    """The calculator that ``model.json`` describes."""
    yield calculator(NetworkJob.model_validate_json((directory / JOB).read_text()), cores)
