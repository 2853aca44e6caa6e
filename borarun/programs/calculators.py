"""The calculators of the reference program, by the name that ``job.json`` gives."""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

from ase.calculators.calculator import BaseCalculator

from borarun.mtp.evaluate import MTPCalculator
from borarun.mtp.potential import Potential
from borarun.programs.pw import PwCalculator


def sevennet(functional: str, cores: int) -> BaseCalculator:
    """SevenNet-0 (11 July 2024) from its wheel, on the CPU; PBE-D3 adds D3(BJ) without the
    three-body term.
    """
    # A new block of memory for every tensor costs a third of the time in page faults. glibc: no
    # mmap, no trimming, grow in large pieces.
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        for option, value in ((-4, 0), (-1, 2**31 - 1), (-2, 2**28)):
            mallopt(option, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from sevenn.calculator import SevenNetCalculator

        torch.set_num_threads(cores)
        network: BaseCalculator = SevenNetCalculator("7net-0", device="cpu")
    if functional == "PBE":
        return network
    from ase.calculators.mixing import SumCalculator
    from dftd3.ase import DFTD3

    return SumCalculator(
        [
            network,
            DFTD3(method="PBE", damping="d3bj", params_tweaks={"method": "PBE", "atm": False}),
        ]
    )


@contextmanager
def _sevennet(
    directory: Path, job: dict[str, Any], cores: int, command: Sequence[str]
) -> Iterator[BaseCalculator]:
    yield sevennet(job["functional"], cores)


@contextmanager
def _quantum_espresso(
    directory: Path, job: dict[str, Any], cores: int, command: Sequence[str]
) -> Iterator[BaseCalculator]:
    with closing(PwCalculator(directory, command)) as calculator:
        yield calculator


@contextmanager
def _mtp(
    directory: Path, job: dict[str, Any], cores: int, command: Sequence[str]
) -> Iterator[BaseCalculator]:
    yield MTPCalculator(Potential.read((directory / "potential.mtp").read_text()))


CALCULATORS: dict[
    str,
    Callable[[Path, dict[str, Any], int, Sequence[str]], AbstractContextManager[BaseCalculator]],
] = {
    "mtp": _mtp,
    "sevennet": _sevennet,
    "quantum-espresso": _quantum_espresso,
}
"""What opens each calculator, for a job in its directory, on so many cores, with the command of the
program behind it where it has one; what that started has ended when the context ends. To add one: a
function, a line here.
"""
