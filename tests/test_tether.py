"""A tethered process ends with its parent, at whatever moment the parent goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from borarun.run.interrupts import unheard_by_children

PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-m", "borarun.basics.tether", str(os.getpid()), "sleep", "600"], stdin=subprocess.DEVNULL)
print(child.pid, flush=True)
time.sleep(600)
"""  # noqa: E501


@pytest.mark.parametrize(
    "child_runs", [False, True], ids=["killed as the child starts", "killed when the child runs"]
)
def test_child_ends_when_its_parent_is_killed(child_runs: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        while child_runs and child.cmdline() != ["sleep", "600"]:
            time.sleep(0.01)
        parent.kill()
    child.wait(timeout=30)
    assert not child.is_running()


def test_nothing_is_started_for_a_parent_that_is_not_there() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "borarun.basics.tether", "1", "echo", "started"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.stdout == "" and ended.returncode == 1


def test_a_module_ends_with_the_process_that_it_runs_beside() -> None:
    with subprocess.Popen(["sleep", "600"]) as other:
        command = [
            sys.executable,
            "-m",
            "borarun.basics.tether",
            "--beside",
            str(other.pid),
            "http.server",
            "0",
        ]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as beside:
            time.sleep(2)
            assert beside.poll() is None
            other.kill()
            other.wait()
            assert beside.wait(timeout=30) == 1


def test_a_module_that_runs_beside_a_process_long_gone_ends_at_once() -> None:
    with subprocess.Popen(["true"]) as other:
        other.wait()
    command = [
        sys.executable,
        "-m",
        "borarun.basics.tether",
        "--beside",
        str(other.pid),
        "http.server",
        "0",
    ]
    assert subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 1


LEAVES = """
import multiprocessing, os, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import subprocess, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(1.0)
os.kill(os.getpid(), signal.SIGKILL)
"""  # noqa: E501


def test_what_a_killed_command_leaves_behind_is_ended() -> None:
    command = [
        sys.executable,
        "-m",
        "borarun.basics.tether",
        "--around",
        sys.executable,
        "-c",
        LEAVES,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as around:
        assert around.stdout is not None
        child = psutil.Process(int(around.stdout.readline()))
        while not (grandchildren := child.children()):
            time.sleep(0.01)
        assert around.wait(timeout=30) != 0
    assert not child.is_running() and not grandchildren[0].is_running()


POOL = """
import multiprocessing, os, signal, sys, time

def work(file):
    signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), open(file, "w").write("given back"), os._exit(0)))
    print("at work", flush=True)
    time.sleep(600)

if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=work, args=(sys.argv[1],)).start()
    time.sleep(600)
"""  # noqa: E501


@pytest.mark.parametrize("asked", ["all", "outermost"])
def test_workers_end_in_order_before_their_pool(tmp_path: Path, asked: str) -> None:
    """Asked to end by a batch system, which asks all processes of a job at once, or by somebody who
    asks the first one.
    """
    (tmp_path / "pool.py").write_text(POOL)
    command = [
        sys.executable,
        "-m",
        "borarun.basics.tether",
        "--around",
        sys.executable,
        "-m",
        "borarun.basics.tether",
        "--after",
        "pool",
        str(tmp_path / "left"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as around:
        assert around.stdout is not None and around.stdout.readline() == "at work\n"
        process = psutil.Process(around.pid)
        for each in [process, *(process.children(recursive=True) if asked == "all" else [])]:
            each.terminate()
        assert around.wait(timeout=30) == 143
    assert (tmp_path / "left").read_text() == "given back"


def test_the_exit_code_is_the_command_s() -> None:
    command = [
        sys.executable,
        "-m",
        "borarun.basics.tether",
        "--around",
        sys.executable,
        "-c",
        "raise SystemExit(7)",
    ]
    assert subprocess.run(command, timeout=30, check=False).returncode == 7


def test_what_is_sent_to_the_group_before_it_is_left_is_not_for_the_child() -> None:
    """As when a terminal closes while the driver starts the interchange."""
    tethered = [sys.executable, "-m", "borarun.basics.tether", str(os.getpid())]
    with unheard_by_children():
        child = subprocess.Popen([*tethered, "sleep", "600"])
        child.send_signal(signal.SIGTERM)
    assert not {signal.SIGTERM, signal.SIGHUP} & signal.pthread_sigmask(signal.SIG_BLOCK, ())
    until = time.monotonic() + 30
    while "sleep" not in psutil.Process(child.pid).name():
        assert child.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    child.terminate()  # it hears what comes later
    assert child.wait(30) == -signal.SIGTERM
