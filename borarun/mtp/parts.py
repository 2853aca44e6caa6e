"""How the work on the atoms of one configuration is divided.

The division depends on the number of atoms alone, and what parts find is put together in one order:
so results do not depend on how many threads share the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numba
from numba import njit

from borarun.mtp.lanes import LANES

MAX_PARTS, LEAST_ATOMS = 32, 3 * LANES
"""More or smaller parts would spend more time on their own memory and on adding up forces than
threads save.
"""


def n_parts(n_atoms: int) -> int:
    """Into how many parts so many atoms are divided."""
    return max(1, min(MAX_PARTS, n_atoms // LEAST_ATOMS))


@njit(cache=True)
def first_of_part(part: int, parts: int, n: int) -> int:
    """The atom that a part begins with: whole groups of ``LANES`` atoms, as even as can be."""
    groups = (n + LANES - 1) // LANES
    return min(n, part * groups // parts * LANES)


def bounds(n_atoms: int) -> list[tuple[int, int]]:
    """First atom, and the one after the last, of each part."""
    parts = n_parts(n_atoms)
    first = [int(first_of_part(part, parts, n_atoms)) for part in range(parts + 1)]
    return list(pairwise(first))


class Threads:
    """Threads that share the parts of a configuration.

    Compiled kernels with a loop over parts have threads of numba's, which stand ready at every
    step. What is seldom done is a function that lets others run beside it (``nogil``, or NumPy).

    Parameters
    ----------
    number : how many; at most ``NUMBA_NUM_THREADS`` of the environment, which is read where numba
        is imported
    """

    def __init__(self, number: int) -> None:
        self.number = number
        if number > 1:
            numba.set_num_threads(number)
            self._pool = ThreadPoolExecutor(number)

    def map(self, work: Callable[..., Any], *arguments: Iterable[Any]) -> list[Any]:
        """What ``work`` returns of each set of arguments, in their order."""
        return list(self._pool.map(work, *arguments) if self.number > 1 else map(work, *arguments))
