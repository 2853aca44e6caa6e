"""What an operation declares is what its records hold."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from borarun.records.operations import OPERATIONS
from borarun.records.operations.base import (
    Array,
    Facts,
    Quantity,
    changed,
    misfits,
    mistakes,
    quantities,
)
from borarun.records.operations.dynamics import Ended, MolecularDynamics
from borarun.records.operations.phonons import Displaced, HarmonicPhonons
from borarun.records.operations.potential import Selected, Trained
from borarun.records.operations.reference import Labelled, Relaxed, Sampled
from borarun.records.task import Record

RELAXED = {
    "energy_eV_per_atom": -5.2,
    "lattice_A": [9.6, 9.6, 9.6],
    "angles_deg": [90.0, 90.0, 90.0],
    "volume_A3": 884.7,
    "max_force_eV_per_A": 0.004,
    "space_group": "Pa-3 (205)",
    "steps": 12,
}


def test_facts_are_stored_as_they_were_given_and_read_back() -> None:
    facts = Relaxed.model_validate(RELAXED)
    assert facts.stored() == RELAXED
    assert Relaxed.model_validate(facts.stored()) == facts
    assert facts.lattice_A == (9.6, 9.6, 9.6) and facts.max_stress_kbar is None


def test_what_an_engine_gives_is_stored_even_where_it_is_nothing() -> None:
    """None that was found is not the same as nothing said."""
    told = Relaxed.model_validate({**RELAXED, "vdw_kernel_sha256": None, "corrections": []})
    assert told.stored() == {**RELAXED, "vdw_kernel_sha256": None, "corrections": []}


def test_facts_of_another_borarun_are_passed_over() -> None:
    assert "colour" not in Relaxed.model_validate({**RELAXED, "colour": "red"}).stored()


def test_facts_that_do_not_fit_are_named() -> None:
    wrong = {**RELAXED, "volume_A3": float("nan"), "lattice_A": [9.6, "long", 9.6]}
    del wrong["steps"]
    with pytest.raises(ValidationError) as caught:
        Relaxed.model_validate(wrong)
    told = mistakes(caught.value)
    assert "volume_A3: input should be a finite number (got nan)" in told
    assert "lattice_A.1: " in told and "(got 'long')" in told
    assert "steps: field required" in told


def test_a_run_that_does_not_say_how_it_stopped_came_to_its_end() -> None:
    assert Ended().cut_short == ""
    assert Ended(stop="exploded").cut_short == "exploded"
    assert Ended(stop="extrapolation", reason="grade 12").cut_short == "grade 12"


def test_items_of_a_base_are_items_of_what_builds_on_it() -> None:
    assert Sampled.items() == Labelled.items() == ("labels",)


@pytest.mark.parametrize("kind", OPERATIONS)
def test_an_operation_names_each_thing_once(kind: type[Facts]) -> None:
    items = kind.items()
    assert len(set(items)) == len(items)
    assert not set(items) & kind.model_fields.keys()


class Walk(Facts):
    """A walk."""

    STEP = Array("step", "of each frame", dtype="int64", shape="F", dims=("frame",))
    PLACE = Array("place", "", shape="F 3", unit="angstrom", dims=("frame", "axis"))
    NOISE = Array("noise", "", optional=True, shape="F", unit="K", dims=("frame",))


def test_a_result_that_is_as_declared_has_no_misfit() -> None:
    arrays = quantities({Walk.STEP: np.arange(4), Walk.PLACE: np.zeros((4, 3))})
    assert arrays["place"].unit == "angstrom" and misfits(Walk(), arrays, (), ()) == []
    narrow = {**arrays, "place": Walk.PLACE.of(np.zeros((4, 3), np.float32))}
    assert misfits(Walk(), narrow, (), ()) == []


def test_misfits_of_a_result() -> None:
    good = quantities({Walk.STEP: np.arange(4), Walk.PLACE: np.zeros((4, 3))})

    def of(**arrays: Quantity) -> list[str]:
        return misfits(Walk(), {**good, **arrays}, (), ())

    assert of(place=Walk.PLACE.of(np.zeros((5, 3)))) == ["place has 5 along F, not 4"]
    assert of(place=Walk.PLACE.of(np.zeros((4, 2)))) == ["place has 2 along 3, not 3"]
    assert of(step=Walk.STEP.of(np.zeros(4))) == ["step holds float64, not int64"]
    assert of(noise=Quantity(np.zeros(4), "bar", ("frame",))) == [
        "noise has the unit 'bar' and the axes ('frame',)"
    ]
    assert of(heat=Walk.NOISE.of(np.zeros(4))) == ["heat is not declared"]
    del good["place"]
    assert of() == ["place is missing"]
    assert misfits(Displaced(n_displacements=1), {}, ("displaced",), ("note",)) == [
        "note is not declared"
    ]


def test_the_letters_of_a_shape_are_as_many_as_the_axes() -> None:
    with pytest.raises(ValueError, match="place"):
        Array("place", "", shape="F 3", dims=("frame",))
    assert MolecularDynamics.POSITIONS.shape == ("N", "3", "F")


MADE_BEFORE: dict[type[Facts], dict[str, object]] = {
    Relaxed: RELAXED,
    Labelled: {"n_labels": 40},
    Sampled: {"n_labels": 4, "temperature_K": 990.0, "steps": 400, "ensemble": "NPT"},
    Trained: {
        "level": 8,
        "n_parameters": 163,
        "n_train": 36,
        "n_valid": 4,
        "evaluations": 40,
        "errors": {
            part: {"energy_meV_per_atom": 1.5, "forces_eV_per_A": 0.1, "stress_kbar": 1.0}
            for part in ("train", "valid")
        },
        "ranges": {
            "energy_eV_per_atom": [-5.21, -5.04],
            "forces_eV_per_A": [-9.1, 8.7],
            "stress_kbar": [-55.0, 61.0],
        },
    },
    Selected: {"n_candidates": 2, "n_selected": 1, "grades": [14.2, 3.0]},
    MolecularDynamics: {
        "stop": "extrapolation",
        "steps": 80,
        "time_fs": 40.0,
        "n_frames": 7,
        "n_candidates": 2,
        "grade_max": None,
        "min_distance_A": 1.1,
        "segments": ["heat", "hold"],
    },
    Displaced: {"n_displacements": 26},
    HarmonicPhonons: {
        "n_displacements": 26,
        "n_atoms_primitive": 104,
        "elements": ["Li", "B", "H"],
        "n_q_points": 11,
        "n_imaginary": 0,
        "lowest_THz": -0.01,
        "highest_THz": 76.2,
        "zero_point_energy_eV_per_atom": 0.17,
        "acoustic_sum_eV_per_A2": 1e-3,
        "force_drift_eV_per_A": 1e-5,
        "band_labels": ["G", "X"],
    },
}
"""Facts as borarun stored them when they were dictionaries, the newest ones left out."""


@pytest.mark.parametrize("kind", MADE_BEFORE)
def test_records_made_before_are_read(kind: type[Facts]) -> None:
    record = Record("k", "e", "s", "l", MADE_BEFORE[kind])
    assert record.facts(kind).stored() == MADE_BEFORE[kind]


def test_facts_change_by_name_and_type_or_not_at_all() -> None:
    ours = Labelled(n_labels=2)
    assert changed(ours, program="VASP 6.4.2").stored() == {"n_labels": 2, "program": "VASP 6.4.2"}
    with pytest.raises(TypeError, match="Labelled has no programme"):
        changed(ours, programme="VASP 6.4.2")
    with pytest.raises(ValidationError, match="n_labels"):
        changed(ours, n_labels="two")
