"""A driver seen from outside: started in the background, found again from any machine that shares
its files, followed, stopped.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from borarun.basics.errors import BorarunError, BusyError
from borarun.basics.file import make_folder
from borarun.run.claim import Claim, Watch
from borarun.site import jobs

STOP = "stop"
"""Name of the file in a study's folder that asks its driver to stop, from whatever machine."""

OUTPUT = "driver.out"
"""Name of the file in a study's folder that holds what a detached driver says."""

POLL_S = 0.2
LAST_LINES = 20


def claim_of(place: Path) -> Claim:
    """The claim of a study's driver; ``place`` is the folder of the study."""
    return Claim(place / "driver.claim")


def start_detached(place: Path, arguments: list[str]) -> str:
    """Start a driver that outlives the terminal; where it runs, in words.

    Parameters
    ----------
    place : folder of the study
    arguments : of ``borarun``

    Raises
    ------
    BusyError
        When another driver holds the study.
    BorarunError
        When it ended before it held the study, with what it said.
    """
    claim = claim_of(place)
    if claim.held():
        raise BusyError(
            f"{place.name}: this study is being run by {claim.holder()}. See `borarun "
            "attach`, `borarun status`, `borarun stop`."
        )
    make_folder(place)
    output = place / OUTPUT
    with output.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "borarun", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while process.poll() is None:
        holder = claim.holder()
        if holder is not None and holder.is_here and holder.pid == process.pid:
            return (
                f"{place.name} is run by {holder}, which goes on without you. See `borarun "
                f"attach`, `borarun watch`, `borarun stop`; log: {output}"
            )
        time.sleep(POLL_S)
    if process.returncode:
        raise BorarunError(output.read_text(errors="replace").strip())
    return output.read_text(errors="replace").strip()


def follow(place: Path) -> Iterator[str]:
    """What a detached driver says, line by line, from the last lines on, until it ends and none
    waits in a queue to go on.

    Raises
    ------
    BorarunError
        When no driver was ever detached.
    """
    file = place / OUTPUT
    if not file.exists():
        raise BorarunError(
            f"{place.name}: no detached driver has run here. Start one: borarun submit --detach"
        )
    with file.open(errors="replace") as said:
        yield from (line.rstrip("\n") for line in said.readlines()[-LAST_LINES:])
        driver = Watch(claim_of(place))
        while True:
            driven = driver.alive() or bool(jobs.noted(place, jobs.DRIVERS))
            yield from (line.rstrip("\n") for line in said)
            if not driven:
                return
            time.sleep(POLL_S)


def stop_driver(place: Path, say: Callable[[str], None] = lambda _: None) -> str:
    """Stop the driver of a study and end its jobs; what came of it, in words.

    Raises
    ------
    BorarunError
        When the driver does not answer though it lives, or jobs of a dead one cannot be ended.
    """
    claim = claim_of(place)
    holder, driver = claim.holder(), Watch(claim)
    if driver.alive():
        (place / STOP).touch()
        say(f"Asked {holder} to stop.")
        while driver.alive():
            time.sleep(POLL_S)
        if claim.holder() is not None:
            say(f"{holder} is silent, and taken for dead.")
    (place / STOP).unlink(missing_ok=True)
    waiting = jobs.noted(place, jobs.DRIVERS)
    if troubles := jobs.cancel(place, jobs.DRIVERS) + jobs.cancel(place):
        raise BorarunError("\n".join(["Jobs could not be ended:", *troubles]))
    return (
        "Stopped. Finished work is kept. `borarun submit` continues."
        if holder is not None or waiting
        else "No driver was running this study; no job is left of it."
    )
