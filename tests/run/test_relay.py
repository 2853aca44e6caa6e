"""A driver in jobs that hand over to each other, before a batch system that notes what it
is asked.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from borarun.basics.errors import BorarunError, BusyError, TimeUpError
from borarun.basics.job_time import JOB_ENDS, seconds_left
from borarun.run.control import claim_of
from borarun.run.relay import IN_RELAY, SCRIPT, relay, start_in_job
from borarun.site import jobs
from borarun.site.batch_systems import Slurm

DRIVER = Slurm(provider="slurm", cores_per_node=1, walltime="01:00:00")


class Queue:
    """A Slurm of three commands, which writes down what it is asked and answers what it is
    told to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "asked"
        self.says("sbatch", "echo 101")
        self.says("squeue", "echo '101 PENDING Priority'")
        self.says("scancel", ":")

    def says(self, command: str, answer: str) -> None:
        file = self.folder / command
        file.write_text(f'#!/bin/sh\necho {command} "$@" >> {self.log}\n{answer}\n')
        file.chmod(0o755)

    @property
    def asked(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    for name in ("SLURM_JOB_ID", "PBS_JOBID", IN_RELAY, JOB_ENDS):
        monkeypatch.delenv(name, raising=False)
    return Queue(tmp_path / "bin")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "study"


@pytest.fixture
def in_job(queue: Queue, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process is the driver of job 7, and its script is there."""
    place.mkdir()
    (place / SCRIPT).touch()
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv(IN_RELAY, "1")
    monkeypatch.setenv(JOB_ENDS, "1e12")
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def waiting(place: Path) -> list[str]:
    return [job.id for job in jobs.noted(place, jobs.DRIVERS)]


def test_a_driver_is_put_into_the_queue_and_noted(queue: Queue, place: Path) -> None:
    said = start_in_job(place, DRIVER, ["submit", "my study.yaml"])
    assert said.startswith(
        "study will be run by job 101, which hands over to another before its wall."
    )
    (asked,) = queue.asked
    assert re.fullmatch(rf"sbatch --parsable --job-name=study-driver-\w+ {place / SCRIPT}", asked)
    assert waiting(place) == ["101"]
    assert (
        f"env {IN_RELAY}=1 " in (place / SCRIPT).read_text()
        and "-m borarun submit 'my study.yaml'" in (place / SCRIPT).read_text()
    )


def test_one_that_waits_already_is_enough(queue: Queue, place: Path) -> None:
    start_in_job(place, DRIVER, ["submit"])
    with pytest.raises(BusyError, match="a driver of this study is job 101"):
        start_in_job(place, DRIVER, ["submit"])


def test_one_that_has_ended_is_in_nobodys_way(queue: Queue, place: Path) -> None:
    start_in_job(place, DRIVER, ["submit"])
    queue.says(
        "squeue",
        'case "$*" in *--jobs=*) echo "slurm_load_jobs error: Invalid job id specified" >&2;'
        " exit 1;; esac",
    )
    queue.says("sbatch", "echo 102")
    start_in_job(place, DRIVER, ["submit"])
    assert waiting(place) == ["102"]


def test_a_study_that_is_being_run_needs_no_job(queue: Queue, place: Path) -> None:
    place.mkdir()
    mine = claim_of(place)
    assert mine.take()
    try:
        with pytest.raises(BusyError, match="is being run by process"):
            start_in_job(place, DRIVER, ["submit"])
    finally:
        mine.release()
    assert queue.asked == []


def test_a_job_that_is_not_taken_is_told_in_the_batch_systems_words(
    queue: Queue, place: Path
) -> None:
    queue.says("sbatch", "echo 'sbatch: error: invalid account' >&2; exit 1")
    with pytest.raises(
        BorarunError, match=r"sbatch: error: invalid account\)\. Correct `driver:` in the site file"
    ):
        start_in_job(place, DRIVER, ["submit"])
    assert waiting(place) == []


def test_outside_of_a_job_nothing_is_handed_over(queue: Queue, place: Path) -> None:
    with relay(place, DRIVER, lambda text: pytest.fail(text)):
        pass
    assert queue.asked == []


@pytest.mark.usefixtures("in_job")
class TestInAJob:
    """What a driver in job 7 does about its successor."""

    def test_the_successor_waits_for_this_job_and_is_not_needed_at_the_end(
        self, queue: Queue, place: Path
    ) -> None:
        said: list[str] = []
        with relay(place, DRIVER, said.append):
            assert said == ["Job 7; job 101 goes on after it."] and waiting(place) == ["101"]
        submitted, ended = queue.asked
        assert "--dependency=afterany:7" in submitted and ended == "scancel 101"
        assert waiting(place) == []

    def test_at_the_wall_the_successor_stays(self, queue: Queue, place: Path) -> None:
        with pytest.raises(TimeUpError), relay(place, DRIVER, lambda _: None):
            raise TimeUpError("the job of this driver comes to its end.")
        assert waiting(place) == ["101"] and not any(
            line.startswith("scancel") for line in queue.asked
        )

    def test_stopped_by_a_person_it_takes_the_successor_along(
        self, queue: Queue, place: Path
    ) -> None:
        with pytest.raises(KeyboardInterrupt), relay(place, DRIVER, lambda _: None):
            raise KeyboardInterrupt
        assert waiting(place) == [] and queue.asked[-1] == "scancel 101"

    def test_one_left_by_this_driver_before_it_began_again_is_taken_back(
        self, queue: Queue, place: Path
    ) -> None:
        jobs.note(place, jobs.Job("driver", "55", ("scancel", "55")), jobs.DRIVERS)
        jobs.note(place, jobs.Job("driver", "7", ("scancel", "7")), jobs.DRIVERS)
        with relay(place, DRIVER, lambda _: None):
            assert waiting(place) == ["101"]
        assert "scancel 55" in queue.asked and "scancel 7" not in queue.asked

    def test_without_a_successor_the_work_goes_on_and_says_how_to_go_on_after_it(
        self, queue: Queue, place: Path
    ) -> None:
        queue.says("sbatch", "echo 'jobs may not submit jobs' >&2; exit 1")
        said: list[str] = []
        with relay(place, DRIVER, said.append):
            assert (
                "jobs may not submit jobs" in said[0]
                and "`borarun submit --detach` goes on" in said[0]
            )

    def test_the_batch_systems_signal_ends_the_job_and_not_the_study(self, place: Path) -> None:
        with relay(place, DRIVER, lambda _: None):
            assert seconds_left() > 0
            os.kill(os.getpid(), signal.SIGTERM)
            assert seconds_left() <= 0
