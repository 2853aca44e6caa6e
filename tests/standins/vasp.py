"""Stands in for VASP: ``python vasp.py`` in a directory with INCAR, POSCAR, KPOINTS and POTCAR
leaves what VASP leaves there.

Energies, forces and stresses are those of the bundled potential for lithium, boron and hydrogen, of
Lennard-Jones atoms for others: no density functional theory, but a true surface to relax and move
on. It refuses what VASP refuses, in words that custodian knows where VASP has such.

The environment can make it misbehave: ``STANDIN_SCF=never`` (no electronic cycle converges),
``STANDIN_TBDYN=no`` (built without molecular dynamics of the cell), ``STANDIN_WALL=n`` (asks itself
to stop after n steps, as STOPCAR does), ``STANDIN_KILL=n`` (dies in step n), ``STANDIN_FAIL=text``
(prints the text and stops, once), ``STANDIN_PAUSE=s`` (rests so long after each step).
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.calculators.lj import LennardJones
from ase.data import atomic_masses, atomic_numbers
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from ase.stress import voigt_6_to_full_3x3_stress
from pymatgen.io.vasp.inputs import Incar, Kpoints
from vasp_output import Array, Species, Step, Writer

from borarun.mtp.evaluate import MTPCalculator
from borarun.mtp.potential import Potential

DEFAULTS: dict[str, Any] = {"EDIFF": 1e-4, "NSW": 0, "ISMEAR": 1, "SIGMA": 0.2, "NELM": 60}
SCF = (3.0, 0.2, 1e-2, 1e-8, 0.0)
"""Distance from the converged energy along an electronic cycle, eV an atom."""


class Refused(Exception):  # noqa: N818 - it is no error of the stand-in
    """What VASP prints before it stops."""


def read_tags(potcars: list[tuple[str, float, float, float]]) -> dict[str, Any]:
    read = dict(Incar.from_file("INCAR"))
    tags = {**DEFAULTS, **read, "read": read}
    tags.setdefault("ENCUT", max(enmax for *_, enmax in potcars))
    tags["ENCUT"] = float(tags["ENCUT"])
    tags.setdefault("IBRION", -1 if tags["NSW"] == 0 else 0)
    tags.setdefault("ISIF", 0 if tags["IBRION"] == 0 else 2)
    tags["EDIFFG"] = float(tags.get("EDIFFG", 10 * tags["EDIFF"]))
    if "GGA" in tags:
        tags["GGA"] = str(tags["GGA"]).upper()[:2]
    return tags


def read_potcars() -> list[tuple[str, float, float, float]]:
    """TITEL, ZVAL, POMASS, ENMAX of each."""
    if not Path("POTCAR").exists():
        raise Refused("ERROR: there must be 1 or 3 items on line 2 of POTCAR")
    text = Path("POTCAR").read_text()
    columns = [
        re.findall(pattern, text)
        for pattern in (
            r"TITEL\s*=\s*(.*?)\s*\n",
            r"ZVAL\s*=\s*([\d.]+)",
            r"POMASS\s*=\s*([\d.]+)",
            r"ENMAX\s*=\s*([\d.]+)",
        )
    ]
    return [
        (titel, float(zval), float(mass), float(enmax))
        for titel, zval, mass, enmax in zip(*columns, strict=True)
    ]


def read_poscar() -> tuple[list[str], list[int], Array, Array, Array | None, Array | None, str]:
    """Symbols, counts, fractional positions, cell, velocities and the cell's velocities where there
    are any, and the comment.
    """
    lines = Path("POSCAR").read_text().splitlines()
    try:
        scale = float(lines[1])
        cell = scale * np.array([line.split() for line in lines[2:5]], float)
        symbols, counts = lines[5].split(), [int(count) for count in lines[6].split()]
        total = sum(counts)
        positions = np.array([line.split()[:3] for line in lines[8 : 8 + total]], float).reshape(
            total, 3
        )
    except (ValueError, IndexError) as error:
        raise Refused(f"ERROR: Error reading item from file POSCAR ({error})") from error
    if np.linalg.det(cell) <= 0:
        raise Refused(
            "ERROR: the triple product of the basis vectors is negative exchange two basis vectors"
        )
    if lines[7].strip()[0] in "cCkK":
        positions = positions @ np.linalg.inv(cell)
    rest = lines[8 + total :]
    cell_velocities = None
    if rest and rest[0].startswith("Lattice"):
        cell_velocities = np.array([line.split() for line in rest[2:5]], float)
        rest = rest[8:]
    velocities = (
        np.array([line.split() for line in rest[1 : 1 + total]], float)
        if len(rest) > total
        else None
    )
    return symbols, counts, positions, cell, velocities, cell_velocities, lines[0].strip()


def refuse(
    tags: dict[str, Any], symbols: list[str], potcars: list[tuple[str, float, float, float]]
) -> None:
    if len(potcars) != len(symbols):
        raise Refused(
            "ERROR: number of potentials on File POTCAR incompatible with number of species"
        )
    for (titel, *_), symbol in zip(potcars, symbols, strict=True):
        if re.split(r"[_.]", titel.split()[1])[0] != symbol:
            raise Refused(
                "ERROR: the type information on POSCAR and POTCAR are incompatible "
                f"({symbol}, {titel})"
            )
    if tags.get("MDALGO") == 3 and tags["IBRION"] == 0:
        if len(np.atleast_1d(tags.get("LANGEVIN_GAMMA", []))) != len(symbols):
            raise Refused(
                "Error reading item 'LANGEVIN_GAMMA' from file INCAR. Error code was IERR= 5"
            )
        if tags["ISIF"] not in (0, 1, 2, 3):
            raise Refused("ERROR: Langevin dynamics of the cell needs ISIF = 3")
    if tags.get("LUSE_VDW") and "METAGGA" not in tags and not Path("vdw_kernel.bindat").exists():
        raise Refused("ERROR: vdw_kernel.bindat is missing")
    if tags["IBRION"] not in (-1, 0, 1, 2, 3):
        raise Refused(f"the stand-in has no IBRION = {tags['IBRION']}")


class Machine:
    """Energies of one list of atoms, with the electronic cycles that VASP would need."""

    def __init__(self, symbols: list[str], tags: dict[str, Any]) -> None:
        self.tags = tags
        self.atoms = Atoms(symbols, pbc=True)
        known = set(symbols) <= {"Li", "B", "H"}
        text = (files("borarun") / "potentials" / "Li2B12H12-PBE-D3.mtp").read_text()
        self.atoms.calc: Calculator = (
            MTPCalculator(Potential.read(text))
            if known
            else LennardJones(sigma=2.2, epsilon=0.2, rc=6.0)
        )

    def step(self, fractional: Array, cell: Array, **moving: float) -> Step:
        self.atoms.set_cell(cell)
        self.atoms.set_scaled_positions(fractional)
        energy, forces = float(self.atoms.get_potential_energy()), self.atoms.get_forces()
        stress = voigt_6_to_full_3x3_stress(self.atoms.get_stress())
        never = os.environ.get("STANDIN_SCF") == "never"
        away = [0.5 / number for number in range(1, self.tags["NELM"] + 1)] if never else SCF
        scf = [energy + len(self.atoms) * distance for distance in away[:-1]] + [energy]
        # as in VASP, ISIF = 0 is the one that leaves the stress out
        return Step(
            fractional % 1.0,
            cell,
            energy,
            forces,
            None if self.tags["ISIF"] == 0 else stress,
            scf,
            not never,
            **moving,
        )


def stop_asked(steps: int) -> bool:
    time.sleep(float(os.environ.get("STANDIN_PAUSE", 0)))
    if os.environ.get("STANDIN_KILL") == str(steps):
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("STANDIN_WALL") == str(steps):
        return True
    stopcar = Path("STOPCAR")
    return stopcar.exists() and "TRUE" in stopcar.read_text().upper()


def relax(machine: Machine, writer: Writer, fractional: Array, cell: Array) -> bool:
    """Relax, or compute once; whether it came to the end that was asked for."""
    tags = machine.tags
    if tags["NSW"] == 0 or tags["IBRION"] == -1:
        writer.step(machine.step(fractional, cell))
        writer.contcar(fractional, cell)
        return False
    atoms = Atoms(machine.atoms.symbols, scaled_positions=fractional, cell=cell, pbc=True)
    atoms.calc = machine.atoms.calc
    optimiser = BFGS(FrechetCellFilter(atoms) if tags["ISIF"] == 3 else atoms, logfile=None)
    last = np.inf
    for steps in range(1, tags["NSW"] + 1):
        step = machine.step(atoms.get_scaled_positions(wrap=False), atoms.cell.array.copy())
        writer.step(step)
        limit = tags["EDIFFG"]
        largest = np.abs(np.linalg.norm(step.forces, axis=1)).max()
        kbar = (
            0.0 if tags["ISIF"] != 3 or step.stress is None else np.abs(step.stress).max() * 1602.18
        )
        reached = abs(step.energy - last) < limit if limit > 0 else largest < -limit and kbar < 0.1
        last = step.energy
        if reached or stop_asked(steps):
            writer.contcar(atoms.get_scaled_positions(wrap=False), atoms.cell.array)
            return bool(reached)
        optimiser.step()
        writer.contcar(atoms.get_scaled_positions(wrap=False), atoms.cell.array)
    return False


def dynamics(
    machine: Machine,
    writer: Writer,
    masses: Array,
    fractional: Array,
    cell: Array,
    velocities: Array | None,
    cell_velocities: Array | None,
) -> None:
    """Langevin dynamics of atoms and, with ISIF = 3, of the cell (Parrinello and Rahman): kick,
    record, kick, friction and noise, drift.

    Where a step is recorded, positions, forces and velocities are of one time; CONTCAR has the
    positions of the step to come.
    """
    tags = machine.tags
    moving = tags.get("MDALGO") == 3 and os.environ.get("STANDIN_TBDYN") != "no"
    if moving:
        tags["moving"] = True
    step_fs, kelvin = float(tags["POTIM"]), float(tags["TEBEG"])
    seeds = [int(seed) for seed in np.atleast_1d(tags.get("RANDOM_SEED", [1, 0, 0]))]
    mass = masses[:, None]
    dt, thermal, box_mass = step_fs * units.fs, units.kB * kelvin, float(tags.get("PMASS", 1000))
    free = 3 * len(masses) - 3
    speed = np.zeros((len(masses), 3)) if velocities is None else velocities / units.fs
    if velocities is None:
        speed = np.random.default_rng([seeds[0], 2**31]).normal(size=(len(masses), 3)) * np.sqrt(
            thermal / mass
        )
        speed -= (mass * speed).sum(axis=0) / mass.sum()
        speed *= np.sqrt(free * thermal / (mass * speed**2).sum())
    box_speed = np.zeros((3, 3)) if cell_velocities is None else cell_velocities / units.fs
    gamma = (
        np.repeat(tags["LANGEVIN_GAMMA"], [kind.count for kind in writer.species])[:, None]
        / (1000 * units.fs)
        if moving
        else np.zeros_like(mass)
    )
    box_gamma = float(tags.get("LANGEVIN_GAMMA_L", 0)) / (1000 * units.fs)
    pressure = float(tags.get("PSTRESS", 0)) / 1602.18

    def kick(found: Step, time: float) -> None:
        nonlocal speed, box_speed
        speed = speed + time * found.forces / mass
        if moving and tags["ISIF"] == 3:
            assert found.stress is not None
            volume = abs(np.linalg.det(cell))
            stress = found.stress - (mass * speed).T @ speed / volume + pressure * np.eye(3)
            box_speed = box_speed - time * volume * np.linalg.inv(cell).T @ stress / box_mass
            speed = speed - time * speed @ (np.linalg.inv(cell) @ box_speed).T

    for steps in range(1, int(tags["NSW"]) + 1):
        found = machine.step(fractional, cell)
        if steps > 1 or velocities is not None:
            kick(found, dt / 2)
        kinetic, box_kinetic = (
            float((mass * speed**2).sum() / 2),
            float(box_mass * (box_speed**2).sum() / 2),
        )
        writer.step(
            Step(
                **{
                    **found.__dict__,
                    "kinetic": kinetic,
                    "kinetic_cell": box_kinetic,
                    "temperature": 2 * kinetic / (free * units.kB),
                }
            )
        )
        kick(found, dt / 2)
        if moving:
            rng = np.random.default_rng([seeds[0], seeds[1] + steps])
            keep, box_keep = np.exp(-gamma * dt), np.exp(-box_gamma * dt)
            speed = keep * speed + np.sqrt((1 - keep**2) * thermal / mass) * rng.normal(
                size=speed.shape
            )
            if tags["ISIF"] == 3:
                box_speed = box_keep * box_speed + np.sqrt(
                    (1 - box_keep**2) * thermal / box_mass
                ) * rng.normal(size=(3, 3))
        fractional = fractional + dt * speed @ np.linalg.inv(cell)
        cell = cell + dt * box_speed
        writer.contcar(
            fractional, cell, speed * units.fs, box_speed * units.fs if tags["ISIF"] == 3 else None
        )
        writer.put(
            "REPORT", f"           RANDOM_SEED = {seeds[0]:15d} {seeds[1] + steps:15d} {0:15d}"
        )
        if stop_asked(steps):
            return


def main() -> None:
    once = Path("failed-once")
    if (text := os.environ.get("STANDIN_FAIL")) and not once.exists():
        once.touch()
        raise Refused(text)
    potcars = read_potcars()
    tags = read_tags(potcars)
    symbols, counts, fractional, cell, velocities, cell_velocities, comment = read_poscar()
    refuse(tags, symbols, potcars)
    mesh = tuple(int(division) for division in Kpoints.from_file("KPOINTS").kpts[0])
    kinds = zip(symbols, counts, potcars, strict=True)
    species = [
        Species(symbol, count, titel, zval, mass, enmax)
        for symbol, count, (titel, zval, mass, enmax) in kinds
    ]
    nelect = float(tags.get("NELECT", sum(kind.count * kind.zval for kind in species)))
    names = [kind.symbol for kind in species for _ in range(kind.count)]
    writer = Writer(Path.cwd(), tags, species, (mesh[0], mesh[1], mesh[2]), nelect, comment)
    machine = Machine(names, tags)
    if tags["IBRION"] == 0 and tags["NSW"]:
        writer.head(fractional, cell)
        masses = atomic_masses[[atomic_numbers[name] for name in names]]
        dynamics(machine, writer, masses, fractional, cell, velocities, cell_velocities)
        reached = False
    else:
        writer.head(fractional, cell)
        reached = relax(machine, writer, fractional, cell)
    writer.finish(machine.atoms.get_scaled_positions(), machine.atoms.cell.array, reached)
    Path("STOPCAR").unlink(missing_ok=True)
    print(" running on    1 total cores\n" + Path("OSZICAR").read_text())


if __name__ == "__main__":
    try:
        main()
    except Refused as error:
        print(f" {error}")
        sys.exit(1)
