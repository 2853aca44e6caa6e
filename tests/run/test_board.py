"""Which tasks can start, and in which order."""

from __future__ import annotations

from collections import Counter

from borarun.records.task import Cost, Ref, Task
from borarun.run.board import PATIENCE, Board
from borarun.site import Site
from borarun.site.executors import Local

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


def run_of(name: str, seconds: float, most: int = 4) -> Task:
    """A run of molecular dynamics, which can use several cores and needs one."""
    return Task("lammps", {"name": name}, label=name, cost=Cost(seconds), cores=most)


def cores(*tasks: Task, site: Site = SITE, free: int = 4) -> dict[str, int]:
    """Of the tasks that start at once."""
    board = Board(tasks, set(), set(), site, Counter())
    return {task.label: task.cores for task in board.start({"local": free})}


def test_a_run_alone_has_all_cores_that_it_can_use() -> None:
    assert cores(run_of("a", 9)) == {"a": 4}
    assert cores(run_of("a", 9), free=3) == {"a": 3}
    assert cores(run_of("a", 9, most=2)) == {"a": 2}


def test_runs_share_the_cores_by_their_work() -> None:
    assert cores(run_of("a", 1), run_of("b", 1)) == {"a": 2, "b": 2}
    assert cores(run_of("long", 90), run_of("short", 1)) == {"long": 3, "short": 1}
    assert cores(*(run_of(str(k), 1) for k in range(10))) == {str(k): 1 for k in range(4)}
    assert cores(run_of("a", 8), task("training", seconds=8, cores=2)) == {"a": 2, "training": 2}


def test_a_run_has_the_cores_that_the_site_names() -> None:
    for flavour in ("embedded", "mtp"):
        program = {"lammps": {"cores": 2, "flavour": flavour, "command": "mpirun -np {cores} lmp"}}
        site = Site(borarun=1, name="here", executors=SITE.executors, programs=program)
        assert cores(run_of("a", 9), site=site) == {"a": 2}
    site = Site(
        borarun=1, name="x", executors=SITE.executors, programs={"lammps": {"flavour": "mtp"}}
    )
    assert cores(run_of("a", 9), site=site) == {"a": 1}


def test_the_room_of_a_wide_run_is_taken() -> None:
    """What starts later finds what it left."""
    board = Board([run_of("a", 3), task("b", seconds=1)], set(), set(), SITE, Counter())
    free = {"local": 4}
    begun = list(board.start(free))
    assert [(each.label, each.cores) for each in begun] == [("a", 3), ("b", 1)]
    assert sum(board.slots(each)[1] for each in begun) == 4


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
