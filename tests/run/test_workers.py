"""Executors of a site as Parsl gets them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from borarun.basics.causes import Cause
from borarun.basics.errors import BorarunError
from borarun.records.places import Places
from borarun.records.task import Task
from borarun.run.workers import Workers, failure_of, started_by
from borarun.site import load_site
from borarun.site.batch_systems import Batch

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # sockets of Parsl, which nobody closes

CONFIGS = sorted((Path(__file__).parents[2] / "site-configs").glob("*.yaml"))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_parsl_takes_every_executor_of_the_sites_that_ship(config: Path, tmp_path: Path) -> None:
    for label, executor in load_site(config).executors.items():
        made = started_by(executor, label, tmp_path)
        assert made.label == label
        if isinstance(executor, Batch) and executor.available_accelerators:
            gpus = [str(index) for index in range(executor.available_accelerators)]
            assert made.available_accelerators == gpus, "a worker gets one of them"
        assert made.encrypted, "another user of the machine could send tasks"
        assert (
            "borarun.basics.tether" in made.interchange_launch_cmd
        )  # or it would outlive a driver that is killed


def test_a_task_that_found_no_room_is_tried_again() -> None:
    found = failure_of(OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)))
    assert (
        found.cause is Cause.DISK_FULL
        and "Disk quota exceeded" in found.message
        and "quota" in found.remedy
    )
    assert failure_of(ValueError("what")).cause is Cause.BUG


def test_workers_that_cannot_start_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the end of a driver, which stops them, does not hide it."""

    def refuse(*_: object) -> None:
        raise BorarunError("no such executor")

    site = load_site(CONFIGS[0])
    workers = Workers(Places.of(tmp_path, "x"), site)
    monkeypatch.setattr("borarun.run.workers.parsl.load", refuse)
    with pytest.raises(BorarunError, match="no such executor"):
        workers.submit(Task("borarun-mtp", {}), site.program("borarun-mtp"))
    workers.stop()
