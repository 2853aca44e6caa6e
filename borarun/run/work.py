"""One task, done in its directory: render, start the program, watch it, parse, store. What a worker
does.
"""

from __future__ import annotations

import json
import os
import shlex
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

from pydantic import BaseModel, ValidationError

from borarun import __version__
from borarun.basics.causes import Cause, cause_of_error, cause_of_exit
from borarun.basics.errors import BorarunError, DamagedError, EngineError, TimeUpError
from borarun.basics.file import replacing, write_files
from borarun.basics.job_time import TIME_UP, job_length, seconds_left
from borarun.basics.tether import end_with_parent
from borarun.basics.units import S_PER_HOUR
from borarun.engines.base import Files, Program
from borarun.engines.registry import ENGINES
from borarun.records import endings
from borarun.records.attributes import Provenance
from borarun.records.operations.base import mistakes
from borarun.records.store import Store
from borarun.records.task import Failure, Result, Task
from borarun.run.claim import Claim, Holder
from borarun.run.interrupts import asked, shielded
from borarun.site.batch_systems.keys import cpus_per_task
from borarun.site.surroundings import surroundings

POLL_S = 0.1
LOOK_S = 10.0
"""Time between two looks at what a program has written."""

GRACE_S = 20.0
"""What a program gets to write its files when it is asked to end."""

EVIDENCE_LINES = 20

PROVENANCE = "provenance.json"
"""Name of the file with what the record shall say of the run in a directory: there from the end of
the program until the record is written or the run has failed.
"""

PROBE_B = 1_000_000
"""Where so much cannot be written, the disk is full."""


def claim_of(work: Path, key: str) -> Claim:
    """The claim of whoever works on a task."""
    return Claim(work / f"{key}.claim")


def is_running(work: Path, key: str) -> bool:
    """Whether some process works on this task now."""
    return claim_of(work, key).held()


def running_keys(work: Path) -> set[str]:
    """Keys of all tasks that some process works on now, of whatever study."""
    claimed = {file.name.partition(".claim.")[0] for file in work.glob("[!.]*.claim.*")}
    return {key for key in claimed if is_running(work, key)}


def progress(work: Path, key: str) -> float | None:
    """The part of a running task that is done, 0..1, as its program wrote it; None where it says
    nothing.
    """
    return _progress(work / key)


def _progress(directory: Path) -> float | None:
    try:
        return min(max(float((directory / "progress").read_text()), 0.0), 1.0)
    except (OSError, ValueError):
        return None


@contextmanager
def _claimed(claim: Claim, driver: Holder) -> Iterator[None]:
    """Hold a task; wait for whoever holds it, for two studies may ask for the same task."""
    while not claim.take():
        if driver.gone():
            os._exit(1)
        time.sleep(POLL_S)
    try:
        yield
    finally:
        claim.release()


def perform(
    task: Task, program: Program, store_root: Path, work: Path, driver: Holder
) -> Failure | None:
    """Do a task unless its record exists; the failure, if any, is stored as well, unless the task
    only goes on in another job.

    A worker that is asked to end (``interrupts``) ends a program that runs; when the program has
    ended already, the worker reads its files and writes the record first.

    Parameters
    ----------
    program : how the task's engine runs here, from the site
    store_root : directory of the store
    work : directory in which each task gets a directory of its own, named by its key
    driver : process to watch: when it is gone, so is the task's reason to run
    """
    store, claim = Store(store_root), claim_of(work, task.key)
    with _claimed(claim, driver), shielded():
        if task.key in store:
            return None
        try:
            _run(task, program, store, work / task.key, _Watch(claim, driver))
        except EngineError as error:
            failure = Failure.of_error(error)
        except DamagedError as error:  # an input: whoever made it makes it again
            store.set_aside(error.key)
            cause = Cause.INPUT_DAMAGED
            return Failure(cause, str(error), cause.remedy)
        except (BorarunError, OSError) as error:
            cause = cause_of_error(error)
            failure = Failure(cause, str(error), cause.remedy if cause.may_pass else "")
        except Exception as error:  # a bug must not take the whole study with it
            failure = Failure(
                Cause.BUG,
                f"{type(error).__name__}: {error}",
                Cause.BUG.remedy,
                traceback.format_exc(),
            )
        else:
            if not claim.lost:  # else another worker holds the directory
                shutil.rmtree(work / task.key, ignore_errors=True)
            return None
        # whatever asked this worker to end may have ended the program, too: that is no failure
        if failure.cause is not Cause.OUT_OF_TIME and not asked():
            with suppress(BorarunError, OSError):  # a full disk: the driver still has the failure
                store.write_failure(task, failure)
        return failure


def rendered(task: Task, program: Program, store: Store) -> tuple[Files, list[str]]:
    """The input files of a task and its command; all of its inputs are in the store."""
    engine = ENGINES[task.engine]
    settings = engine.Settings(**task.settings)
    return engine.render(settings, store.inputs(task), program), engine.command(
        settings, task.cores, program
    )


def _parsed(name: str, settings: BaseModel, directory: Path) -> Result:
    """What a program left.

    Raises
    ------
    EngineError
        Where it is not read, or a fact of it is not what it must be.
    """
    try:
        return ENGINES[name].parse(settings, directory)
    except ValidationError as error:
        raise EngineError(
            f"{name}: {error.title}: {mistakes(error)}.",
            remedy=f"Look at what the program left in {directory}; where that is sound, please "
            "report it.",
        ) from error


def _run(task: Task, program: Program, store: Store, directory: Path, watch: _Watch) -> None:
    engine = ENGINES[task.engine]
    settings = engine.Settings(**task.settings)
    if missing := engine.missing(settings, program):
        raise EngineError(
            f"{task.engine} cannot run here: {missing}",
            remedy=missing,
            cause=Cause.PROGRAM_MISSING,
        )
    provenance = _provenance(directory)
    if provenance is not None:  # its worker was killed before the record
        result = None
        with suppress(Exception):  # unreadable, after a crash of the machine for one: run it again
            result = _parsed(task.engine, settings, directory)
        if result is not None:
            store.write(task, result, provenance)
            return
    files, command = rendered(task, program, store)
    if directory.exists() and not engine.RESUMABLE:
        shutil.rmtree(directory)
    (directory / PROVENANCE).unlink(missing_ok=True)
    if not endings.is_complete(directory):  # what an earlier run says of its end
        (directory / endings.NAME).unlink(missing_ok=True)
    shutil.rmtree(_unread(directory), ignore_errors=True)
    write_files(directory, files)
    started, before = time.time(), _progress(directory) or 0.0
    code = _start(_launched(command, program.threads), directory, watch, program)
    if code == TIME_UP:
        after = _progress(directory)
        raise _time_up(task.engine, engine.RESUMABLE and (after is None or after > before), started)
    provenance = Provenance(
        borarun=__version__,
        host=socket.gethostname(),
        started=datetime.fromtimestamp(started, UTC),
        seconds=round(time.time() - started, 2),
        cores=task.cores,
        exit_code=code,
    )
    with (
        suppress(BorarunError),  # a full disk: the record may find room yet
        replacing(directory / PROVENANCE) as file,
    ):
        file.write(json.dumps(provenance.stored()).encode())
    try:
        result = _parsed(task.engine, settings, directory)
    except EngineError as error:
        (directory / PROVENANCE).unlink(missing_ok=True)
        if code:
            raise _ended_badly(task.engine, code, directory, error) from error
        error.evidence = error.evidence or _last_lines(directory)
        # The program would take what it left for done, and leave the same again.
        if error.cause is Cause.UNREADABLE:
            directory.replace(_unread(directory))
            error.remedy = f"{error.remedy} What it left is in {_unread(directory)}.".strip()
        raise
    store.write(task, result, provenance)


def _provenance(directory: Path) -> Provenance | None:
    """What the record of a program that ended here shall say of its run; None where no program
    ended, or it has failed.
    """
    try:
        return Provenance.model_validate_json((directory / PROVENANCE).read_bytes())
    except (OSError, ValueError):
        return None


def _unread(directory: Path) -> Path:
    """Where the files of a run go that came to its end and could not be read."""
    return directory.with_name(f"{directory.name}.unread")


def _ended_badly(engine: str, code: int, directory: Path, error: EngineError) -> EngineError:
    """What to tell of a program that ended with an error and left no whole result."""
    evidence = error.evidence or _last_lines(directory)
    if error.cause is not Cause.UNREADABLE:  # the program or the engine knows better
        error.evidence = evidence
        return error
    what = (
        f"ended by signal {signal.Signals(-code).name}"
        if code < 0
        else f"ended with exit code {code}"
    )
    if refused := _refused(
        directory
    ):  # where nothing can be written, the program could not say so either
        return EngineError(f"{engine} {what}: {refused}", evidence=evidence, cause=Cause.DISK_FULL)
    return EngineError(
        f"{engine} {what}",
        remedy=f"Its files are in {directory}.",
        evidence=evidence,
        cause=cause_of_exit(code, evidence),
    )


def _refused(directory: Path) -> str:
    """What the file system says when something is written in a directory; empty where it
    takes it.
    """
    probe = directory / ".probe"
    try:
        with probe.open("wb") as file:
            file.write(bytes(PROBE_B))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return str(error.strerror)
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
    return ""


def _time_up(engine: str, headway: bool, started: float) -> EngineError:
    """What becomes of a program at the wall. One that gained nothing in most of a job would gain
    nothing in the next, for ever.
    """
    if headway or time.time() - started < 0.5 * job_length():
        return TimeUpError(f"{engine} goes on in another job: this one comes to its end")
    return EngineError(
        f"{engine} did not end within {(time.time() - started) / S_PER_HOUR:.1f} h, and left "
        "nothing further on to go on from",
        cause=Cause.NO_PROGRESS,
    )


@dataclass
class _Watch:
    """What ends a program before its time: a driver that is gone, a claim that is lost, or the end
    of the job that it runs in.
    """

    claim: Claim
    driver: Holder

    def orphaned(self) -> bool:
        return self.driver.gone() or self.claim.lost

    def time_is_up(self) -> bool:
        return seconds_left() < 0.0


def _launched(command: list[str], threads: int) -> list[str]:
    """A command with `{launch}` replaced by the launcher that Parsl made for the nodes of this
    task.

    Raises
    ------
    EngineError
        Where the executor gives none.
    """
    if "{launch}" not in command:
        return command
    launch = os.environ.get("PARSL_MPI_PREFIX")
    if launch is None:
        raise EngineError(
            f"{' '.join(command)}: {{launch}} has no meaning on this executor.",
            remedy="Give the executor an mpi_launcher in the site file.",
            cause=Cause.BAD_SETUP,
        )
    place = command.index("{launch}")
    launcher = shlex.split(launch)
    return [
        *command[:place],
        *launcher,
        *cpus_per_task(launcher[0], threads),
        *command[place + 1 :],
    ]


def _start(command: list[str], directory: Path, watch: _Watch, program: Program) -> int:
    """Run a command in a directory to its end; its exit code. The command ends with this process
    and with the driver.
    """
    silence_s = program.silence_minutes * 60
    with (directory / "stdout.txt").open("ab") as out, (directory / "stderr.txt").open("ab") as err:
        try:
            process = subprocess.Popen(
                command,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=surroundings(program, err),
                start_new_session=True,
                preexec_fn=partial(
                    end_with_parent, os.getpid()
                ),  # no program is left to write where its successor works
            )
        except OSError as error:
            cause = cause_of_error(error)
            raise EngineError(
                f"{command[0]} could not be started: {error.strerror}",
                evidence=_last_lines(directory),
                cause=cause if cause.may_pass else Cause.PROGRAM_MISSING,
            ) from error
        activity = _Activity(directory)
        try:
            while process.poll() is None:
                if watch.orphaned():
                    _kill(process)
                    os._exit(1)
                if asked():
                    raise KeyboardInterrupt
                if watch.time_is_up():
                    _end(process)
                    return TIME_UP
                if activity.silence_s() > silence_s:
                    _kill(process)
                    raise EngineError(
                        f"wrote nothing for {silence_s / 60:g} minutes, and was ended",
                        evidence=_last_lines(directory),
                        cause=Cause.SILENT,
                        remedy=f"Its files are in {directory}. Where its steps take so long, raise "
                        "silence_minutes in the site file.",
                    )
                with suppress(subprocess.TimeoutExpired):
                    process.wait(
                        POLL_S
                    )  # no sleep: a tenth of a second counts where tasks take one
        except BaseException:
            _kill(process)
            raise
    return process.returncode


class _Activity:
    """How long a program has written nothing in its directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._state: tuple[tuple[str, int, int], ...] = ()
        self._changed = self._looked = time.monotonic()

    def silence_s(self) -> float:
        """Seconds since something in the directory, or one level below, was last seen to change."""
        now = time.monotonic()
        if now - self._looked > LOOK_S:
            self._looked = now
            if (state := tuple(self._files())) != self._state:
                self._state, self._changed = state, now
        return now - self._changed

    def _files(self) -> Iterator[tuple[str, int, int]]:
        for file in sorted([*self._directory.glob("*"), *self._directory.glob("*/*")]):
            with suppress(OSError):
                about = file.stat()
                yield str(file), about.st_size, about.st_mtime_ns


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a program to end, and end it when it does not."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=GRACE_S)
    _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a program and whatever it started."""
    with suppress(ProcessLookupError):  # ended, and all that it started with it
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_lines(directory: Path) -> str:
    """The last lines that the program wrote to standard error, or to standard output where that is
    empty.
    """
    for name in ("stderr.txt", "stdout.txt"):
        lines = (directory / name).read_text(errors="replace").strip().splitlines()
        if lines:
            return "\n".join(lines[-EVIDENCE_LINES:])
    return ""
