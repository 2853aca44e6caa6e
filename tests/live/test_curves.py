"""Curves of runs that go on, from the files that they are writing, against what is known of
these.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from borarun.engines.lammps import engine as lammps
from borarun.engines.lammps.md_plan import FILE, MdPlan
from borarun.live import curves
from borarun.records.places import Places, StoredRecords
from borarun.records.store import Store
from borarun.records.task import Task
from borarun.study import Study
from borarun.study.plan import expand
from borarun.subjects.active_learning.stage import Exploration

EDGE_A = 10.0
NUMBERS = [3, 3, 5, 5]
STEP_A = 0.01


@pytest.fixture
def tasks(study: Study, places: Places) -> dict[str, Task]:
    """An exploration, a heating run and a run at constant temperature of the study."""
    known = expand(study, StoredRecords(Store(places.store)), forecast=True).tasks
    return {
        "explore": next(task for task in known if isinstance(task.about, Exploration)),
        "heating": next(task for task in known if getattr(task.about, "branch", "") == "heating"),
        "diffusion": next(task for task in known if task.stage == "diffusion"),
    }


def write_run(directory: Path, steps: list[int], edge_A: float = EDGE_A, tail: str = "") -> None:
    """What LAMMPS has written so far of a run in which lithium goes along x at ``STEP_A`` a frame,
    and the anions stand.
    """
    plan = MdPlan(
        potential="moment_tensor",
        numbers=np.array(NUMBERS),
        rotation=np.eye(3),
        steps=steps[-1],
        frames=[[steps[0], steps[-1], 1]],
        every=1,
        grade=None,
        min_distance_A=0.5,
        hottest_K=300,
    )
    (directory / FILE).write_text(plan.text())
    frames, rows = [], []
    for count, step in enumerate(steps):
        bounds = f"0.0 {edge_A}\n" * 3
        atoms = [
            (1, 1, 1.0 + STEP_A * count),
            (2, 1, 2.0 + STEP_A * count),
            (3, 2, 3.0),
            (4, 2, 4.0),
        ]
        lines = "".join(f"{atom} {kind} {x:.5f} 1.0 1.0 0 0 0\n" for atom, kind, x in atoms)
        frames.append(
            f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n4\nITEM: BOX BOUNDS pp pp "
            f"pp\n{bounds}ITEM: ATOMS id type x y z ix iy iz\n{lines}"
        )
        rows.append(f"{step} 300.0 -5.0 1.0 {edge_A**3}\n")
    (directory / "dump.lammps").write_text("".join(frames) + tail)
    (directory / "thermo.txt").write_text("# step K eV bar A3\n" + "".join(rows) + tail)


def produced(task: Task, count: int) -> list[int]:
    """Steps of the first frames of the sampled segment."""
    return list(lammps.Settings(**task.settings).frames())[:count]


def test_the_lattice_of_a_ramp_that_goes_on(
    study: Study, tasks: dict[str, Task], tmp_path: Path
) -> None:
    write_run(tmp_path, produced(tasks["heating"], 20), tail="1")
    curve = curves.of_directory(study, tasks["heating"], tmp_path)
    assert curve is not None and curve.growing and curve.figure == "lattice"
    assert curve.y == pytest.approx(EDGE_A / np.cbrt(np.prod(study.supercell)))
    # 20 frames every 5 fs from 50 K at 1000 K/ps: 0 to 95 fs
    assert curve.x.min() >= 50 and curve.x.max() <= 50 + 95 and np.all(np.diff(curve.x) > 0)


def test_the_displacement_of_ions_that_go_straight_on(
    study: Study, tasks: dict[str, Task], tmp_path: Path
) -> None:
    count = 41
    write_run(tmp_path, produced(tasks["diffusion"], count), tail="ITEM: TIMESTEP\n9")
    curve = curves.of_directory(study, tasks["diffusion"], tmp_path)
    assert curve is not None and curve.growing and curve.figure == "msd"
    frames = curve.x / 0.005
    assert curve.y == pytest.approx((STEP_A * frames) ** 2, rel=2e-2)
    assert frames.min() == pytest.approx(1)


def test_the_grades_of_an_exploration_that_goes_on(
    study: Study, tasks: dict[str, Task], tmp_path: Path
) -> None:
    (tmp_path / "watch.txt").write_text("0 1.5 1.2\n10 nan 1.2\n20 2.5 1.1\n30 9")
    curve = curves.of_directory(study, tasks["explore"], tmp_path)
    assert curve is not None and curve.growing and curve.figure == "grade"
    timestep_ps = tasks["explore"].settings["timestep_fs"] / 1000
    assert curve.x == pytest.approx([0.0, 20 * timestep_ps]) and curve.y == pytest.approx(
        [1.5, 2.5]
    )
    assert curve.limit == 10000


@pytest.mark.parametrize("name", ["heating", "diffusion", "explore"])
def test_a_run_that_has_written_nothing_has_no_points(
    study: Study, tasks: dict[str, Task], tmp_path: Path, name: str
) -> None:
    curve = curves.of_directory(study, tasks[name], tmp_path)
    assert curve is None or not len(curve.x)


def test_a_dump_that_lags_behind_the_table_is_left_alone(
    study: Study, tasks: dict[str, Task], tmp_path: Path
) -> None:
    write_run(tmp_path, produced(tasks["diffusion"], 41))
    content = (tmp_path / "dump.lammps").read_text()
    (tmp_path / "dump.lammps").write_text(content[: len(content) // 2])
    assert curves.of_directory(study, tasks["diffusion"], tmp_path) is None


def test_a_trajectory_too_large_for_a_glance_is_left_alone(
    study: Study, tasks: dict[str, Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path, produced(tasks["diffusion"], 41))
    monkeypatch.setattr(lammps, "GLANCE_B", 1000)
    assert curves.of_directory(study, tasks["diffusion"], tmp_path) is None
