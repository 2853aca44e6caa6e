"""Processes that share the configurations of a fit and keep what they know about them."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from borarun.basics.tether import end_with_parent
from borarun.mtp.potential import Potential
from borarun.mtp.residuals import Bend, Normal, Residuals, Weights
from borarun.records.frames import Frames

Array = NDArray[Any]


class Crew:
    """Objects of one class, each living in a process of its own; a single one lives in this
    process.

    Further processes are started afresh (``spawn``), so the program's main module must be
    importable. They end when this one does, however it ends.

    Parameters
    ----------
    make : the class, or what else makes such an object
    arguments : for each object
    """

    def __init__(self, make: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> None:
        self._limit = threadpool_limits(1)  # the processes are the parallelism
        self._here = make(*arguments[0]) if len(arguments) == 1 else None
        self._members: list[tuple[SpawnProcess, Connection]] = []
        for one in arguments if self._here is None else ():
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_serve, args=(os.getpid(), theirs, make, one), daemon=True
            )
            process.start()
            theirs.close()
            self._members.append((process, ours))

    def __len__(self) -> int:
        return max(len(self._members), 1)

    def ask(self, method: str, *arguments: tuple[Any, ...]) -> list[Any]:
        """What ``method`` returns, of the first objects with one set of arguments each."""
        if self._here is not None:
            return [getattr(self._here, method)(*one) for one in arguments]
        asked = [connection for _, connection in self._members[: len(arguments)]]
        for connection, one in zip(asked, arguments, strict=True):
            connection.send((method, one))
        return [connection.recv() for connection in asked]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process, connection in self._members:
            connection.close()
            if error is not None:
                process.terminate()
            process.join()
        self._limit.restore_original_limits()


def _serve(
    parent: int, connection: Connection, make: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    """Answer questions until the other side hangs up or is killed."""
    end_with_parent(parent)
    with threadpool_limits(1):
        thing = make(*arguments)
        try:
            while True:
                method, one = connection.recv()
                connection.send(getattr(thing, method)(*one))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


class Team(Crew):
    """Residuals of labelled configurations, computed by several processes.

    Configurations are dealt out in turns; every process finds the neighbours of its own once and
    answers for them from then on.

    Parameters
    ----------
    potential, frames, weights : see ``Residuals``
    processes : how many
    """

    def __init__(
        self, potential: Potential, frames: Frames, weights: Weights, processes: int = 1
    ) -> None:
        self.size = len(frames)
        n = max(1, min(processes, len(frames)))
        self._shares = [range(k, len(frames), n) for k in range(n)]
        super().__init__(
            Residuals,
            [
                (potential, frames if n == 1 else frames.take(share), weights)
                for share in self._shares
            ],
        )

    def normal(self, parameters: Array) -> Normal:
        """J^T J, J^T r and the loss over all configurations."""
        parts = self._all("normal", parameters)
        return Normal(
            np.sum([p.matrix for p in parts], axis=0),
            np.sum([p.vector for p in parts], axis=0),
            sum(p.loss for p in parts),
        )

    def bend(self, parameters: Array, step: Array) -> Bend:
        """How the residuals of all configurations bend along a step."""
        parts = self._all("bend", parameters, step)
        return Bend(
            np.sum([p.vector for p in parts], axis=0),
            sum(p.half for p in parts),
            sum(p.end for p in parts),
        )

    def loss(self, parameters: Array) -> float:
        """The loss over all configurations."""
        return float(sum(self._all("loss", parameters)))

    def predict(self, parameters: Array) -> list[Array]:
        """Of each configuration in turn the (7 + 3 N,) energy, virial and forces."""
        return self._in_order(self._all("predict", parameters))

    def gradients(self, parameters: Array) -> list[Array]:
        """Of each configuration in turn the (N, P) derivatives of its local energies."""
        return self._in_order(self._all("gradients", parameters))

    def _all(self, method: str, *arguments: Array) -> list[Any]:
        return self.ask(method, *[arguments] * len(self))

    def _in_order(self, parts: list[list[Array]]) -> list[Array]:
        found = {
            index: value
            for share, part in zip(self._shares, parts, strict=True)
            for index, value in zip(share, part, strict=True)
        }
        return [found[index] for index in sorted(found)]
