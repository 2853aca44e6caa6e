"""Which tasks can start, and in which order."""

from __future__ import annotations

from collections import Counter

from borarun.run.board import PATIENCE, Board
from borarun.site import Site
from borarun.site.executors import Local
from borarun.task import Cost, Ref, Task

SITE = Site(borarun=1, name="here", executors={"local": Local(cores=4)})
FREE = {"local": 4}


def task(name: str, *needs: Task, seconds: float = 1.0, cores: int = 1) -> Task:
    return Task(
        "borarun-mtp",
        {"name": name},
        {other.label: Ref(other.key, "x") for other in needs},
        label=name,
        cost=Cost(seconds),
        cores=cores,
    )


def started(board: Board, free: dict[str, int] = FREE) -> list[str]:
    return [task.label for task in board.start(free)]


def test_the_costliest_starts_first_and_none_twice() -> None:
    board = Board(
        [task("a", seconds=1), task("b", seconds=3), task("c", seconds=2)],
        set(),
        set(),
        SITE,
        Counter(),
    )
    assert started(board, {"local": 2}) == ["b", "c"]
    assert started(board, {"local": 2}) == ["a"]
    assert started(board) == []


def test_a_small_task_passes_a_large_one_that_does_not_fit() -> None:
    board = Board([task("wide", seconds=9, cores=2), task("narrow")], set(), set(), SITE, Counter())
    assert started(board, {"local": 1}) == ["narrow"]
    assert started(board, {"local": 2}) == ["wide"]


def test_a_large_task_is_passed_a_few_times_and_then_kept_room_for() -> None:
    passed = Counter[str]()
    wide, narrow = (
        task("wide", seconds=1, cores=2),
        [task(f"narrow {i}", seconds=9) for i in range(2 * PATIENCE)],
    )
    for i in range(
        PATIENCE
    ):  # one core becomes free at a time; the plan grows, and with it the board is made anew
        board = Board([wide, *narrow], {task.key for task in narrow[:i]}, set(), SITE, passed)
        assert started(board, {"local": 1}) == [f"narrow {i}"]
    assert started(board, {"local": 1}) == []
    assert started(board, {"local": 2}) == ["wide"]
    assert started(board, {"local": 2}) == [f"narrow {PATIENCE}", f"narrow {PATIENCE + 1}"]


def test_a_large_task_keeps_no_room_on_another_executor() -> None:
    site = Site(
        borarun=1, name="here", executors={"small": Local(cores=1), "large": Local(cores=4)}
    )
    wide = task("wide", cores=4)
    board = Board([wide, task("narrow")], set(), set(), site, Counter({wide.key: PATIENCE}))
    assert started(board, {"small": 1, "large": 3}) == ["narrow"]


def test_a_task_starts_when_all_that_it_needs_is_there() -> None:
    first, second, third = task("first"), task("second"), task("third")
    last = task("last", first, second, third)
    board = Board([last, first, second, third], {third.key}, set(), SITE, Counter())
    assert set(started(board)) == {"first", "second"}
    board.finished(first.key)
    assert started(board) == []
    board.finished(second.key)
    assert started(board) == ["last"]


def test_what_is_done_or_held_does_not_start_until_it_may() -> None:
    done, resting = task("done"), task("resting")
    board = Board([done, resting], {done.key}, {resting.key}, SITE, Counter())
    assert started(board) == []
    board.again(resting.key)
    assert started(board) == ["resting"]


def test_a_task_that_rests_while_its_input_is_made_anew_starts_once() -> None:
    needed = task("needed")
    resting = task("resting", needed)
    board = Board([needed, resting], set(), {resting.key}, SITE, Counter())
    assert started(board) == ["needed"]
    board.again(resting.key)  # rested, but what it needs is still being made
    assert started(board) == []
    board.finished(needed.key)
    assert started(board) == ["resting"]
    assert started(board) == []
