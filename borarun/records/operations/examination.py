"""What an examination of a potential leaves: its answers beside the reference's."""

from __future__ import annotations

from pydantic import Field

from borarun.records.operations.base import Array, Facts


class Examined(Facts):
    """A potential, and its committee where there is one, on labelled configurations: `examine`."""

    n_frames: int
    n_potentials: int = Field(description="the potential and the members of its committee")

    ATOMS = Array("atoms", "atoms of each configuration", dtype="int64", shape="C", dims=("frame",))
    ENERGY = Array(
        "energy",
        "of each configuration: reference, potential, members",
        shape="S C",
        unit="eV/atom",
        dims=("source", "frame"),
    )
    FORCES = Array(
        "forces",
        "on all atoms, configuration by configuration: the same",
        shape="S A 3",
        unit="eV/angstrom",
        dims=("source", "atom", "axis"),
    )
    STRESS = Array(
        "stress",
        "of each configuration: the same",
        shape="S C 6",
        unit="eV/angstrom^3",
        dims=("source", "frame", "component"),
    )
