"""How long a study takes at the least."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from borarun.records.task import Cost, Task
from borarun.run.clock import Clock
from borarun.site import Site, load_site
from borarun.site.executors import Local

SITE = """borarun: 1
name: cluster
executors:
  single: {provider: slurm, cores_per_node: 4, walltime: "4:00:00"}
  wide: {provider: slurm, cores_per_node: 100, nodes_per_block: 2, max_workers_per_block: 2, mpi_launcher: srun, walltime: "4:00:00"}
programs:
  vasp: {executor: wide, cores: 100, command: "{launch} vasp_std", cost_factor: 2}
"""  # noqa: E501


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    (tmp_path / "site.yaml").write_text(SITE)
    return Clock(load_site(tmp_path / "site.yaml"))


def tasks(engine: str, count: int, core_seconds: float) -> list[Task]:
    return [Task(engine, {"seed": seed}, cost=Cost(core_seconds)) for seed in range(count)]


def test_the_executor_that_is_busy_longest_decides(clock: Clock) -> None:
    few, many = tasks("vasp", 3, 1000.0), tasks("borarun-mtp", 40, 10.0)
    clock.expect([*few, *many])
    assert clock.limit() == (
        pytest.approx(100.0),
        "single",
    )  # 40 tasks of 10 s on four cores, whatever stands idle in wide
    clock.expect(few)
    assert clock.limit() == (
        pytest.approx(30.0),
        "wide",
    )  # 3 tasks of 2 x 1000 / 100 s, two at a time


def test_one_long_task_decides_where_there_is_room(clock: Clock) -> None:
    long, *short = [*tasks("lammps", 1, 100.0), *tasks("borarun-mtp", 4, 10.0)]
    clock.expect([long, *short])
    assert clock.limit() == (pytest.approx(100.0), "")
    assert clock.left({long.key: 0.9}) == pytest.approx(12.5)  # (40 + 10) / 4


def test_a_task_that_can_share_takes_at_the_least_what_all_cores_take() -> None:
    """And while it runs, what its own take."""
    site = Site(borarun=1, name="here", executors={"local": Local(cores=4)})
    clock = Clock(site)
    run = Task("lammps", {}, cores=3, cost=Cost(120.0))
    clock.expect([run])
    assert clock.limit() == (pytest.approx(40.0), "")
    clock.started(replace(run, cores=2))
    assert clock.left({run.key: 0.5}) == pytest.approx(30.0)
    clock.finished(run, 600.0, 2)
    other = Task("lammps", {"seed": 2}, cores=1, cost=Cost(1000.0))
    clock.expect([other])
    assert clock.left() == pytest.approx(7000.0)  # (600 + 30) / (120 / 2 + 30) times as long


def test_what_was_learnt_scales_what_is_left_of_its_kind(clock: Clock) -> None:
    fits, runs = tasks("borarun-mtp", 1000, 10.0), tasks("lammps", 400, 10.0)
    clock.expect([*fits, *runs])
    for each in fits[:-200]:
        clock.finished(each, 30.0)
    assert clock.left() == pytest.approx((3 * 2000.0 + 4000.0) / 4, rel=0.01)
    for each in fits[-200:]:
        clock.finished(each, 30.0)
    assert clock.left() == pytest.approx(4000.0 / 4)
    for each in runs:
        clock.finished(each, 5.0)
    assert clock.left() == pytest.approx(0.0)


def test_one_short_task_says_little(clock: Clock) -> None:
    first, *others = tasks("borarun-mtp", 101, 1.0)
    clock.expect([first, *others])
    clock.finished(first, 13.0)  # most of it to load the program
    assert 25.0 < clock.left() < 40.0
