"""The driver in jobs of a batch system, each of which hands over to the next before its wall.

A driver in a job puts its successor into the queue as soon as it begins, to start when it has
ended, however it does: by its own clock, by a signal, by its node's death. When the study is done,
or is stopped, the driver takes its successor out of the queue again.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from borarun.errors import BorarunError, BusyError, TimeUpError
from borarun.file import make_folder
from borarun.job_time import JOB_ENDS
from borarun.run.control import OUTPUT, claim_of
from borarun.site import batch, jobs
from borarun.site.executors import Batch

IN_RELAY = "BORARUN_RELAY"
"""Environment variable of a driver that runs in a job and has a successor."""

SCRIPT = "driver-job.sh"


def start_in_job(place: Path, driver: Batch, arguments: list[str]) -> str:
    """Put a driver into the queue; which job it is, in words.

    Parameters
    ----------
    place : folder of the study
    driver : the job
    arguments : of ``borarun``

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
        said = jobs.said(batch.ask(driver, waiting.id))[1]
        if batch.standing(driver, said).phase != "ended":
            raise BusyError(
                f"{place.name}: a driver of this study is job {waiting.id}. See `borarun "
                "attach`, `borarun stop`."
            )
    jobs.forget(place, jobs.DRIVERS)
    make_folder(place)
    command = ["env", f"{IN_RELAY}=1", sys.executable, "-m", "borarun", *arguments]
    script = batch.script(
        driver,
        f"borarun-{place.name}",
        command,
        driver.walltime_s,
        (place / "driver-job.out").absolute(),
        says=(place / OUTPUT).absolute(),
        directory=Path.cwd(),
    )
    (place / SCRIPT).write_text(script)
    (place / OUTPUT).write_text("")
    job = _submit(place, driver)
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
    own = os.environ.get("SLURM_JOB_ID") or os.environ.get("PBS_JOBID")
    if driver is None or own is None or not os.environ.get(IN_RELAY):
        yield
        return
    for job in jobs.noted(place, jobs.DRIVERS):
        if job.id != own:  # of this driver, before it had to begin again
            jobs.said(list(job.cancel))
    jobs.forget(place, jobs.DRIVERS)
    try:
        say(f"Job {own}; job {_submit(place, driver, after=own)} goes on after it.")
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


def _submit(place: Path, driver: Batch, after: str | None = None) -> str:
    """Put the script into the queue and note it; the job."""
    command = batch.submit(driver, (place / SCRIPT).absolute(), after)
    code, said = jobs.said(command)
    job = batch.job_of(said) if code == 0 else ""
    if not job:
        remedy = "Correct `driver:` in the site file; some sites let no job submit another."
        raise BorarunError(
            f"{place.name}: the driver's job was not taken ({' '.join(command)}: "
            f"{said.strip()[-500:]}). {remedy}"
        )
    jobs.note(place, jobs.Job("driver", job, tuple(batch.cancel(driver, job))), jobs.DRIVERS)
    return job
