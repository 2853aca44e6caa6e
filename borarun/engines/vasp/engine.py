"""VASP as reference: relaxation, labels, and NPT Langevin molecular dynamics, for those who have a
licence.

``program.py`` starts it under custodian, each run of it in a directory of its own,
``run-1``, ``run-2`` ...: a relaxation runs again from where it ended until one step suffices,
molecular dynamics goes on where the wall stopped it. Every label passes the gate of
``vasp_output``.

POTCARs are licensed. They are found in the site's directory by what the study names, their TITEL;
linked where there is one, joined within the run's directory where there are several, for VASP reads
a single file, and gone from there when VASP has ended. They are in no record.

Source: Kresse, Furthmueller, Phys. Rev. B 54, 11169 (1996); NPT: Parrinello, Rahman, J. Appl. Phys.
52, 7182 (1981), with Langevin forces.
"""

from __future__ import annotations

import re
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar, Self

import numpy as np
import spglib
from ase import Atoms
from ase.data import chemical_symbols
from pydantic import Field, PositiveFloat, field_validator, model_validator

from borarun.basics.causes import Cause
from borarun.basics.errors import EngineError, ParseError
from borarun.basics.units import EV_PER_A3_IN_KBAR
from borarun.engines import base
from borarun.engines.base import Cost, Files, Frames, Inputs, Probe, Result, Told
from borarun.engines.job import FILE
from borarun.engines.reference import base as reference
from borarun.engines.reference.charge import ChargeSettings
from borarun.engines.vasp import inputs as vasp_inputs
from borarun.engines.vasp import output as vasp_output
from borarun.engines.vasp.inputs import (
    FUNCTIONALS,
    MACHINE_LEARNING,
    Tag,
    kind_of_run,
    known_tags,
)
from borarun.engines.vasp.job import VaspTask
from borarun.engines.vasp.section import Keys, VaspReference
from borarun.records.operations.base import changed
from borarun.records.operations.reference import Labelled, Relaxed, Sampled
from borarun.structures.structure import build

NAME = "vasp"
HOME = "https://www.vasp.at"
Section = VaspReference
RESUMABLE = True
FORMAT = "1"
"""Raised by one when the same settings come to mean another result."""

ENSEMBLE = (
    "NPT: Langevin thermostat and Langevin barostat of Parrinello and Rahman (MDALGO = 3, ISIF = "
    "3), the cell changes its shape"
)

SYMMETRY_TOLERANCE_A = 0.01

CYCLE_SECONDS = 830.0
"""Core time of the electronic cycles of one step of ``CYCLE_ATOMS`` atoms at one k-point and
``CYCLE_ENCUT_EV``, with forces and stress; estimated, not measured: the site's ``cost_factor`` puts
it right.
"""

CYCLE_ATOMS, CYCLE_ENCUT_EV = 104, 600.0

ATOMS_POWER = 2.5
"""Plane waves and bands both grow with the atoms (two to three valence electrons each in these
compounds): Fourier transforms of all bands grow with their square, making them orthogonal with
their cube. Cells of a hundred atoms lie between.
"""

SYMBOL = re.compile(
    r"PAW_PBE (?P<element>[A-Z][a-z]?)(?:[._][A-Za-z0-9_.]*)? \d{2}[A-Z][a-z]{2}\d{4}"
)


class Program(base.Program):
    """How VASP runs on a site."""

    command: base.Command = Field(
        default="vasp_std",
        description="Command that starts VASP; `{cores}` is replaced by the number of cores, "
        "e.g. `srun -n {cores} vasp_std`.",
    )
    gamma_command: base.Command | None = Field(
        default=None,
        description="Command that starts the Gamma-only version of VASP, e.g. `srun -n "
        "{cores} vasp_gam`. Default: `command`.",
    )
    potcar_directory: base.AbsolutePath | None = Field(
        default=None,
        description="Absolute path of the folder of PBE potentials as VASP ships it, with "
        "files such as `Li_sv/POTCAR`.",
    )
    vdw_kernel: base.AbsolutePath | None = Field(
        default=None,
        description="Absolute path of `vdw_kernel.bindat`, which VASP needs up to 6.4.2 for van "
        "der Waals density functionals.",
    )
    walltime_margin_s: Annotated[float, Field(ge=0, le=1e6)] = Field(
        default=600.0,
        description="VASP is asked to stop when the batch job has less time left than this, "
        "s, or than three steps take.",
    )


class Settings(ChargeSettings, Keys, reference.ReferenceSettings):
    """Settings of the VASP reference; the calculations are not spin-polarised.

    Attributes
    ----------
    kpoints_cell_A : edges of the study's cell, angstrom; a cell that repeats it gets a mesh of
        k-points coarser by as much. Without them, all cells get ``kpoints``
    """

    ENGINE: ClassVar[str] = NAME
    FUNCTIONALS: ClassVar[tuple[str, ...]] = tuple(FUNCTIONALS)

    kpoints_cell_A: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None

    @field_validator("potcar")
    @classmethod
    def _titels_of_their_elements(cls, value: dict[str, str]) -> dict[str, str]:
        for element, titel in value.items():
            if element not in chemical_symbols[1:]:
                raise ValueError(f"must name chemical elements (got {element})")
            found = SYMBOL.fullmatch(titel)
            if found is None or found["element"] != element:
                raise ValueError(
                    f"{element} needs the TITEL of a PBE POTCAR of {element}, as in `PAW_PBE "
                    f"Li_sv 10Sep2004` (got {titel!r})."
                )
        return value

    @field_validator("incar")
    @classmethod
    def _tags_of_vasp(cls, value: dict[str, Tag]) -> dict[str, Tag]:
        for tag, item in value.items():
            if tag.startswith(MACHINE_LEARNING):
                raise ValueError(
                    f"{tag} switches on VASP's machine-learned force field, and labels "
                    "must be computed by DFT. Remove it."
                )
            if kind := kind_of_run({tag: item}):
                raise ValueError(
                    f"{tag} makes {kind}. A study needs static runs, relaxations and "
                    "molecular dynamics. Remove it."
                )
            if tag == "NWRITE" and item == 0:
                raise ValueError(
                    "NWRITE = 0 writes no TITEL of the POTCARs into the OUTCAR, so "
                    "labels cannot be checked. Set 1 or 2."
                )
            if tag not in known_tags():
                raise ValueError(
                    f"VASP has no tag {tag} and would ignore it. Write it as in VASP's "
                    "wiki, in capitals."
                )
            if not re.fullmatch(
                r"[A-Za-z0-9 ._*+-]+",
                " ".join(map(str, item)) if isinstance(item, list) else str(item),
            ):
                raise ValueError(
                    f"{tag} contains characters that are not allowed in a value of VASP "
                    f"(got {item!r})."
                )
        zab = value.get("ZAB_VDW", -1.0)
        if not (isinstance(zab, float) and zab < 0):
            raise ValueError(
                f"ZAB_VDW is negative in every van der Waals density functional (got {zab})."
            )
        return value

    @model_validator(mode="after")
    def _nothing_that_undoes_the_functional(self) -> Self:
        if self.incar.get("LUSE_VDW") is True and "LUSE_VDW" not in FUNCTIONALS[self.functional]:
            raise ValueError(
                f"LUSE_VDW would turn {self.functional} into another functional. Choose a "
                "functional with `vdW` or `rVV10` in its name."
            )
        return self

    @property
    def settled_steps(self) -> int:
        """Steps of a relaxation that had nothing left to do: to compare energies it takes two of
        them.
        """
        return 1 if self.ionic_tolerance_eV is None else 2

    def mesh(self, atoms: Atoms) -> tuple[int, int, int]:
        """The mesh of k-points for a cell."""
        mesh = self.kpoints_aimd if self.operation == "aimd" else self.kpoints
        return reference.mesh(mesh, self.kpoints_cell_A, atoms.cell.lengths())

    def tags(self, n_elements: int) -> dict[str, Tag]:
        """Every tag of the INCAR but NELECT, which needs the POTCARs."""
        tags: dict[str, Tag] = {
            "PREC": "Accurate",
            "ENCUT": self.encut_eV,
            "EDIFF": self.ediff_eV,
            "ISMEAR": 0,
            "SIGMA": self.sigma_eV,
            "ISPIN": 1,
            "LASPH": True,
            "LREAL": False,
            "ALGO": "Normal",
            "NELM": 100,
            "LWAVE": False,
            "LCHARG": False,
            **FUNCTIONALS[self.functional],
        }
        if self.operation == "label":
            tags |= {"IBRION": -1, "NSW": 0, "ISIF": 2}
        elif self.operation == "relax":
            ediffg = (
                -self.fmax_eV_per_A if self.ionic_tolerance_eV is None else self.ionic_tolerance_eV
            )
            tags |= {
                "IBRION": 2,
                "NSW": self.max_steps,
                "ISIF": 3 if self.relax_cell else 2,
                "EDIFFG": ediffg,
            }
            tags |= {} if self.keep_symmetry else {"ISYM": 0}
        else:
            tags |= {
                "LREAL": "Auto",
                "NELMIN": 4,
                "MAXMIX": 20,
                "IBRION": 0,
                "NSW": self.steps + 1,  # the first is the start itself
                "ISIF": 3,
                "ISYM": 0,
                "MDALGO": 3,
                "TEBEG": self.temperature_K,
                "TEEND": self.temperature_K,
                "POTIM": self.timestep_fs,
                "LANGEVIN_GAMMA": [self.friction_per_ps] * n_elements,
                "LANGEVIN_GAMMA_L": vasp_inputs.CELL_FRICTION_PER_PS,
                "PMASS": vasp_inputs.PMASS_AMU,
                "PSTRESS": self.pressure_bar / 1e3,
                "NBLOCK": 1,
                "RANDOM_SEED": [self.seed % 900_000_000, 0, 0],
            }
        return tags | self.incar


def version(settings: Settings) -> str:
    """Version of the files; that of VASP is a fact of the record, and a setting where the study
    asks for one.
    """
    return f"format {FORMAT}"


def missing(settings: Settings, program: Program) -> str:
    """What of VASP, its potentials and the kernel is not there, or is not what the study names."""
    if not program.finds(program.command):
        return (
            f"{base.first(program.command)} is not found. Load VASP's module before borarun "
            f"starts, or set programs.{NAME}.command in the site file."
        )
    if program.potcar_directory is None:
        return (
            f"set programs.{NAME}.potcar_directory in the site file to the folder of VASP's PBE "
            "potentials."
        )
    for titel in settings.potcar.values():
        file = vasp_inputs.potcar_path(program.potcar_directory, titel)
        try:
            text = file.read_text(errors="replace")
        except OSError:
            return (
                f"the POTCAR {file} cannot be read. Put the file there, or choose another "
                "one in reference.potcar."
            )
        found = re.search(r"^\s*TITEL\s*=\s*(.*?)\s*$", text, re.MULTILINE)
        if found is None or found[1] != titel:
            return (
                f"the POTCAR {file} is {found[1] if found else 'none'}, not the study's "
                f"{titel}. Use the release of VASP's potentials that has it."
            )
    if (
        program.vdw_kernel is not None
        and _needs_kernel(settings)
        and not Path(program.vdw_kernel).is_file()
    ):
        return (
            f"the kernel {program.vdw_kernel} is missing. Put the file there, or remove "
            f"programs.{NAME}.vdw_kernel with VASP 6.4.3 and later."
        )
    return ""


def _needs_kernel(settings: Settings) -> bool:
    """Whether the functional reads ``vdw_kernel.bindat``: IVDW_NL = 1, which is the default of all
    but the meta-GGAs.
    """
    tags = settings.tags(1)
    return tags.get("LUSE_VDW") is True and tags.get("IVDW_NL", 2 if "METAGGA" in tags else 1) == 1


def probes(program: Program) -> list[Probe]:
    """VASP itself: without an INCAR it ends at once, having written its version or not."""

    def read(text: str) -> Told:
        found = re.search(r"^ *vasp\.(\S+(?: \d{2}[A-Z][a-z]{2}\d{2})?)", text, re.MULTILINE)
        return Told(f"VASP {found[1]}" if found else "")

    commands = {"command": program.command, "gamma_command": program.gamma_command}
    return [
        Probe(key, command, read, leaves="OUTCAR") for key, command in commands.items() if command
    ]


def paths(program: Program) -> dict[str, str]:
    """The folder of potentials, and the kernel."""
    return {
        key: path for key in ("potcar_directory", "vdw_kernel") if (path := getattr(program, key))
    }


def render(settings: Settings, inputs: Inputs, program: Program) -> Files:
    """VASP's own files, and ``job.json`` for the program that starts it."""
    atoms = _start(reference.configurations(settings, inputs))
    elements = vasp_inputs.elements(atoms)
    job = VaspTask(
        operation=settings.operation,
        potcars=tuple(
            str(vasp_inputs.potcar_path(program.potcar_directory or ".", settings.potcar[element]))
            for element in elements
        ),
        vdw_kernel=program.vdw_kernel if _needs_kernel(settings) else None,
        charge=settings.charge_of(atoms.numbers),
        settled_steps=settings.settled_steps,
        steps=settings.steps + 1,
        walltime_margin_s=program.walltime_margin_s,
    )
    return {
        "INCAR": vasp_inputs.incar(settings.tags(len(elements))),
        "POSCAR": vasp_inputs.poscar(atoms),
        "KPOINTS": vasp_inputs.kpoints(settings.mesh(atoms)),
        "start.extxyz": Frames.of([atoms]).to_extxyz(),  # in the study's order of atoms
        FILE: job.text(),
    }


def _start(frames: Frames) -> Atoms:
    if len(frames) != 1:
        raise EngineError(
            f"VASP takes one configuration per task (got {len(frames)}).",
            remedy="Set reference.labels_per_task to 1.",
            cause=Cause.BAD_INPUT,
        )
    return frames[0]


def command(settings: Settings, cores: int, program: Program) -> list[str]:
    """The command to start."""
    gamma_only = (
        settings.kpoints_aimd == (1, 1, 1)
        if settings.operation == "aimd"
        else settings.kpoints == (1, 1, 1)
    )
    vasp = program.gamma_command if program.gamma_command and gamma_only else program.command
    return [
        sys.executable,
        "-m",
        "borarun.engines.vasp.program",
        *base.words(vasp, cores, program.threads),
    ]


def parse(settings: Settings, directory: Path) -> Result:
    """What the runs left, each through the gate.

    Raises
    ------
    ParseError
        Where a file is missing or cut short, or a check of the gate does not hold; the message
        names it.
    EngineError
        Where custodian could not mend what went wrong.
    TimeUpError
        Where the wall was reached.
    """
    start = Frames.from_extxyz((directory / "start.extxyz").read_text())[0]
    notes = vasp_output.read_notes(directory)
    asked = vasp_output.Asked(
        settings.tags(len(vasp_inputs.elements(start))),
        settings.potcar,
        settings.charge_of(start.numbers),
        settings.mesh(start),
        start,
        vasp_inputs.order(start.numbers),
    )
    runs = [
        vasp_output.read_run(directory / f"run-{number}", noted)
        for number, noted in enumerate(notes, 1)
    ]
    programs = list(dict.fromkeys(run.program for run in runs))
    reference.check_version(settings.version, programs, directory)
    for run in runs:
        vasp_output.gate(run, asked)
    if settings.operation == "aimd":
        result = _aimd(settings, runs, asked, directory)
    else:
        last = runs[-1].frames(asked, [len(runs[-1].energy) - 1])
        if settings.operation == "label":
            reference.admit(last, directory / "run-1" / "vasprun.xml")
            result = Result(Labelled(n_labels=1), frames={Labelled.LABELS: last})
        else:
            result = _relaxed(settings, runs, last, directory)
    behind = {
        "program": ", ".join(programs),
        "potcars": runs[-1].potcars,
        "vdw_kernel_sha256": notes[-1].vdw_kernel_sha256,
        "corrections": tuple(correction for run in runs for correction in run.corrections),
    }
    return replace(result, facts=changed(result.facts, **behind))


def _aimd(
    settings: Settings,
    runs: list[vasp_output.Run],
    asked: vasp_output.Asked,
    directory: Path,
) -> Result:
    run = vasp_output.join(runs)
    if len(run.energy) != settings.steps + 1:
        raise ParseError(
            directory / "run-1" / "vasprun.xml",
            f"steps: the runs hold {len(run.energy)} steps of {settings.steps + 1}",
        )
    vasp_output.check_moving_cell(run)
    sampled = range(settings.sample_every, settings.steps + 1, settings.sample_every)
    kept = [step for step in sampled if run.converged[step]]
    if not kept:
        raise ParseError(
            directory / "run-1" / "vasprun.xml",
            "electronic convergence: none of the samples has converged",
            remedy=vasp_output.RAISE_NELM,
        )
    labels = run.frames(asked, kept)
    reference.admit(labels, directory / "run-1" / "vasprun.xml")
    facts = Sampled(
        n_labels=len(labels),
        temperature_K=float(run.temperature[1:].mean()),
        steps=settings.steps,
        ensemble=ENSEMBLE,
        unconverged=len(sampled) - len(kept),
    )
    return Result(facts, frames={Sampled.LABELS: labels})


def _relaxed(
    settings: Settings,
    runs: list[vasp_output.Run],
    last: Frames,
    directory: Path,
) -> Result:
    atoms, run = last[0], runs[-1]
    largest = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
    steps = sum(len(run.energy) for run in runs)
    if len(run.energy) > settings.settled_steps:
        raise EngineError(
            "not relaxed: VASP still moved the atoms when it was started for the "
            f"{len(runs)}th time (forces up to {largest:.3g} eV/A).",
            remedy="Raise relax.max_steps, or start from a better structure.",
            cause=Cause.NOT_CONVERGED,
        )
    if settings.ionic_tolerance_eV is None and largest > settings.fmax_eV_per_A:
        raise ParseError(
            directory / f"run-{len(runs)}" / "vasprun.xml",
            f"forces: up to {largest:.3g} eV/A are left of {settings.fmax_eV_per_A:g}",
        )
    from ase.spacegroup.symmetrize import (
        check_symmetry,
    )  # loads scipy whole: a plan need not wait for it

    symmetry = check_symmetry(atoms, symprec=SYMMETRY_TOLERANCE_A)
    facts = Relaxed(
        energy_eV_per_atom=float(atoms.get_potential_energy()) / len(atoms),
        lattice_A=tuple(atoms.cell.lengths().tolist()),
        angles_deg=tuple(atoms.cell.angles().tolist()),
        volume_A3=float(atoms.get_volume()),
        max_force_eV_per_A=largest,
        max_stress_kbar=float(np.abs(atoms.get_stress()).max()) * EV_PER_A3_IN_KBAR,
        space_group=f"{symmetry.international} ({symmetry.number})",
        steps=steps,
    )
    return Result(facts, frames={Relaxed.STRUCTURE: last})


def cost(settings: Settings, n_atoms: int) -> Cost:
    """Estimate: core time grows with the k-points, with the atoms to ``ATOMS_POWER``, and with the
    plane waves of the cutoff, to 3/2.
    """
    step_s = (
        CYCLE_SECONDS
        * _n_kpoints(settings)
        * (n_atoms / CYCLE_ATOMS) ** ATOMS_POWER
        * (settings.encut_eV / CYCLE_ENCUT_EV) ** 1.5
    )
    return reference.cost(settings, n_atoms, step_s / n_atoms, start_s=30.0)


def _n_kpoints(settings: Settings) -> int:
    """K-points that symmetry leaves of the mesh: all of the start's where a relaxation keeps it,
    else time reversal alone. Of a label's supercell, which is not known before, the mesh of the
    study's cell counts.
    """
    mesh = settings.kpoints_aimd if settings.operation == "aimd" else settings.kpoints
    if settings.operation == "relax" and settings.keep_symmetry and settings.cell.text:
        start = build(settings.cell, None)
        cell = (start.cell.array, start.get_scaled_positions(), start.numbers)
        with warnings.catch_warnings():  # of the way it will tell errors
            warnings.simplefilter("ignore", DeprecationWarning)
            image_of, _ = spglib.get_ir_reciprocal_mesh(
                settings.mesh(start), cell, symprec=SYMMETRY_TOLERANCE_A
            )
        return len(np.unique(image_of))
    own = np.prod([2 - n % 2 for n in mesh])  # points that are their own images
    return int(np.prod(mesh) + own) // 2
