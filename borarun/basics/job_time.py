"""How long a program may still run in the job of a batch system that it is part of.

The beginning of each job sets two environment variables by its own node's clock, so that clocks of
other machines do not matter.
"""

from __future__ import annotations

import os
import time

JOB_BEGAN, JOB_ENDS = "BORARUN_JOB_BEGAN", "BORARUN_JOB_ENDS"
"""When the job began, and until when programs may run in it; s since the epoch."""

TIME_UP = 75
"""Exit code of a program that ends because its job does, and can go on later; EX_TEMPFAIL of
sysexits.h.
"""


def seconds_left() -> float:
    """Seconds until programs must have ended; infinite outside of a job."""
    return float(os.environ.get(JOB_ENDS, "inf")) - time.time()


def job_length() -> float:
    """Seconds that a program has in a job from its beginning on; infinite outside of a job."""
    if JOB_ENDS not in os.environ:
        return float("inf")
    return float(os.environ[JOB_ENDS]) - float(os.environ.get(JOB_BEGAN, "0"))
