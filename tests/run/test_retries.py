"""Which failures are tried again."""

from __future__ import annotations

from borarun.basics.causes import Cause
from borarun.records.task import Failure
from borarun.run.retries import MAX_LOST, Tries


def test_what_will_not_pass_is_not_tried_again() -> None:
    assert Tries().pause_s(Failure(Cause.FAILED, "wrong input"), limit=2, pause_s=10) is None


def test_what_may_pass_is_tried_with_growing_pauses_and_a_limit() -> None:
    tries = Tries()
    assert [
        tries.pause_s(Failure(Cause.KILLED, "killed"), limit=3, pause_s=10) for _ in range(4)
    ] == [10, 20, 40, None]


def test_unreadable_output_is_tried_once_more() -> None:
    tries = Tries()
    assert [
        tries.pause_s(Failure(Cause.UNREADABLE, "cut short"), limit=3, pause_s=10) for _ in range(2)
    ] == [10, None]
    assert Tries().pause_s(Failure(Cause.UNREADABLE, "cut short"), limit=0, pause_s=10) is None


def test_a_wall_costs_no_try() -> None:
    tries = Tries()
    assert all(
        tries.pause_s(Failure(Cause.OUT_OF_TIME, "goes on"), limit=0, pause_s=10) == 0.0
        for _ in range(100)
    )
    assert tries.charged == 0


def test_a_lost_worker_costs_no_try_up_to_a_cap() -> None:
    tries = Tries()
    assert [
        tries.pause_s(Failure(Cause.WORKER_LOST, "gone"), limit=0, pause_s=10)
        for _ in range(MAX_LOST)
    ] == [0.0] * MAX_LOST
    assert tries.pause_s(Failure(Cause.WORKER_LOST, "gone"), limit=0, pause_s=10) is None
