"""The calculators of the reference program, by the name that ``job.json`` gives."""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ase.calculators.calculator import BaseCalculator

from borarun.mtp.evaluate import MTPCalculator
from borarun.mtp.potential import Potential
from borarun.programs.pw import PwCalculator


@contextmanager
def open_calculator(directory: Path, job: dict[str, Any], cores: int, command: Sequence[str]) -> Iterator[BaseCalculator]:
    """The calculator of a job; what it started with ``command`` has ended when the context ends."""
    if job["calculator"] == "sevennet":
        yield sevennet(job["functional"], cores)
    elif job["calculator"] == "quantum-espresso":
        with closing(PwCalculator(directory, command)) as calculator:
            yield calculator
    else:
        yield MTPCalculator(Potential.read((directory / "potential.mtp").read_text()))


def sevennet(functional: str, cores: int) -> BaseCalculator:
    """SevenNet-0 (11 July 2024) from its wheel, on the CPU; PBE-D3 adds D3(BJ) without the three-body term."""
    # A new block of memory for every tensor costs a third of the time in page faults. glibc: no mmap, no trimming, grow in large pieces.
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

    return SumCalculator([network, DFTD3(method="PBE", damping="d3bj", params_tweaks={"method": "PBE", "atm": False})])
