"""Phonons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from borarun.analysis.functionals import Match
from borarun.report.measured import Array


@dataclass(frozen=True)
class PhononsOfPhase:
    """Phonons of one phase with one functional.

    Attributes
    ----------
    width_meV : standard deviation of the Gaussians in the density of states
    frequency_meV, dos : (n,) density of states per meV and formula unit
    projected : share of each element in it, (n,) each
    band_distance, band_meV : (q,) and (q, modes) along the path; ``corners`` are (distance, name)
    n_imaginary, n_q_points : imaginary modes among those of so many irreducible points of the mesh
    lowest_meV : lowest frequency on mesh and path, negative where imaginary
    zero_point_eV, free_energy_eV : per formula unit; the latter vibrational, (temperature in K,
        energy) each
    acoustic_sum_eV_per_A2 : largest violation of the acoustic sum rule before it was imposed
    peaks_meV : (p,) positions of the peaks of the density of states
    seen : (n,) the density of states as neutrons weigh it, with the same integral; None where a
        cross section is not known
    seen_match : its peaks against the measured ones
    match : these against the measured peaks; None where there are none to compare, or fewer than
        measured
    """

    phase: str
    functional: str
    supercell: tuple[int, int, int]
    mesh: tuple[int, int, int]
    displacement_A: float
    width_meV: float
    n_displacements: int
    frequency_meV: Array
    dos: Array
    projected: Mapping[str, Array]
    band_distance: Array
    band_meV: Array
    corners: tuple[tuple[float, str], ...]
    n_imaginary: int
    n_q_points: int
    lowest_meV: float
    zero_point_eV: float
    free_energy_eV: tuple[tuple[float, float], ...]
    acoustic_sum_eV_per_A2: float
    peaks_meV: Array
    match: Match | None
    seen: Array | None
    seen_match: Match | None


@dataclass(frozen=True)
class PhononsFound:
    """What the phonons gave.

    Attributes
    ----------
    phonons : phase by phase, with every functional
    measured_peaks_meV : measured vibrational peaks, from the study file
    """

    phonons: tuple[PhononsOfPhase, ...] = ()
    measured_peaks_meV: tuple[float, ...] = ()
