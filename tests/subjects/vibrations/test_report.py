"""A made-up dense run whose atoms vibrate at known frequencies: the report finds them, per formula
unit and meV.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from records import dynamics

from borarun.basics.units import THZ_IN_MEV
from borarun.engines.lammps.deck import Segment, Settings
from borarun.page import Results, collect
from borarun.records.attributes import Provenance
from borarun.records.frames import Frames
from borarun.records.store import Store
from borarun.records.task import Task
from borarun.subjects.vibrations.figures import densities
from borarun.subjects.vibrations.results import VibrationsFound
from borarun.subjects.vibrations.section import Vibrations
from borarun.subjects.vibrations.stage import VibrationsRun

FREQUENCY_THZ = {3: 10.0, 5: 25.0, 1: 74.0}
INTERVAL_FS, FRAMES = 4, 1500


@pytest.fixture(scope="module")
def results(made: Any, tmp_path_factory: pytest.TempPathFactory) -> Results:
    study = made.study.model_copy(
        update={
            "vibrations": Vibrations(),
            "heating": None,
            "diffusion": None,
            "reorientation": None,
        }
    )
    atoms, rng = Frames.from_extxyz(study.phase_text("Pa-3"))[0], np.random.default_rng(13)
    frequency = np.array([FREQUENCY_THZ[number] for number in atoms.numbers])[:, None, None]
    amplitude = (
        np.sqrt(-np.log(rng.random((len(atoms), 3, 1))) / atoms.get_masses()[:, None, None])
        / frequency
    )
    turns = frequency * 1e-3 * INTERVAL_FS * np.arange(FRAMES) + rng.random((len(atoms), 3, 1))
    positions = atoms.positions[:, :, None] + amplitude * np.cos(2 * np.pi * turns)
    about = VibrationsRun(functional="PBE-D3", temperature_K=300.0, vacancies=0)
    segment = Segment(name="produce", time_ps=1.0, from_K=300.0, to_K=300.0)
    settings = Settings(segments=(segment,), timestep_fs=1.0)
    task = Task(
        "lammps",
        settings.model_dump(mode="json"),
        {},
        "1",
        "vibrations",
        "PBE-D3, 300 K, 0 vacancies",
        about,
    )
    store = Store(tmp_path_factory.mktemp("store"))
    run = dynamics(
        atoms,
        positions,
        np.repeat(atoms.cell.array[None], FRAMES, axis=0),
        INTERVAL_FS * np.arange(FRAMES),
        np.full(FRAMES, 2),
        segments=("heat", "equilibrate", "produce"),
    )
    store.write(task, run, Provenance(borarun="0.1"))
    return collect(study, [task], store)


def test_each_element_has_its_frequency_and_three_states_an_atom(results: Results) -> None:
    (one,) = results.of(VibrationsFound).vibrations
    assert (one.n_frames, one.interval_fs, one.n_atoms) == (FRAMES, INTERVAL_FS, 104)
    width = one.frequency_meV[1]
    assert one.dos.sum() * width == pytest.approx(3 * 26)
    for element, number, atoms in (("Li", 3, 2), ("B", 5, 12), ("H", 1, 12)):
        share = one.projected[element]
        assert one.frequency_meV[np.argmax(share)] == pytest.approx(
            FREQUENCY_THZ[number] * THZ_IN_MEV, abs=width
        )
        assert share.sum() * width == pytest.approx(3 * atoms, rel=0.2)


def test_the_run_is_checked_and_drawn(results: Results) -> None:
    assert [check.stage for check in results.checks] == ["vibrations"]
    figure = densities(results)
    assert figure is not None
    assert len(figure.panels) >= 2  # the stretch of B-H stands apart
    assert f"{FRAMES} frames 4 fs apart" in figure.caption
