"""A driver that runs on another login node: followed, stopped, told dead from alive, whatever the
clocks say.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from borarun.run import claim
from borarun.run.claim import Claim, Holder, Watch, _line
from borarun.run.control import OUTPUT, STOP, claim_of, follow, stop_driver
from borarun.site import jobs

SKEWS = pytest.mark.parametrize(
    "skew_s", [0.0, -86400.0, 86400.0], ids=["same clock", "a day behind", "a day ahead"]
)


class Elsewhere(threading.Thread):
    """A driver on login1, whose clock is wrong: it beats, says something, and stops when it is
    asked to.
    """

    def __init__(self, place: Path, skew_s: float) -> None:
        super().__init__(daemon=True)
        self.place, self.skew_s = place, skew_s
        self.file = place / "driver.claim.1"
        self.stopped = self.killed = False
        self.write(0)

    def write(self, beat: int) -> None:
        descriptor = os.open(
            self.file, os.O_WRONLY | os.O_CREAT
        )  # one write, as a claim's: never is the file seen empty
        os.write(descriptor, _line(Holder("login1", 7, 0.0), beat))
        os.close(descriptor)
        now = time.time() + self.skew_s
        os.utime(self.file, (now, now))

    def run(self) -> None:
        beat = 0
        while not (self.place / STOP).exists():
            if self.killed:
                return
            beat += 1
            self.write(beat)
            time.sleep(claim.BEAT_S)
        self.stopped = True
        self.file.unlink()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(claim, "BEAT_S", 0.1)
    monkeypatch.setattr(claim, "SILENCE_S", 3.0)
    return tmp_path


@pytest.fixture
def driver(place: Path) -> Iterator[Elsewhere]:
    found = Elsewhere(place, 0.0)
    yield found
    found.killed = True


@SKEWS
def test_stop_waits_until_a_driver_elsewhere_has_stopped(place: Path, skew_s: float) -> None:
    driver = Elsewhere(place, skew_s)
    driver.start()
    said: list[str] = []
    assert stop_driver(place, said.append).startswith("Stopped.")
    assert driver.stopped and said == ["Asked process 7 on login1 to stop."]
    assert not (place / STOP).exists()


@SKEWS
def test_stop_ends_the_jobs_of_a_driver_elsewhere_that_is_dead(place: Path, skew_s: float) -> None:
    Elsewhere(place, skew_s)  # and it never begins
    jobs.note(place, jobs.Job("cpu", "17", ("touch", str(place / "ended"))))
    said: list[str] = []
    assert stop_driver(place, said.append).startswith("Stopped.")
    assert (place / "ended").exists() and not jobs.noted(place)
    assert said[-1] == "process 7 on login1 is silent, and taken for dead."


@SKEWS
def test_attach_follows_a_driver_elsewhere_to_its_end(place: Path, skew_s: float) -> None:
    driver = Elsewhere(place, skew_s)
    (place / OUTPUT).write_text("begun\n")
    driver.start()
    lines = follow(place)
    assert next(lines) == "begun"

    def more() -> None:
        time.sleep(1.0)  # longer than a dead one would be waited for
        with (place / OUTPUT).open("a") as said:
            said.write("done\n")
        (place / STOP).touch()

    threading.Thread(target=more, daemon=True).start()
    assert list(lines) == ["done"] and driver.stopped


def test_nobody_holds_what_is_not_there(place: Path) -> None:
    assert not Watch(claim_of(place)).alive()
    mine = Claim(place / "driver.claim")
    watch = Watch(mine)
    assert mine.take() and watch.alive()
    mine.release()
    assert not watch.alive()


def test_a_driver_elsewhere_that_dies_is_missed(place: Path, driver: Elsewhere) -> None:
    driver.start()
    watch = Watch(claim_of(place))
    assert watch.alive()
    time.sleep(0.5)
    assert watch.alive()
    driver.killed = True
    end = time.monotonic() + 30
    while watch.alive() and time.monotonic() < end:
        time.sleep(0.05)
    assert not watch.alive()
