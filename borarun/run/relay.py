"""The driver in jobs of a batch system, each of which hands over to the next before its wall.

A driver in a job puts its successor into the queue as soon as it begins, to start when it has
ended, however it does: by its own clock, by a signal, by its node's death. When the study is done,
or is stopped, the driver takes its successor out of the queue again.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from borarun.basics.errors import BorarunError, BusyError, TimeUpError
from borarun.basics.file import make_folder
from borarun.basics.job_time import JOB_ENDS
from borarun.run.control import OUTPUT, claim_of
from borarun.site import jobs
from borarun.site.batch_systems import Batch
from borarun.site.batch_systems.base import one_command

IN_RELAY = "BORARUN_RELAY"
"""Environment variable of a driver that runs in a job and has a successor."""

SCRIPT = "driver-job.sh"

ABSENT_PAUSES_S = (1.0, 1.0)
"""How long to wait before asking again for a job that the batch system says it does not know."""

REFUSED_PAUSES_S = (10.0, 20.0, 40.0, 80.0)
"""How long to wait after each refusal that may pass."""


def start_in_job(
    place: Path, driver: Batch, arguments: list[str], say: Callable[[str], None] = lambda _: None
) -> str:
    """Put a driver into the queue; which job it is, in words.

    Parameters
    ----------
    place : folder of the study
    driver : the job
    arguments : of ``borarun``
    say : told what is waited for

    Raises
    ------
    BusyError
        When another driver holds the study, or waits in the queue.
    BorarunError
        When the batch system does not take the job.
    """
    claim = claim_of(place)
    if claim.held():
        raise BusyError(
            f"{place.name}: this study is being run by {claim.holder()}. See `borarun "
            "attach`, `borarun status`, `borarun stop`."
        )
    for waiting in jobs.noted(place, jobs.DRIVERS):
        if waiting.id and not _gone(driver, waiting.id):
            raise BusyError(
                f"{place.name}: a driver of this study is job {waiting.id}. See `borarun "
                "attach`, `borarun stop`."
            )
    jobs.forget(place, jobs.DRIVERS)
    make_folder(place)
    command = ["env", f"{IN_RELAY}=1", sys.executable, "-m", "borarun", *arguments]
    body = one_command(command, Path.cwd(), says=(place / OUTPUT).absolute())
    output = (place / "driver-job.out").absolute()
    (place / SCRIPT).write_text(driver.script(body, driver.walltime_s, output))
    (place / OUTPUT).write_text("")
    job = _submit(place, driver, say)
    return (
        f"{place.name} will be run by job {job}, which hands over to another before its wall. "
        "See `borarun attach`, `borarun watch`, `borarun stop`."
    )


@contextmanager
def relay(place: Path, driver: Batch | None, say: Callable[[str], None]) -> Iterator[None]:
    """While a driver in a job works, its successor waits in the queue. Outside of such a job this
    does nothing.

    Parameters
    ----------
    place : folder of the study
    driver : the job of the site; None where it has none
    say : told what happens

    Raises
    ------
    TimeUpError
        What comes from within; then the successor stays.
    """
    own = driver.own_job(os.environ) if driver is not None else None
    if driver is None or own is None or not os.environ.get(IN_RELAY):
        yield
        return
    for job in jobs.noted(place, jobs.DRIVERS):
        if not driver.is_same(job.id, own):  # of this driver, before it had to begin again
            jobs.run(list(job.cancel))
    jobs.forget(place, jobs.DRIVERS)
    try:
        say(f"Job {own}; job {_submit(place, driver, say, after=own)} goes on after it.")
    except BorarunError as error:
        say(f"{error}\nNo successor: when this job ends, `borarun submit --detach` goes on.")
    # In a job this signal comes from the batch system, which wants the node back: it is the job
    # that ends, and not the study.
    signal.signal(signal.SIGTERM, lambda *_: os.environ.update({JOB_ENDS: "0"}))
    try:
        yield
    except TimeUpError:
        raise
    except BaseException:
        jobs.cancel(place, jobs.DRIVERS)
        raise
    for trouble in jobs.cancel(place, jobs.DRIVERS):
        say(trouble)


def _gone(driver: Batch, job: str) -> bool:
    """Whether a job has ended, or is known to nobody, also when asked again."""
    for pause in (0.0, *ABSENT_PAUSES_S):
        time.sleep(pause)
        standing = driver.look([job], jobs.asked(driver))[job]
        if standing.ended:
            return True
        if standing.phase != "absent":
            return False
    return True


def _submit(
    place: Path, driver: Batch, say: Callable[[str], None], after: str | None = None
) -> str:
    """Put the script into the queue and note it; the job. A refusal that may pass is waited for."""
    for pause in (*REFUSED_PAUSES_S, None):
        try:
            return jobs.submit(
                driver,
                place,
                driver.name_of(f"{place.name}-driver"),
                (place / SCRIPT).absolute(),
                executor="driver",
                after=after,
                file=jobs.DRIVERS,
            )
        except jobs.RefusedError as error:
            if pause is None or error.kind != "passes":
                remedy = "Correct `driver:` in the site file; some sites let no job submit another."
                raise BorarunError(
                    f"{place.name}: the driver's job was not taken ({error}). {remedy}"
                ) from error
            say(
                f"{place.name}: the batch system does not take the driver's job now ({error}). "
                f"Next try in {pause:.0f} s."
            )
            time.sleep(pause)
    raise AssertionError("the last try has no pause")
