"""One production run, read from the store and made ready for analysis, with the checks that it must
pass.

The positions of all atoms in all frames are never in memory together: 2808 atoms in 20,000 frames
are 0.7 GB, and every step between them and a result would be as much again. They are read once,
some atoms at a time, and what analysis needs of them is kept: the mobile ions, the anions' centres,
directions and bonds, mean positions of the framework's other atoms, and all atoms in a few frames.
An anion whose atoms are stored apart waits until all of them were read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, chemical_symbols

from borarun.analysis import rotation, trajectory
from borarun.analysis.bonds import Bonds, check_bonds, grown_together, together
from borarun.analysis.framework import check_framework
from borarun.analysis.onsager import charge_weights
from borarun.records.operations.dynamics import MolecularDynamics
from borarun.records.task import About
from borarun.report.checks import Check
from borarun.report.measured import Array
from borarun.report.thinning import thin
from borarun.sections.dynamics import Stepped
from borarun.sections.study import Study
from borarun.structures.structure import find_anions, whole_anions
from borarun.subjects.common.source import Done, Source

FEWEST_FRAMES = 20

DRAWN_FRAMES, FEWEST_DRAWN, DRAWN_DISTANCES = 200, 20, 2e7
"""All atoms are kept in at most so many frames of a run, evenly spaced, and in a large cell in
fewer: so many distances from ions to atoms tell enough.
"""

PARTS = 100
"""Of a run, whose mean positions are kept of the framework's single atoms: enough to see them leave
their places, without vibration.
"""

CENTRAL_A = 0.5
"""What lies nearer to an anion's centre of mass than this, on average, is its middle."""

TOGETHER = 8
"""Anions that are looked at together."""


@dataclass(frozen=True)
class Molecules:
    """The molecular anions of one formula in a run.

    Attributes
    ----------
    formula : as the study has it
    members : (A, k) int, atoms of each anion
    vertices : (A, V) int, those of them that their directions are told by
    centres : (A, 3, F) angstrom, centres of mass, unwrapped in the mean cell, without drift of the
        framework
    vertex_vectors : (A, V, 3, F) unit vectors from the centres of mass to the vertices; none where
        they were not asked for
    start_vectors : (A, V, 3) the same when the whole run began: in the relaxed crystal
    head : (V,) bool, the vertices whose element is the rarest, as the carbon of CB11H12; none where
        all are alike
    """

    formula: str
    members: Array
    vertices: Array
    centres: Array
    vertex_vectors: Array
    start_vectors: Array
    head: Array


@dataclass(frozen=True)
class Trajectory:
    """What analysis needs of the frames of one segment of a run.

    Attributes
    ----------
    cell : (F, 3, 3) angstrom, rows are vectors
    numbers : (N,) atomic numbers
    anions : the molecular anions, formula by formula; none where there are no molecules
    mobile : (N,) bool
    interval_fs : time between frames, fs
    ions : (n, 3, F) angstrom, the mobile ions, unwrapped in the mean cell, without drift of the
        framework
    framework : (3, F) angstrom, the framework's centre of mass, unwrapped in the mean cell
    single : element -> (n, 3, m) angstrom, the framework's atoms that are in no molecule, averaged
        over m equal parts of the time, unwrapped in the mean cell, without drift of the framework
    drawn : (f,) int, frames in which all atoms are kept
    drawn_positions : (N, 3, f) angstrom, unwrapped with image flags
    bonds : of the anions; none where they were not asked for
    unwrap_difference : how far two ways of unwrapping differ; None where it was not asked for
    """

    cell: Array
    numbers: Array
    anions: tuple[Molecules, ...]
    mobile: Array
    interval_fs: float
    ions: Array
    framework: Array
    single: dict[str, Array]
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

    @cached_property
    def mean_cell(self) -> Array:
        """(3, 3) angstrom."""
        return np.asarray(self.cell.mean(axis=0))

    @cached_property
    def volume_A3(self) -> float:
        """Mean volume, angstrom^3."""
        return float(np.abs(np.linalg.det(self.cell)).mean())

    def drawn_still(self, atoms: Array) -> Array:
        """(n, 3, f) angstrom, some atoms in the drawn frames, unwrapped in the mean cell, without
        drift of the framework.
        """
        to_mean = np.linalg.inv(self.cell[self.drawn]) @ self.mean_cell
        unwrapped = np.einsum("nif,fij->njf", self.drawn_positions[atoms].astype(float), to_mean)
        return np.asarray(unwrapped - (self.framework[:, self.drawn] - self.framework[:, :1]))

    def ions_of(self, element: str) -> Array:
        """(n, 3, F) angstrom, the mobile ions of one element."""
        number = chemical_symbols.index(element)
        return np.asarray(self.ions[self.numbers[self.mobile] == number])

    def charge_weights(self, charges: Mapping[str, int]) -> Array:
        """(n,) weights of the mobile ions, see `borarun.analysis.onsager`.

        Parameters
        ----------
        charges : of each mobile element, elementary charges
        """
        of_number = {chemical_symbols.index(ion): charge for ion, charge in charges.items()}
        z = np.array([of_number[number] for number in self.numbers[self.mobile].tolist()])
        return charge_weights(z)

    @property
    def part_fs(self) -> float:
        """Time that the parts of `single` are apart, fs."""
        parts = next((means.shape[2] for means in self.single.values()), 1)
        return self.interval_fs * self.n_frames / parts


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
    formulas, ions_of = study.material.anions, study.material.ions
    kinds = [
        _Kind(members, elements_at_centre(first, members), n_frames=len(step), numbers=numbers)
        for members in find_anions(first, formulas, ions_of)
    ]
    mobile = np.isin(np.array(chemical_symbols)[numbers], ions_of)
    weights = trajectory.framework_weights(~mobile, masses)
    n_frames = len(step)
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
    alone = ~mobile
    for kind in kinds:
        alone[kind.members.ravel()] = False
    place = np.cumsum(alone) - 1
    means = np.empty((int(alone.sum()), 3, min(n_frames, PARTS)))
    found: list[tuple[Bonds, ...]] = []
    for rows, positions in blocks:
        drawn_positions[rows] = positions[:, :, drawn]
        flagged[rank[rows][mobile[rows]]] = positions[mobile[rows]]
        framework += trajectory.weighted_sum(positions, weights[rows])
        if toroidal:
            framework_toroidal += trajectory.weighted_sum(
                trajectory.unwrap_toroidal(positions, cell), weights[rows]
            )
        if alone[rows].any():
            still = trajectory.unwrap(positions[alone[rows]], cell)
            means[place[rows][alone[rows]]] = trajectory.parts(still, means.shape[2])
        for kind in kinds:
            for own, elements, atoms in kind.take(rows, positions, cell, directions=directions):
                if bonds:
                    found.append(check_bonds(atoms, cell, own, elements))
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
        anions=tuple(
            kind.molecules(formula, framework, blocks.start, cells[0], directions=directions)
            for formula, kind in zip(formulas, kinds, strict=True)
        ),
        mobile=mobile,
        interval_fs=float(np.median(np.diff(step))) * Stepped.of(done.task).timestep_fs,
        ions=ions,
        framework=framework,
        single=_by_element(
            means - trajectory.parts((framework - framework[:, :1])[None], means.shape[2]),
            numbers[alone],
        ),
        drawn=drawn,
        drawn_positions=drawn_positions,
        bonds=together(found),
        unwrap_difference=difference,
    )


def _by_element(positions: Array, numbers: Array) -> dict[str, Array]:
    """(n, 3, m) positions of each element's atoms, by its symbol."""
    return {
        chemical_symbols[number]: positions[numbers == number]
        for number in sorted(set(numbers.tolist()))
    }


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


class _Kind:
    """Molecular anions of one formula while the atoms are read.

    Parameters
    ----------
    members : (A, k) int, atoms of each anion
    at_centre : from `elements_at_centre`
    numbers : (N,) atomic numbers
    """

    def __init__(
        self, members: Array, at_centre: frozenset[int], *, n_frames: int, numbers: Array
    ) -> None:
        self.members, self._at_centre, self._numbers = members, at_centre, numbers
        self._vertices = vertices_of(members, numbers, at_centre)
        self._centres = np.empty((len(members), 3, n_frames))
        self._vectors = np.empty((len(members), 0, 3, n_frames), np.float32)
        self._waiting = _Waiting(members)

    def take(
        self, rows: slice, positions: Array, cell: Array, *, directions: bool
    ) -> Iterator[tuple[Array, Array, Array]]:
        """Take some atoms' positions, and follow the anions that are whole now, a few together:
        their atoms among theirs (a, k), the atomic numbers (a k,) and positions (a k, 3, F) of
        these.
        """
        mean_cell = cell.mean(axis=0)
        if directions and not self._vectors.size:
            self._vectors = np.empty((*self._vertices.shape, 3, len(cell)), np.float32)
        for whole, atoms in self._waiting.complete(rows, positions):
            elements = self._numbers[self.members[whole]].ravel()
            masses, own = atomic_masses[elements], np.arange(len(elements)).reshape(len(whole), -1)
            still = trajectory.unwrap(atoms, cell)
            self._centres[whole] = trajectory.anion_centres(still, own, masses, mean_cell)
            if directions:
                self._vectors[whole] = rotation.vertex_vectors(
                    still, own, vertices_of(own, elements, self._at_centre), masses, mean_cell
                )
            yield own, elements, atoms

    def molecules(
        self,
        formula: str,
        framework: Array,
        start: Array,
        start_cell: Array,
        *,
        directions: bool,
    ) -> Molecules:
        """All of them, when all atoms are read.

        Parameters
        ----------
        framework : (3, F) angstrom, its centre of mass
        start : (N, 3) angstrom, where the atoms were when the whole run began, in ``start_cell``
        """
        masses = atomic_masses[self._numbers]
        kinds = self._numbers[self._vertices[0]]
        rarest = kinds == kinds[0]
        return Molecules(
            formula=formula,
            members=self.members,
            vertices=self._vertices,
            centres=trajectory.without_drift(self._centres, framework),
            vertex_vectors=self._vectors,
            start_vectors=rotation.vertex_vectors(
                start[:, :, None], self.members, self._vertices, masses, start_cell
            )[..., 0]
            if directions
            else self._vectors[..., 0],
            head=rarest if not rarest.all() else np.zeros_like(rarest),
        )


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
    """Bonds of the anions, and whether they stayed apart; at constant temperature also whether
    every part of the framework stayed in its place, and the two ways to unwrap.
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
    if run.anions and (
        joined := grown_together(
            run.drawn_positions[:, :, -1],
            run.cell[run.drawn[-1]],
            [anion for kind in run.anions for anion in kind.members],
            run.numbers,
        )
    ):
        remarks.append(f"{joined} anions have bonded to each other by its end")
    displacement = difference = None
    if constant:
        parts = [
            check_framework(
                kind.centres,
                run.mean_cell,
                "anions" if len(run.anions) == 1 else f"{kind.formula} anions",
            )
            for kind in run.anions
        ] + [
            check_framework(means, run.mean_cell, f"{element} atoms")
            for element, means in run.single.items()
        ]
        displacement = max(part.largest_displacement_A for part in parts)
        difference = 100 * run.unwrap_difference if run.unwrap_difference is not None else None
        remarks += [part.reason for part in parts if part.moves]
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
