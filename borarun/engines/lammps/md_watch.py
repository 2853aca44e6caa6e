"""Molecular dynamics step by step: answer ``fix external``, watch grades and explosions, keep
candidates.
"""

from __future__ import annotations

import io
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.data import atomic_masses
from ase.io import read, write
from numpy.typing import NDArray

from borarun.basics.file import replacing
from borarun.basics.units import BOLTZMANN_EV_PER_K
from borarun.engines.lammps.md_frames import Frames
from borarun.engines.lammps.md_link import Link
from borarun.engines.lammps.md_plan import MAX_CANDIDATES, MdPlan
from borarun.engines.potential.form import Evaluation, Evaluator
from borarun.records.operations.dynamics import Stop
from borarun.structures.structure import Tearing

Array = NDArray[Any]

MAX_FORCE = 100.0
"""eV/angstrom; more only where atoms overlap: at 1000 K the largest are about 10."""

MAX_ENERGY_CHANGE = 1.0
"""eV/atom from the first step; heating to 1000 K takes 0.13."""

APPROACH, APPROACH_LOOKS = 40, 5
"""So many configurations before a break are kept too, so many looks apart: where a bad potential
tears an anion before the grade tells, those above threshold_save are torn already, and only the way
there can teach it better.
"""

KNOWN = 1.0
"""Extrapolation grade of what the active set spans."""

EV_PER_AMU_A2_PS2 = 1.0364269e-4
"""1 u (angstrom/ps)^2 in eV."""


@dataclass
class Candidates:
    """Configurations worth labelling, in memory and in a file; thinned when they become too many.

    Attributes
    ----------
    file : extended XYZ, one configuration after the other
    kept : with ``step`` and ``grade`` in their ``info``
    spacing : fewest steps between two that are kept, unless the later one has the highest grade so
        far
    """

    file: Path
    kept: list[Atoms] = field(default_factory=list)
    spacing: int = 0

    def load(self, last_step: int, n_atoms: int) -> None:
        """Go on with those of the file up to a step."""
        lines = self.file.read_text().splitlines(keepends=True) if self.file.exists() else []
        size = n_atoms + 2
        whole = len([line for line in lines if line.endswith("\n")]) // size * size
        images = (
            read(io.StringIO("".join(lines[:whole])), index=":", format="extxyz") if whole else []
        )
        self.kept = [image for image in images if image.info["step"] <= last_step]
        self._write()

    def add(self, step: int, grade: float, atoms: Atoms) -> None:
        """Keep a configuration, or not."""
        if (
            self.kept
            and 0 <= step - self.kept[-1].info["step"] < self.spacing
            and grade <= max(image.info["grade"] for image in self.kept)
        ):
            return
        atoms.info.update(step=int(step), grade=float(grade))
        self.kept.append(atoms)
        if len(self.kept) > MAX_CANDIDATES:
            best = max(self.kept, key=lambda image: float(image.info["grade"]))
            self.spacing = 2 * max(
                self.spacing, (step - self.kept[0].info["step"]) // len(self.kept)
            )
            self.kept = [
                image for index, image in enumerate(self.kept) if index % 2 == 0 or image is best
            ]
            self._write()
        else:
            with self.file.open("a") as handle:
                write(handle, atoms, format="extxyz")

    def _write(self) -> None:
        text = io.StringIO()
        if self.kept:
            write(text, self.kept, format="extxyz")
        with replacing(self.file) as file:
            file.write(text.getvalue().encode())


class MdWatch:
    """Answers ``fix external`` at every step, and decides when a run is over.

    Attributes
    ----------
    stop : why the run ended before its time: ``extrapolation`` or ``exploded``; empty otherwise
    reason : the same in words
    last : (step, positions, cell) of the last good configuration, or None
    terminated : whether SIGTERM came
    error : what went wrong in here; exceptions do not pass through LAMMPS
    """

    def __init__(
        self,
        link: Link,
        plan: MdPlan,
        evaluator: Evaluator,
        candidates: Candidates,
        frames: Frames,
        first: int,
    ) -> None:
        self.link, self.lmp, self.plan, self.evaluator, self.candidates = (
            link,
            link.lmp,
            plan,
            evaluator,
            candidates,
        )
        self.first, self.frames = first, frames
        self.stop: Stop | Literal[""] = ""
        self.reason = ""
        self.last: tuple[int, Array, Array] | None = None
        self.terminated = False
        self.error: BaseException | None = None
        self._looked = first if first else -1
        self._nearest = np.inf
        self._reference: float | None = None
        self._tearing: Tearing | None = None
        self._since_look: deque[tuple[int, Array, Array]] = deque(maxlen=plan.every)
        self._approach: deque[tuple[float, tuple[int, Array, Array]]] = deque(maxlen=APPROACH)
        self._masses = atomic_masses[plan.numbers]
        self._table = Path("watch.txt").open("a", buffering=1)  # noqa: SIM115 - open for the whole run, shut in close()
        self._told = 0.0

    def __call__(self, step: int, tag: Array, x: Array, f: Array) -> None:
        """Fill in the forces ``f`` of the atoms ``tag`` at ``x``, as ``md_link.Answer``."""
        try:
            if self.stop or self.error or not self._step(step, tag - 1, x, f):
                f[:] = 0.0
                self.lmp.force_timeout()
        except BaseException as error:  # also an interrupt: LAMMPS ends this step first
            self.error = error
            f[:] = 0.0
            self.lmp.force_timeout()

    def _step(self, step: int, order: Array, x: Array, f: Array) -> bool:
        """Answer one step; whether the configuration is a good one."""
        positions = np.empty_like(x)
        positions[order] = x
        cell = self.link.cell()
        if (
            self.last is not None and step == self.last[0]
        ):  # LAMMPS begins a run, as it does where it goes on from a restart file
            self.evaluator.forget()
        try:
            found = self.evaluator.evaluate(positions, cell)
        except FloatingPointError as error:
            return self._exploded(str(error))
        volume = cell[0, 0] * cell[1, 1] * cell[2, 2]
        if why := self._unphysical(found, volume):
            return self._exploded(why)
        np.take(found.forces, order, axis=0, out=f, mode="clip")  # other modes make a copy first
        self.link.set(found.energy, found.stress, volume)
        self._nearest = min(self._nearest, found.min_distance)
        self.last = (step, positions, cell)
        if self.frames.asked(step):
            link = self.link
            self.frames.keep(step, order, x, link.images(len(x)), link.corner, cell)
        if self.plan.grade is not None:
            self._since_look.append(self.last)
        if step % self.plan.every == 0 and step > self._looked:
            self._look(step, order)
        if self.terminated:
            self.lmp.force_timeout()
        now = time.monotonic()
        if now - self._told > 1.0:
            Path("progress").write_text(f"{step / max(self.plan.steps, 1):.4f}\n")
            self._told = now
        return True

    def _unphysical(self, found: Evaluation, volume: float) -> str:
        """Why a configuration cannot be one of this material; empty where it can."""
        force = float(np.abs(found.forces).max())
        if self._reference is None:
            self._reference = found.energy
        change = abs(found.energy - self._reference) / len(found.forces)
        if found.min_distance < self.plan.min_distance_A:
            return f"two atoms came as close as {found.min_distance:.2f} A"
        if not force < MAX_FORCE:
            return f"a force reached {force:.3g} eV/A"
        if not change < MAX_ENERGY_CHANGE:
            return f"the energy changed by {change:.3g} eV/atom"
        if not volume < self.plan.max_volume_A3:
            return f"the volume exceeded {self.plan.max_volume_A3:.0f} A3"
        return ""

    def _look(self, step: int, order: Array) -> None:
        """Watch what need not be watched at every step."""
        assert self.last is not None
        grade = self.evaluator.grade() if self.plan.grade is not None else np.nan
        self._note(step, grade)
        if self.plan.grade is not None:
            if self._came_apart():
                self._exploded("an anion broke")
                return
            self._since_look.clear()
            if grade > self.plan.grade.threshold_save:
                self.candidates.add(step, grade, self._atoms(self.last))
            elif grade > KNOWN and (
                not self._approach
                or step - self._approach[-1][1][0] >= APPROACH_LOOKS * self.plan.every
            ):
                self._approach.append((grade, self.last))
            if not grade <= self.plan.grade.threshold_break:
                self._end("extrapolation", f"the extrapolation grade reached {grade:.3g}")
                self._keep_approach()
        velocities = self.lmp.numpy.extract_atom("v")[: len(order)]
        kinetic = EV_PER_AMU_A2_PS2 * float(self._masses[order] @ (velocities**2).sum(axis=1))
        temperature = kinetic / (3 * len(order) * BOLTZMANN_EV_PER_K)
        if not temperature < 2.0 * self.plan.hottest_K + 1000.0:
            self._exploded(f"the temperature reached {temperature:.0f} K")

    def _came_apart(self) -> bool:
        """Whether an anion is torn; what the run goes through after that is another material."""
        assert self.plan.grade is not None and self.last is not None
        if not self.plan.grade.anion:
            return False
        atoms = self._atoms(self.last)
        if self._tearing is None:
            self._tearing = Tearing(
                atoms, self.plan.grade.anion.split(), self.plan.grade.mobile.split()
            )
        return self._tearing.torn(atoms)

    def _note(self, step: int, grade: float) -> None:
        self._table.write(f"{step} {grade:.6g} {self._nearest:.6g}\n")
        self._looked, self._nearest = step, np.inf

    def close(self) -> None:
        """Note what was seen since the last look."""
        if self.last is not None and self.last[0] > self._looked:
            grade = np.nan
            if self.plan.grade is not None:
                self.evaluator.evaluate(*self.last[1:])
                grade = self.evaluator.grade()
            self._note(self.last[0], grade)
        self._table.close()
        self.frames.close()

    def _atoms(self, configuration: tuple[int, Array, Array]) -> Atoms:
        return Atoms(self.plan.numbers, configuration[1], cell=configuration[2], pbc=True)

    def _end(self, stop: Stop, reason: str) -> None:
        self.stop, self.reason = stop, reason
        self.lmp.force_timeout()

    def _keep_approach(self) -> None:
        """Add what lay between the known region and threshold_save on the way to a break."""
        for grade, configuration in self._approach:
            self.candidates.add(configuration[0], grade, self._atoms(configuration))

    def _exploded(self, reason: str) -> bool:
        """End the run; of the good configurations since the last look, the way out of the known
        region is kept.
        """
        self._end("exploded", reason)
        if self.plan.grade is not None:
            self._keep_approach()
            for configuration in self._since_look:
                self.evaluator.evaluate(*configuration[1:])
                grade = self.evaluator.grade()
                if grade > self.plan.grade.threshold_save:
                    self.candidates.add(configuration[0], grade, self._atoms(configuration))
                if not grade <= self.plan.grade.threshold_break:
                    break
        return False
