"""Vibrations from molecular dynamics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from borarun.report.measured import Array


@dataclass(frozen=True)
class Vibrations:
    """Vibrational density of states from molecular dynamics.

    Attributes
    ----------
    interval_fs, n_frames, n_windows : time between frames, their number, windows of time that were
        averaged
    resolution_meV : full width at half maximum that a sharp line has
    frequency_meV, dos : (n,) density of states per meV and formula unit
    projected : share of each element in it, (n,) each
    """

    functional: str
    temperature_K: float
    vacancies: int
    n_atoms: int
    interval_fs: float
    n_frames: int
    n_windows: int
    resolution_meV: float
    frequency_meV: Array
    dos: Array
    projected: Mapping[str, Array]


@dataclass(frozen=True)
class VibrationsFound:
    """What the dense runs gave.

    Attributes
    ----------
    vibrations : each run
    """

    vibrations: tuple[Vibrations, ...] = ()
