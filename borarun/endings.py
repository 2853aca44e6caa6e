"""What the way in which a program ended says: whether it may do well when it is started again."""

from __future__ import annotations

import re
import signal

TRANSIENT_SIGNALS = {
    signal.SIGKILL,
    signal.SIGBUS,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGXCPU,
}
TRANSIENT_WORDS = re.compile(
    r"No space left on device|[Dd]isk quota exceeded|Stale file handle|Input/output "
    r"error|Connection timed out|Cannot allocate memory|"
    r"Transport endpoint is not connected|Resource temporarily unavailable|NODE FAIL",
)
"""What the system says, through whatever program, when the fault is neither the program's nor its
input's.
"""


def is_transient(code: int, text: str) -> bool:
    """Whether a program that ended badly may do well when it is started again.

    Parameters
    ----------
    code : its exit code: minus the signal that killed it, or 128 and the signal, as shells and
        launchers say it
    text : what it printed
    """
    return (
        -code in TRANSIENT_SIGNALS
        or code - 128 in TRANSIENT_SIGNALS
        or TRANSIENT_WORDS.search(text) is not None
    )
