"""Which failures may pass, how often a task is started again, and how long to wait before."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field

from borarun.errors import ParseError, TimeUpError
from borarun.task import Failure

MAX_LOST = 10
"""How often a task starts again because the node or worker under it was lost, which is not its
fault and costs it no try.
"""

TRANSIENT_ERRNO = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.EAGAIN,
    errno.ENOMEM,
    errno.ENFILE,
    errno.EREMOTEIO,
}


def is_transient(error: BaseException) -> bool:
    """Whether what the system refused once may work later or elsewhere."""
    while error.__cause__ is not None and not isinstance(error, OSError):
        error = error.__cause__
    return isinstance(error, OSError) and error.errno in TRANSIENT_ERRNO


@dataclass
class Tries:
    """What one task has been through in this run of the driver.

    Attributes
    ----------
    charged : failures of its own that might have passed
    lost : workers lost under it
    walls : times that its job came to its end; each is one step further, none is counted against it
    """

    charged: int = 0
    lost: int = 0
    walls: int = 0
    kinds: list[str] = field(default_factory=list)

    def pause_s(self, failure: Failure, limit: int, pause_s: float) -> float | None:
        """Count a failure: seconds to wait before the task starts again, or None where it shall
        not.

        Parameters
        ----------
        limit : of failures that may pass
        pause_s : before the first new try; doubled each time
        """
        self.kinds.append(failure.kind)
        if failure.kind == TimeUpError.__name__:
            self.walls += 1
            return 0.0
        if failure.kind == LOST:
            self.lost += 1
            return 0.0 if self.lost <= MAX_LOST else None
        if not failure.transient:
            return None
        # Output that cannot be read is mended by running again, or not at all.
        if self.charged >= (min(limit, 1) if failure.kind == ParseError.__name__ else limit):
            return None
        self.charged += 1
        return pause_s * 2.0 ** (self.charged - 1)


LOST = "WorkerLost"
"""Kind of the failure of a task whose worker, node or job disappeared under it."""
