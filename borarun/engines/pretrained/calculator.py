"""SevenNet-0 as a calculator."""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ase.calculators.calculator import BaseCalculator


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
def opened(
    directory: Path, functional: str, cores: int, command: Sequence[str]
) -> Iterator[BaseCalculator]:
    """The calculator of a functional."""
    yield sevennet(functional, cores)
