"""Quantum ESPRESSO as reference: density functional theory that anyone may install.

pw.x runs behind ASE's socket, many configurations a process (``calculator.py``); its own output is
kept as evidence: a label counts only where pw.x printed its energy as converged.

Source: Giannozzi et al., J. Phys.: Condens. Matter 29, 465901 (2017); rev-vdW-DF2: Hamada, Phys.
Rev. B 89, 121103 (2014), ``vdw-df2-b86r``; D3: Grimme, Antony, Ehrlich, Krieg, J. Chem. Phys. 132,
154104 (2010), with Becke-Johnson damping J. Comput. Chem. 32, 1456 (2011), both without the
three-body term, as VASP's IVDW.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from pydantic import Field, PositiveFloat, field_validator, model_validator

from borarun.basics.errors import ParseError
from borarun.engines import base
from borarun.engines.base import Cost, Files, Frames, Inputs, Probe, Result, Told
from borarun.engines.quantum_espresso.output import JOB, OUTPUT, PwJob, read_output
from borarun.engines.quantum_espresso.section import EspressoReference, Keys
from borarun.engines.reading import read_json
from borarun.engines.reference import base as reference
from borarun.engines.reference.charge import ChargeSettings
from borarun.records.operations.base import changed

NAME = "quantum-espresso"
HOME = "https://www.quantum-espresso.org"
Section = EspressoReference
RESUMABLE = True
FORMAT = "1"
"""Raised by one when the same settings come to mean another result."""


XC: dict[str, dict[str, str | int | bool]] = {
    "PBE": {"input_dft": "PBE"},
    "PBE-D3": {
        "input_dft": "PBE",
        "vdw_corr": "dft-d3",
        "dftd3_version": 4,
        "dftd3_threebody": False,
    },
    "PBE-D3-zero": {
        "input_dft": "PBE",
        "vdw_corr": "dft-d3",
        "dftd3_version": 3,
        "dftd3_threebody": False,
    },
    "PBEsol": {"input_dft": "PBESOL"},
    "rev-vdW-DF2": {"input_dft": "vdw-df2-b86r"},
    "vdW-DF2": {"input_dft": "vdw-df2"},
    "optB86b-vdW": {"input_dft": "vdw-df-ob86"},
    "optB88-vdW": {"input_dft": "vdw-df-obk8"},
}
"""Functional -> QE's keys. ``input_dft`` overrules the functional that the pseudopotentials were
made with.
"""

OURS = frozenset(
    {
        "calculation",
        "prefix",
        "outdir",
        "pseudo_dir",
        "wfcdir",
        "disk_io",
        "tprnfor",
        "tstress",
        "nosym",
        "ibrav",
        "nat",
        "ntyp",
        "ecutwfc",
        "ecutrho",
        "occupations",
        "degauss",
        "tot_charge",
        "conv_thr",
        "cell_factor",
        "input_dft",
        "vdw_corr",
        "dftd3_version",
        "dftd3_threebody",
    }
)
"""QE's keys that follow from the settings or that the socket needs; ``espresso`` does not change
them.
"""

SECONDS_PER_ATOM = 4.0
"""Core time of one electronic cycle of 104 atoms at Gamma, with forces and stress: 2 s were
measured at 60/360 Ry, and the default cutoffs take about twice as many plane waves.
"""

KERNEL_S = 75.0
"""Core time of the kernel table of the van der Waals functionals, once a process."""

ENERGY_TOLERANCE_EV = 1e-5
"""pw.x prints 1e-8 Ry."""


class Program(base.Program):
    """How pw.x runs on a site."""

    command: base.Command = Field(
        default="pw.x",
        description="Command that starts pw.x; `{cores}` is replaced by the number of cores, "
        "e.g. `mpirun -np {cores} pw.x -nk 4`; borarun adds `-in` and `--ipi`.",
    )
    pseudopotential_directory: base.AbsolutePath | None = Field(
        default=None,
        description="Absolute path of the folder that holds the pseudopotentials (UPF files).",
    )


class Settings(ChargeSettings, Keys, reference.ReferenceSettings):
    """Settings of the Quantum ESPRESSO reference; the calculations are not spin-polarised.

    Attributes
    ----------
    kpoints_cell_A : edges of the study's cell, angstrom; a cell that repeats it gets a mesh of
        k-points coarser by as much. Without them, all cells get ``kpoints``
    """

    ENGINE: ClassVar[str] = NAME
    FUNCTIONALS: ClassVar[tuple[str, ...]] = tuple(XC)

    kpoints_cell_A: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None

    @field_validator("pseudopotentials", "pseudopotential_md5")
    @classmethod
    def _elements(cls, value: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(value) - set(chemical_symbols[1:])):
            raise ValueError(f"must name chemical elements (got {', '.join(unknown)})")
        return value

    @field_validator("pseudopotentials")
    @classmethod
    def _names_of_files(cls, value: dict[str, str]) -> dict[str, str]:
        if wrong := [
            name
            for name in value.values()
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}", name)
        ]:
            raise ValueError(
                f"must be file names without a folder (got {', '.join(wrong)}). The site "
                "file gives the folder."
            )
        return value

    @field_validator("pseudopotential_md5")
    @classmethod
    def _hashes(cls, value: dict[str, str]) -> dict[str, str]:
        if wrong := [md5 for md5 in value.values() if not re.fullmatch("[0-9a-f]{32}", md5)]:
            raise ValueError(
                f"must be MD5 hashes, 32 digits 0-9 a-f each (got {', '.join(wrong)})."
            )
        return value

    @field_validator("espresso")
    @classmethod
    def _keys_of_pw(cls, value: dict[str, Any]) -> dict[str, Any]:
        from ase.io.espresso_namelist.keys import (
            pw_keys,
        )  # loads scipy whole: a plan need not wait for it

        known = {key for keys in pw_keys.values() for key in keys}
        for key, item in value.items():
            if key in OURS:
                raise ValueError(f"{key} is set by borarun. Remove it.")
            if key not in known:
                raise ValueError(f"pw.x has no key {key}. See INPUT_PW in its documentation.")
            if isinstance(item, str) and not re.fullmatch(r"[A-Za-z0-9 ._+-]*", item):
                raise ValueError(
                    f"{key} contains characters that are not allowed in a value of pw.x "
                    f"(got {item!r})."
                )
        return value

    @model_validator(mode="after")
    def _cutoffs(self) -> Self:
        if self.ecutrho_Ry < 4 * self.ecutwfc_Ry:
            raise ValueError(
                f"ecutrho_Ry must be at least four times ecutwfc_Ry (got {self.ecutrho_Ry:g} "
                f"and {self.ecutwfc_Ry:g})."
            )
        return self


def version(settings: Settings) -> str:
    """Version of the files; that of pw.x is a fact of the record, and a setting where the study
    asks for one.
    """
    return f"format {reference.FORMAT}.{FORMAT}"


def missing(settings: Settings, program: Program) -> str:
    """What of pw.x and the pseudopotentials is not there, or is not what the study names."""
    if not program.finds(program.command):
        first = base.first(program.command)
        return (
            f"{first} is not found. Install Quantum ESPRESSO (Debian: apt-get install "
            f"quantum-espresso), or set programs.{NAME}.command in the site file."
        )
    if program.pseudopotential_directory is None:
        return (
            f"set programs.{NAME}.pseudopotential_directory in the site file to the folder that "
            f"holds {', '.join(settings.pseudopotentials.values())}."
        )
    for element, name in settings.pseudopotentials.items():
        file = Path(program.pseudopotential_directory) / name
        try:
            content = file.read_bytes()
        except OSError:
            return f"the pseudopotential {file} cannot be read. Put the file there."
        text = content.decode(errors="replace")
        made_for = re.search(r'element\s*=\s*"\s*(\w+)\s*"', text) or re.search(
            r"^\s*(\w+)\s+Element$", text, re.MULTILINE
        )
        if made_for is None or made_for[1] != element:
            return (
                f"the pseudopotential {file} is not for {element}. Choose another one in "
                "reference.pseudopotentials."
            )
        wanted, md5 = (
            settings.pseudopotential_md5.get(element),
            hashlib.md5(content, usedforsecurity=False).hexdigest(),
        )
        if wanted not in (None, md5):
            return (
                f"the pseudopotential {file} is not the one of the study (MD5 {md5}, the "
                f"study needs {wanted}). Replace the file."
            )
    return ""


def probes(program: Program) -> list[Probe]:
    """pw.x itself: with nothing to read it says what it is and ends."""

    def read(text: str) -> Told:
        found = re.search(r"Program PWSCF v\.(\S+) starts", text)
        return (
            Told(f"pw.x {found[1]}")
            if found
            else Told(trouble="is not pw.x, by its output", remedy=base.BY_HAND)
        )

    return [Probe("command", program.command, read)]


def paths(program: Program) -> dict[str, str]:
    """The folder of pseudopotentials."""
    return (
        {"pseudopotential_directory": program.pseudopotential_directory}
        if program.pseudopotential_directory
        else {}
    )


def render(settings: Settings, inputs: Inputs, program: Program) -> Files:
    """The input files: one ``pw-N.in`` for each list of atoms, ``pw.json``, and those of the
    reference program.

    ``pw.json`` names the inputs, and says which of the task's configurations each of the files is.
    """
    asked = reference.configurations(settings, inputs)
    order = _largest_first(asked)
    frames = asked.take(order)
    files = reference.render(settings, frames)
    starts: dict[tuple[int, ...], Atoms] = {}
    for atoms in frames:
        starts.setdefault(tuple(atoms.numbers), atoms)
    texts = {
        f"pw-{number}.in": _pw_input(settings, atoms, program)
        for number, atoms in enumerate(starts.values(), 1)
    }
    job = PwJob(inputs=tuple(texts), order=tuple(order))
    return {**files, **texts, JOB: job.model_dump_json(indent=1) + "\n"}


def _largest_first(frames: Frames) -> list[int]:
    """An order of configurations: those of the same atoms after one another, the largest cell
    first.

    pw.x keeps the plane waves of its first cell until the volume has changed by a tenth, so that
    the cutoff of the others is that of the settings or higher, never lower.
    """
    images = list(frames)
    first: dict[tuple[int, ...], int] = {}
    for index, atoms in enumerate(images):
        first.setdefault(tuple(atoms.numbers), index)
    return sorted(
        range(len(images)),
        key=lambda i: (first[tuple(images[i].numbers)], -round(images[i].get_volume(), 6)),
    )


def _pw_input(settings: Settings, atoms: Atoms, program: Program) -> str:
    """Input of pw.x behind a socket, which moves atoms and cell as it likes: as ``vc-relax``, and
    without the start's symmetry.
    """
    data = {
        "calculation": "vc-relax",
        "outdir": "./pw",
        "pseudo_dir": program.pseudopotential_directory or ".",
        "disk_io": "none",
        "tprnfor": True,
        "tstress": True,
        "nosym": True,
        "ecutwfc": settings.ecutwfc_Ry,
        "ecutrho": settings.ecutrho_Ry,
        "tot_charge": settings.charge_of(atoms.numbers),
        "conv_thr": settings.conv_thr_Ry,
        "cell_factor": 2.0,
        **(
            {"occupations": "fixed"}
            if settings.degauss_Ry is None
            else {"occupations": "smearing", "degauss": settings.degauss_Ry}
        ),
        **XC[settings.functional],
        **settings.espresso,
    }
    mesh = reference.mesh(settings.kpoints, settings.kpoints_cell_A, atoms.cell.lengths())
    text = io.StringIO()
    from ase.io.espresso import write_espresso_in  # loads scipy whole: a plan need not wait for it

    write_espresso_in(
        text,
        atoms,
        input_data=data,
        pseudopotentials={
            symbol: settings.pseudopotentials[symbol] for symbol in dict.fromkeys(atoms.symbols)
        },
        kpts=None
        if mesh == (1, 1, 1)
        else mesh,  # None: the Gamma point with real wave functions, at half the cost
    )
    return text.getvalue()


def command(settings: Settings, cores: int, program: Program) -> list[str]:
    """The command to start."""
    return [
        *reference.command(settings, cores),
        "--",
        *base.words(program.command, cores, program.threads),
    ]


def parse(settings: Settings, directory: Path) -> Result:
    """What the run left, checked against pw.x's own output.

    Raises
    ------
    ParseError
        Where a file is missing or cut short, or a label is not what pw.x printed as converged with
        this functional.
    EngineError
        Where pw.x gave no result, e.g. because its electronic cycle did not converge.
    """
    result = reference.parse(settings, directory)
    (labels,) = result.frames.values()
    if len(labels) == 0:
        return result
    file = directory / OUTPUT
    printed = read_output(file)
    reference.check_version(settings.version, printed.programs, directory)
    if printed.functionals != {str(XC[settings.functional]["input_dft"]).upper()}:
        raise ParseError(
            file, f"is of another functional ({', '.join(sorted(printed.functionals)) or 'none'})"
        )
    for index, energy in enumerate(_energies(labels)):
        if not np.isclose(printed.energy, energy, rtol=0, atol=ENERGY_TOLERANCE_EV).any():
            raise ParseError(
                file, f"has no converged cycle of the energy of label {index + 1}, {energy:.6f} eV"
            )
    behind = {
        "program": ", ".join(printed.programs),
        "pseudopotentials": printed.pseudopotentials,
    }
    return replace(
        result,
        facts=changed(result.facts, **behind),
        frames=_as_asked(directory, result.frames),
    )


def _as_asked(directory: Path, frames: Mapping[str, Frames]) -> dict[str, Frames]:
    """Labels in the order of the task's configurations; what is no label of a given one is left as
    it is.
    """
    order = read_json(PwJob, directory / JOB).order
    return {
        name: labels.take(np.argsort(order)) if len(labels) == len(order) > 1 else labels
        for name, labels in frames.items()
    }


def _energies(labels: Frames) -> list[float]:
    assert labels.energy is not None  # reference.parse takes only labelled ones
    energies: list[float] = labels.energy.tolist()
    return energies


def cost(settings: Settings, n_atoms: int) -> Cost:
    """Estimate; core time grows with the k-points, of which time reversal leaves half."""
    weight = max(1.0, float(np.prod(settings.kpoints)))
    kernel = KERNEL_S if "vdw" in str(XC[settings.functional]["input_dft"]) else 0.0
    return reference.cost(settings, n_atoms, weight * SECONDS_PER_ATOM, start_s=10.0 + kernel)
