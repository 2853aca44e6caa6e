"""Errors on configurations of production, by group, and what the page shows of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from filled import fill

from borarun.page.collecting import collect
from borarun.records.store import Store
from borarun.report.measured import Measured
from borarun.study import load_study
from borarun.subjects.common.results import Results
from borarun.subjects.diffusion.arrhenius import DISORDERED_PHASE, ORDERED_PHASE
from borarun.subjects.examination import show
from borarun.subjects.examination.collect import UNKNOWN, _by_temperature
from borarun.subjects.examination.results import ExaminationFound
from borarun.subjects.heating.results import Transition


@pytest.fixture
def examined(mini_study: Path, tmp_path: Path) -> Results:
    """A made-up study whose potential errs by 0.1 eV/A times the root of 2, as do its members."""
    text = mini_study.read_text().replace(
        "max_evaluations: 15}", "max_evaluations: 15, committee: 2}"
    )
    mini_study.write_text(f"{text}examination: {{frames: 40}}\n")
    study, store = load_study(mini_study), Store(tmp_path / "store")
    return collect(study, fill(study, store), store)


def test_errors_are_those_put_in(examined: Results) -> None:
    found = examined.of(ExaminationFound)
    (part,) = found.examined
    assert (part.n_frames, part.n_members) == (40, 2)
    errors = {(each.group, each.quantity): each for each in found.errors}
    forces = errors["all", "forces"]
    truth = 0.1 * 2**0.5  # both the reference and the potential scatter by 0.1
    assert forces.deviations.rmse == pytest.approx(truth, rel=0.05)
    assert forces.rmse is not None and forces.rmse.low < truth < forces.rmse.high
    assert forces.spread == pytest.approx(0.1, rel=0.05)
    assert errors["all", "energy"].deviations.rmse == pytest.approx(2**0.5, rel=0.4)  # meV/atom
    counts = {group: each.n_frames for (group, name), each in errors.items() if name == "forces"}
    assert counts["0 vacancies"] + counts["1 vacancy"] == counts["all"] == 40
    assert sum(count for group, count in counts.items() if group.endswith(" K")) == 40


def test_the_page_has_tables_and_figures_of_it(examined: Results) -> None:
    (section,) = show.sections(examined)
    assert [block.title for block in section.blocks] == [
        "Errors on configurations of production",
        "Spread of the committee",
        "Parity on configurations of production",
        "Distributions of errors",
    ]
    table = section.blocks[0]
    assert [row[1] for row in table.rows[:4]] == ["held out of the fit"] * 3 + ["all"]
    (card,) = show.cards(examined)
    assert card.value == "0.14"


def transition() -> Transition:
    return Transition(
        functional="PBE-D3",
        vacancies=0,
        heating_K_per_ps=1.0,
        n_runs=1,
        temperature_K=Measured(675.0, 620.0, 730.0),
        heated_K=Measured(725.0, 720.0, 730.0),
        cooled_K=Measured(625.0, 620.0, 630.0),
        hysteresis_K=Measured(100.0, 90.0, 110.0),
        volume_step_percent=None,
        statement="",
    )


@pytest.mark.parametrize(
    ("temperature_K", "direction", "phase"),
    [
        (700.0, "heating", ORDERED_PHASE),
        (740.0, "heating", DISORDERED_PHASE),
        (700.0, "cooling", DISORDERED_PHASE),
        (600.0, "cooling", ORDERED_PHASE),
        (725.0, "heating", UNKNOWN),
        (700.0, "", UNKNOWN),
        (600.0, "", ORDERED_PHASE),
        (800.0, "", DISORDERED_PHASE),
    ],
)
def test_the_step_of_its_own_ramp_tells_the_phase(
    temperature_K: float, direction: str, phase: str
) -> None:
    assert _by_temperature(transition(), temperature_K, direction) == phase
