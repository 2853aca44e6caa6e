"""What the terminal shows is what the page shows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from filled import fill
from rich.console import Console

from borarun.basics.causes import Cause
from borarun.live.curves import Drawn
from borarun.live.terminal import Part, blocks, curves_of, failures_of, progress_of
from borarun.records.places import Places
from borarun.records.store import Store
from borarun.records.task import Failure
from borarun.run.state import Observer
from borarun.site import default_site
from borarun.study import Study
from borarun.study.plan import expand
from borarun.subjects.common.curves import Curve


def text(parts: Iterable[Part], width: int = 120) -> list[str]:
    console = Console(width=width)
    with console.capture() as caught:
        for part in parts:
            console.print(part, markup=False, highlight=False, soft_wrap=isinstance(part, str))
    return caught.get().splitlines()


def test_a_rising_line_climbs_through_all_blocks() -> None:
    assert blocks(np.arange(8.0), np.arange(8.0)) == "▁▂▃▄▅▆▇█"
    assert blocks(np.arange(8.0), -np.arange(8.0)) == "█▇▆▅▄▃▂▁"


def test_many_points_share_a_block() -> None:
    drawn = blocks(np.arange(1000.0), np.arange(1000.0) ** 2, width=10)
    assert (
        len(drawn) == 10 and drawn == "".join(sorted(drawn)) and (drawn[0], drawn[-1]) == ("▁", "█")
    )


def test_a_power_law_is_straight_on_logarithmic_scales() -> None:
    x = np.arange(1.0, 1001.0)
    assert blocks(x, x**2, log_x=True, log_y=True, width=8) == "▁▂▃▄▅▆▇█"


@pytest.mark.parametrize(
    ("x", "y", "drawn"),
    [
        ([], [], ""),
        ([1.0], [2.0], "▁"),
        ([0.0, 1.0], [3.0, 3.0], "▁▁"),
        ([0.0, 1.0, 2.0], [1.0, np.nan, 2.0], "▁█"),
    ],
)
def test_curves_with_little_to_show(x: list[float], y: list[float], drawn: str) -> None:
    assert blocks(np.array(x), np.array(y)) == drawn


def test_what_has_no_logarithm_is_left_out() -> None:
    assert (
        blocks(np.array([0.0, 1.0, 10.0]), np.array([0.0, 1.0, 10.0]), log_x=True, log_y=True)
        == "▁█"
    )


def test_a_curve_tells_its_run_its_ends_and_whether_it_grows() -> None:
    x = np.linspace(100, 300, 5)
    grade = Curve("grade", "PBE", "round 0", x, x / 100, limit=11.0)
    lattice = Curve("lattice", "PBE", "heating", x, 9 + x / 1000, growing=True)
    shown = text(curves_of([lattice, grade]))
    assert shown[0].strip() == "Extrapolation grade of explorations"
    assert shown[2].split() == [
        "PBE,",
        "round",
        "0",
        "100",
        "to",
        "300",
        "up",
        "to",
        "3",
        "of",
        "11",
        "▁▄▅▇█",
    ]
    assert "PBE, heating (running)" in shown[5] and "9.1 to 9.3" in shown[5]


def test_a_finished_study_shows_every_curve_that_the_page_has(study: Study, places: Places) -> None:
    fill(study, Store(places.store))
    state = Observer(study, default_site(), places).look()
    drawn = Drawn(study, places)
    assert drawn.look(state, most_s=0.0)[1] > 0
    curves, missing = drawn.look(state, most_s=60.0)
    assert missing == 0 and {curve.figure for curve in curves} == {"grade", "lattice", "msd"}
    shown = text(curves_of(curves), width=80)
    assert sum("▁" in line for line in shown) == len(curves)
    assert max(map(len, shown)) <= 80


def test_a_failure_is_told_with_its_evidence(study: Study, places: Places) -> None:
    task = expand(study, {}).tasks[0]
    Store(places.store).write_failure(
        task, Failure(Cause.FAILED, "it broke", "mend it", "first line\nits last line")
    )
    state = Observer(study, default_site(), places).look()
    told = "\n".join(text(failures_of(state)))
    for part in (
        f"{task.name} ({task.key})",
        "cause: failed: it broke",
        "    its last line",
        "what to do: mend it",
        "waiting for it: potential",
    ):
        assert part in told
    (row,) = (
        line.split()
        for line in text(progress_of(state, "borarun submit mini.yaml"))
        if line.startswith("training_set")
    )
    assert row == ["training_set", "2", "0", "0", "1"]
