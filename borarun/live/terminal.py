"""The live page's content as text: tables, lines, and curves as rows of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from borarun.basics.printable import on_one_line
from borarun.live.curves import figures
from borarun.live.display import duration
from borarun.report.measured import Array
from borarun.run.state import Failed, State
from borarun.subjects.common.curves import Curve
from borarun.subjects.common.stage import plural

Part = Table | str

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 24
"""Blocks that a curve is drawn in."""

MOST_WAITING = 5


def progress_of(state: State, command: str) -> Iterator[Part]:
    """Stages, what runs where, how well the potential has learnt, the time left, and who runs it or
    the ``command`` that does.
    """
    table = _table("stage", "tasks", "done", "running", "failed")
    for stage in state.stages:
        counts = (
            len(stage.tasks),
            *(len(stage.in_condition(condition)) for condition in ("done", "running", "failed")),
        )
        table.add_row(stage.name, *map(str, counts))
    yield table
    for each in state.tasks:
        if each.condition == "running":
            part = "" if each.part is None else f"{each.part:.0%}, "
            yield f"running: {each.task.name} ({part}{duration(each.seconds)}, {each.where})"
    for one in state.trained:
        errors = (
            f"{one.energy_meV_per_atom:.3g} meV/atom, {one.forces_eV_per_A:.3g} eV/A, "
            f"{one.stress_kbar:.3g} kbar"
        )
        yield f"{one.functional}, training {one.number}: {errors} on held-out labels"
    for run in state.explored:
        grade = "" if run.grade_max is None else f", largest grade {run.grade_max:.3g}"
        why = f" ({run.reason})" if run.reason else ""
        yield (
            f"{run.functional}, round {run.round}, exploration with "
            f"{plural(run.vacancies, 'vacancy')}, run {run.run + 1}: {run.stop}{why}{grade}"
        )
    if not state.ended:
        yield f"at least {duration(state.left_s)} left"
        yield (
            f"Run by {state.driver}."
            if state.driver
            else f"No driver is running this study. To run it: {command}"
        )


def failures_of(state: State) -> Iterator[str]:
    """Why tasks failed or cannot start: cause, evidence, and what to do."""
    for each in state.failed:
        yield from _failure(each)
    for reason in state.stuck:
        yield f"stuck: {on_one_line(reason)}"


def _failure(each: Failed) -> Iterator[str]:
    failure, waiting = each.failure, each.waiting
    yield f"{each.task.name} ({each.task.key})"
    yield f"  cause: {failure.cause}: {on_one_line(failure.message)}"
    if failure.evidence:
        yield "  evidence:\n" + "\n".join(f"    {line}" for line in failure.evidence.splitlines())
    if failure.remedy:
        yield f"  what to do: {on_one_line(failure.remedy)}"
    if waiting:
        more = " and more" if len(waiting) > MOST_WAITING else ""
        yield f"  waiting for it: {', '.join(waiting[:MOST_WAITING])}{more}"


def curves_of(curves: Sequence[Curve]) -> Iterator[Part]:
    """A table for each figure that has a curve."""
    for name, figure in figures().items():
        if drawn := [curve for curve in curves if curve.figure == name]:
            yield figure.title
            table = _table("", figure.x, figure.y, "")
            for column in table.columns[1:]:
                column.no_wrap = True
            for curve in drawn:
                limit = f" of {curve.limit:.5g}" if np.isfinite(curve.limit) else ""
                y = (
                    f"up to {np.max(curve.y):.3g}{limit}"
                    if limit
                    else f"{_short(curve.y[0])} to {_short(curve.y[-1])}"
                )
                row = (
                    f"{curve.functional}, {curve.label}{' (running)' if curve.growing else ''}",
                    f"{_short(curve.x[0])} to {_short(curve.x[-1])}",
                    y,
                    blocks(curve.x, curve.y, log_x=figure.log_x, log_y=figure.log_y),
                )
                table.add_row(*map(Text, row))
            yield table


def blocks(
    x: Array, y: Array, *, log_x: bool = False, log_y: bool = False, width: int = WIDTH
) -> str:
    """A curve in one line, its least value the lowest block and its largest the highest.

    Parameters
    ----------
    x : (P,) rising
    y : (P,) a block shows the mean of the points that fall on it, or what lies between its
        neighbours where none does
    log_x, log_y : on a logarithmic scale; points that have none are left out
    """
    whole = np.isfinite(x) & np.isfinite(y) & ((x > 0) | (not log_x)) & ((y > 0) | (not log_y))
    x, y = x[whole], y[whole]
    if not len(x):
        return ""
    x, y = np.log(x) if log_x else x, np.log(y) if log_y else y
    width = min(width, len(x))
    place = np.minimum(((x - x[0]) / (np.ptp(x) or 1.0) * width).astype(int), width - 1)
    counts = np.bincount(place, minlength=width)
    met = np.flatnonzero(counts)
    mean = np.interp(
        np.arange(width), met, np.bincount(place, y, minlength=width)[met] / counts[met]
    )
    part = (mean - mean.min()) / (np.ptp(mean) or 1.0)
    return "".join(BLOCKS[level] for level in np.round(part * (len(BLOCKS) - 1)).astype(int))


def _short(value: float) -> str:
    return f"{value:.4g}"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for index, name in enumerate(columns):
        table.add_column(name, justify="right" if index and name else "left", overflow="fold")
    return table
