"""How often a task is started again after failures, and how long borarun waits before."""

from __future__ import annotations

from dataclasses import dataclass, field

from borarun.basics.causes import Action, Cause
from borarun.records.task import Failure

MAX_LOST = 10
"""How often a task starts again because the node or worker under it was lost, which is not its
fault and costs it no try.
"""


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
    causes: list[Cause] = field(default_factory=list)

    def pause_s(self, failure: Failure, limit: int, pause_s: float) -> float | None:
        """Count a failure: seconds to wait before the task starts again, or None where it shall
        not.

        Parameters
        ----------
        limit : of failures that may pass
        pause_s : before the first new try; doubled each time
        """
        self.causes.append(failure.cause)
        match failure.cause.action:
            case Action.GO_ON:
                self.walls += 1
                return 0.0
            case Action.ELSEWHERE:
                self.lost += 1
                return 0.0 if self.lost <= MAX_LOST else None
            case Action.GIVE_UP:
                return None
            case Action.ONCE_MORE:  # unreadable again: a third run would give the same
                most = min(limit, 1)
            case Action.AGAIN:
                most = limit
        if self.charged >= most:
            return None
        self.charged += 1
        return pause_s * 2.0 ** (self.charged - 1)
