"""The files and commands of a study's tasks, written for people to read or to run by hand; nothing
is started.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from borarun.basics.file import write_files
from borarun.engines.base import LAUNCH
from borarun.records.store import Store
from borarun.records.task import Task
from borarun.run.work import rendered
from borarun.site import Site
from borarun.site.batch_systems import Batch
from borarun.site.surroundings import THREADS
from borarun.study.plan import Plan

RUN = "run.sh"


def write_tasks(tasks: list[Task], site: Site, store: Store, out: Path) -> list[Path]:
    """A directory for each task with its input files and ``run.sh``.

    Parameters
    ----------
    tasks : all of what they need is in the store

    Returns
    -------
    The directories, ``OUT/STAGE/LABEL-KEY``.
    """
    written = []
    for task in tasks:
        directory = (
            out / task.stage / f"{re.sub(r'[^A-Za-z0-9.+-]+', '-', task.label)}-{task.key[:8]}"
        )
        files, command = rendered(site.on(task), site.program(task.engine), store)
        program, command = site.program(task.engine), launched(command, site, site.on(task))
        write_files(directory, files)
        script = directory / RUN
        before = [program.init] if program.init else []
        variables = dict.fromkeys(THREADS[:1], str(program.threads)) | program.environment
        before += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        lines = [
            "#!/bin/bash",
            f"# {task.name}",
            f"# task {task.key}",
            *before,
            f'cd "$(dirname "$0")" && exec {shlex.join(command)}',
        ]
        script.write_text("\n".join(lines) + "\n")
        script.chmod(0o755)
        written.append(directory)
    return written


def launched(command: list[str], site: Site, task: Task) -> list[str]:
    """The command with the launcher that its executor gives it, for all nodes of a job."""
    executor, threads = site.executors[site.executor_of(task)], site.program(task.engine).threads
    return [
        word
        for words in command
        for word in (
            executor.launch(task.cores, threads)
            if words == LAUNCH and isinstance(executor, Batch)
            else [words]
        )
    ]


def ready(plan: Plan, store: Store) -> tuple[list[Task], list[Task]]:
    """Tasks whose inputs are all in the store, done ones among them, and those that wait for
    results.
    """
    there = store.keys()
    known = [task for task in plan.tasks if task.needs <= there]
    return known, [task for task in plan.tasks if not task.needs <= there]
