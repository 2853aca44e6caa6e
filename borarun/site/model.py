"""The site: where programs run. It knows no science; the study knows no site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from borarun.basics.errors import StudyError
from borarun.engines.base import LAUNCH, Program
from borarun.engines.registry import ENGINES
from borarun.input.messages import Name, Section, did_you_mean, in_order, validate
from borarun.input.renamed import Renamed, WithFormerNames, with_new_names
from borarun.input.yaml_file import KeyPath, read_yaml
from borarun.records.task import FORMER_NAMES, Task
from borarun.site.batch_systems import Batch, BatchSystem
from borarun.site.executors import Executor, Local

RENAMED = tuple(
    Renamed(("programs", former), now, since="0.1.0") for former, now in FORMER_NAMES.items()
)
"""Every name in site files that has changed."""

_FIELDS: Any = {
    name.replace("-", "_"): (
        engine.Program,
        Field(
            default=engine.Program(),
            alias=name,
            description=f"How `{name}` runs here.",
        ),
    )
    for name, engine in ENGINES.items()
}
Programs: Any = create_model(
    "Programs",
    __base__=Section,
    __doc__="How programs run; one that is absent runs with its defaults.",
    **_FIELDS,
)


class Retries(Section):
    """What is done about failures that may pass: a killed program, a full disk, a node that lost
    its file system.
    """

    limit: Annotated[int, Field(ge=0, le=20)] = Field(
        default=2, description="How many times such a task is started again."
    )
    pause_s: Annotated[float, Field(ge=0, le=1e5)] = Field(
        default=30,
        description="Pause before the first retry, s; twice as long before each further one.",
    )


class Site(WithFormerNames):
    """A machine and how programs start on it."""

    borarun: Literal[1] = Field(description="Version of this format.")
    name: Name = Field(
        description="Name of the site: letters, digits, `.`, `_` and `-`, at most 64."
    )
    executors: Annotated[dict[Name, Executor], Field(min_length=1)] = Field(
        default={"local": Local()},
        description="Where tasks run, each under a name of your choice. A task runs on the "
        "smallest executor with enough cores. An executor with `mpi_launcher` is "
        "used only for commands with `{launch}`, and for programs that name it "
        "or need more cores than the other executors have.",
    )
    driver: BatchSystem | None = Field(
        default=None,
        description="A batch job for the driver: `submit --detach` starts the driver there. "
        "Before the walltime ends, the job starts the next one and hands over. "
        "One core is enough.",
    )
    programs: Programs = Field(default_factory=Programs, description="How each program runs here.")
    retries: Retries = Field(default=Retries(), description="What to do after transient failures.")

    def program(self, engine: str) -> Program:
        """How an engine's program runs here."""
        found: Program = getattr(self.programs, engine.replace("-", "_"))
        return found

    def executor_of(self, task: Task) -> str:
        """The name of the executor that a task runs on: its program's, or the smallest one that has
        the cores which it can use.

        One with a launcher gives whole nodes to programs that are started by it: others come to it
        only where they must have so many cores. One with GPUs is for programs that name it.
        """
        program = self.program(task.engine)
        if program.executor is not None:
            return program.executor
        wanted = program.cores or program.usable(task, task.cores)
        if program.shares:
            wanted = 1
        by_size = sorted(self.executors, key=lambda name: self.executors[name].cores_per_task)
        own = [name for name in by_size if name in self._own(program)]
        most = self.executors[own[-1]].cores_per_task
        fitting = by_size if program.cores is not None and program.cores > most else own
        return next(
            (name for name in fitting if self.executors[name].cores_per_task >= wanted), fitting[-1]
        )

    def launches(self, name: str) -> bool:
        """Whether an executor has a launcher of MPI programs."""
        executor = self.executors[name]
        return isinstance(executor, Batch) and executor.mpi_launcher is not None

    def executors_of(self, engine: str) -> list[str]:
        """The executors that tasks of an engine may come to."""
        program = self.program(engine)
        if program.executor is not None or program.cores is not None:
            return [self.executor_of(Task(engine, {}))]
        return self._own(program)

    def _own(self, program: Program) -> list[str]:
        """The executors that are meant for a program which names none."""
        launched = any(isinstance(value, str) and LAUNCH in value for _, value in program)
        plain = [name for name in self.executors if not self._has_gpus(name)] or list(
            self.executors
        )
        return plain if launched else [name for name in plain if not self.launches(name)] or plain

    def _has_gpus(self, name: str) -> bool:
        executor = self.executors[name]
        return isinstance(executor, Batch) and executor.available_accelerators > 0

    def on(self, task: Task) -> Task:
        """The task with the cores that its program takes here, or with the fewest that it runs
        well on, where others can use the rest.
        """
        widest = self.widest(task)
        takes = self.executors[self.executor_of(task)].takes
        others_could = takes(widest.cores) > takes(1)
        if self.program(task.engine).shares and others_could:
            return replace(task, cores=1)
        return widest

    def widest(self, task: Task) -> Task:
        """The task with the most cores that it can use here."""
        program, most = (
            self.program(task.engine),
            self.executors[self.executor_of(task)].cores_per_task,
        )
        return replace(task, cores=program.usable(task, program.cores or min(task.cores, most)))


def default_site() -> Site:
    """This machine with all its cores."""
    return Site(borarun=1, name="local")


def load_site(path: Path) -> Site:
    """Read and validate a site file.

    Raises
    ------
    StudyError
        With every mistake in the file.
    """
    root, problems = read_yaml(path)
    root, former = with_new_names(root, RENAMED)
    site, misfits, _ = validate(root, Site)
    if site is not None:
        misfits = [root.problem(place, message) for place, message in _findings(site)]
    if site is None or problems or misfits:
        raise StudyError(in_order(problems + misfits))
    return site.having(former)


def _findings(site: Site) -> Iterator[tuple[KeyPath, str]]:
    """What does not fit together: the key, and what is wrong with it."""
    for engine in ENGINES:
        program, place = site.program(engine), ("programs", engine)
        if program.executor is not None and program.executor not in site.executors:
            names = ", ".join(site.executors)
            yield (
                (*place, "executor"),
                f"must be one of the executors {names} (got "
                f"{program.executor!r}).{did_you_mean(program.executor, site.executors)}",
            )
            continue
        here = {name: site.executors[name] for name in site.executors_of(engine)}
        most = max(
            (executor.cores_per_task for executor in here.values() if isinstance(executor, Batch)),
            default=None,
        )
        if program.cores is not None and most is not None and program.cores > most:
            yield (
                (*place, "cores"),
                f"must be at most {most}, the cores of one task on executor "
                f"{', '.join(here)} (got {program.cores}). Lower it, or give the executor "
                "more cores.",
            )
        without = [name for name in here if not site.launches(name)]
        for key, value in program:
            if isinstance(value, str) and LAUNCH in value and without:
                way_out = (
                    "Set the program's `executor` to one with mpi_launcher, or write the "
                    "launcher yourself, e.g. `mpirun -np {cores}`."
                )
                yield (
                    (*place, key),
                    f"`{LAUNCH}` has no meaning on executor {', '.join(without)}, which has "
                    f"no mpi_launcher (got {value!r}). {way_out}",
                )


def site_schema() -> dict[str, Any]:
    """JSON schema of a site file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Site.model_json_schema()}
