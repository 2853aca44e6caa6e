"""Why a run failed: the causes that borarun tells apart, and what it does about each."""

from __future__ import annotations

import errno
import re
import signal
from enum import Enum, StrEnum


class Action(Enum):
    """What follows a failure."""

    GO_ON = "it goes on in the next job, as often as needed"
    ELSEWHERE = "it is started again in another job, up to ten times"
    AGAIN = "it is started again after a pause, as often as `retries.limit` in the site file says"
    ONCE_MORE = "it is started once more, in an empty directory"
    GIVE_UP = "it is not started again"


class Cause(StrEnum):
    """Why a run failed.

    Attributes
    ----------
    action : what borarun does about it
    remedy : what the user can do where borarun's action did not help, unless the place that found
        the failure knows better
    """

    action: Action
    remedy: str

    def __new__(cls, value: str, action: Action, remedy: str) -> Cause:
        """A member of this value."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.action, member.remedy = action, remedy
        return member

    OUT_OF_TIME = "out of time", Action.GO_ON, "Submit again: it goes on from there."
    WORKER_LOST = "worker lost", Action.ELSEWHERE, "Submit again."
    KILLED = (
        "killed",
        Action.AGAIN,
        "Find out who ended it (memory, a limit of the system, the administrator), then submit "
        "again.",
    )
    NO_MEMORY = (
        "out of memory",
        Action.AGAIN,
        "Give the task more memory or fewer neighbours on its node, then submit again.",
    )
    DISK_FULL = "disk full", Action.AGAIN, "Make room or raise the quota, then submit again."
    SYSTEM_FAULT = (
        "system fault",
        Action.AGAIN,
        "Wait until the file system or the network is back, then submit again.",
    )
    SILENT = (
        "silent",
        Action.AGAIN,
        "If its steps take so long, raise silence_minutes in the site file.",
    )
    INPUT_DAMAGED = (
        "input damaged",
        Action.AGAIN,
        "The damaged record is set aside. Its task is run again, and this one after it.",
    )
    UNREADABLE = (
        "unreadable output",
        Action.ONCE_MORE,
        "Look at what the program left, then submit again: the task is run anew, in an empty "
        "directory.",
    )
    NO_PROGRESS = (
        "no progress",
        Action.GIVE_UP,
        "Raise the executor's walltime in the site file, or give it more cores.",
    )
    NOT_CONVERGED = (
        "not converged",
        Action.GIVE_UP,
        "Raise the limit of steps, or begin with a better structure.",
    )
    EXPLODED = (
        "exploded",
        Action.GIVE_UP,
        "Take a shorter time step, a lower temperature, or a potential that knows such "
        "configurations (active_learning).",
    )
    BAD_INPUT = "bad input", Action.GIVE_UP, "Change the input that the message names."
    BAD_SETUP = (
        "bad setup",
        Action.GIVE_UP,
        "Change the site file: `borarun doctor` checks it.",
    )
    PROGRAM_MISSING = "program missing", Action.GIVE_UP, "Check the command in the site file."
    FAILED = "failed", Action.GIVE_UP, "See the program's last lines."
    BUG = "bug", Action.GIVE_UP, "Please report it."
    ENDED_EARLY = "ended early", Action.GIVE_UP, "See how the run ended."
    FRAMEWORK_BROKEN = (
        "framework broken",
        Action.GIVE_UP,
        "The potential is wrong there, or the material decomposes. Let active learning explore "
        "hotter and longer, or take a lower temperature, then submit again.",
    )

    @property
    def may_pass(self) -> bool:
        """Whether the same task may succeed when it is started again."""
        return self.action is not Action.GIVE_UP

    @classmethod
    def named(cls, name: str) -> Cause:
        """The cause of this name; FAILED where a newer borarun knows one that this one does not."""
        return next((cause for cause in cls if cause == name), cls.FAILED)


_OF_ERRNO = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), Cause.DISK_FULL),
    errno.ENOMEM: Cause.NO_MEMORY,
    **dict.fromkeys(
        (
            errno.EIO,
            errno.ESTALE,
            errno.ETIMEDOUT,
            errno.EAGAIN,
            errno.ENFILE,
            errno.EREMOTEIO,
        ),
        Cause.SYSTEM_FAULT,
    ),
}

_OF_WORDS = (
    (re.compile(r"No space left on device|[Dd]isk quota exceeded"), Cause.DISK_FULL),
    (re.compile(r"Cannot allocate memory|oom[-_ ]kill|Out Of Memory"), Cause.NO_MEMORY),
    (
        re.compile(
            r"Stale file handle|Input/output error|Connection timed out|Transport endpoint is not "
            r"connected|Resource temporarily unavailable|NODE FAIL"
        ),
        Cause.SYSTEM_FAULT,
    ),
)
"""What the system says, through whatever program, when the fault is neither the program's nor its
input's.
"""

_KILLING = {
    signal.SIGKILL,
    signal.SIGBUS,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGXCPU,
}


def cause_of_exit(code: int, text: str) -> Cause:
    """Why a program ended badly; FAILED where that is its own affair.

    Parameters
    ----------
    code : its exit code: minus the signal that killed it, or 128 and the signal, as shells and
        launchers say it
    text : what it printed
    """
    for words, cause in _OF_WORDS:
        if words.search(text):
            return cause
    return Cause.KILLED if -code in _KILLING or code - 128 in _KILLING else Cause.FAILED


def cause_of_error(error: BaseException) -> Cause:
    """Why the system refused something; FAILED where it would refuse it again."""
    while error.__cause__ is not None and not isinstance(error, OSError):
        error = error.__cause__
    return (
        _OF_ERRNO.get(error.errno or 0, Cause.FAILED)
        if isinstance(error, OSError)
        else Cause.FAILED
    )
