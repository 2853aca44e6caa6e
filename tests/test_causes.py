"""Which causes of failures borarun tells apart."""

from __future__ import annotations

import errno
import pickle
import re
import signal
from pathlib import Path

import pytest

from borarun.basics.causes import Action, Cause, cause_of_error, cause_of_exit
from borarun.basics.errors import StoreError
from borarun.records.attributes import FailureAttributes
from borarun.records.task import Failure

FAILURES = Path(__file__).parent.parent / "docs/failures.md"


@pytest.mark.parametrize(
    ("code", "text", "cause"),
    [
        (-signal.SIGKILL, "", Cause.KILLED),
        (128 + signal.SIGTERM, "", Cause.KILLED),
        (-signal.SIGSEGV, "", Cause.FAILED),
        (1, "mv: No space left on device", Cause.DISK_FULL),
        (-signal.SIGBUS, "Disk quota exceeded", Cause.DISK_FULL),
        (137, "slurmstepd: error: Detected 1 oom_kill event in StepId=7.0", Cause.NO_MEMORY),
        (1, "fork: Cannot allocate memory", Cause.NO_MEMORY),
        (1, "open: Stale file handle", Cause.SYSTEM_FAULT),
        (1, "wrong keyword", Cause.FAILED),
        (0, "", Cause.FAILED),
    ],
)
def test_an_exit_has_a_cause(code: int, text: str, cause: Cause) -> None:
    assert cause_of_exit(code, text) is cause


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.ENOSPC, Cause.DISK_FULL),
        (errno.EDQUOT, Cause.DISK_FULL),
        (errno.ENOMEM, Cause.NO_MEMORY),
        (errno.ESTALE, Cause.SYSTEM_FAULT),
        (errno.ENOENT, Cause.FAILED),
        (errno.EACCES, Cause.FAILED),
    ],
)
def test_what_the_system_refuses_has_a_cause(number: int, cause: Cause) -> None:
    assert cause_of_error(OSError(number, "")) is cause
    error = StoreError("no room")
    error.__cause__ = OSError(number, "")
    assert cause_of_error(error) is cause


def test_no_system_error_fails() -> None:
    assert cause_of_error(StoreError("newer format")) is Cause.FAILED
    assert cause_of_error(OSError("no number")) is Cause.FAILED


@pytest.mark.parametrize("cause", Cause)
def test_a_cause_passes_between_processes_and_has_a_remedy(cause: Cause) -> None:
    assert pickle.loads(pickle.dumps(cause)) is cause
    assert Cause.named(str(cause)) is cause
    assert cause.remedy.endswith(".")


@pytest.mark.parametrize(
    ("stored", "cause"),
    [
        ({"kind": "ParseError", "passing": True}, Cause.UNREADABLE),
        ({"kind": "WorkerLost"}, Cause.WORKER_LOST),
        ({"kind": "TimeUpError"}, Cause.OUT_OF_TIME),
        ({"kind": "EngineError", "passing": True}, Cause.FAILED),
        ({"kind": "ExecutorError"}, Cause.BAD_SETUP),
        ({"kind": "bug"}, Cause.BUG),
        ({"cause": "disk full"}, Cause.DISK_FULL),
        ({"cause": "one that a newer borarun knows"}, Cause.FAILED),
    ],
)
def test_failures_of_other_versions_are_read(stored: dict[str, object], cause: Cause) -> None:
    found = FailureAttributes.model_validate(
        {**stored, "message": "m", "remedy": "r", "evidence": "e"}
    ).failure()
    assert found == Failure(cause, "m", "r", "e")


def test_the_documentation_lists_every_cause_and_what_follows() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| [^|]+ \| ([^|]+) \|$", FAILURES.read_text(), re.MULTILINE)
    words = {
        Action.GO_ON: "always",
        Action.ELSEWHERE: "up to ten times",
        Action.AGAIN: "yes",
        Action.ONCE_MORE: "once",
        Action.GIVE_UP: "no",
    }
    told = {name: re.split("[,;]", text)[0] for name, text in rows}
    assert told == {str(cause): words[cause.action] for cause in Cause}
