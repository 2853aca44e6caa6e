"""Which failures are tried again."""

from __future__ import annotations

import errno

import pytest

from borarun.errors import StoreError
from borarun.run.retries import LOST, MAX_LOST, Tries, is_transient
from borarun.task import Failure


def test_what_will_not_pass_is_not_tried_again() -> None:
    assert Tries().pause_s(Failure("EngineError", "wrong input"), limit=2, pause_s=10) is None


def test_what_may_pass_is_tried_with_growing_pauses_and_a_limit() -> None:
    tries = Tries()
    assert [
        tries.pause_s(Failure("EngineError", "killed", transient=True), limit=3, pause_s=10)
        for _ in range(4)
    ] == [10, 20, 40, None]


def test_unreadable_output_is_tried_once_more() -> None:
    tries = Tries()
    assert [
        tries.pause_s(Failure("ParseError", "cut short", transient=True), limit=3, pause_s=10)
        for _ in range(2)
    ] == [10, None]
    assert (
        Tries().pause_s(Failure("ParseError", "cut short", transient=True), limit=0, pause_s=10)
        is None
    )


def test_a_wall_costs_no_try() -> None:
    tries = Tries()
    assert all(
        tries.pause_s(Failure("TimeUpError", "goes on"), limit=0, pause_s=10) == 0.0
        for _ in range(100)
    )
    assert tries.charged == 0


def test_a_lost_worker_costs_no_try_up_to_a_cap() -> None:
    tries = Tries()
    assert [tries.pause_s(Failure(LOST, "gone"), limit=0, pause_s=10) for _ in range(MAX_LOST)] == [
        0.0
    ] * MAX_LOST
    assert tries.pause_s(Failure(LOST, "gone"), limit=0, pause_s=10) is None


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, True),
        (errno.EDQUOT, True),
        (errno.ESTALE, True),
        (errno.ENOENT, False),
        (errno.EACCES, False),
    ],
)
def test_what_the_system_refuses_may_pass_or_not(number: int, expected: bool) -> None:
    assert is_transient(OSError(number, "")) == expected
    try:
        try:
            raise OSError(number, "")
        except OSError as error:
            raise StoreError("no room") from error
    except StoreError as error:
        assert is_transient(error) == expected


def test_what_is_no_system_error_is_not_transient() -> None:
    assert not is_transient(StoreError("newer format"))
