"""One production run, read from the store and made ready for analysis, with the checks that it must pass."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, chemical_symbols

from borarun.analysis import trajectory
from borarun.analysis.bonds import check_bonds
from borarun.analysis.framework import check_framework
from borarun.protocol import Study
from borarun.report.results import Array, Check
from borarun.report.source import Done, Source
from borarun.structure import find_anions

FEWEST_FRAMES = 20


@dataclass(frozen=True)
class Trajectory:
    """Frames of one segment of a run.

    Attributes
    ----------
    positions : (N, 3, F) angstrom, unwrapped with image flags
    cell : (F, 3, 3) angstrom, rows are vectors
    numbers : (N,) atomic numbers
    anions : (A, k) int, atoms of each anion
    mobile : (N,) bool
    interval_fs : time between frames, fs
    """

    positions: Array
    cell: Array
    numbers: Array
    anions: Array
    mobile: Array
    interval_fs: float

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.positions.shape[2])

    @property
    def time_ps(self) -> float:
        """Time from the first to the last frame, ps."""
        return (self.n_frames - 1) * self.interval_fs / 1000

    @cached_property
    def masses(self) -> Array:
        """(N,) atomic mass units."""
        return np.asarray(atomic_masses[self.numbers])

    @cached_property
    def mean_cell(self) -> Array:
        """(3, 3) angstrom."""
        return np.asarray(self.cell.mean(axis=0))

    @cached_property
    def volume_A3(self) -> float:
        """Mean volume, angstrom^3."""
        return float(np.abs(np.linalg.det(self.cell)).mean())

    @cached_property
    def still(self) -> Array:
        """(N, 3, F) angstrom, unwrapped in the mean cell, without drift of the framework."""
        return trajectory.remove_drift(trajectory.unwrap(self.positions, self.cell), ~self.mobile, self.masses)

    @cached_property
    def centres(self) -> Array:
        """(A, 3, F) angstrom, centres of mass of the anions."""
        return trajectory.anion_centres(self.still, self.anions, self.masses, self.mean_cell)

    @property
    def vertices(self) -> Array:
        """(A, V) int, the atoms of each anion's cage: all but hydrogen."""
        cage = self.numbers[self.anions] != 1
        return self.anions[cage].reshape(len(self.anions), -1) if cage.any() else self.anions


def read(study: Study, source: Source, done: Done, segment: str) -> Trajectory | None:
    """Frames of a segment; None, and a note among the gaps, where there are too few.

    Raises
    ------
    StudyError
        Where the anions are not to be found in the first frame.
    """
    store = source.store
    inside = store.array(done.key, "segment") == done.facts["segments"].index(segment)
    step = store.array(done.key, "step")[inside]
    if len(step) < FEWEST_FRAMES:
        why = f"its part {segment} kept {len(step)} frames, at least {FEWEST_FRAMES} are needed"
        source.unusable(done, why, "See its largest grade; more rounds of active learning or more vacancies in them may help.")
        return None
    positions = store.array(done.key, "positions")[:, :, inside]
    cell = store.array(done.key, "cell")[inside]
    numbers = store.array(done.key, "numbers")
    first = Atoms(numbers, positions[:, :, 0], cell=cell[0], pbc=True)
    anions = find_anions(first, study.material.anion, study.material.mobile)
    mobile = np.array([chemical_symbols[number] == study.material.mobile for number in numbers])
    interval_fs = float(np.median(np.diff(step))) * done.task.settings["timestep_fs"]
    return Trajectory(positions, cell, numbers, anions, mobile, interval_fs)


def check(done: Done, run: Trajectory, *, constant: bool) -> Check:
    """Bonds of the anions; at constant temperature also the framework and the two ways to unwrap."""
    bonds = check_bonds(run.positions, run.cell, run.anions, run.numbers)
    lengths = {"–".join(chemical_symbols[z] for z in reversed(b.pair)): (b.start_A, b.shortest_A, b.longest_A) for b in bonds}
    broken = [name for name, b in zip(lengths, bonds, strict=True) if not b.intact]
    remarks = [f"{', '.join(broken)} bonds broke"] if broken else []
    displacement = difference = None
    if constant:
        framework = check_framework(run.centres)
        displacement = framework.largest_displacement_A
        difference = 100 * trajectory.unwrapping_disagreement(run.positions, run.cell, ~run.mobile, run.masses, run.mobile)
        if framework.moves:
            remarks.append(framework.reason)
    intact = not remarks
    if done.facts["stop"] != "completed":
        remarks.append(f"the run stopped early: {done.facts.get('reason') or done.facts['stop']}")
    return Check(
        stage=done.task.stage,
        label=done.task.label,
        bonds_A=lengths,
        displacement_A=displacement,
        unwrap_difference_percent=difference,
        grade_max=done.facts["grade_max"],
        intact=intact,
        verdict="; ".join(remarks),
    )
