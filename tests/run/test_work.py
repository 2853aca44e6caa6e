"""One task in its directory: success leaves a record and nothing else, failure leaves its
evidence.
"""

from __future__ import annotations

import errno
import os
import shlex
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
from records import anything

from borarun.basics.causes import Cause
from borarun.basics.errors import ParseError, StoreError
from borarun.basics.job_time import JOB_BEGAN, JOB_ENDS
from borarun.engines.base import Program
from borarun.engines.borarun_mtp import engine as borarun_mtp
from borarun.engines.mlip_3 import engine as mlip_3
from borarun.engines.registry import ENGINES
from borarun.records.attributes import Provenance
from borarun.records.frames import Frames
from borarun.records.store import Store
from borarun.records.task import Ref, Result, Settings, Task
from borarun.run import work
from borarun.run.claim import Holder
from borarun.run.work import claim_of, is_running, perform
from borarun.run.workers import do


class _Settings(Settings):
    script: str


def _parse(settings: _Settings, directory: Path) -> Result:
    try:
        return anything(facts={"answer": (directory / "answer").read_text()})
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
        render=lambda settings, inputs, program: {
            "script.py": settings.script,
            **{f"{name}.txt": str(value) for name, value in inputs.items()},
        },
        command=lambda settings, cores, program: [sys.executable, "script.py"],
        parse=_parse,
    )
    monkeypatch.setitem(work.ENGINES, "script", module)
    return module


def _task(script: str, **inputs: Any) -> Task:
    return Task("script", {"script": script}, inputs, version="1", stage="test", label="a script")


def _perform(task: Task, root: Path) -> Any:
    return perform(task, Program(), root / "store", root / "work", Holder.here())


def test_a_success_leaves_a_record_with_provenance_and_no_directory(
    engine: Any, tmp_path: Path
) -> None:
    task = _task("open('answer', 'w').write('42')")
    assert _perform(task, tmp_path) is None
    record = Store(tmp_path / "store").record(task.key)
    assert record is not None and record.done and record.stored == {"answer": "42"}
    assert list((tmp_path / "work").iterdir()) == []


def test_a_finished_task_is_not_run_again(engine: Any, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    task = _task(f"open({str(witness)!r}, 'a').write('x'); open('answer', 'w').write('')")
    assert _perform(task, tmp_path) is None
    assert _perform(task, tmp_path) is None
    assert witness.read_text() == "x"


def test_of_two_that_are_asked_for_a_task_at_once_one_does_it(engine: Any, tmp_path: Path) -> None:
    """As two studies do that share a store: the other waits, and takes the record."""
    witness = tmp_path / "witness"
    task = _task(
        f"import time; open({str(witness)!r}, 'a').write('x'); time.sleep(1); open('answer', "
        "'w').write('')"
    )
    workers = []
    for _ in range(2):
        if (worker := os.fork()) == 0:
            os._exit(0 if _perform(task, tmp_path) is None else 1)
        workers.append(worker)
    assert [os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in workers] == [0, 0]
    assert witness.read_text() == "x"


def test_inputs_come_from_the_store(engine: Any, tmp_path: Path) -> None:
    first = _task("open('answer', 'w').write('one')")
    assert _perform(first, tmp_path) is None
    Store(tmp_path / "store").write(
        _task("other"), anything(texts={"greeting": "hello"}), Provenance()
    )
    second = _task(
        "open('answer', 'w').write(open('word.txt').read())",
        word=Ref(_task("other").key, "greeting"),
    )
    assert _perform(second, tmp_path) is None
    record = Store(tmp_path / "store").record(second.key)
    assert record is not None and record.stored == {"answer": "hello"}


def test_a_program_that_fails_is_quoted(engine: Any, tmp_path: Path) -> None:
    task = _task("import sys; print('the last words', file=sys.stderr); sys.exit(7)")
    failure = _perform(task, tmp_path)
    assert failure.cause is Cause.FAILED
    assert "exit code 7" in failure.message and failure.evidence == "the last words"
    assert str(tmp_path / "work" / task.key) in failure.remedy
    assert Store(tmp_path / "store").failures()[task.key] == failure


def test_a_killed_program_is_named_by_its_signal(engine: Any, tmp_path: Path) -> None:
    failure = _perform(_task("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), tmp_path)
    assert "SIGKILL" in failure.message


def test_exit_code_zero_with_missing_output_is_a_failure(engine: Any, tmp_path: Path) -> None:
    failure = _perform(_task("pass"), tmp_path)
    assert failure.cause is Cause.UNREADABLE and failure.message == "answer: is missing"


def test_a_program_that_is_not_there_says_so(engine: Any, tmp_path: Path) -> None:
    engine.command = lambda settings, cores, program: ["no-such-program"]
    failure = _perform(_task("pass"), tmp_path)
    assert (
        failure.cause is Cause.PROGRAM_MISSING
        and "no-such-program could not be started" in failure.message
    )


def test_a_missing_extra_says_how_to_install_it(engine: Any, tmp_path: Path) -> None:
    engine.missing = lambda settings, program: "pip install something"
    failure = _perform(_task("pass"), tmp_path)
    assert failure.remedy == "pip install something"


def test_a_bug_in_an_engine_fails_that_task_only(engine: Any, tmp_path: Path) -> None:
    engine.parse = lambda settings, directory: 1 / 0
    failure = _perform(_task("pass"), tmp_path)
    assert failure.cause is Cause.BUG and "ZeroDivisionError" in failure.message


def test_a_failed_task_can_be_done_again(engine: Any, tmp_path: Path) -> None:
    task = _task(
        f"import pathlib; assert pathlib.Path({str(tmp_path / 'repaired')!r}).exists(); "
        "open('answer', 'w').write('')"
    )
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
        assert record is not None and record.stored == {"answer": expected}


def test_what_could_not_be_read_is_not_gone_on_from(engine: Any, tmp_path: Path) -> None:
    """The program takes what is there for done, as those do that go on from files: it is given an
    empty directory, and the files are kept aside.
    """
    engine.RESUMABLE = True
    code = (
        "import os, sys\nif os.path.exists('rubbish'): sys.exit(0)\nprint('all is well'); "
        "open('rubbish', 'w').write('x')\n"
    )
    task = _task(
        code + f"if os.path.exists({str(tmp_path / 'mended')!r}): open('answer', 'w').write('42')"
    )
    failure = _perform(task, tmp_path)
    aside = tmp_path / "work" / f"{task.key}.unread"
    assert failure.cause is Cause.UNREADABLE and failure.evidence == "all is well"
    assert str(aside) in failure.remedy and (aside / "rubbish").exists()
    (tmp_path / "mended").touch()
    assert _perform(task, tmp_path) is None
    assert not list((tmp_path / "work").iterdir())


def test_a_held_claim_means_running(tmp_path: Path) -> None:
    assert not is_running(tmp_path, "key")
    claim = claim_of(tmp_path, "key")
    assert claim.take()
    assert is_running(tmp_path, "key")
    claim.release()
    assert not is_running(tmp_path, "key")


def test_a_sound_result_counts_whatever_the_program_said_at_its_end(
    engine: Any, tmp_path: Path
) -> None:
    task = _task("import sys; open('answer', 'w').write('42'); sys.exit(1)")
    assert _perform(task, tmp_path) is None
    assert Store(tmp_path / "store").attributes(task.key).provenance.exit_code == 1


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("import os; os.kill(os.getpid(), 9)", Cause.KILLED),
        ("import os; os.kill(os.getpid(), 11)", Cause.FAILED),
        ("import sys; sys.exit('No space left on device')", Cause.DISK_FULL),
        ("import sys; sys.exit('wrong keyword')", Cause.FAILED),
        ("pass", Cause.UNREADABLE),  # ended well and left nothing that can be read
    ],
)
def test_what_may_pass_is_told_from_what_will_not(
    engine: Any, tmp_path: Path, code: str, cause: Cause
) -> None:
    failure = _perform(_task(code), tmp_path)
    assert failure is not None and failure.cause is cause


def test_a_program_that_cannot_write_is_tried_again(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_refused", lambda directory: "Disk quota exceeded")
    failure = _perform(_task("import sys; sys.exit(1)"), tmp_path)
    assert (
        failure is not None
        and failure.cause is Cause.DISK_FULL
        and "Disk quota exceeded" in failure.message
        and "quota" in failure.remedy
    )


def test_a_silent_program_is_ended(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "LOOK_S", 0.1)
    task = _task("import time; time.sleep(600)")
    failure = perform(
        task, Program(silence_minutes=0.01), tmp_path / "store", tmp_path / "work", Holder.here()
    )
    assert failure is not None and failure.cause is Cause.SILENT
    assert failure.message == "wrote nothing for 0.01 minutes, and was ended"
    assert "silence_minutes" in failure.remedy


def test_a_program_that_writes_is_not_silent(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "LOOK_S", 0.1)
    code = (
        "import time\nfor i in range(20): time.sleep(0.1); open('log', "
        "'a').write('x')\nopen('answer', 'w').write('42')"
    )
    assert (
        perform(
            _task(code),
            Program(silence_minutes=0.02),
            tmp_path / "store",
            tmp_path / "work",
            Holder.here(),
        )
        is None
    )


def test_the_end_of_the_job_ends_the_program_in_time(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(JOB_BEGAN, str(time.time() - 0.1))
    monkeypatch.setenv(JOB_ENDS, str(time.time() + 1.0))
    code = (
        "import signal, sys, time\nsignal.signal(15, lambda *_: (open('kept', 'w').write('x'), "
        "sys.exit(0)))\ntime.sleep(600)"
    )
    engine.RESUMABLE = True
    task = _task(code)
    failure = _perform(task, tmp_path)
    assert failure is not None and failure.cause is Cause.OUT_OF_TIME
    assert (tmp_path / "work" / task.key / "kept").exists()
    assert not Store(tmp_path / "store").failures()  # nothing has failed
    engine.RESUMABLE = False
    monkeypatch.setenv(JOB_BEGAN, str(time.time() - 0.1))
    monkeypatch.setenv(JOB_ENDS, str(time.time() + 1.0))
    failure = _perform(task, tmp_path)
    assert failure is not None and failure.cause is Cause.NO_PROGRESS
    assert "walltime" in failure.remedy


@pytest.mark.parametrize(
    ("reached", "cause"), [("0.3", Cause.OUT_OF_TIME), ("0.2", Cause.NO_PROGRESS)]
)
def test_a_program_that_gains_nothing_in_a_whole_job_fails(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reached: str, cause: Cause
) -> None:
    monkeypatch.setenv(JOB_BEGAN, str(time.time() - 0.1))
    monkeypatch.setenv(JOB_ENDS, str(time.time() + 1.0))
    engine.RESUMABLE = True
    task = _task(f"import time\nopen('progress', 'w').write('{reached}')\ntime.sleep(600)")
    (tmp_path / "work" / task.key).mkdir(parents=True)
    (tmp_path / "work" / task.key / "progress").write_text("0.2")
    failure = _perform(task, tmp_path)
    assert failure is not None and failure.cause is cause
    assert cause is Cause.OUT_OF_TIME or "walltime" in failure.remedy


def test_a_program_that_says_so_goes_on_in_another_job(engine: Any, tmp_path: Path) -> None:
    engine.RESUMABLE = True
    failure = _perform(_task("import sys; sys.exit(75)"), tmp_path)
    assert failure is not None and failure.cause is Cause.OUT_OF_TIME


def test_the_launcher_of_the_nodes_stands_where_the_command_says(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        engine,
        "command",
        lambda settings, cores, program: ["{launch}", sys.executable, "script.py"],
    )
    task = _task("import os; open('answer', 'w').write(os.environ['LAUNCHED'])")
    failure = _perform(task, tmp_path)
    assert failure is not None and "mpi_launcher" in failure.remedy
    monkeypatch.setenv("PARSL_MPI_PREFIX", "env LAUNCHED=42")
    assert _perform(task, tmp_path) is None


def test_a_program_starts_in_the_surroundings_that_its_section_asks_for(
    engine: Any, tmp_path: Path
) -> None:
    """Its own modules, as shell code that changes PATH; its threads and variables; and nothing of
    it in the key.
    """
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin/only-with-its-module"
    tool.write_text('#!/bin/sh\necho "$LOADED $OMP_NUM_THREADS $STACK" > answer\n')
    tool.chmod(0o755)
    engine.command = lambda settings, cores, program: ["only-with-its-module"]
    program = Program(
        init=f"echo loading\nexport LOADED='vasp and more' PATH={tmp_path / 'bin'}:$PATH",
        threads=4,
        environment={"STACK": "unlimited"},
    )
    assert (
        perform(_task("pass"), program, tmp_path / "store", tmp_path / "work", Holder.here())
        is None
    )
    record = Store(tmp_path / "store").record(_task("pass").key)
    assert record is not None and record.stored == {"answer": "vasp and more 4 unlimited\n"}


def test_what_its_modules_said_is_told_of_a_program_that_is_not_found(
    engine: Any, tmp_path: Path
) -> None:
    engine.command = lambda settings, cores, program: ["no-such-program"]
    program = Program(
        init="echo 'Lmod has detected the following error: vasp/7 is unknown'; exit 1"
    )
    failure = perform(_task("pass"), program, tmp_path / "store", tmp_path / "work", Holder.here())
    assert (
        failure is not None
        and "no-such-program could not be started" in failure.message
        and "vasp/7 is unknown" in failure.evidence
    )


def test_srun_is_told_of_the_threads(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would bind each process, with all of its threads, to one core."""
    (tmp_path / "srun").write_text("#!/bin/sh\necho $* > answer\n")
    (tmp_path / "srun").chmod(0o755)
    engine.command = lambda settings, cores, program: ["{launch}", "vasp_std"]
    monkeypatch.setenv("PARSL_MPI_PREFIX", "srun --ntasks 16")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert (
        perform(
            _task("pass"), Program(threads=4), tmp_path / "store", tmp_path / "work", Holder.here()
        )
        is None
    )
    assert Store(tmp_path / "store").attributes(_task("pass").key).facts == {
        "answer": "--ntasks 16 --cpus-per-task 4 vasp_std\n"
    }


def test_a_damaged_input_is_set_aside(engine: Any, tmp_path: Path) -> None:
    first = _task("open('answer', 'w').write('1')")
    assert _perform(first, tmp_path) is None
    store = Store(tmp_path / "store")
    file = store.root / f"{first.key}.zarr.zip"
    file.write_bytes(file.read_bytes()[:-40])
    second = _task("open('answer', 'w').write('2')", text=Ref(first.key, "answer"))
    failure = _perform(second, tmp_path)
    assert failure is not None and failure.cause is Cause.INPUT_DAMAGED
    assert first.key not in store
    assert (store.root / f"{first.key}.damaged.zip").exists()


def test_the_program_dies_with_the_worker(engine: Any, tmp_path: Path) -> None:
    """The worker is killed while its program runs: the program is killed with it."""
    pid_file = tmp_path / "pid"
    task = _task(
        f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    )
    worker = os.fork()
    if worker == 0:
        perform(task, Program(), tmp_path / "store", tmp_path / "work", Holder.here())
        os._exit(0)
    while not pid_file.exists() or not pid_file.read_text():
        time.sleep(0.02)
    program = psutil.Process(int(pid_file.read_text()))
    os.kill(worker, 9)
    os.waitpid(worker, 0)
    gone, alive = psutil.wait_procs([program], timeout=10)
    assert gone and not alive


def _worker(task: Task, root: Path) -> int:
    """A worker of its own, as Parsl starts them; its process id."""
    if (worker := os.fork()) == 0:
        do(task, Program(), root / "store", root / "work", Holder.here())
        os._exit(0)
    return worker


def _appears(file: Path) -> None:
    while not file.exists():
        time.sleep(0.02)


@pytest.mark.parametrize("resumable", [False, True])
def test_a_program_that_ended_is_not_run_again_where_its_worker_was_killed_before_the_record(
    engine: Any, tmp_path: Path, resumable: bool
) -> None:
    def slow(settings: _Settings, directory: Path) -> Result:
        (tmp_path / "reading").touch()
        time.sleep(600)
        raise AssertionError

    engine.RESUMABLE = resumable
    witness = tmp_path / "witness"
    task = _task(f"open({str(witness)!r}, 'a').write('x'); open('answer', 'w').write('42')")
    engine.parse = slow
    worker = _worker(task, tmp_path)
    _appears(tmp_path / "reading")
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    engine.parse = _parse
    store = Store(tmp_path / "store")
    assert task.key not in store
    assert _perform(task, tmp_path) is None
    record = store.record(task.key)
    assert record is not None and record.stored == {"answer": "42"}
    assert store.attributes(task.key).provenance.seconds < 600
    assert witness.read_text() == "x" and not list((tmp_path / "work").iterdir())


def test_a_worker_that_is_asked_to_end_writes_the_record_of_a_program_that_ended(
    engine: Any, tmp_path: Path
) -> None:
    def slow(settings: _Settings, directory: Path) -> Result:
        (tmp_path / "reading").touch()
        _appears(tmp_path / "asked")
        return _parse(settings, directory)

    engine.parse = slow
    task = _task("open('answer', 'w').write('42')")
    worker = _worker(task, tmp_path)
    _appears(tmp_path / "reading")
    os.kill(worker, signal.SIGTERM)
    (tmp_path / "asked").touch()
    assert os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) == 128 + signal.SIGTERM
    assert task.key in Store(tmp_path / "store") and not list((tmp_path / "work").iterdir())


def test_a_worker_that_is_asked_to_end_ends_its_program_and_gives_the_task_back(
    engine: Any, tmp_path: Path
) -> None:
    began = tmp_path / "began"
    task = _task(f"import time; open({str(began)!r}, 'w'); time.sleep(600)")
    worker = _worker(task, tmp_path)
    _appears(began)
    os.kill(worker, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) == 128 + signal.SIGTERM
    store = Store(tmp_path / "store")
    assert task.key not in store and not store.failures()
    assert [each.name for each in (tmp_path / "work").iterdir()] == [task.key]


def test_a_record_that_found_no_room_is_written_without_another_run(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("no room") from OSError(errno.ENOSPC, "No space left on device")

    witness = tmp_path / "witness"
    task = _task(f"open({str(witness)!r}, 'a').write('x'); open('answer', 'w').write('42')")
    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", full)
        failure = _perform(task, tmp_path)
    assert failure.cause is Cause.DISK_FULL
    assert _perform(task, tmp_path) is None
    assert task.key in Store(tmp_path / "store") and witness.read_text() == "x"


@pytest.mark.parametrize("said", ["", "[1]", '{"borarun": "1"}'])
def test_an_ending_without_a_whole_result_is_no_ending(
    engine: Any, tmp_path: Path, said: str
) -> None:
    task = _task("open('answer', 'w').write('42')")
    (tmp_path / "work" / task.key).mkdir(parents=True)
    (tmp_path / "work" / task.key / "provenance.json").write_text(said)
    assert _perform(task, tmp_path) is None
    provenance = Store(tmp_path / "store").attributes(task.key).provenance
    assert provenance.host == Holder.here().host


def test_a_failed_program_is_run_again(engine: Any, tmp_path: Path) -> None:
    """Its files are not taken for those of a program that ended whole, mended as they may be."""
    task = _task(
        f"import os; again = os.path.exists({str(tmp_path / 'mended')!r})\n"
        "if again: open('answer', 'w').write('new')\nelse: raise SystemExit(1)"
    )
    assert _perform(task, tmp_path) is not None
    (tmp_path / "work" / task.key / "answer").write_text("old")
    (tmp_path / "mended").touch()
    assert _perform(task, tmp_path) is None
    record = Store(tmp_path / "store").record(task.key)
    assert record is not None and record.stored == {"answer": "new"}


def test_a_worker_that_lost_its_claim_leaves_the_record_and_the_directory_of_the_other(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = _task("open('answer', 'w').write('42')")
    claim = claim_of(tmp_path / "work", task.key)

    def superseded(settings: _Settings, directory: Path) -> Result:
        claim.lost = True
        return _parse(settings, directory)

    engine.parse = superseded
    monkeypatch.setattr(work, "claim_of", lambda *_: claim)
    assert _perform(task, tmp_path) is None
    assert task.key in Store(tmp_path / "store")
    assert (tmp_path / "work" / task.key).is_dir()


MLP = shlex.join([sys.executable, str(Path(__file__).parents[1] / "standins/mlp.py")])


@pytest.mark.parametrize(
    ("engine", "limit", "program"),
    [
        ("borarun-mtp", {"max_evaluations": 20, "starts": 1}, borarun_mtp.Program()),
        ("mlip-3", {"iteration_limit": 20, "al_mode": "nbh"}, mlip_3.Program(command=MLP)),
    ],
    ids=["borarun-mtp", "mlip-3"],
)
def test_training_that_meets_a_wall_goes_on_after_it_and_learns_the_same(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    limit: dict[str, int],
    program: Program,
) -> None:
    """The trainers themselves; of MLIP-3 a stand-in for `mlp`."""
    labels = Frames.from_extxyz(
        (
            Path(__file__).parents[2] / "benchmarks/data/li2b12h12_sevennet0_d3_valid.extxyz"
        ).read_text()
    ).take(range(6))
    labelling = Task("vasp", {})
    settings = (
        ENGINES[engine]
        .Settings(operation="train", level=6, validation_fraction=0.3, **limit)
        .model_dump(mode="json")
    )
    task = Task(engine, settings, {"labels": (Ref(labelling.key, "labels"),)})
    monkeypatch.setenv("STANDIN_PAUSE", "0.2")
    losses = []
    for root in (tmp_path / "cut", tmp_path / "whole"):
        Store(root / "store").write(labelling, anything(frames={"labels": labels}), Provenance())
        if root.name == "cut":

            def left(root: Path = root) -> float:
                return -1.0 if (work.progress(root / "work", task.key) or 0.0) >= 0.3 else 1.0

            monkeypatch.setattr(work, "seconds_left", left)
            failure = perform(task, program, root / "store", root / "work", Holder.here())
            assert failure is not None and failure.cause is Cause.OUT_OF_TIME, failure
            assert 0.0 < (work.progress(root / "work", task.key) or 0.0) < 1.0, (
                "it had nothing left to do"
            )
        monkeypatch.setattr(work, "seconds_left", lambda: float("inf"))
        assert perform(task, program, root / "store", root / "work", Holder.here()) is None
        losses.append(Store(root / "store").array(task.key, "loss"))
    assert len(losses[0]) >= 15
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)
