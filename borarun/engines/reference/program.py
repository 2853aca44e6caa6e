"""Embedded reference program: relax a structure, label configurations, or run a short molecular
dynamics.

``python -m borarun.engines.reference.program --cores N [-- COMMAND]`` works in the current
directory. It reads ``job.json`` (``reference.base`` writes it) and ``start.extxyz`` or
``frames.extxyz``, and leaves ``labels.extxyz`` and, last, how it ended. Labels are appended to
``labels.partial.extxyz`` while it runs; ``state.json`` says how much of that counts and where
molecular dynamics stands, so that a program that was killed goes on from there.
"""

from __future__ import annotations

import argparse
import importlib
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixSymmetry
from ase.filters import FrechetCellFilter
from ase.md.langevinbaoab import LangevinBAOAB
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from ase.optimize import BFGS
from ase.spacegroup.symmetrize import check_symmetry

from borarun.basics.causes import Cause
from borarun.basics.errors import EngineError
from borarun.basics.units import EV_PER_A3_IN_BAR, EV_PER_A3_IN_KBAR
from borarun.engines.job import FILE
from borarun.engines.reference.job import AimdJob, AnyJob, Dynamics, LabelJob, Progress, RelaxJob
from borarun.records.endings import Ending, is_complete
from borarun.records.frames import Frames
from borarun.records.operations.base import Facts
from borarun.records.operations.reference import Labelled, Relaxed, Sampled

ENSEMBLE = "NPT: Langevin thermostat (BAOAB) and Langevin-Hoover barostat, the cell keeps its shape"
"""Source: Leimkuhler and Matthews, J. Chem. Phys. 138, 174102 (2013); Quigley and Probert, J. Chem.
Phys. 120, 11432 (2004).
"""

Opened = Callable[[Path, str, int, Sequence[str]], AbstractContextManager[BaseCalculator]]
"""What opens an engine's calculator: in a directory, for a functional, on so many cores, with the
command of the program behind it where it has one. What that started has ended when the context
ends.
"""

BAROSTAT_TIME_FS = 500.0
"""Damping time of the cell. The mass that ASE derives from it lets the volume of 104 atoms swing
with a period of about 0.4 ps: it follows the temperature within a picosecond, and is slow against
the vibrations of the anions.
"""

SYMMETRY_TOLERANCE_A = 0.01
EXPLODED = 10.0
"""A run whose temperature passes this many times its target has left physics."""


class Output:
    """The files that the program leaves in its directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._partial = directory / "labels.partial.extxyz"
        self._state = directory / "state.json"
        self.n_labels = 0
        self.dynamics: Dynamics | None = None
        size = 0
        if self._state.exists() and self._partial.exists():
            state = Progress.model_validate_json(self._state.read_bytes())
            if self._partial.stat().st_size >= state.bytes:
                size, self.n_labels, self.dynamics = state.bytes, state.n_labels, state.dynamics
        with self._partial.open("ab") as handle:
            handle.truncate(size)
        self._told = 0.0

    def append(self, labelled: Atoms, dynamics: Dynamics | None = None) -> None:
        """Add a labelled configuration and, where there is one, the state to go on from."""
        with self._partial.open("ab") as handle:
            handle.write(Frames.of([labelled]).to_extxyz().encode())
            size = handle.tell()
        self.n_labels += 1
        self.dynamics = dynamics
        state = Progress(bytes=size, n_labels=self.n_labels, dynamics=dynamics)
        self._replace("state.json", state.model_dump_json())

    def progress(self, fraction: float) -> None:
        """Say how far the run is, once a second."""
        if time.monotonic() - self._told >= 1:
            self._told = time.monotonic()
            self._replace("progress", f"{fraction:.4f}\n")

    def finish(self, facts: Facts) -> None:
        """Write the result and let the labels appear."""
        told = {"n_labels": self.n_labels, **facts.stored()}
        size = self._partial.stat().st_size
        self._partial.replace(self.directory / "labels.extxyz")
        Ending(result={"facts": told, "bytes": size}).write(self.directory)

    def _replace(self, name: str, text: str) -> None:
        staged = self.directory / f"{name}.new"
        staged.write_text(text)
        staged.replace(self.directory / name)


def _calculator(folder: str) -> Opened:
    """``opened`` of ``calculator.py`` in the folder of an engine."""
    module = importlib.import_module(f"borarun.engines.{folder}.calculator")
    opened: Opened = module.opened
    return opened


def labelled(atoms: Atoms, calculator: BaseCalculator) -> Atoms:
    """A copy of ``atoms`` with its energy, forces and stress, free of constraints."""
    image = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    # Forces first: ASE's sum of calculators and dftd3 compute again for what was not asked for at
    # first.
    forces = calculator.get_property("forces", image)
    stress = calculator.get_property("stress", image)
    energy = calculator.get_property("energy", image)
    if not (np.isfinite(energy) and np.isfinite(forces).all() and np.isfinite(stress).all()):
        raise EngineError(
            "an energy, force or stress is not a number.",
            remedy="Check the structure: atoms may overlap.",
            cause=Cause.EXPLODED,
        )
    image.calc = SinglePointCalculator(image, energy=energy, forces=forces, stress=stress)
    return image


def relax(start: Atoms, calculator: BaseCalculator, job: RelaxJob, output: Output) -> Relaxed:
    """Relax positions, and the cell unless it is fixed, until forces and stress are small; one
    label, the relaxed structure.

    With ``keep_symmetry`` those along the directions that keep the space group are tested and told,
    for no step can make the others smaller: a reference that breaks the symmetry of its forces, as
    neural networks do, leaves them. The label has the forces as they are.
    """
    atoms = start.copy()
    if job.keep_symmetry:
        atoms.set_constraint(FixSymmetry(atoms, symprec=SYMMETRY_TOLERANCE_A))
    atoms.calc = calculator
    moved: Any = FrechetCellFilter(atoms) if job.relax_cell else atoms
    optimiser = BFGS(moved, logfile=None)
    largest = stress = 0.0
    # The filter's own criterion divides the stress by the number of atoms, which leaves a soft cell
    # half relaxed: Li2B12H12 stopped at
    # 3 kbar, its lattice parameter 0.6 % off. fmax=0 turns that criterion off.
    for _ in optimiser.irun(fmax=0.0, steps=job.max_steps):
        largest = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
        if job.relax_cell:
            stress = float(np.abs(atoms.get_stress()).max()) * EV_PER_A3_IN_KBAR
        output.progress(optimiser.nsteps / job.max_steps)
        if not np.isfinite(largest + stress):
            raise EngineError(
                "an energy, force or stress is not a number.",
                remedy="Check the structure: atoms may overlap.",
                cause=Cause.EXPLODED,
            )
        if largest < job.fmax_eV_per_A and stress < job.max_stress_kbar:
            break
    else:
        raise EngineError(
            f"not relaxed after {job.max_steps} steps (forces up to {largest:.3g} eV/A, "
            f"stress up to {stress:.3g} kbar).",
            remedy="Raise relax.max_steps, or start from a better structure.",
            cause=Cause.NOT_CONVERGED,
        )
    relaxed = labelled(atoms, calculator)
    output.append(relaxed)
    symmetry = check_symmetry(relaxed, symprec=SYMMETRY_TOLERANCE_A)
    return Relaxed(
        energy_eV_per_atom=relaxed.get_potential_energy() / len(relaxed),
        lattice_A=tuple(relaxed.cell.lengths().tolist()),
        angles_deg=tuple(relaxed.cell.angles().tolist()),
        volume_A3=float(relaxed.get_volume()),
        max_force_eV_per_A=largest,
        space_group=f"{symmetry.international} ({symmetry.number})",
        steps=optimiser.nsteps,
    )


def label(frames: Frames, calculator: BaseCalculator, output: Output) -> Labelled:
    """Label the configurations that are not labelled yet, one after the other."""
    for index in range(output.n_labels, len(frames)):
        output.append(labelled(frames[index], calculator))
        output.progress(output.n_labels / len(frames))
    return Labelled(n_labels=output.n_labels)


def aimd(start: Atoms, calculator: BaseCalculator, job: AimdJob, output: Output) -> Sampled:
    """Molecular dynamics at constant temperature and pressure from ``start`` with velocities of
    that temperature; samples are labels.

    The run begins far from equilibrium: it heats the vibrations and swells the cell. These
    configurations are wanted as data.
    """
    atoms = start.copy()
    atoms.calc = calculator
    rng = np.random.default_rng(job.seed)
    temperature, steps = job.temperature_K, job.steps
    state = output.dynamics
    if state is None:
        thermalize_momenta(atoms, temperature, exact_temperature=True, rng=rng)
        Stationary(atoms)
    else:
        atoms.set_cell(state.cell)
        atoms.set_positions(state.positions)
        atoms.set_momenta(state.momenta)
        rng.bit_generator.state = state.rng
    with warnings.catch_warnings():  # ASE tells the cell's mass that it derives
        warnings.simplefilter("ignore", UserWarning)
        dynamics = LangevinBAOAB(
            atoms,
            job.timestep_fs * units.fs,
            temperature_K=temperature,
            externalstress=-job.pressure_bar / EV_PER_A3_IN_BAR,
            hydrostatic=True,
            T_tau=1e3 * units.fs / job.friction_per_ps,
            P_tau=BAROSTAT_TIME_FS * units.fs,
            rng=rng,
        )
    done, heat = 0, 0.0
    if state is not None:
        dynamics.p_eps, dynamics.force_eps = state.cell_momentum, state.cell_force
        done, heat = state.steps, state.sum_of_temperatures
    for step in range(done + 1, steps + 1):
        dynamics.step()
        now = float(atoms.get_temperature())
        if not now < EXPLODED * temperature:  # not a number included
            raise EngineError(
                f"the molecular dynamics exploded at step {step} (got {now:.0f} K, wanted "
                f"{temperature:g} K).",
                remedy="Choose a smaller time step or a lower temperature, or start from a "
                "relaxed structure.",
                cause=Cause.EXPLODED,
            )
        heat += now
        if step % job.sample_every == 0:
            output.append(
                labelled(atoms, calculator),
                Dynamics(
                    steps=step,
                    positions=atoms.positions.tolist(),
                    momenta=atoms.get_momenta().tolist(),
                    cell=atoms.cell.tolist(),
                    cell_momentum=float(dynamics.p_eps),
                    cell_force=float(dynamics.force_eps),
                    rng=rng.bit_generator.state,
                    sum_of_temperatures=heat,
                ),
            )
        output.progress(step / steps)
    return Sampled(
        n_labels=output.n_labels, temperature_K=heat / steps, steps=steps, ensemble=ENSEMBLE
    )


def run(directory: Path, cores: int = 1, command: Sequence[str] = ()) -> None:
    """Do the job of a directory, from the beginning or from where it was; ``command`` starts the
    program behind it, where there is one.
    """
    if is_complete(directory):
        return
    job = AnyJob.model_validate_json((directory / FILE).read_bytes()).root
    frames = Frames.from_extxyz(
        (directory / ("frames.extxyz" if job.operation == "label" else "start.extxyz")).read_text()
    )
    output = Output(directory)
    try:
        with _calculator(job.calculator)(directory, job.functional, cores, command) as calculator:
            if isinstance(job, LabelJob):
                facts: Facts = label(frames, calculator, output)
            elif isinstance(job, RelaxJob):
                facts = relax(frames[0], calculator, job, output)
            else:
                facts = aimd(frames[0], calculator, job, output)
    except EngineError as error:
        Ending.of_error(error).write(directory)
    else:
        output.finish(facts)


def main() -> None:
    """Read the command line and do the job of the current directory."""
    parser = argparse.ArgumentParser(
        description="Relax, label or run molecular dynamics with a reference calculator."
    )
    parser.add_argument("--cores", type=int, default=1, help="threads to use")
    parser.add_argument(
        "command",
        nargs="*",
        help="after --: what starts the program that computes, where it is one of its own",
    )
    arguments = parser.parse_args()
    run(Path.cwd(), arguments.cores, arguments.command)


if __name__ == "__main__":
    main()
