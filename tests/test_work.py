"""One task in its directory: success leaves a record and nothing else, failure leaves its evidence."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from borarun import work
from borarun.engines.base import Program
from borarun.errors import ParseError
from borarun.store import Store
from borarun.task import Ref, Result, Settings, Task
from borarun.work import Driver, is_running, lock_file, perform


class _Settings(Settings):
    script: str


def _parse(settings: _Settings, directory: Path) -> Result:
    try:
        return Result(facts={"answer": (directory / "answer").read_text()})
    except FileNotFoundError:
        raise ParseError(directory / "answer", "is missing") from None


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An engine that runs a Python script and reads the file ``answer``."""
    module = SimpleNamespace(
        NAME="script",
        RESUMABLE=False,
        Settings=_Settings,
        version=lambda settings: "1",
        missing=lambda settings, program: "",
        render=lambda settings, inputs, program: {"script.py": settings.script, **{f"{name}.txt": str(value) for name, value in inputs.items()}},
        command=lambda settings, cores, program: [sys.executable, "script.py"],
        parse=_parse,
    )
    monkeypatch.setitem(work.ENGINES, "script", module)
    return module


def _task(script: str, **inputs: Any) -> Task:
    return Task("script", {"script": script}, inputs, version="1", stage="test", label="a script")


def _perform(task: Task, root: Path) -> Any:
    return perform(task, Program(), root / "store", root / "work", Driver.here())


def test_a_success_leaves_a_record_with_provenance_and_no_directory(engine: Any, tmp_path: Path) -> None:
    task = _task("open('answer', 'w').write('42')")
    assert _perform(task, tmp_path) is None
    record = Store(tmp_path / "store").record(task.key)
    assert record is not None and record.done and record.facts == {"answer": "42"}
    assert list((tmp_path / "work").iterdir()) == []


def test_a_finished_task_is_not_run_again(engine: Any, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    task = _task(f"open({str(witness)!r}, 'a').write('x'); open('answer', 'w').write('')")
    assert _perform(task, tmp_path) is None
    assert _perform(task, tmp_path) is None
    assert witness.read_text() == "x"


def test_inputs_come_from_the_store(engine: Any, tmp_path: Path) -> None:
    first = _task("open('answer', 'w').write('one')")
    assert _perform(first, tmp_path) is None
    Store(tmp_path / "store").write(_task("other"), Result(texts={"greeting": "hello"}), {})
    second = _task("open('answer', 'w').write(open('word.txt').read())", word=Ref(_task("other").key, "greeting"))
    assert _perform(second, tmp_path) is None
    record = Store(tmp_path / "store").record(second.key)
    assert record is not None and record.facts == {"answer": "hello"}


def test_a_program_that_fails_is_quoted(engine: Any, tmp_path: Path) -> None:
    task = _task("import sys; print('the last words', file=sys.stderr); sys.exit(7)")
    failure = _perform(task, tmp_path)
    assert failure.kind == "EngineError"
    assert "exit code 7" in failure.message and failure.evidence == "the last words"
    assert str(tmp_path / "work" / task.key) in failure.remedy
    assert Store(tmp_path / "store").failures()[task.key] == failure


def test_a_killed_program_is_named_by_its_signal(engine: Any, tmp_path: Path) -> None:
    failure = _perform(_task("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), tmp_path)
    assert "SIGKILL" in failure.message


def test_exit_code_zero_with_missing_output_is_a_failure(engine: Any, tmp_path: Path) -> None:
    failure = _perform(_task("pass"), tmp_path)
    assert failure.kind == "ParseError" and failure.message == "answer: is missing"


def test_a_program_that_is_not_there_says_so(engine: Any, tmp_path: Path) -> None:
    engine.command = lambda settings, cores, program: ["no-such-program"]
    failure = _perform(_task("pass"), tmp_path)
    assert failure.kind == "EngineError" and "no-such-program could not be started" in failure.message


def test_a_missing_extra_says_how_to_install_it(engine: Any, tmp_path: Path) -> None:
    engine.missing = lambda settings, program: "pip install something"
    failure = _perform(_task("pass"), tmp_path)
    assert failure.remedy == "pip install something"


def test_a_bug_in_an_engine_fails_that_task_only(engine: Any, tmp_path: Path) -> None:
    engine.parse = lambda settings, directory: 1 / 0
    failure = _perform(_task("pass"), tmp_path)
    assert failure.kind == "bug" and "ZeroDivisionError" in failure.message


def test_a_failed_task_can_be_done_again(engine: Any, tmp_path: Path) -> None:
    task = _task(f"import pathlib; assert pathlib.Path({str(tmp_path / 'repaired')!r}).exists(); open('answer', 'w').write('')")
    assert _perform(task, tmp_path) is not None
    (tmp_path / "repaired").touch()
    assert _perform(task, tmp_path) is None
    assert task.key not in Store(tmp_path / "store").failures()


def test_leftovers_are_cleared_unless_the_engine_resumes(engine: Any, tmp_path: Path) -> None:
    task = _task("import pathlib; open('answer', 'w').write(str(pathlib.Path('left').exists()))")
    for resumable, expected in ((False, "False"), (True, "True")):
        engine.RESUMABLE = resumable
        root = tmp_path / str(resumable)
        (root / "work" / task.key).mkdir(parents=True)
        (root / "work" / task.key / "left").touch()
        assert _perform(task, root) is None
        record = Store(root / "store").record(task.key)
        assert record is not None and record.facts == {"answer": expected}


def test_a_held_lock_means_running(tmp_path: Path) -> None:
    assert not is_running(tmp_path, "key")
    with lock_file(tmp_path, "key").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert is_running(tmp_path, "key")
    assert not is_running(tmp_path, "key")


def test_the_driver_is_gone_when_its_process_is_or_another_has_its_number() -> None:
    here = Driver.here()
    assert not here.gone()
    assert Driver(here.host, here.pid, here.started - 100).gone()
    assert not Driver("another-host", 1, 0.0).gone()


def test_the_program_dies_with_the_worker(engine: Any, tmp_path: Path) -> None:
    """The worker is killed while its program runs: the program is killed with it."""
    pid_file = tmp_path / "pid"
    task = _task(f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    worker = os.fork()
    if worker == 0:
        perform(task, Program(), tmp_path / "store", tmp_path / "work", Driver.here())
        os._exit(0)
    while not pid_file.exists() or not pid_file.read_text():
        time.sleep(0.02)
    program = psutil.Process(int(pid_file.read_text()))
    os.kill(worker, 9)
    os.waitpid(worker, 0)
    gone, alive = psutil.wait_procs([program], timeout=10)
    assert gone and not alive
