"""What phonons by finite displacements leave."""

from __future__ import annotations

from pydantic import Field

from borarun.records.operations.base import Array, Facts, FramesItem


class Displaced(Facts):
    """Supercells with one atom moved, as many as symmetry leaves: `displace`."""

    n_displacements: int

    DISPLACED = FramesItem("displaced", "the supercells")


class HarmonicPhonons(Facts):
    """Frequencies in the harmonic approximation: `phonons`. Imaginary ones are negative. A density
    of states counts the modes of the primitive cell.
    """

    n_displacements: int
    n_atoms_primitive: int
    elements: tuple[str, ...] = Field(description="in the order of `dos/projected`")
    n_q_points: int = Field(description="irreducible")
    n_imaginary: int
    lowest_THz: float
    highest_THz: float
    zero_point_energy_eV_per_atom: float
    acoustic_sum_eV_per_A2: float = Field(
        description="largest force on an atom when all move together by a unit length"
    )
    force_drift_eV_per_A: float = Field(description="largest mean force of a supercell")
    band_labels: tuple[str, ...] = Field(description="of `band/corner`")

    DOS_FREQUENCY = Array(
        "dos/frequency", "of the density of states", shape="n", unit="THz", dims=("point",)
    )
    DOS_TOTAL = Array("dos/total", "density of states", shape="n", unit="1/THz", dims=("point",))
    DOS_PROJECTED = Array(
        "dos/projected",
        "the part of each element",
        shape="E n",
        unit="1/THz",
        dims=("element", "point"),
    )
    GAMMA = Array("gamma", "frequencies at Gamma", shape="M", unit="THz", dims=("mode",))
    BAND_DISTANCE = Array(
        "band/distance", "along the path", shape="Q", unit="1/angstrom", dims=("q",)
    )
    BAND_FREQUENCY = Array(
        "band/frequency", "of each mode", shape="Q M", unit="THz", dims=("q", "mode")
    )
    BAND_CORNER = Array(
        "band/corner",
        "corners of the path, as distances",
        shape="c",
        unit="1/angstrom",
        dims=("corner",),
    )
    TEMPERATURE = Array("thermal/temperature", "", shape="T", unit="K", dims=("temperature",))
    FREE_ENERGY = Array(
        "thermal/free_energy",
        "of the vibrations",
        shape="T",
        unit="eV/atom",
        dims=("temperature",),
    )
    HEAT_CAPACITY = Array(
        "thermal/heat_capacity",
        "at constant volume",
        shape="T",
        unit="eV/K/atom",
        dims=("temperature",),
    )
