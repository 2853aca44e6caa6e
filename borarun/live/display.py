"""What a run shows: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from borarun.basics.printable import on_one_line, printable
from borarun.records.task import Failure, Task
from borarun.run.clock import Clock
from borarun.run.work import progress
from borarun.site import Site
from borarun.study.plan import Plan


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3.4 h``, ``2.1 d``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} d"


def size(n_bytes: float) -> str:
    """``12 kB``, ``3.4 MB``, ``1.2 GB``."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:.1f} {unit}"
    return f"{n_bytes / 1e3:.0f} kB"


class Terminal(Console):
    """A console on which text, whoever wrote it, is only shown: a control character of a study, a
    pack or a program's output is escaped. Colours and tables of borarun's own are as usual.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Lines and pieces of text, clean."""
        for segment in super().render(renderable, options):
            yield (
                segment
                if segment.control
                else segment._replace(text=printable(segment.text, keep="\n\t"))
            )


class Lines:
    """One line an event, for logs and pipes."""

    def __init__(self, console: Console, site: Site, work: Path) -> None:
        self._console = console
        self._work = work
        self._clock = Clock(site)
        self._plan: Plan | None = None
        self._forecast: Plan | None = None
        self._done: set[str] = set()
        self._n_tasks = 0
        self._running: dict[str, tuple[Task, float]] = {}

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def planned(self, plan: Plan, forecast: Plan, done: set[str]) -> None:
        """Remember the plan."""
        if self._plan is None and done:
            self._say(f"{len(done)} of {len(forecast.tasks)} tasks are in the store already")
        self._plan, self._forecast, self._done = plan, forecast, done
        tasks = forecast.tasks
        self._n_tasks = len(tasks)
        self._clock.expect(task for task in tasks if task.key not in done)

    def started(self, task: Task) -> None:
        """Say that a task starts."""
        self._running[task.key] = (task, time.monotonic())
        self._clock.started(task)
        self._say(f"start  {task.name}")

    def finished(self, task: Task, failure: Failure | None, seconds: float) -> None:
        """Say how a task ended, and how much is left."""
        self._running.pop(task.key, None)
        if failure is not None:
            self._say(
                f"[red]failed[/red] {escape(task.name)}: {escape(failure.message)}", markup=True
            )
            return
        self._count(task, seconds)
        self._say(f"done   {task.name} ({duration(seconds)}; {self.summary()})")

    def again(self, task: Task, why: str, pause_s: float) -> None:
        """Say that a task starts again."""
        self._running.pop(task.key, None)
        self._say(f"again  {task.name}{f' in {duration(pause_s)}' if pause_s else ''}: {why}")

    def told(self, text: str) -> None:
        """Say what is waited for."""
        self._say(f"wait   {text}")

    def tick(self) -> None:
        """Nothing to redraw."""

    def summary(self) -> str:
        """Tasks done and time left, in a few words."""
        tasks = f"{len(self._done)}/{self._n_tasks} tasks"
        if len(self._done) == self._n_tasks:
            return tasks
        return (
            f"{tasks}, at least "
            f"{duration(self._clock.left({key: self.part(key) for key in self._running}))} left"
        )

    def part(self, key: str) -> float:
        """How much of a running task is done."""
        return progress(self._work, key) or 0.0

    def _count(self, task: Task, seconds: float) -> None:
        """Take in a task that is done."""
        self._clock.finished(task, seconds, task.cores)
        self._done.add(task.key)

    def _say(self, text: str, *, markup: bool = False) -> None:
        self._console.print(
            f"{time.strftime('%H:%M:%S')}  {on_one_line(text)}",
            markup=markup,
            highlight=False,
            soft_wrap=True,
        )


class LiveTable(Lines):
    """Stages with their tasks, and what runs now; redrawn in place."""

    def __init__(self, console: Console, site: Site, work: Path) -> None:
        super().__init__(console, site, work)
        self._live = Live(
            console=console, refresh_per_second=2, transient=False, get_renderable=self._draw
        )

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.refresh()
        self._live.stop()

    def started(self, task: Task) -> None:
        """Show the task as running."""
        self._running[task.key] = (task, time.monotonic())

    def finished(self, task: Task, failure: Failure | None, seconds: float) -> None:
        """Count the task; a failure is said above the table."""
        if failure is not None:
            super().finished(task, failure, seconds)
            return
        self._running.pop(task.key, None)
        self._count(task, seconds)

    def _draw(self) -> Group:
        stages = Table(box=None, pad_edge=False)
        stages.add_column("stage")
        stages.add_column("done", justify="right")
        stages.add_column("", width=24)
        if self._forecast is not None:
            for name, expansion in self._forecast.stages.items():
                keys = {task.key for task in expansion.tasks}
                done = len(keys & self._done)
                bar = "━" * round(24 * done / max(len(keys), 1))
                known = self._plan.stages.get(name) if self._plan is not None else None
                more = "+" if known is None or known.waiting else ""
                stages.add_row(name, f"{done}/{len(keys)}{more}", Text(bar, style="green"))
        now = Table(box=None, pad_edge=False, show_header=False)
        for task, since in self._running.values():
            part = progress(self._work, task.key)
            now.add_row(
                "▸",
                Text(task.name),
                "" if part is None else f"{part:.0%}",
                duration(time.monotonic() - since),
            )
        return Group(stages, now, Text(self.summary(), style="dim"))
