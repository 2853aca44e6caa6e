"""The key is the content and nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from pydantic import ValidationError

from borarun.basics.causes import Cause
from borarun.records.frames import Frames
from borarun.records.operations.base import Quantity
from borarun.records.task import About, Cost, Failure, Given, Record, Ref, Settings, Task

TASK = Task(
    engine="lammps",
    settings={"seed": 1, "segments": [{"name": "heat", "time_ps": 1.0}]},
    inputs={
        "potential": Ref("a" * 24, "potential"),
        "labels": (Ref("b" * 24, "labels"), Ref("c" * 24, "labels")),
    },
    version="2025.7",
)


@pytest.mark.parametrize(
    "change",
    [
        {"engine": "vasp"},
        {"version": "2025.8"},
        {"settings": {**TASK.settings, "seed": 2}},
        {"inputs": {**TASK.inputs, "potential": Ref("d" * 24, "potential")}},
        {"inputs": {**TASK.inputs, "potential": Ref("a" * 24, "structure")}},
        {"inputs": {**TASK.inputs, "labels": TASK.inputs["labels"][::-1]}},
        {"inputs": {**TASK.inputs, "labels": TASK.inputs["labels"][:1]}},
    ],
)
def test_what_changes_the_result_changes_the_key(change: dict[str, object]) -> None:
    assert dataclasses.replace(TASK, **change).key != TASK.key


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "diffusion"},
        {"label": "PBE/700 K"},
        {"about": About(functional="PBE")},
        {"cores": 64},
        {"cost": Cost(1e6, 1e9)},
        {"settings": dict(reversed(TASK.settings.items()))},
        {"settings": {**TASK.settings, "segments": ({"time_ps": 1.0, "name": "heat"},)}},
        {"inputs": dict(reversed(TASK.inputs.items()))},
    ],
)
def test_what_changes_no_result_changes_no_key(change: dict[str, object]) -> None:
    assert dataclasses.replace(TASK, **change).key == TASK.key


def test_a_key_is_the_same_in_every_process() -> None:
    assert Task("vasp", {"b": 1, "a": [1.5, "å", None, True]}).key == "0e96ec9e9df5d88deb7e5af1"


def test_a_setting_that_is_no_number_has_no_key() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        _ = Task("vasp", {"cutoff": float("nan")}).key


def test_needs_are_the_keys_of_all_inputs() -> None:
    assert TASK.needs == {"a" * 24, "b" * 24, "c" * 24}
    assert Task("vasp", {}).needs == frozenset()


def frames(energy: float = -1.0) -> Frames:
    return Frames(
        np.array([0, 1]),
        np.array([3], np.int32),
        np.zeros((1, 3)),
        4 * np.eye(3)[None],
        np.array([energy]),
        np.zeros((1, 3)),
        np.zeros((1, 6)),
    )


def test_what_is_given_is_in_the_key_by_its_numbers() -> None:
    def key(given: Frames) -> str:
        return dataclasses.replace(TASK, inputs={"labels": (Given(given),)}).key

    assert key(frames()) == key(frames()) != key(frames(energy=-2.0))
    assert key(frames()) != key(dataclasses.replace(frames(), stress=None))
    big_endian = dataclasses.replace(frames(), energy=frames().energy.astype(">f8"))
    assert key(big_endian) == key(frames())
    assert Given(frames()) == Given(frames()) != Given(frames(energy=-2.0))


def test_what_is_given_is_no_task_to_wait_for() -> None:
    task = dataclasses.replace(TASK, inputs={"labels": (Given(frames()), Ref("b" * 24, "labels"))})
    assert task.needs == {"b" * 24}


def test_name() -> None:
    assert Task("vasp", {}, stage="relax", label="PBE").name == "relax PBE"
    assert Task("vasp", {}).name == ""


def test_an_axis_without_a_name_is_refused() -> None:
    Quantity(np.zeros((2, 3)), "angstrom", ("atom", "xyz"))
    with pytest.raises(ValueError, match="2 axes, but 1 names"):
        Quantity(np.zeros((2, 3)), "angstrom", ("atom",))


def test_a_failure_is_not_done() -> None:
    assert Record("k", "vasp", "relax", "PBE").done
    assert not Record("k", "vasp", "relax", "PBE", failure=Failure(Cause.FAILED, "no licence")).done


def test_settings_are_frozen_and_know_their_keys() -> None:
    class Example(Settings):
        level: int = 8

    with pytest.raises(ValidationError):
        Example(levle=8)
    with pytest.raises(ValidationError):
        Example().level = 10
