"""Ramps at several pressures, and runs held within the hysteresis: their tasks, and what is found
in made-up records of a crystal that transforms at 670 K + 20 K/kbar.
"""

from __future__ import annotations

from pathlib import Path

import filled
import numpy as np
import pytest
from records import dynamics

from borarun.basics.units import EV_PER_A3_IN_KBAR
from borarun.engines.lammps import engine as lammps
from borarun.page.collecting import collect
from borarun.records.frames import Frames
from borarun.records.operations.base import quantities
from borarun.records.operations.dynamics import MolecularDynamics, snapshot
from borarun.records.operations.examination import Examined
from borarun.records.places import StoredRecords
from borarun.records.store import Store
from borarun.records.task import Ref, Result, Task
from borarun.study import Study, load_study
from borarun.study.plan import expand
from borarun.subjects.common.results import Results
from borarun.subjects.examination.results import ExaminationFound
from borarun.subjects.examination.stage import Examining
from borarun.subjects.heating import show
from borarun.subjects.heating.results import HeatingFound
from borarun.subjects.heating.stage import Holding, PressedRamp, Ramp

TC_K, SLOPE_K_PER_KBAR, HYSTERESIS_K, STEP_A = 670.0, 20.0, 100.0, 0.1
HEATING = (
    "heating: {from_K: 50, to_K: 1000, heating_rates_K_per_ps: 400, "
    "cooling_rates_K_per_ps: 400, timestep_fs: 1, sample_every_fs: 4"
)


def study_with(mini_study: Path, more: str) -> Study:
    """The mini study with ramps to 1000 K, and no diffusion."""
    lines = mini_study.read_text().splitlines()
    kept = [line for line in lines[: lines.index("diffusion:")] if not line.startswith("heating")]
    mini_study.write_text("\n".join([*kept, f"{HEATING}{more}}}"]) + "\n")
    return load_study(mini_study)


def disordered(temperature_K: np.ndarray, direction: str, pressure_kbar: float) -> np.ndarray:
    """Share of the step that is done on a ramp."""
    away = HYSTERESIS_K / 2 if direction == "heating" else -HYSTERESIS_K / 2
    centre = TC_K + SLOPE_K_PER_KBAR * pressure_kbar + away
    return 1 / (1 + np.exp(-(temperature_K - centre) / 5))


def lattice_A(temperature_K: np.ndarray, share: np.ndarray) -> np.ndarray:
    return 9.5 + 1e-4 * temperature_K + STEP_A * share


def latent_eV_per_cell() -> float:
    """By Clausius and Clapeyron's equation, of the volume step at the transition."""
    a = lattice_A(np.array(TC_K), np.array([0.0, 1.0]))
    volume_A3 = float(a[1] ** 3 - a[0] ** 3)
    return TC_K * volume_A3 / SLOPE_K_PER_KBAR / EV_PER_A3_IN_KBAR


def record(study: Study, task: Task) -> Result:
    """A run of this crystal."""
    about = task.about
    if isinstance(about, Examining):
        return examined(about)
    if not isinstance(about, Ramp | PressedRamp | Holding):
        return filled.result(study, task)
    settings = lammps.Settings.of(task)
    segment = settings.segments[0]
    step = np.arange(0, round(segment.time_ps * 1000), 4)
    T = segment.from_K + (segment.to_K - segment.from_K) * step / 1000 / segment.time_ps
    if isinstance(about, Holding):
        turned = abs(about.temperature_K - TC_K) > 20
        hot = about.temperature_K > TC_K if turned else about.branch == "cooling"
        share = np.full(len(T), float(hot))
    else:
        share = disordered(T, about.branch, settings.pressure_bar / 1000)
    rng = np.random.default_rng(int(task.key[:8], 16))
    a = lattice_A(T, share) + 0.004 * rng.normal(size=len(T))
    atoms = Frames.from_extxyz(study.phase_text(study.phase))[0]
    scale = a / atoms.cell.lengths()[0]
    positions = atoms.positions[:, :, None] * scale + rng.normal(
        scale=0.03, size=(len(atoms), 3, len(T))
    )
    result = dynamics(
        atoms,
        positions,
        atoms.cell.array * scale[:, None, None],
        step,
        np.zeros(len(T), np.int64),
        temperature_K=T,
        segments=(segment.name,),
    )
    energy = 0.02 * T + latent_eV_per_cell() * share + 0.1 * rng.normal(size=len(T))
    result.arrays[MolecularDynamics.POTENTIAL_ENERGY] = MolecularDynamics.POTENTIAL_ENERGY.of(
        energy
    )
    return result


def examined(about: Examining) -> Result:
    """A potential that makes the disordered phase 1 meV an atom too high."""
    hot = [
        disordered(np.array(T), direction, 0.0) > 0.5
        for T, direction in zip(about.temperatures_K, about.directions, strict=True)
    ]
    count = len(hot)
    energy = np.stack([np.full(count, -5.0), -5.0 + 0.001 * np.array(hot)])
    energy[1] += 0.0001 * np.random.default_rng(1).normal(size=count)
    arrays = {
        Examined.ATOMS: np.full(count, 2),
        Examined.ENERGY: energy,
        Examined.FORCES: np.zeros((2, 2 * count, 3)),
        Examined.STRESS: np.zeros((2, count, 6)),
    }
    return Result(Examined(n_frames=count, n_potentials=1), arrays=quantities(arrays))


def results_of(study: Study, store: Store) -> Results:
    while True:
        tasks = expand(study, StoredRecords(store)).tasks
        new = [task for task in tasks if task.key not in store]
        if not new:
            return collect(study, tasks, store)
        for task in new:
            store.write(task, record(study, task), filled.PROVENANCE)


def ramps_of(study: Study) -> tuple[Task, ...]:
    return expand(study, {}, forecast=True).stages["heating"].tasks


def test_other_pressures_and_holds_leave_the_ramps_as_they_are(mini_study: Path) -> None:
    text = mini_study.read_text()
    plain = ramps_of(study_with(mini_study, ""))
    mini_study.write_text(text)
    more = ramps_of(
        study_with(
            mini_study,
            ", pressures_bar: [0, 2000, 4000], holds: {temperatures_K: [640, 700], time_ps: 0.5}",
        )
    )
    assert {task.key for task in plain} <= {task.key for task in more}
    pressures = [task.about.pressure_bar for task in more if isinstance(task.about, PressedRamp)]
    assert pressures == [2000, 2000, 4000, 4000]
    heating, cooling = (task for task in more if isinstance(task.about, Ramp))
    begins = {
        (task.about.branch, task.about.temperature_K): task.inputs["structure"]
        for task in more
        if isinstance(task.about, Holding)
    }
    assert begins == {
        ("heating", 640): Ref(heating.key, snapshot("heating", 590 / 950)),
        ("heating", 700): Ref(heating.key, snapshot("heating", 650 / 950)),
        ("cooling", 640): Ref(cooling.key, snapshot("cooling", 360 / 950)),
        ("cooling", 700): Ref(cooling.key, snapshot("cooling", 300 / 950)),
    }


def test_the_former_name_of_the_pressure_is_read(mini_study: Path) -> None:
    study = study_with(mini_study, ", pressure_bar: 500")
    assert {task.settings["pressure_bar"] for task in ramps_of(study)} == {500}
    assert all(isinstance(task.about, Ramp) for task in ramps_of(study))


def test_both_ways_to_the_slope_and_the_runs_between_find_what_was_put_in(
    mini_study: Path, tmp_path: Path
) -> None:
    study = study_with(
        mini_study,
        ", pressures_bar: [0, 2000], "
        "holds: {temperatures_K: [640, 660, 680, 700, 800], time_ps: 0.5}",
    )
    results = results_of(study, Store(tmp_path / "store"))
    found = results.of(HeatingFound)
    (heat,) = found.latent_heat
    assert heat.enthalpy_meV is not None and heat.volume_A3 is not None
    truth_meV = 1000 * latent_eV_per_cell() / 4
    assert heat.enthalpy_meV.low < truth_meV < heat.enthalpy_meV.high
    for slope in (heat.by_heat_K_per_kbar, heat.by_pressure_K_per_kbar):
        assert slope is not None
        assert slope.low < SLOPE_K_PER_KBAR < slope.high
        assert slope.value == pytest.approx(SLOPE_K_PER_KBAR, abs=5)
    # results are those of the first pressure
    assert {branch.branch for branch in found.branches} == {"heating", "cooling"}
    assert len(found.branches) == 2 and len(found.transitions) == 1
    ended = {(run.started, run.temperature_K): run.ended for run in found.held}
    assert ended == {
        ("ordered", 640): "ordered",
        ("disordered", 640): "ordered",
        ("ordered", 660): "ordered",
        ("disordered", 660): "disordered",
        ("ordered", 680): "ordered",
        ("disordered", 680): "disordered",
        ("ordered", 700): "disordered",
        ("disordered", 700): "disordered",
    }  # 800 K is behind the step of heating: its run began disordered
    (between,) = found.held_transitions
    assert (between.lower_K, between.upper_K) == (640, 700)
    assert between.temperature_K is not None
    assert between.temperature_K.low < TC_K < between.temperature_K.high
    titles = [block.title for block in show.sections(results)[0].blocks if hasattr(block, "title")]
    assert "Pressure and the transition" in titles
    assert "Runs at constant temperature within the hysteresis" in titles


def test_errors_of_the_energy_are_carried_to_the_transition(
    mini_study: Path, tmp_path: Path
) -> None:
    study_with(mini_study, "")
    mini_study.write_text(mini_study.read_text() + "examination: {frames: 40}\n")
    results = results_of(load_study(mini_study), Store(tmp_path / "store"))
    (found,) = results.of(ExaminationFound).transitions
    truth_K = TC_K * results.atoms_per_formula * 0.001 / (latent_eV_per_cell() / 4)
    assert found.shift_K.value == pytest.approx(truth_K, rel=0.2)
    assert found.n_frames >= 36 and found.committee_K is None
