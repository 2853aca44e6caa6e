"""The driver under real accidents: whatever is killed, nothing finished is lost or done twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import psutil
import pytest
from parsl.executors.high_throughput.errors import WorkerLost
from typer.testing import CliRunner

from borarun.cli import app
from borarun.engines.base import Program
from borarun.records.places import Places
from borarun.records.store import Store
from borarun.records.task import Failure, Task
from borarun.run.claim import Holder
from borarun.run.control import claim_of
from borarun.run.driver import drive
from borarun.run.work import perform
from borarun.run.workers import WorkersLostError
from borarun.site import default_site
from borarun.study import Study

SUBMIT = [sys.executable, "-m", "borarun", "submit"]


def _start(study: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*SUBMIT, study.name],
        cwd=study.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _finish(study: Path) -> str:
    process = _start(study)
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output
    return output


def _processes(study: Path) -> list[psutil.Process]:
    """Every process that works in the study's folder, the driver apart."""
    found = []
    for process in psutil.process_iter():
        try:
            if (
                Path(process.cwd()).is_relative_to(study.parent)
                and "submit" not in process.cmdline()
            ):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def _wait_for(condition: Callable[[], bool], seconds: float = 150) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def _wait_for_silence(study: Path, seconds: float = 150) -> None:
    """Until no process works in the study's folder."""
    end = time.monotonic() + seconds
    while left := _processes(study):
        assert time.monotonic() < end, "\n".join(map(_describe, left))
        time.sleep(0.1)


def _describe(process: psutil.Process) -> str:
    with process.oneshot():
        try:
            return (
                f"{process.pid} of {process.ppid()}, {process.status()}, "
                f"{time.time() - process.create_time():.0f} s old: {process.cmdline()}"
            )
        except psutil.Error as error:
            return str(error)


def _check_complete(study: Path, counted: Counter[str]) -> None:
    store = Store(Places.of(study.parent / "runs", "mini").store)
    assert store.keys() and not store.failures()
    for key in sorted(store.keys()):
        record = store.record(key)
        assert record is not None and record.done
    assert all(times == 1 for times in counted.values()), counted
    assert (study.parent / "runs/mini/report/report.html").exists()


def _done_lines(output: str) -> list[str]:
    return [
        line.split("done   ")[1].split(" (")[0]
        for line in output.splitlines()
        if "  done   " in line
    ]


@pytest.fixture
def finished_once() -> Counter[str]:
    """How often each task was reported as done."""
    return Counter()


def test_driver_killed_at_random_instants(mini_study: Path, finished_once: Counter[str]) -> None:
    """kill -9 of the driver, three times: the next submit goes on, and no process of the dead one
    works on.
    """
    chance = random.Random(1)
    for _ in range(3):
        process = _start(mini_study)
        time.sleep(chance.uniform(3, 12))
        process.kill()
        output, _ = process.communicate()
        finished_once.update(_done_lines(output))
    finished_once.update(_done_lines(_finish(mini_study)))
    _check_complete(mini_study, finished_once)
    again = _finish(mini_study)
    assert "nothing was started" in again
    _wait_for_silence(mini_study)


def test_workers_and_programs_killed_at_random_instants(
    mini_study: Path, finished_once: Counter[str]
) -> None:
    """kill -9 of workers, of LAMMPS and of every other child, while the driver lives: at worst a
    task fails, and is done at the next submit.
    """
    chance = random.Random(2)
    process = _start(mini_study)
    for _ in range(5):
        time.sleep(chance.uniform(1, 5))
        victims = [one for one in _processes(mini_study) if one.pid != process.pid]
        if victims and process.poll() is None:
            try:
                chance.choice(victims).kill()
            except psutil.NoSuchProcess:
                continue
    output, _ = process.communicate(timeout=400)
    assert process.returncode in (0, 1), output
    assert "bug" not in output
    finished_once.update(_done_lines(output))
    finished_once.update(_done_lines(_finish(mini_study)))
    _check_complete(mini_study, finished_once)


def test_interrupt_ends_everything_and_says_how_to_go_on(mini_study: Path) -> None:
    process = _start(mini_study)
    _wait_for(
        lambda: (
            (mini_study.parent / "runs/work").exists()
            and any((mini_study.parent / "runs/work").iterdir())
        )
    )
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole foreground group
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Run the same command again to continue" in output
    assert "Traceback" not in output
    _wait_for_silence(mini_study)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_whole_group_is_asked_to_end(mini_study: Path, number: signal.Signals) -> None:
    """As a closed terminal, ``timeout`` and a batch system do: at an instant by chance, and more
    than once. The interchange of Parsl is told too, and the driver used to wait for its answer.
    """
    chance = random.Random(int(number))
    for _ in range(2):
        process = _start(mini_study)
        _wait_for(lambda: (mini_study.parent / "runs/mini/driver.claim.1").exists())
        time.sleep(chance.uniform(0, 6))
        os.killpg(process.pid, number)
        time.sleep(0.1)
        if process.poll() is None:
            os.killpg(process.pid, number)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 130, output
        assert "Traceback" not in output
        _wait_for_silence(mini_study)


def test_all_processes_are_asked_to_end(mini_study: Path) -> None:
    """As a batch system does, whatever groups they made."""
    process = _start(mini_study)
    _wait_for(lambda: len(_processes(mini_study)) > 5)
    for each in [*_processes(mini_study), psutil.Process(process.pid)]:
        with suppress(psutil.NoSuchProcess):
            each.terminate()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    _wait_for_silence(mini_study)


def test_what_the_caller_ignores_stays_ignored(mini_study: Path) -> None:
    """Under nohup a run outlives its terminal."""
    process = subprocess.Popen(
        ["nohup", *SUBMIT, mini_study.name],
        cwd=mini_study.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    _wait_for(lambda: (mini_study.parent / "runs/work").exists())
    os.killpg(process.pid, signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=3)
    os.killpg(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output


def test_a_second_submit_says_so_and_leaves(mini_study: Path) -> None:
    first = _start(mini_study)
    _wait_for(
        lambda: (
            (mini_study.parent / "runs/mini/driver.claim.1").exists()
            and (mini_study.parent / "runs/work").exists()
        )
    )
    second = subprocess.run(
        [*SUBMIT, mini_study.name],
        cwd=mini_study.parent,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert second.returncode == 1
    assert "is being run by process" in second.stderr and str(first.pid) in second.stderr
    os.killpg(first.pid, signal.SIGINT)
    first.communicate(timeout=60)


def test_a_driver_that_begins_again_does_not_hold_the_study(
    mini_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps its process id, and would take itself for another driver."""
    place, held = mini_study.parent / "runs" / "mini", list[bool]()

    def die(*_: object) -> None:
        held.append(claim_of(place).held())
        raise WorkersLostError("The process between driver and workers died.")

    def again() -> None:
        held.append(claim_of(place).held())
        raise SystemExit(0)

    monkeypatch.chdir(mini_study.parent)
    monkeypatch.setattr("borarun.run.driver.drive", die)
    monkeypatch.setattr("borarun.run.driver.begin_again", again)
    CliRunner().invoke(app, ["submit", str(mini_study)])
    assert held == [True, False]


class _LosingWorkers:
    """Workers that are lost once the record of their task is written, before they say so."""

    lost = False

    def __init__(self, places: Places, *_: object) -> None:
        self._places = places

    def submit(self, task: Task, program: Program) -> Future[Failure | None]:
        perform(task, program, self._places.store, self._places.work, Holder.here())
        future = Future[Failure | None]()
        future.set_exception(WorkerLost(1, "here"))
        return future

    def stop(self) -> None: ...


def test_a_record_counts_though_its_worker_was_lost_before_it_said_so(
    study: Study, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Mock()
    listener.finished.side_effect = KeyboardInterrupt
    monkeypatch.setattr("borarun.run.driver.Workers", _LosingWorkers)
    with pytest.raises(KeyboardInterrupt):
        drive(study, default_site(), places, listener)
    task, failure, _ = listener.finished.call_args.args
    assert task.key in Store(places.store) and failure is None
    listener.again.assert_not_called()
