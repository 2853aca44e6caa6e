"""One task, done in its directory: render, start the program, watch it, parse, store. What a worker does."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from borarun import __version__
from borarun.engines import ENGINES
from borarun.engines.base import Files, Program
from borarun.errors import BorarunError, EngineError
from borarun.store import Store
from borarun.task import Failure, Ref, Task
from borarun.tether import end_with_parent

POLL_S = 0.1
EVIDENCE_LINES = 20


@dataclass(frozen=True)
class Driver:
    """The process that started the work, so that a worker notices when it is gone.

    Attributes
    ----------
    host : name of its machine
    pid : process id there
    started : creation time of the process, s since the epoch: a reused pid is not mistaken for it
    """

    host: str
    pid: int
    started: float

    @classmethod
    def here(cls) -> Driver:
        """This process."""
        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time())

    def gone(self) -> bool:
        """Whether the process has ended; never true on another machine, where it cannot be seen."""
        if self.host != socket.gethostname():
            return False
        try:
            process = psutil.Process(self.pid)
            return bool(process.create_time() != self.started or process.status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True


def lock_file(work: Path, key: str) -> Path:
    """The file whose lock says that a task is being worked on."""
    return work / f"{key}.lock"


def is_running(work: Path, key: str) -> bool:
    """Whether some process works on this task now."""
    try:
        with lock_file(work, key).open("r") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def progress(work: Path, key: str) -> float | None:
    """The part of a running task that is done, 0..1, as its program wrote it; None where it says nothing."""
    try:
        return min(max(float((work / key / "progress").read_text()), 0.0), 1.0)
    except (OSError, ValueError):
        return None


@contextmanager
def _locked(path: Path, driver: Driver) -> Iterator[None]:
    """Hold the lock of a task; wait for whoever holds it, for two studies may ask for the same task."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if driver.gone():
                    os._exit(1)
                time.sleep(POLL_S)
        yield
        path.unlink(missing_ok=True)


def perform(task: Task, program: Program, store_root: Path, work: Path, driver: Driver) -> Failure | None:
    """Do a task unless its record exists; the failure, if any, is stored as well.

    Parameters
    ----------
    program : how the task's engine runs here, from the site
    store_root : directory of the store
    work : directory in which each task gets a directory of its own, named by its key
    driver : process to watch: when it is gone, so is the task's reason to run
    """
    store = Store(store_root)
    with _locked(lock_file(work, task.key), driver):
        if task.key in store:
            return None
        try:
            _run(task, program, store, work / task.key, driver)
        except EngineError as error:
            failure = Failure(type(error).__name__, str(error), error.remedy, error.evidence)
        except (BorarunError, OSError) as error:
            failure = Failure(type(error).__name__, str(error))
        except Exception as error:  # a bug must not take the whole study with it
            failure = Failure("bug", f"{type(error).__name__}: {error}", "Please report it.", traceback.format_exc())
        else:
            shutil.rmtree(work / task.key, ignore_errors=True)
            return None
        with suppress(BorarunError, OSError):  # a full disk: the driver still has the failure
            store.write_failure(task, failure)
        return failure


def rendered(task: Task, program: Program, store: Store) -> tuple[Files, list[str]]:
    """The input files of a task and its command; all of its inputs are in the store."""
    engine = ENGINES[task.engine]
    settings = engine.Settings(**task.settings)
    inputs: dict[str, Any] = {
        name: store.get(value) if isinstance(value, Ref) else [store.get(ref) for ref in value] for name, value in task.inputs.items()
    }
    return engine.render(settings, inputs, program), engine.command(settings, task.cores, program)


def _run(task: Task, program: Program, store: Store, directory: Path, driver: Driver) -> None:
    engine = ENGINES[task.engine]
    settings = engine.Settings(**task.settings)
    if missing := engine.missing(settings, program):
        raise EngineError(f"{task.engine} cannot run here: {missing}", remedy=missing)
    files, command = rendered(task, program, store)
    if directory.exists() and not engine.RESUMABLE:
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content.encode() if isinstance(content, str) else content)
    started = time.time()
    code = _start(command, directory, driver)
    if code != 0:
        what = f"ended by signal {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        raise EngineError(f"{task.engine} {what}", remedy=f"Its files are in {directory}.", evidence=_last_lines(directory))
    result = engine.parse(settings, directory)
    provenance = {
        "borarun": __version__,
        "host": socket.gethostname(),
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 2),
        "cores": task.cores,
    }
    store.write(task, result, provenance)


def _start(command: list[str], directory: Path, driver: Driver) -> int:
    """Run a command in a directory to its end; its exit code. The command ends with this process and with the driver."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with (directory / "stdout.txt").open("ab") as out, (directory / "stderr.txt").open("ab") as err:
        try:
            process = subprocess.Popen(
                command,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment,
                start_new_session=True,
                preexec_fn=partial(end_with_parent, os.getpid()),  # no program is left to write where its successor works
            )
        except OSError as error:
            raise EngineError(f"{command[0]} could not be started: {error.strerror}", remedy="Check the command in the site file.") from error
        try:
            while process.poll() is None:
                if driver.gone():
                    _kill(process)
                    os._exit(1)
                time.sleep(POLL_S)
        except BaseException:
            _kill(process)
            raise
    return process.returncode


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a program and whatever it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_lines(directory: Path) -> str:
    """The last lines that the program wrote to standard error, or to standard output where that is empty."""
    for name in ("stderr.txt", "stdout.txt"):
        lines = (directory / name).read_text(errors="replace").strip().splitlines()
        if lines:
            return "\n".join(lines[-EVIDENCE_LINES:])
    return ""
