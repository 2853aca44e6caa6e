"""Processes that share the configurations of a fit and keep what they know about them."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from borarun.frames import Frames
from borarun.mtp.potential import Potential
from borarun.mtp.residuals import Normal, Residuals, Weights

Array = NDArray[Any]


class Team:
    """Residuals of labelled configurations, computed by several processes.

    With one process everything runs in this one. More are started afresh (``spawn``), so the program's main module must be importable.

    Parameters
    ----------
    potential, frames, weights : see ``Residuals``
    processes : how many

    Notes
    -----
    Configurations are dealt out in turns; every process finds the neighbours of its own once and answers for them from then on.
    """

    def __init__(self, potential: Potential, frames: Frames, weights: Weights, processes: int = 1) -> None:
        self.size = len(frames)
        self._limit = threadpool_limits(1)  # the processes are the parallelism
        n = max(1, min(processes, len(frames)))
        self._shares = [np.arange(k, len(frames), n) for k in range(n)]
        self._here: Residuals | None = None
        self._members: list[tuple[Any, Connection]] = []
        if n == 1:
            self._here = Residuals(potential, frames, weights)
            return
        context = multiprocessing.get_context("spawn")
        for share in self._shares:
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, potential.write(), frames.take(share), weights), daemon=True)
            process.start()
            theirs.close()
            self._members.append((process, ours))

    def normal(self, parameters: Array) -> Normal:
        """J^T J, J^T r and the loss over all configurations."""
        parts = self._ask("normal", parameters)
        return Normal(sum(p.matrix for p in parts), sum(p.vector for p in parts), sum(p.loss for p in parts))

    def loss(self, parameters: Array) -> float:
        """The loss over all configurations."""
        return float(sum(self._ask("loss", parameters)))

    def predict(self, parameters: Array) -> list[Array]:
        """Of each configuration in turn the (7 + 3 N,) energy, virial and forces."""
        return self._in_order(self._ask("predict", parameters))

    def gradients(self, parameters: Array) -> list[Array]:
        """Of each configuration in turn the (N, P) derivatives of its local energies."""
        return self._in_order(self._ask("gradients", parameters))

    def _ask(self, question: str, parameters: Array) -> list[Any]:
        if self._here is not None:
            return [getattr(self._here, question)(parameters)]
        for _, connection in self._members:
            connection.send((question, parameters))
        return [connection.recv() for _, connection in self._members]

    def _in_order(self, parts: list[list[Array]]) -> list[Array]:
        found = {index: value for share, part in zip(self._shares, parts, strict=True) for index, value in zip(share, part, strict=True)}
        return [found[index] for index in sorted(found)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process, connection in self._members:
            connection.close()
            process.join()
        self._limit.restore_original_limits()


def _work(connection: Connection, potential: str, frames: Frames, weights: Weights) -> None:
    """Answer questions about some configurations until the other side hangs up."""
    with threadpool_limits(1):
        residuals = Residuals(Potential.read(potential), frames, weights)
        while True:
            try:
                question, parameters = connection.recv()
            except EOFError:
                return
            connection.send(getattr(residuals, question)(parameters))
