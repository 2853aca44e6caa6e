"""Numbers of the records flow into the results, and what is missing becomes a gap with its
reason.
"""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from records import anything
from synthetic import Made, make_study

from borarun.basics.units import BOLTZMANN_EV_PER_K
from borarun.page import Results, collect
from borarun.page.provenance.collect import provenance
from borarun.records.attributes import Provenance
from borarun.records.frames import Frames
from borarun.records.operations.base import Quantity
from borarun.records.operations.reference import Labelled
from borarun.records.store import Store
from borarun.records.task import Failure, Ref, Result, Task
from borarun.report.measured import Measured
from borarun.subjects.active_learning.stage import Exploration, Labelling
from borarun.subjects.common.source import Source
from borarun.subjects.diffusion.arrhenius import lines, with_phases
from borarun.subjects.diffusion.results import DiffusionFound
from borarun.subjects.heating import figures as heating_figures
from borarun.subjects.heating import tables as heating_tables
from borarun.subjects.heating.results import HeatingFound
from borarun.subjects.potential.results import PotentialFound
from borarun.subjects.reorientation.results import ReorientationFound


def test_a_finished_study_has_no_gaps(results: Results) -> None:
    assert results.gaps == ()
    assert results.n_atoms == 104
    assert results.cubic


def test_half_height_temperatures_are_those_put_in(results: Results) -> None:
    halves = {branch.branch: branch.half_height_K for branch in results.of(HeatingFound).branches}
    for name, put_in in (("heating", 720.0), ("cooling", 620.0)):
        half = halves[name]
        assert half is not None
        assert half.value == pytest.approx(put_in, abs=10)
    (transition,) = results.of(HeatingFound).transitions
    assert transition.temperature_K is not None
    assert transition.temperature_K.value == pytest.approx(670, abs=10)


def test_hysteresis_against_rate_is_that_put_in(hurried: Results) -> None:
    assert [t.heating_K_per_ps for t in hurried.of(HeatingFound).transitions] == [5, 10, 20]
    for doublings, t in enumerate(hurried.of(HeatingFound).transitions):
        assert (
            t.heated_K is not None
            and t.cooled_K is not None
            and t.hysteresis_K is not None
            and t.temperature_K is not None
        )
        assert t.heated_K.value == pytest.approx(720 + 35 * doublings, abs=12)
        assert t.cooled_K.value == pytest.approx(620 - 35 * doublings, abs=12)
        assert t.hysteresis_K.value == pytest.approx(t.heated_K.value - t.cooled_K.value)
        assert t.hysteresis_K.low < t.hysteresis_K.value < t.hysteresis_K.high
        assert t.temperature_K.value == pytest.approx(670, abs=10)


def test_elsewhere_the_slowest_ramps_count(hurried: Results) -> None:
    (point,) = [p for p in hurried.of(HeatingFound).lattice if p.temperature_K == 300]
    assert point.lattice_A.value == pytest.approx(9.53, abs=0.01)
    assert [branch.branch for branch in hurried.of(HeatingFound).order] == ["heating", "cooling"]
    assert min(hurried.of(HeatingFound).transitions, key=lambda t: t.order).heating_K_per_ps == 5


def test_the_report_shows_hysteresis_against_rate_only_where_there_are_several(
    hurried: Results, results: Results
) -> None:
    assert heating_figures.hysteresis(results) is None
    figure = heating_figures.hysteresis(hurried)
    assert figure is not None
    assert [row[2] for row in figure.data.rows] == [5, 10, 20]
    lattice = heating_figures.lattice(hurried)
    assert lattice is not None and "paler" in lattice.caption
    rates = [
        row[2]
        for row in heating_tables.transitions(hurried).rows
        if str(row[0]).startswith("this study")
    ]
    assert len(rates) == 3 and len(set(rates)) == 3


def test_within_the_hysteresis_the_anions_tell_the_phase(results: Results) -> None:
    """Between 620 and 720 K: at 700 K the anions turn with one vacancy, and keep their order
    without.
    """
    phases = {(p.temperature_K, p.vacancies): p.phase for p in results.of(DiffusionFound).transport}
    assert phases[700, 1] == "disordered phase" and phases[700, 0] == "ordered phase"
    assert {phases[T, n] for T in (400, 500, 600) for n in (0, 1)} == {"ordered phase"}


def test_within_the_hysteresis_a_point_of_which_nothing_tells_the_phase_is_left_out(
    results: Results,
) -> None:
    unsplit = [replace(p, phase="") for p in results.of(DiffusionFound).transport]
    (point,) = [
        p
        for p in with_phases(unsplit, results.of(HeatingFound).transitions, ())
        if p.vacancies == 1 and p.temperature_K == 700
    ]
    assert not point.accepted and point.reason.startswith("within the hysteresis: ")


def test_a_point_whose_anions_are_half_ordered_is_mixed_and_has_no_line(
    results: Results,
) -> None:
    unsplit = [replace(p, phase="") for p in results.of(DiffusionFound).transport]
    rotation = [
        replace(p, order=Measured(0.49, 0.48, 0.5)) for p in results.of(ReorientationFound).rotation
    ]
    points = with_phases(unsplit, results.of(HeatingFound).transitions, rotation)
    mixed = [p for p in points if p.phase == "mixed"]
    assert {(p.vacancies, p.temperature_K) for p in mixed} >= {(1, 700), (0, 700)}
    assert not any(p.accepted for p in mixed) and all(p.reason for p in mixed)
    assert "mixed" not in {line.phase for line in lines(points)}


def test_lattice_parameter_at_300_K_is_that_put_in(results: Results) -> None:
    (point,) = [p for p in results.of(HeatingFound).lattice if p.temperature_K == 300]
    assert point.lattice_A.value == pytest.approx(9.53, abs=0.01)
    assert point.lattice_A.low < point.lattice_A.value < point.lattice_A.high


def test_diffusivity_is_that_of_the_walk(results: Results) -> None:
    (point,) = [
        p
        for p in results.of(DiffusionFound).transport
        if p.vacancies == 1 and p.temperature_K == 600
    ]
    truth = 2e-6 * np.exp(-0.34 / 8.617333e-5 * (1 / 600 - 1 / 500)) * 600 / 500
    assert point.accepted
    assert point.diffusivity_cm2_s is not None
    assert point.diffusivity_cm2_s.value == pytest.approx(truth, rel=0.5)
    assert point.mol_percent == 25
    assert point.site_percent == 12.5


def test_ions_that_stay_are_left_out_with_a_reason(results: Results) -> None:
    still = [p for p in results.of(DiffusionFound).transport if p.vacancies == 0]
    assert len(still) == 4
    assert all(not p.accepted and p.reason for p in still)


def test_no_line_is_drawn_across_the_transition(results: Results) -> None:
    with_vacancy = [line for line in results.of(DiffusionFound).arrhenius if line.vacancies == 1]
    assert [line.statement.split(",")[0] for line in with_vacancy] == [
        "ordered phase",
        "disordered phase",
    ]
    assert with_vacancy[0].line_T_K.max() < 670


def test_anions_tell_the_phase_where_other_vacancies_were_heated(results: Results) -> None:
    """One that disorders with a vacancy below the transition of the crystal without: no line runs
    through both.
    """
    points = [p for p in results.of(DiffusionFound).transport if p.vacancies == 1]
    (heated,) = results.of(HeatingFound).transitions
    assert (
        heated.vacancies == 0
        and heated.temperature_K is not None
        and heated.temperature_K.low > 600
    )
    turning = [
        replace(p, order=Measured(order, order, order))
        for p in results.of(ReorientationFound).rotation
        if p.vacancies == 1
        for order in [0.05 if p.temperature_K == 600 else 0.9]
    ]
    phases = {p.temperature_K: p.phase for p in with_phases(points, (heated,), turning)}
    assert {
        temperature for temperature, phase in phases.items() if phase == "disordered phase"
    } == {600}
    same = {
        p.temperature_K: p.phase
        for p in with_phases(points, (replace(heated, vacancies=1),), turning)
    }
    assert (
        same[600] == "ordered phase"
    )  # far below a transition of the same cell, temperature tells
    assert heated.bracket_K is not None and heated.bracket_K[0] < 700 < heated.bracket_K[1]
    assert same[700] == "ordered phase"  # within the hysteresis the anions, which kept their order


def test_what_is_not_diffusive_is_bounded_from_above(results: Results) -> None:
    still = [
        p
        for p in results.of(DiffusionFound).transport
        if not p.accepted and p.diffusivity_cm2_s is not None
    ]
    assert still and all(p.diffusivity_cm2_s.low <= 0 for p in still if p.diffusivity_cm2_s)


def test_without_a_transition_all_points_make_one_line_with_the_energy_put_in(
    results: Results,
) -> None:
    unsplit = [replace(p, phase="") for p in results.of(DiffusionFound).transport]
    (line,) = [line for line in lines(with_phases(unsplit, (), ())) if line.vacancies == 1]
    assert line.activation_energy_meV is not None
    assert line.activation_energy_meV.value == pytest.approx(340, abs=60)


def test_activation_energies_of_D_and_of_sigma_T_are_larger_by_the_thermal_energy(
    results: Results,
) -> None:
    """Of D = D_0 exp(-E / k_B T): to be found within rounding in the same points."""
    exact = [
        replace(
            p,
            phase="",
            accepted=True,
            counted_hops=None,
            relative_error=0.01,
            diffusivity_cm2_s=Measured(D, D, D),
            conductivity_S_cm=Measured(D / p.temperature_K, D, D),
        )
        for p in results.of(DiffusionFound).transport
        if p.vacancies == 1
        for D in [np.exp(-0.34 / (BOLTZMANN_EV_PER_K * p.temperature_K))]
    ]
    (line,) = lines(exact)
    temperatures_K = [p.temperature_K for p in exact]
    assert line.energy_of_D_meV is not None and line.energy_of_sigma_T_meV is not None
    assert line.activation_energy_meV is not None
    assert line.energy_of_D_meV.value == pytest.approx(340)
    assert line.energy_of_sigma_T_meV.value == pytest.approx(340)
    less = 340 - line.activation_energy_meV.value
    thermal = [1e3 * BOLTZMANN_EV_PER_K * T for T in (min(temperatures_K), max(temperatures_K))]
    assert thermal[0] < less < thermal[1]
    assert line.energy_meV("D") is line.energy_of_D_meV
    assert line.energy_meV(None) is line.activation_energy_meV


def test_anions_turn_only_where_they_were_made_to(results: Results) -> None:
    turning = {
        (p.vacancies, p.temperature_K): p.full_rotations
        for p in results.of(ReorientationFound).rotation
    }
    assert turning[1, 700] > 0
    assert turning[0, 700] == turning[1, 400] == 0
    assert all(p.xi[0] == pytest.approx(1) for p in results.of(ReorientationFound).rotation)
    assert all(
        p.n_anions == 4 and p.n_vertices == 12 for p in results.of(ReorientationFound).rotation
    )


def test_every_production_run_is_checked_and_holds(results: Results) -> None:
    assert len(results.checks) == 2 + 8
    assert all(check.intact for check in results.checks)
    assert set(results.checks[0].bonds_A) == {"B–H", "B–B"}


def test_labels_of_a_round_in_several_tasks_add_up(
    results: Results, made: Any, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    first = next(task for task in made.tasks if isinstance(task.about, Labelling))
    explored = next(task for task in made.tasks if isinstance(task.about, Exploration))
    second = replace(first, settings={**first.settings, "part": 2}, label="more labels")
    for task in (explored, first):
        (tmp_path / f"{task.key}.zarr.zip").hardlink_to(made.store.root / f"{task.key}.zarr.zip")
    store.write(
        second,
        Result(Labelled(n_labels=3), frames={Labelled.LABELS: Frames.of([])}),
        Provenance(borarun="0.1"),
    )
    (part,) = collect(made.study, [explored, first, second], store).of(PotentialFound).learning
    assert part.rounds[0].n_labelled == 8


def test_a_run_that_broke_off_before_production_is_a_gap_with_its_cause(
    made: Any, tmp_path: Path
) -> None:
    task = next(task for task in made.tasks if task.stage == "diffusion")
    record = made.store.record(task.key)
    arrays = {name: Quantity(np.zeros(0, np.int64), "", ("frame",)) for name in ("step", "segment")}
    facts = {**record.stored, "stop": "exploded", "reason": "the temperature reached 9000 K"}
    store = Store(tmp_path)
    store.write(task, anything(facts, arrays=arrays), Provenance(borarun="0.1"))
    (gap,) = collect(made.study, [task], store).gaps
    assert gap.failed
    assert "the temperature reached 9000 K" in gap.reason


def test_the_ledger_has_errors_before_and_after(results: Results) -> None:
    (part,) = results.of(PotentialFound).learning
    first, second = part.rounds
    assert (first.n_candidates, first.n_selected, first.n_labelled) == (7, 5, 5)
    assert first.before is not None
    assert first.after is not None
    assert (first.before.forces_eV_per_A, first.after.forces_eV_per_A) == pytest.approx(
        (0.12, 0.12 / 2**0.5)
    )
    assert second.clean
    assert part.n_initial == 40


def test_parity_is_in_the_units_of_the_report(results: Results) -> None:
    parity = results.of(PotentialFound).learning[0].parity
    assert parity is not None
    assert np.abs(parity.stress_kbar).max() == pytest.approx(0.03 * 1602, rel=0.7)
    found = results.of(PotentialFound).learning[0].deviations
    forces = found["forces"]
    assert forces.norm_rmse == pytest.approx(3**0.5 * forces.rmse)
    away = parity.forces_eV_per_A[1] - parity.forces_eV_per_A[0]
    assert forces.rmse == pytest.approx(float(np.sqrt(np.mean(away**2))), rel=0.1)


def test_an_anion_that_left_its_place_forbids_the_conductivity(made: Any, tmp_path: Path) -> None:
    tasks = [
        task
        for task in made.tasks
        if task.stage == "diffusion"
        and task.about.temperature_K == 600
        and task.about.vacancies == 1
    ]
    store = Store(tmp_path)
    record = made.store.record(tasks[0].key)
    arrays = {}
    for item in ("step", "segment", "cell", "positions", "numbers", "grade/step", "grade/value"):
        values = made.store.array(tasks[0].key, item)
        if item == "positions":
            values = np.array(values, float)
            values[7:31] += (
                np.linspace(0, 6, values.shape[2])[None, None, :]
                * np.array([1, 0, 0])[None, :, None]
            )
        arrays[item] = Quantity(values, "", tuple(f"axis{i}" for i in range(values.ndim)))
    store.write(tasks[0], anything(record.stored, arrays=arrays), Provenance(borarun="0.1"))
    results = collect(made.study, tasks, store)
    (point,) = results.of(DiffusionFound).transport
    assert point.conductivity_S_cm is None
    assert "moved" in point.reason
    assert not results.checks[0].intact


def test_what_failed_or_waits_is_a_gap(made: Any, tmp_path: Path, failure: Failure) -> None:
    store = Store(tmp_path)
    broken = Task("lammps", {"a": 1}, stage="heating", label="broken")
    waiting = Task(
        "lammps", {"a": 2}, {"structure": Ref(broken.key, "last")}, stage="heating", label="waiting"
    )
    store.write_failure(broken, failure)
    results = collect(made.study, [broken, waiting], store)
    assert [(gap.label, gap.failed) for gap in results.gaps] == [
        ("broken", True),
        ("waiting", False),
    ]
    assert results.gaps[0].reason == failure.message
    assert "broken" in results.gaps[1].reason


def test_a_damaged_record_is_a_gap(made: Any, tmp_path: Path) -> None:
    task = made.tasks[0]
    (tmp_path / f"{task.key}.zarr.zip").write_bytes(b"not a zip")
    results = collect(made.study, [task], Store(tmp_path))
    assert results.gaps[0].failed
    assert "damaged" in results.gaps[0].reason


def test_a_record_without_an_array_is_a_gap_and_the_others_are_told(
    made: Any, tmp_path: Path
) -> None:
    """As one of an older borarun: that the array is missing shows only where it is read."""
    tasks = [task for task in made.tasks if task.stage == "heating"]
    store = Store(shutil.copytree(made.store.root, tmp_path / "store"))
    path = store.root / f"{tasks[0].key}.zarr.zip"
    with zipfile.ZipFile(path) as whole:
        kept = {name: whole.read(name) for name in whole.namelist() if not name.startswith("cell/")}
    with zipfile.ZipFile(path, "w") as less:
        for name, content in kept.items():
            less.writestr(name, content)
    results, before = (
        collect(made.study, made.tasks, store),
        collect(made.study, made.tasks, made.store),
    )
    (gap,) = [gap for gap in results.gaps if gap.label == tasks[0].label and gap.stage == "heating"]
    assert (
        gap.failed
        and f"{path}: has no 'cell'" in gap.reason
        and "Remove the file and submit again" in gap.reason
    )
    assert len(results.of(HeatingFound).branches) == len(
        before.of(HeatingFound).branches
    ) - 1 and len(results.of(DiffusionFound).transport) == len(before.of(DiffusionFound).transport)


def test_results_are_json(results: Results) -> None:
    content = results.to_json()
    assert content["formula"] == "Li2B12H12"
    assert content["transitions"][0]["temperature_K"]["value"] == pytest.approx(670, abs=10)
    assert Measured(1.0, 0.5, float("nan")).half_width != 0.25


def test_a_study_with_another_functional_than_the_usual_has_a_report(tmp_path: Path) -> None:
    study = make_study(functionals=["r2SCAN+rVV10"])
    assert collect(study, [], Store(tmp_path)).main_functional == "r2SCAN+rVV10"


def test_times_of_records_without_a_start_are_not_given_to_others(made: Made) -> None:
    """The first record does not say when it started; the second's length is its own."""
    source = Source(made.tasks[:2], made.store)
    notes = [
        Provenance(seconds=7200.0),
        Provenance(started="2026-01-01T00:00:00", seconds=60.0),
    ]
    told = dict(zip((done.key for done in source.done), notes, strict=True))
    source.store = SimpleNamespace(attributes=lambda key: SimpleNamespace(provenance=told[key]))
    found = provenance(made.study, made.tasks[:2], source)
    assert (found.started, found.ended) == (
        "2026-01-01 00:00+00:00",
        "2026-01-01 00:01+00:00",
    )
