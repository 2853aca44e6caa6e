"""What a subject draws of a task while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from borarun.records.task import Task
from borarun.report.measured import Array


@dataclass(frozen=True)
class Look:
    """How a figure looks: its title and its axes."""

    title: str
    x: str
    y: str
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Curve:
    """One line of a figure.

    Attributes
    ----------
    figure : name of the figure, one of ``figures``
    functional, label : which run it is of
    x, y : (P,) points
    growing : whether the run still goes on
    limit : value that ends the run; nan where there is none
    """

    figure: str
    functional: str
    label: str
    x: Array
    y: Array
    growing: bool = False
    limit: float = float("nan")


def curve_of(figure: str, task: Task, x: Array, y: Array) -> Curve:
    """The curve of a task, called by what its label says beside the functional."""
    functional = task.about.functional
    return Curve(figure, functional, task.label.removeprefix(f"{functional}, "), x, y)
