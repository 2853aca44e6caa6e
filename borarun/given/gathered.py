"""Frames of a file as one run: whole, in order, evenly spaced, unwrapped.

An ion is followed from frame to frame by the shortest step in units of the cell, so that a cell
that breathes shifts nothing. That is right as long as no ion moves by half a cell between two
frames; where steps come near to that, the file is refused.

Source: Bullerjahn, von Bülow, Heidari, Hénin, Hummer, J. Chem. Theory Comput. 19, 3406 (2023).
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from ase.data import chemical_symbols
from numpy.typing import NDArray

from borarun.given.frame import Frame, Opened, Tick, wrong

Array = NDArray[Any]

FARTHEST, FAR = 0.45, 0.35
"""Steps in units of the cell from which a trajectory is refused, and from which a user is told: an
ion that goes by more than half a cell seems to go the other way.
"""

DENSEST_A3, THINNEST_A3 = 2.0, 100.0
"""Volume of an atom in a solid, angstrom^3; hydrides have 5, caesium has 115."""

SHARE_OF_MEMORY = 0.4
"""Of the memory that is free; a trajectory is in it twice while it is stored."""

WHOLE = 0.9
"""Share of the frames that the longest evenly spaced stretch must have."""

TOGETHER = 64
"""Frames that are put at their places together."""

EVEN = 1e-3
"""By how much of a distance between frames another may differ."""


@dataclass(frozen=True)
class Gathered:
    """A trajectory of one file.

    Attributes
    ----------
    numbers : (N,) atomic numbers
    cell : (F, 3, 3) angstrom, rows are vectors
    positions : (N, 3, F) float32, angstrom, unwrapped
    interval_fs : time between frames
    format : of the file, for people
    remarks : what a user must know of it, one sentence each
    """

    numbers: Array
    cell: Array
    positions: Array
    interval_fs: float
    format: str
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """Which frames are wanted, and how far apart they are.

    Attributes
    ----------
    timestep_fs : time step of the molecular dynamics; for files that count steps
    interval_fs : time between frames of the file; for files that do not say it
    skip_ps : time at the beginning that is left out
    stride : every so many frames are kept
    """

    timestep_fs: float | None = None
    interval_fs: float | None = None
    skip_ps: float = 0.0
    stride: int = 1


def gather(file: Path, opened: Opened, wanted: Wanted) -> Gathered:
    """All frames of a file.

    Raises
    ------
    StudyError
        Where they are no run of one crystal, or something must be told that the file does not say.
    """
    check_time(file, opened.tick, wanted)
    run = _Run(file, opened.unwrapped, wanted.stride)
    for frame in opened.frames:
        run.add(frame)
    if not run.kept:
        raise wrong(file, "holds no whole frame. Check that it is a trajectory.")
    cell, positions = run.arrays()
    remarks = [*opened.remarks, *run.remarks()]
    ticks = np.array([run.ticks[index] for index in run.kept])
    return evened(
        file, run.numbers, ticks, cell, positions, opened.tick, wanted, opened.format, remarks
    )


def check_time(file: Path, tick: Tick, wanted: Wanted) -> None:
    """Ask for the time between frames where nothing says it."""
    if wanted.interval_fs is not None or tick == "fs":
        return
    if tick == "step" and wanted.timestep_fs is None:
        raise wrong(
            file,
            "counts steps and does not say how long one is. Give --timestep-fs, the time step of "
            "the run in fs, as in --timestep-fs 1 (key: timestep_fs).",
        )
    if tick == "frame":
        raise wrong(
            file,
            "does not say how far apart its frames are. Give --interval-fs, the time from one "
            "frame to the next in fs, as in --interval-fs 50 (key: interval_fs).",
        )


def check_memory(file: Path, n_atoms: int, n_frames: int) -> None:
    """Refuse what does not fit in memory."""
    needed, free = 12 * n_atoms * n_frames, psutil.virtual_memory().available
    if needed > SHARE_OF_MEMORY * free:
        raise wrong(
            file,
            f"does not fit in memory ({n_frames:,} frames of {n_atoms:,} atoms so far need "
            f"{2 * needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free). Keep fewer frames, as in "
            "--stride 10 (key: stride).",
        )


def evened(
    file: Path,
    numbers: Array,
    ticks: Array,
    cell: Array,
    positions: Array,
    tick: Tick,
    wanted: Wanted,
    format_name: str,
    remarks: list[str],
) -> Gathered:
    """The longest evenly spaced stretch of frames, if it is nearly all of them, without the
    beginning that is to be left out.

    Parameters
    ----------
    ticks : (F,) rising
    cell, positions : (F, 3, 3) and (N, 3, F) angstrom
    """
    step = np.diff(ticks)
    spacing = float(np.median(step)) if len(step) else 1.0
    part = _longest(np.abs(step - spacing) <= EVEN * spacing) if len(step) else slice(0, 1)
    kept = part.stop - part.start
    if kept < WHOLE * len(ticks):
        odd = int(np.argmax(np.abs(step - spacing) > EVEN * spacing))
        raise wrong(
            file,
            f"its frames are not evenly spaced: mostly {spacing:g} apart, but {step[odd]:g} from "
            f"{ticks[odd]:g} to {ticks[odd + 1]:g} ({_counted(tick)}). Cut the file where the "
            "spacing changes, and analyse the parts.",
        )
    if kept < len(ticks):
        remarks = [
            *remarks,
            f"{len(ticks) - kept} of {len(ticks)} frames are not evenly spaced with the others and "
            "are left out",
        ]
    if wanted.interval_fs is not None:
        interval_fs = wanted.interval_fs * wanted.stride
    elif tick == "fs":
        interval_fs = spacing
    else:
        assert wanted.timestep_fs is not None
        interval_fs = spacing * wanted.timestep_fs
    first = part.start + round(wanted.skip_ps * 1000 / interval_fs)
    if first >= part.stop:
        length = (kept - 1) * interval_fs / 1000
        raise wrong(
            file,
            f"is {length:g} ps long, and --skip-ps leaves out {wanted.skip_ps:g} ps. Leave out "
            "less.",
        )
    inside = slice(first, part.stop)
    volume = float(np.abs(np.linalg.det(cell[first]))) / len(numbers)
    if not DENSEST_A3 < volume < THINNEST_A3:
        raise wrong(
            file,
            f"has {volume:.3g} cubic angstrom for each atom, which no crystal has. Check the unit "
            "of length: a LAMMPS run in other units than metal or real needs --units, as in "
            "--units nano (key: units).",
        )
    return Gathered(
        numbers, cell[inside], positions[:, :, inside], interval_fs, format_name, tuple(remarks)
    )


def continued(cell: Array, before: Array) -> Array:
    """The vectors of a cell that were chosen anew while the lattice stayed, as LAMMPS flips a cell
    that tilts far: (3, 3), those that go on from the cell before.
    """
    change = np.round(cell @ np.linalg.inv(before))
    if np.array_equal(change, np.eye(3)) or round(abs(float(np.linalg.det(change)))) != 1:
        return cell
    return np.asarray(np.linalg.inv(change) @ cell)


def _longest(even: Array) -> slice:
    """The frames of the longest stretch in which every distance is even."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], even.astype(int), [0]])))
    begins, ends = edges[::2], edges[1::2]
    if not len(begins):
        return slice(0, 1)
    longest = int(np.argmax(ends - begins))
    return slice(int(begins[longest]), int(ends[longest]) + 1)


def _counted(tick: Tick) -> str:
    return {"fs": "time in fs", "step": "steps", "frame": "frames"}[tick]


@dataclass
class _Run:
    """Frames as they come.

    Attributes
    ----------
    file, unwrapped, stride : as in ``gather``
    numbers : (N,) atomic numbers of the first frame
    ticks : of all frames that count
    kept : their places in ``ticks``, of the frames that are kept
    """

    file: Path
    unwrapped: bool
    stride: int
    numbers: Array = field(default_factory=lambda: np.zeros(0, np.int32))
    ticks: list[float] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    _cells: list[Array] = field(default_factory=list)
    _positions: list[Array] = field(default_factory=list)
    _last_cell: Array | None = None
    _last: Array | None = None
    _farthest: float = 0.0
    _far_frame: int = 0
    _far_atom: int = 0
    _doubled: int = 0
    _flips: int = 0

    def add(self, frame: Frame) -> None:
        """Take the next frame of the file; one that is there already replaces it and all after
        it.
        """
        self._check(frame)
        if self.ticks and frame.tick <= self.ticks[-1]:
            self._back_to(frame.tick)
        cell, scaled = frame.cell, frame.scaled
        if self._last_cell is not None:
            cell = continued(cell, self._last_cell)
            if cell is not frame.cell:
                self._flips += 1
                scaled = scaled @ frame.cell @ np.linalg.inv(cell)
        if self._last is not None and not self.unwrapped:
            step = scaled - self._last
            step -= np.round(step)
            self._note(step, frame.number)
            scaled = self._last + step
        self._last_cell, self._last = cell, scaled
        if len(self.ticks) % self.stride == 0:
            self.kept.append(len(self.ticks))
            self._cells.append(cell)
            self._positions.append((scaled @ cell).astype(np.float32))
            if len(self.kept) % 256 == 0:
                check_memory(self.file, len(self.numbers), len(self.kept))
        self.ticks.append(frame.tick)

    def arrays(self) -> tuple[Array, Array]:
        """(F, 3, 3) cells and (N, 3, F) float32 positions of the frames that are kept."""
        n_frames = len(self.kept)
        positions = np.empty((len(self.numbers), 3, n_frames), np.float32)
        for begin in range(0, n_frames, TOGETHER):
            part = self._positions[begin : begin + TOGETHER]
            positions[:, :, begin : begin + len(part)] = np.stack(part).transpose(1, 2, 0)
            self._positions[begin : begin + TOGETHER] = [np.empty(0)] * len(part)  # free them
        return np.array(self._cells), positions

    def remarks(self) -> list[str]:
        """What a user must know."""
        found = []
        if self._doubled:
            found.append(
                f"{self._doubled} frames are there twice, as after a restart: the later ones count"
            )
        if self._flips:
            found.append(
                f"the cell vectors are chosen anew {self._flips} times, as LAMMPS flips a tilted "
                "cell: they are followed through"
            )
        if self._farthest > FAR:
            found.append(
                f"an atom moves by {self._farthest:.2f} of the cell between two frames; from half "
                "a cell on it would seem to move back. Frames closer in time are safer"
            )
        return found

    def _check(self, frame: Frame) -> None:
        place = f"frame {frame.number}"
        if self._last is None:
            self.numbers = np.asarray(frame.numbers, np.int32)
        elif not np.array_equal(frame.numbers, self.numbers):
            raise wrong(
                self.file,
                f"{place} has other atoms than the first ({_formula(frame.numbers)} instead of "
                f"{_formula(self.numbers)}, or in another order). Analyse each crystal by itself, "
                "with atoms in one order.",
            )
        if not np.isfinite(frame.cell).all() or not np.isfinite(frame.scaled).all():
            raise wrong(
                self.file,
                f"{place} has a position or a cell that is not a number: the run exploded. Cut the "
                "file before it.",
            )

    def _note(self, step: Array, number: int) -> None:
        farthest = float(max(step.max(), -step.min()))
        if farthest <= self._farthest:
            return
        self._farthest = farthest
        if farthest > FARTHEST:
            atom = int(np.argmax(np.abs(step).max(axis=1)))
            raise wrong(
                self.file,
                f"its frames are too far apart: {chemical_symbols[self.numbers[atom]]} (atom "
                f"{atom + 1}) moves by {farthest:.2f} of the cell up to frame {number}, and from "
                "half a cell on nothing tells which way an ion went. Write frames more often, or "
                "write unwrapped coordinates (LAMMPS: xu yu zu, or ix iy iz beside x y z).",
            )

    def _back_to(self, tick: float) -> None:
        """Forget the frames from a time on: the run went back to it, and does them again."""
        place = bisect_left(self.ticks, tick)
        self._doubled += len(self.ticks) - place
        del self.ticks[place:]
        while self.kept and self.kept[-1] >= place:
            self.kept.pop()
            self._cells.pop()
            self._positions.pop()
        if self.kept:
            self._last_cell = self._cells[-1]
            self._last = self._positions[-1] @ np.linalg.inv(self._last_cell)
        # else: what comes next is followed from the last frame that was read, as good as any


def _formula(numbers: Array) -> str:
    kinds, counts = np.unique(numbers, return_counts=True)
    return "".join(
        f"{chemical_symbols[kind]}{count}"
        for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True)
    )
