"""Ordered models of a disordered structure: averaged, with their scatter inside the interval."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import synthetic

from borarun.engines.lammps import engine as lammps
from borarun.engines.lammps.deck import Segment
from borarun.page.collecting import collect
from borarun.records.store import Store
from borarun.records.task import Task
from borarun.structures.structure import Cell
from borarun.subjects.diffusion import tables
from borarun.subjects.diffusion.results import DiffusionFound, Transport
from borarun.subjects.diffusion.stage import DiffusionRun

FRAMES = 1200


def transport(folder: Path, walks: dict[str, list[float]]) -> tuple[Transport, str]:
    """The point at 500 K from runs of some models, each of which walks as at a temperature of its
    own; the caption of its table.
    """
    store = Store(folder)
    tasks = []
    for model, temperatures in walks.items():
        for run, true_K in enumerate(temperatures):
            seed = 10 * len(tasks) + 1
            atoms, positions, cell = synthetic.walk(true_K, 1, FRAMES, False, seed)
            segment = Segment(name="produce", time_ps=1.0, from_K=500, to_K=500)
            settings = lammps.Settings(
                cell=Cell(seed=seed), segments=(segment,), timestep_fs=1.0, seed=seed
            )
            about = DiffusionRun(
                functional="PBE-D3", temperature_K=500.0, vacancies=1, run=run, model=model
            )
            label = f"{model} {run}"
            task = Task(
                "lammps", settings.model_dump(mode="json"), {}, "1", "diffusion", label, about
            )
            held = np.full(FRAMES, 500.0)
            store.write(
                task,
                synthetic.lammps(atoms, positions, cell, "produce", held),
                synthetic.PROVENANCE,
            )
            tasks.append(task)
    results = collect(synthetic.make_study(reorientation=None, heating=None), tasks, store)
    (point,) = results.of(DiffusionFound).transport
    table = tables.transport(results)
    assert table is not None
    assert (tables.models(results) is None) == (walks.keys() == {""})
    return point, table.caption


def test_the_scatter_between_models_is_in_the_interval(tmp_path: Path) -> None:
    point, caption = transport(tmp_path, {"disordered-1": [500.0], "disordered-2": [700.0]})
    slow, fast = (each.diffusivity_cm2_s for each in point.models)
    assert [each.model for each in point.models] == ["disordered-1", "disordered-2"]
    assert point.n_runs == 2
    assert slow is not None and fast is not None and point.diffusivity_cm2_s is not None
    assert point.diffusivity_cm2_s.value == pytest.approx((slow.value + fast.value) / 2)
    assert point.diffusivity_cm2_s.low < slow.value < fast.value < point.diffusivity_cm2_s.high
    assert slow.high < fast.low
    assert "means over 2 ordered models" in caption


def test_more_runs_of_a_model_are_no_more_models(tmp_path: Path) -> None:
    """Two models three times each are two opinions: one degree of freedom, and equal weights."""
    point, _ = transport(tmp_path, {"disordered-1": [500.0] * 3, "disordered-2": [700.0]})
    slow, fast = (each.diffusivity_cm2_s for each in point.models)
    assert slow is not None and fast is not None and point.diffusivity_cm2_s is not None
    assert [each.n_runs for each in point.models] == [3, 1]
    assert point.freedom == 1
    assert point.diffusivity_cm2_s.value == pytest.approx((slow.value + fast.value) / 2)


def test_an_ordered_structure_has_no_models(tmp_path: Path) -> None:
    point, caption = transport(tmp_path, {"": [500.0, 500.0]})
    assert not point.models
    assert point.n_runs == 2
    assert "ordered models" not in caption
