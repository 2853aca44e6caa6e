"""One production run, read from the store and made ready for analysis, with the checks that it must
pass.

The positions of all atoms in all frames are never in memory together: 2808 atoms in 20,000 frames
are 0.7 GB, and every step between them and a result would be as much again. They are read once,
some atoms at a time, and what analysis needs of them is kept: the mobile ions, the anions' centres,
directions and bonds, and all atoms in a few frames. An anion whose atoms are stored apart waits
until all of them were read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, chemical_symbols

from borarun.analysis import rotation, trajectory
from borarun.analysis.bonds import Bonds, check_bonds, grown_together, together
from borarun.analysis.framework import check_framework
from borarun.dynamics import Stepped
from borarun.operations.dynamics import MolecularDynamics
from borarun.report.checks.results import Check
from borarun.report.measured import Array
from borarun.report.source import Done, Source
from borarun.report.thinning import thin
from borarun.structure import find_anions, whole_anions
from borarun.study import Study
from borarun.task import About

FEWEST_FRAMES = 20

DRAWN_FRAMES, FEWEST_DRAWN, DRAWN_DISTANCES = 200, 20, 2e7
"""All atoms are kept in at most so many frames of a run, evenly spaced, and in a large cell in
fewer: so many distances from ions to atoms tell enough.
"""

CENTRAL_A = 0.5
"""What lies nearer to an anion's centre of mass than this, on average, is its middle."""

TOGETHER = 8
"""Anions that are looked at together."""


@dataclass(frozen=True)
class Trajectory:
    """What analysis needs of the frames of one segment of a run.

    Attributes
    ----------
    cell : (F, 3, 3) angstrom, rows are vectors
    numbers : (N,) atomic numbers
    anions : (A, k) int, atoms of each anion
    vertices : (A, V) int, those of them that their directions are told by
    mobile : (N,) bool
    interval_fs : time between frames, fs
    start : (N, 3) angstrom, where the atoms were when the whole run began, in the cell
        ``start_cell``
    ions : (n, 3, F) angstrom, the mobile ions, unwrapped in the mean cell, without drift of the
        framework
    centres : (A, 3, F) angstrom, centres of mass of the anions, the same way
    vertex_vectors : (A, V, 3, F) unit vectors from the anions' centres of mass to their vertices;
        none where they were not asked for
    framework : (3, F) angstrom, the framework's centre of mass, unwrapped in the mean cell
    drawn : (f,) int, frames in which all atoms are kept
    drawn_positions : (N, 3, f) angstrom, unwrapped with image flags
    bonds : of the anions; none where they were not asked for
    unwrap_difference : how far two ways of unwrapping differ; None where it was not asked for
    """

    cell: Array
    numbers: Array
    anions: Array
    vertices: Array
    mobile: Array
    interval_fs: float
    start: Array
    start_cell: Array
    ions: Array
    centres: Array
    vertex_vectors: Array
    framework: Array
    drawn: Array
    drawn_positions: Array
    bonds: tuple[Bonds, ...]
    unwrap_difference: float | None

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.cell)

    @property
    def time_ps(self) -> float:
        """Time from the first to the last frame, ps."""
        return (self.n_frames - 1) * self.interval_fs / 1000

    @property
    def masses(self) -> Array:
        """(N,) atomic mass units."""
        return np.asarray(atomic_masses[self.numbers])

    @property
    def head(self) -> Array:
        """(V,) bool, the vertices whose element is the rarest, as the carbon of CB11H12; none where
        all are alike.
        """
        kinds = self.numbers[self.vertices[0]]
        rarest = kinds == kinds[0]
        return np.asarray(rarest if not rarest.all() else np.zeros_like(rarest))

    @cached_property
    def mean_cell(self) -> Array:
        """(3, 3) angstrom."""
        return np.asarray(self.cell.mean(axis=0))

    @cached_property
    def volume_A3(self) -> float:
        """Mean volume, angstrom^3."""
        return float(np.abs(np.linalg.det(self.cell)).mean())

    @cached_property
    def start_vectors(self) -> Array:
        """(A, V, 3) directions of the vertices when the whole run began: in the relaxed crystal."""
        return rotation.vertex_vectors(
            self.start[:, :, None], self.anions, self.vertices, self.masses, self.start_cell
        )[..., 0]


def elements_at_centre(atoms: Atoms, anions: Array) -> frozenset[int]:
    """Atomic numbers of what sits in the middle of the anions, as the boron of BH4 or the sulfur of
    SO4: it has no direction.
    """
    whole, masses = whole_anions(atoms, anions), atomic_masses[atoms.numbers][anions]
    centres = (whole * masses[:, :, None]).sum(axis=1) / masses.sum(axis=1)[:, None]
    away, kinds = np.linalg.norm(whole - centres[:, None], axis=2), atoms.numbers[anions]
    return frozenset(
        int(kind) for kind in np.unique(kinds) if away[kinds == kind].mean() < CENTRAL_A
    )


def vertices_of(anions: Array, numbers: Array, at_centre: frozenset[int] = frozenset()) -> Array:
    """The atoms that an anion's direction is told by; the rarest element first, as the carbon of
    CB11H12, whose angles are drawn.

    They are those of its cage, all but hydrogen; hydrogen where there is nothing else around the
    centre, as in BH4.

    Parameters
    ----------
    anions : (A, k) int, atoms of each anion
    numbers : (N,) atomic numbers
    at_centre : from `elements_at_centre`

    Returns
    -------
    (A, V) int
    """
    around = ~np.isin(numbers[anions], list(at_centre))
    cage = around & (numbers[anions] != 1)
    kept = next((some for some in (cage, around) if some.any()), np.ones_like(around))
    found = anions[kept].reshape(len(anions), -1)
    kinds, counts = np.unique(numbers[found], return_counts=True)
    rarity = counts[np.searchsorted(kinds, numbers[found])]
    return np.take_along_axis(found, np.argsort(rarity, axis=1, kind="stable"), axis=1)


def read(
    study: Study,
    source: Source,
    done: Done[About],
    segment: str,
    *,
    directions: bool = True,
    bonds: bool = True,
    toroidal: bool = True,
) -> Trajectory | None:
    """Frames of a segment; None, and a note among the gaps, where there are too few.

    Parameters
    ----------
    directions, bonds, toroidal : what else is wanted: directions of the vertices, bonds of the
        anions, a second way of unwrapping to compare with

    Raises
    ------
    StudyError
        Where the anions are not to be found in the first frame.
    """
    store = source.store
    frames = _frames(source, done, segment)
    step = store.array(done.key, MolecularDynamics.STEP)[frames]
    if len(step) < FEWEST_FRAMES:
        why = f"its part {segment} kept {len(step)} frames, at least {FEWEST_FRAMES} are needed"
        source.unusable(
            done,
            why,
            "See its largest grade; more rounds of active learning or more vacancies in them "
            "may help.",
        )
        return None
    cells = store.array(done.key, MolecularDynamics.CELL)
    numbers = store.array(done.key, MolecularDynamics.NUMBERS)
    cell, masses = cells[frames], atomic_masses[numbers]
    blocks = _Blocks(source, done, frames)
    first = Atoms(numbers, blocks.first, cell=cell[0], pbc=True)
    anions = find_anions(first, study.material.anion, study.material.mobile)
    at_centre = elements_at_centre(first, anions)
    mobile = np.array([chemical_symbols[number] == study.material.mobile for number in numbers])
    weights = trajectory.framework_weights(~mobile, masses)
    mean_cell, n_frames = cell.mean(axis=0), len(step)
    drawn = thin(
        n_frames,
        int(
            np.clip(
                DRAWN_DISTANCES // (int(mobile.sum()) * len(numbers)), FEWEST_DRAWN, DRAWN_FRAMES
            )
        ),
    )

    drawn_positions = np.empty((len(numbers), 3, len(drawn)), np.float32)
    flagged = np.empty(
        (int(mobile.sum()), 3, n_frames), np.float32
    )  # the mobile ions, unwrapped with image flags
    rank = np.cumsum(mobile) - 1
    framework, framework_toroidal = np.zeros((3, n_frames)), np.zeros((3, n_frames))
    centres = np.empty((len(anions), 3, n_frames))
    directions = directions and anions.shape[1] > 1  # a single atom has none
    vertices = vertices_of(anions, numbers, at_centre)
    vectors = np.empty(
        (*vertices.shape, 3, n_frames) if directions else (len(anions), 0, 3, n_frames), np.float32
    )
    found: list[tuple[Bonds, ...]] = []
    waiting = _Waiting(anions)
    for rows, positions in blocks:
        drawn_positions[rows] = positions[:, :, drawn]
        flagged[rank[rows][mobile[rows]]] = positions[mobile[rows]]
        framework += trajectory.weighted_sum(positions, weights[rows])
        if toroidal:
            framework_toroidal += trajectory.weighted_sum(
                trajectory.unwrap_toroidal(positions, cell), weights[rows]
            )
        for whole, atoms in waiting.complete(rows, positions):
            kinds = numbers[anions[whole]].ravel()
            own = np.arange(len(kinds)).reshape(len(whole), -1)
            if bonds:
                found.append(check_bonds(atoms, cell, own, kinds))
            still = trajectory.unwrap(atoms, cell)
            centres[whole] = trajectory.anion_centres(still, own, atomic_masses[kinds], mean_cell)
            if directions:
                vectors[whole] = rotation.vertex_vectors(
                    still, own, vertices_of(own, kinds, at_centre), atomic_masses[kinds], mean_cell
                )
    framework = trajectory.unwrap(framework[None], cell)[0]  # a centre unwraps as its atoms do
    ions = trajectory.without_drift(trajectory.unwrap(flagged, cell), framework)
    difference = None
    if toroidal:
        difference = trajectory.unwrapping_disagreement(
            ions,
            trajectory.without_drift(trajectory.unwrap_toroidal(flagged, cell), framework_toroidal),
        )
    return Trajectory(
        cell=cell,
        numbers=numbers,
        anions=anions,
        vertices=vertices,
        mobile=mobile,
        interval_fs=float(np.median(np.diff(step))) * Stepped.of(done.task).timestep_fs,
        start=blocks.start,
        start_cell=cells[0],
        ions=ions,
        centres=trajectory.without_drift(centres, framework),
        vertex_vectors=vectors,
        framework=framework,
        drawn=drawn,
        drawn_positions=drawn_positions,
        bonds=together(found),
        unwrap_difference=difference,
    )


def still_atoms(
    source: Source, done: Done[About], segment: str, run: Trajectory
) -> Iterator[Array]:
    """Every atom of a segment that was read, (3, F) angstrom, unwrapped in the mean cell, without
    drift of the framework; read anew.
    """
    for _, positions in source.store.atom_blocks(
        done.key, MolecularDynamics.POSITIONS, _frames(source, done, segment)
    ):
        yield from trajectory.without_drift(trajectory.unwrap(positions, run.cell), run.framework)


def _frames(source: Source, done: Done[About], segment: str) -> slice:
    """The frames of a segment, which follow each other."""
    index = done.facts(MolecularDynamics).segments.index(segment)
    inside = np.flatnonzero(source.store.array(done.key, MolecularDynamics.SEGMENT) == index)
    return slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0)


class _Blocks:
    """Positions in some frames, block of atoms by block. What is stored together with the first
    frame is read with it and kept until its block comes.

    Attributes
    ----------
    first : (N, 3) angstrom, in the first of these frames
    start : (N, 3) angstrom, in the first frame of all
    """

    def __init__(self, source: Source, done: Done[About], frames: slice) -> None:
        self._store, self._key = source.store, done.key
        chunk = source.store.chunk_frames(done.key, MolecularDynamics.POSITIONS)
        self._rest = slice(min((frames.start // chunk + 1) * chunk, frames.stop), frames.stop)
        begin = (
            0 if frames.start < chunk else frames.start
        )  # mostly, the first frame of all is stored together with the first of these
        head = [positions for _, positions in self._read(slice(begin, self._rest.start))]
        self.first = np.concatenate([positions[:, :, frames.start - begin] for positions in head])
        starts = head if begin == 0 else [positions for _, positions in self._read(slice(0, 1))]
        self.start = np.concatenate([positions[:, :, 0] for positions in starts])
        self._head = [positions[:, :, frames.start - begin :] for positions in head]

    def __iter__(self) -> Iterator[tuple[slice, Array]]:
        """Atoms, and their positions in all frames; once."""
        for rows, rest in self._read(self._rest):
            yield rows, np.concatenate([self._head.pop(0), rest], axis=2)

    def _read(self, frames: slice) -> Iterator[tuple[slice, Array]]:
        return self._store.atom_blocks(self._key, MolecularDynamics.POSITIONS, frames)


class _Waiting:
    """Atoms of anions that are not all read yet.

    Parameters
    ----------
    anions : (A, k) int, atoms of each anion
    """

    def __init__(self, anions: Array) -> None:
        self._anions = anions
        self._last = anions.max(axis=1)
        self._members = set(anions.ravel().tolist())
        self._read: dict[int, Array] = {}

    def complete(self, rows: slice, positions: Array) -> Iterator[tuple[Array, Array]]:
        """Take some atoms' positions, and give the anions that are whole now, a few together: (a,)
        their numbers, (a k, 3, F) their atoms' positions.
        """
        self._read |= {
            atom: own
            for atom, own in zip(range(rows.start, rows.stop), positions, strict=True)
            if atom in self._members
        }
        whole = np.flatnonzero((self._last >= rows.start) & (self._last < rows.stop))
        for part in np.array_split(whole, -(-len(whole) // TOGETHER)) if len(whole) else ():
            yield (
                part,
                np.stack([self._read.pop(atom) for atom in self._anions[part].ravel().tolist()]),
            )


def check(done: Done[About], run: Trajectory, *, constant: bool) -> Check:
    """Bonds of the anions, and whether they stayed apart; at constant temperature also the
    framework and the two ways to unwrap.
    """
    lengths = {
        "–".join(chemical_symbols[z] for z in reversed(b.pair)): (
            b.start_A,
            b.shortest_A,
            b.longest_A,
        )
        for b in run.bonds
    }
    broken = [name for name, b in zip(lengths, run.bonds, strict=True) if not b.intact]
    remarks = [f"{', '.join(broken)} bonds broke"] if broken else []
    if joined := grown_together(
        run.drawn_positions[:, :, -1], run.cell[run.drawn[-1]], run.anions, run.numbers
    ):
        remarks.append(f"{joined} anions have bonded to each other by its end")
    displacement = difference = None
    if constant:
        framework = check_framework(run.centres)
        displacement = framework.largest_displacement_A
        difference = 100 * run.unwrap_difference if run.unwrap_difference is not None else None
        if framework.moves:
            remarks.append(framework.reason)
    intact = not remarks
    facts = done.facts(MolecularDynamics)
    if why := facts.cut_short:
        remarks.append(f"the run stopped early: {why}")
    return Check(
        stage=done.task.stage,
        label=done.task.label,
        bonds_A=lengths,
        displacement_A=displacement,
        unwrap_difference_percent=difference,
        grade_max=facts.grade_max,
        intact=intact,
        verdict="; ".join(remarks),
    )
