"""``borarun doctor``: a short job on each executor of a site, which looks at what the node has
(``borarun.site.checkup``), before a study finds out.

The jobs are submitted as the batch system wants it, without Parsl: where they do not run, the batch
system's own words say why.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from borarun import __version__
from borarun.basics.errors import BorarunError
from borarun.basics.file import replacing
from borarun.engines.registry import ENGINES
from borarun.site import jobs
from borarun.site.batch_systems import Batch
from borarun.site.batch_systems.base import Standing, one_command
from borarun.site.checkup import Answer, Finding, Request
from borarun.site.executors import Executor, Local
from borarun.site.model import Site

JOB_S = 600.0
"""Length of a job of the doctor's; it takes seconds, but programs may hang."""

POLL_S = 0.5
ASK_S = 10.0
"""Time between two questions for a job."""

GRACE_S = 30.0
"""A shared file system may show an answer so long after its job has ended."""

ABSENT_ANSWERS = 3
"""Answers of the batch system in a row in which a job must be missing before it is taken for ended.
"""

LAST_LINES = 5

Say = Callable[[str], None]


@dataclass
class Examination:
    """What was found of one executor.

    Attributes
    ----------
    executor : its name
    answer : of the node; where there is none, the findings say why
    """

    executor: str
    answer: Answer = field(default_factory=lambda: Answer(""))

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return all(finding.ok for finding in self.answer.findings)


def examine(site: Site, runs: Path, say: Say, wait_s: float) -> list[Examination]:
    """Look at all executors at once, and write what was found of programs to
    ``runs/site-NAME.json``.

    Parameters
    ----------
    runs : runs directory of the studies to come
    say : shows where the jobs stand
    wait_s : how long jobs may wait and run

    Raises
    ------
    BorarunError
        Where nothing can be written to ``runs``.
    """
    place = runs.resolve() / "doctor" / f"{site.name}-{os.getpid()}"
    try:
        place.mkdir(parents=True)
    except OSError as error:
        raise BorarunError(
            f"{place}: cannot be written ({error.strerror}). Use --runs with your own "
            "directory that the nodes see."
        ) from None
    with ExitStack() as stack:
        visits = [
            stack.enter_context(_Visit(name, executor, site, runs.resolve(), place / name))
            for name, executor in site.executors.items()
        ]
        for visit in visits:
            if visit.header:
                say(f"{visit.examination.executor}: its jobs ask for\n{visit.header}")
        until = time.monotonic() + wait_s
        while any(visit.open for visit in visits) and time.monotonic() < until:
            for visit in visits:
                visit.look(say)
            time.sleep(POLL_S)
        for visit in visits:
            visit.give_up(wait_s)
    found = [visit.examination for visit in visits]
    with replacing(runs.resolve() / f"site-{site.name}.json") as file:
        file.write(json.dumps(_record(site, found), indent=1).encode() + b"\n")
    if all(each.ok for each in found):
        shutil.rmtree(place, ignore_errors=True)
        with suppress(OSError):  # another doctor is at work
            place.parent.rmdir()
    else:
        say(f"What the jobs wrote is in {place}.")
    return found


def _record(site: Site, found: list[Examination]) -> dict[str, object]:
    return {
        "site": site.name,
        "borarun": __version__,
        "checked": datetime.now(UTC).isoformat(timespec="seconds"),
        "executors": {
            each.executor: {
                "host": each.answer.host,
                "ok": each.ok,
                "programs": each.answer.versions,
            }
            for each in found
        },
    }


class _Visit:
    """One executor, looked at.

    Parameters
    ----------
    place : directory of this visit, seen by all nodes
    """

    def __init__(self, name: str, executor: Executor, site: Site, runs: Path, place: Path) -> None:
        self.examination = Examination(name)
        self.open = True
        self._executor, self._place = executor, place
        self._site, self._runs = site, runs
        self._job = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = time.monotonic()
        self._ended: float | None = None
        self._standing = Standing("unknown")
        self._absent = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Write the request, open the door, submit."""
        self._place.mkdir()
        door = self._stack.enter_context(opened(self._executor))
        request = Request(
            runs=str(self._runs),
            cores=self._executor.slots
            if isinstance(self._executor, Local)
            else self._executor.cores_per_node,
            gpus=self._executor.available_accelerators if isinstance(self._executor, Batch) else 0,
            addresses=addresses(self._executor),
            port=door.port,
            token=door.token,
            python=platform.python_version(),
            borarun=__version__,
            launch=self._executor.launch(self._executor.nodes_per_task)
            if isinstance(self._executor, Batch) and self._executor.mpi_launcher
            else [],
            programs=sections(self._site, self.examination.executor),
        )
        (self._place / "request.json").write_text(json.dumps(asdict(request), indent=1))
        command = [
            sys.executable,
            "-m",
            "borarun.site.checkup",
            str(self._place / "request.json"),
            str(self._answer),
        ]
        if isinstance(self._executor, Local):
            with self._output.open("wb") as out:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
                )
        else:
            self._submit(self._executor, command)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the job, if it is there still, and close the door."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if isinstance(self._executor, Batch) and not self._standing.ended:
            jobs.cancel(self._place)
        self._stack.close()

    @property
    def header(self) -> str:
        """What jobs of this executor ask for; empty where there are none."""
        if isinstance(self._executor, Local):
            return ""
        return self._executor.header(self._executor.walltime_s, self._output)

    @property
    def _answer(self) -> Path:
        return self._place / "answer.json"

    @property
    def _output(self) -> Path:
        return self._place / "job.out"

    def _submit(self, executor: Batch, command: list[str]) -> None:
        file = self._place / "job.sh"
        seconds = min(JOB_S, executor.walltime_s)
        body = one_command(command, Path.cwd())
        file.write_text(executor.script(body, seconds, self._output))
        name = executor.name_of(f"doctor-{self.examination.executor}")
        try:
            self._job = jobs.submit(
                executor, self._place, name, file, executor=self.examination.executor
            )
        except jobs.RefusedError as error:
            remedy = (
                "Correct partition or queue, account, walltime, sizes and scheduler_options of "
                "the executor in the site file."
                if error.kind != "passes"
                else "This may be temporary: try again later."
            )
            self._close(Finding("submission", False, _last(str(error)), remedy))

    def look(self, say: Say) -> None:
        """Take in the answer, if there is one; else ask for the job from time to time."""
        if not self.open:
            return
        os.listdir(self._place)  # noqa: PTH208 - has a network file system look anew
        if self._answer.exists():
            self.examination.answer = Answer.of(json.loads(self._answer.read_text()))
            self.open = False
            say(f"{self.examination.executor}: answered by {self.examination.answer.host}")
            return
        if self._ended is None and self._gone(say):
            self._ended = time.monotonic()
        grace = GRACE_S if self._process is None else 0.0
        if (
            self._ended is not None
            and time.monotonic() - self._ended >= grace
            and not self._answer.exists()
        ):
            printed = self._output.read_text(errors="replace") if self._output.exists() else ""
            why = f" ({self._standing.said})" if self._standing.said else ""
            remedy = (
                f"The nodes must see {self._place} and {sys.executable} under the same "
                "paths, and worker_init must not end the shell."
            )
            self._close(
                Finding("job", False, f"ended without an answer{why}: {_last(printed)}", remedy)
            )

    def _gone(self, say: Say) -> bool:
        """Whether what looks has ended, as far as is known; the batch system is asked from time to
        time.
        """
        if self._process is not None:
            return self._process.poll() is not None
        now = time.monotonic()
        if now - self._asked < ASK_S or not isinstance(self._executor, Batch):
            return False
        self._asked = now
        standing = self._executor.look([self._job], jobs.asked(self._executor))[self._job]
        if standing.phase == "unknown":
            return False
        if standing != self._standing:
            say(f"{self.examination.executor}: job {self._job}: {standing.said or standing.phase}")
        self._absent = self._absent + 1 if standing.phase == "absent" else 0
        self._standing = standing
        return standing.ended or self._absent >= ABSENT_ANSWERS

    def give_up(self, waited_s: float) -> None:
        """The time is over."""
        if self.open:
            where = (
                f"job {self._job}: {self._standing.said or 'in the queue'}"
                if self._job
                else "still at work"
            )
            remedy = (
                "Wait longer with --wait, or choose a partition or queue with shorter "
                "waiting times."
            )
            self._close(
                Finding(
                    "job", False, f"did not answer within {waited_s / 60:.0f} min ({where})", remedy
                )
            )

    def _close(self, finding: Finding) -> None:
        self.examination.answer.findings.append(finding)
        self.open = False


def sections(site: Site, executor: str) -> dict[str, dict[str, object]]:
    """Of each program that the site file names and that may run on an executor, its section."""
    programs = {engine: site.program(engine) for engine in ENGINES}
    return {
        engine: program.model_dump(mode="json")
        for engine, program in programs.items()
        if program.model_fields_set and executor in site.executors_of(engine)
    }


def addresses(executor: Executor) -> list[str]:
    """By which nodes may reach this machine: that of the site file, or all that it has."""
    if isinstance(executor, Local):
        return ["127.0.0.1"]
    if executor.address is not None:
        return [executor.address]
    own = [
        each.address
        for interface in psutil.net_if_addrs().values()
        for each in interface
        if each.family == socket.AF_INET
    ]
    return list(
        dict.fromkeys(
            [*sorted(own, key=lambda address: address.startswith("127.")), socket.gethostname()]
        )
    )


@dataclass(frozen=True)
class Door:
    """A port of this machine that answers whoever connects with its token and this
    machine's time.
    """

    port: int
    token: str


@contextmanager
def opened(executor: Executor) -> Iterator[Door]:
    """A port among those that the workers of an executor will connect to, open for a while.

    Raises
    ------
    BorarunError
        Where none of them is free.
    """
    first, last = executor.worker_port_range if isinstance(executor, Batch) else (0, 1)
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for port in range(first, last):
        try:
            server.bind(("", port))
            server.listen()
            break
        except OSError:
            continue
    else:
        server.close()
        raise BorarunError(
            f"worker_port_range: no port from {first} to {last} is free. Write another range "
            "in the site file."
        )
    door = Door(server.getsockname()[1], secrets.token_hex(8))

    def answer() -> None:
        while True:
            try:
                caller, _ = server.accept()
            except OSError:  # closed
                return
            with caller, suppress(OSError):
                caller.sendall(f"{door.token} {time.time()}\n".encode())

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield door
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def _last(text: str) -> str:
    return (
        " / ".join(line.strip() for line in text.strip().splitlines()[-LAST_LINES:])
        or "it printed nothing"
    )
