"""What VASP left: read whole or not at all, and the gate that every label passes.

Numbers come from ``vasprun.xml``, which has more digits than the OUTCAR; the OUTCAR must agree with
it and have its last lines. The energy is TOTEN, the free energy, of which the forces are the
derivative. VASP's stress in kbar is positive where the cell wants to grow.

Source: VASP's wiki; the OSZICAR is read by pymatgen, Ong et al., Comput. Mater. Sci. 68, 314
(2013).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from borarun.basics.errors import ParseError
from borarun.engines.base import Frames
from borarun.engines.reading import read_bytes, unreadable
from borarun.engines.vasp.inputs import Tag, kind_of_run
from borarun.engines.vasp.job import Noted
from borarun.engines.vasp.output_xml import Vasprun, read_vasprun
from borarun.records import endings
from borarun.records.operations.reference import Correction, Potcar

RAISE_NELM = "Raise NELM or change ALGO under reference.incar, or check the structure."

ENERGY_TOLERANCE_EV = 1e-5
"""Between the energy of the OUTCAR and that of the XML, which print six to eight decimals."""

EDIFF_FACTOR = 10.0
"""The change of the energy and that of the eigenvalues end a cycle together, so the printed change
may be a little above EDIFF.
"""

POSITION_TOLERANCE_A = 1e-5
"""The XML holds eight decimals of fractional coordinates."""

EXCHANGE = (
    "GGA",
    "METAGGA",
    "IVDW",
    "LUSE_VDW",
    "PARAM1",
    "PARAM2",
    "ZAB_VDW",
    "AGGAC",
    "BPARAM",
    "CPARAM",
)
"""Tags that make a functional."""

SCIENCE = (
    *EXCHANGE,
    "LASPH",
    *(
        "ENCUT",
        "EDIFF",
        "PREC",
        "ISMEAR",
        "SIGMA",
        "ISPIN",
        "ISIF",
        "IBRION",
        "MDALGO",
        "POTIM",
        "TEBEG",
        "TEEND",
        "PSTRESS",
    ),
)
"""Tags that decide what a label means: they must be in force as they were asked for, whatever
custodian mended.
"""

ALIASES = {"ENCUT": "ENMAX"}
"""Names that the XML's parameters have for tags."""

UNSET: dict[str, Tag | None] = {
    "IVDW": 0,
    "LUSE_VDW": False,
    "METAGGA": "--",
    "LASPH": False,
    "PSTRESS": 0.0,
}
"""What it means that a tag is absent, where that is a statement of its own."""


@dataclass(frozen=True)
class Run:
    """One run of VASP, its atoms in the order of its POSCAR.

    Attributes
    ----------
    directory : where it ran
    program : ``VASP 6.4.2``
    potcars : by element, as the program found them
    titels : TITEL of each POTCAR that VASP says it read
    corrections : what custodian mended
    stopped : whether the wall ended it
    tags : INCAR and parameters as VASP understood them, by the names of ``SCIENCE`` and NELECT,
        NELM
    mdalgo : what the OUTCAR says of it; None where it says nothing
    mesh : divisions of the mesh of k-points
    symbols : (N,) chemical symbols
    cell : (F, 3, 3) angstrom
    fractional : (F, N, 3)
    energy : (F,) eV, TOTEN
    forces : (F, N, 3) eV/angstrom
    stress : (F, 6) eV/angstrom^3, ASE's sign and order; None where VASP computed none
    converged : (F,) whether the electronic cycle ended before NELM, and its last step changed the
        energy by no more than a few EDIFF
    temperature : (F,) K; zeros where nothing moved
    kind : what kind of run it is, where labels are not of it; else empty
    """

    directory: Path
    program: str
    potcars: Mapping[str, Potcar]
    titels: Sequence[str]
    corrections: Sequence[Correction]
    stopped: bool
    tags: Mapping[str, Any]
    mdalgo: int | None
    mesh: tuple[int, ...]
    symbols: Sequence[str]
    cell: NDArray[np.float64]
    fractional: NDArray[np.float64]
    energy: NDArray[np.float64]
    forces: NDArray[np.float64]
    stress: NDArray[np.float64] | None
    converged: NDArray[np.bool_]
    temperature: NDArray[np.float64]
    kind: str = ""

    def frames(self, asked: Asked, steps: Sequence[int]) -> Frames:
        """Labelled frames in the study's order of atoms, each atom next to where it stood at the
        start.
        """
        assert self.stress is not None  # the gate saw to it
        start, place = asked.start, np.argsort(asked.order)
        anchor = start.get_scaled_positions(wrap=False)
        images = []
        for step in steps:
            fractional = self.fractional[step][place]
            fractional = fractional - np.round(fractional - anchor)
            image = Atoms(
                start.numbers, scaled_positions=fractional, cell=self.cell[step], pbc=True
            )
            labels = {
                "energy": float(self.energy[step]),
                "forces": self.forces[step][place],
                "stress": self.stress[step],
            }
            image.calc = SinglePointCalculator(image, **labels)
            images.append(image)
        return Frames.of(images)


@dataclass(frozen=True)
class Asked:
    """What a task asked of VASP.

    Attributes
    ----------
    tags : of the INCAR
    titels : element -> TITEL
    charge : elementary charges
    mesh : divisions of the mesh of k-points
    start : the atoms it starts from, in the study's order
    order : (N,) atom i of the POSCAR is atom ``order[i]`` of ``start``
    """

    tags: Mapping[str, Tag | None]
    titels: Mapping[str, str]
    charge: float
    mesh: tuple[int, int, int]
    start: Atoms
    order: NDArray[np.intp]


class Runs(BaseModel):
    """How many runs of VASP a task took."""

    model_config = ConfigDict(frozen=True)

    runs: int


def read_notes(directory: Path) -> list[Noted]:
    """What the program noted of each run, in their order.

    Raises
    ------
    ParseError
        Where the program did not come to its end.
    EngineError
        Where it says why there is no result.
    """
    file, result = directory / endings.NAME, endings.result_of(directory, Runs)
    try:
        notes = [
            Noted.model_validate_json(read_bytes(directory / f"run-{number}" / "run.json"))
            for number in range(1, result.runs + 1)
        ]
    except ValueError as error:
        raise ParseError(file, f"is damaged ({error})") from error
    if not notes:
        raise ParseError(file, "names no run of VASP")
    return notes


def read_run(directory: Path, noted: Noted) -> Run:
    """Read one run of VASP.

    Parameters
    ----------
    directory : where it ran
    noted : what the program noted of it

    Raises
    ------
    ParseError
        Where a file is missing, empty, cut short or contradicts another one; the message names the
        file and the place.
    """
    file = directory / "vasprun.xml"
    xml = read_vasprun(file)
    outcar = read_outcar(directory / "OUTCAR")
    steps = len(xml.energy)
    if not steps:
        raise ParseError(
            file,
            "holds no step: VASP ended before its first energy",
            evidence=_tail(directory / "OUTCAR"),
        )
    tags = tags_in_force(xml)
    if absent := {"NELECT", "NELM", "IBRION"} - tags.keys():
        raise ParseError(file, f"does not contain {', '.join(sorted(absent))}")
    if len(outcar.energy) != steps:
        raise ParseError(
            directory / "OUTCAR",
            f"has {len(outcar.energy)} energies TOTEN, and vasprun.xml has {steps}: they are of "
            "different runs, or one is cut short",
        )
    same = np.isclose(outcar.energy, xml.energy, rtol=0, atol=ENERGY_TOLERANCE_EV, equal_nan=True)
    if not same.all():
        step = int(np.flatnonzero(~same)[0])
        raise ParseError(
            directory / "OUTCAR",
            f"step {step + 1} has TOTEN = {outcar.energy[step]:.8f} eV, and e_fr_energy = "
            f"{xml.energy[step]:.8f} eV in vasprun.xml (tolerance {ENERGY_TOLERANCE_EV:g} eV): "
            "they are of different runs",
        )
    return Run(
        directory=directory,
        program=f"VASP {xml.version}",
        potcars=noted.potcars,
        titels=outcar.titels,
        corrections=noted.corrections,
        stopped=noted.stopped,
        tags=tags,
        mdalgo=outcar.mdalgo,
        mesh=xml.mesh,
        symbols=xml.symbols,
        cell=xml.cell,
        fractional=xml.fractional,
        energy=xml.energy,
        forces=xml.forces,
        stress=xml.stress,
        converged=converged(xml, tags),
        kind=kind_of_run({**xml.incar, **xml.parameters}),
        temperature=_temperatures(directory / "OSZICAR", steps)
        if tags["IBRION"] == 0
        else np.zeros(steps),
    )


def converged(xml: Vasprun, tags: Mapping[str, Any]) -> NDArray[np.bool_]:
    """(F,) whether the electronic cycle of each step converged, as ``Run`` has it."""
    found: NDArray[np.bool_] = (xml.cycles < tags["NELM"]) & _settled(xml, tags)
    return found


def _settled(xml: Vasprun, tags: Mapping[str, Any]) -> NDArray[np.bool_]:
    """(F,) whether the last electronic step changed the energy by no more than EDIFF allows: a
    cycle may end early without that.
    """
    ediff = tags.get("EDIFF")
    if not isinstance(ediff, int | float):
        return np.ones(len(xml.energy), bool)
    settled: NDArray[np.bool_] = xml.last_change <= max(
        EDIFF_FACTOR * abs(ediff), ENERGY_TOLERANCE_EV
    )
    return settled


def join(runs: Sequence[Run]) -> Run:
    """Runs that go on from one another, as one."""
    names = ("cell", "fractional", "energy", "forces", "stress", "converged", "temperature")
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(run, name) for run in runs]) for name in names
    }
    return replace(runs[-1], **joined)


def gate(run: Run, asked: Asked) -> None:
    """Let through what may be a label.

    Raises
    ------
    ParseError
        With the name of the check that does not hold, and with what.
    """
    for name, check in GATE.items():
        for finding in check(run, asked):
            evidence = "\n".join(correction.model_dump_json() for correction in run.corrections)
            raise ParseError(run.directory / "vasprun.xml", f"{name}: {finding}", evidence=evidence)


def check_moving_cell(run: Run) -> None:
    """Whether the cell moved where NPT was asked for.

    Raises
    ------
    ParseError
        Where it did not.
    """
    remedy = "Use a VASP that was built with -Dtbdyn."
    if run.mdalgo != 3:
        raise ParseError(
            run.directory / "OUTCAR",
            f"moving cell: VASP did not run MDALGO = 3 (got {run.mdalgo})",
            remedy=remedy,
        )
    if len(run.cell) > 1 and np.ptp(run.cell, axis=0).max() == 0:
        raise ParseError(
            run.directory / "vasprun.xml",
            "moving cell: the cell of every step is the same",
            remedy=remedy,
        )


def _atoms(run: Run, asked: Asked) -> Iterator[str]:
    wanted = [asked.start.symbols[index] for index in asked.order]
    if list(run.symbols) != wanted:
        yield (
            f"{len(run.symbols)} atoms, {' '.join(dict.fromkeys(run.symbols))}, instead of "
            f"{len(wanted)}, {' '.join(dict.fromkeys(wanted))}"
        )


def _potcars(run: Run, asked: Asked) -> Iterator[str]:
    wanted = [asked.titels[symbol] for symbol in dict.fromkeys(run.symbols)]
    if list(run.titels) != wanted:
        yield f"VASP read {', '.join(run.titels) or 'none'} instead of {', '.join(wanted)}"


def _settings(run: Run, asked: Asked) -> Iterator[str]:
    for tag in SCIENCE:
        wanted, found = asked.tags.get(tag, UNSET.get(tag)), run.tags.get(tag, UNSET.get(tag))
        if wanted is not None and not same(wanted, found):
            yield f"{tag} = {found} instead of {wanted}"
    if run.mesh != asked.mesh:
        yield f"a mesh of {run.mesh} k-points instead of {asked.mesh}"


def _charge(run: Run, asked: Asked) -> Iterator[str]:
    electrons = sum(run.potcars[symbol].zval for symbol in run.symbols) - asked.charge
    if not np.isclose(run.tags["NELECT"], electrons, rtol=0, atol=1e-4):
        yield f"{run.tags['NELECT']:g} electrons instead of {electrons:g}"


def _kind(run: Run, asked: Asked) -> Iterator[str]:
    if run.kind:
        yield f"is {run.kind}, and labels are of static runs, relaxations and molecular dynamics"


def _finite(run: Run, asked: Asked) -> Iterator[str]:
    if run.stress is None:
        yield "there is no stress"
    for name in ("energy", "forces", "stress", "cell", "fractional"):
        if (values := getattr(run, name)) is not None and not np.isfinite(values).all():
            yield f"{name} that is not a number"


def _electronic(run: Run, asked: Asked) -> Iterator[str]:
    """Of molecular dynamics single steps are left out instead."""
    if asked.tags["IBRION"] != 0 and not run.converged[-1]:
        yield (
            "the last electronic step still changed the energy by more than EDIFF, or it was "
            f"number NELM = {run.tags['NELM']:g}"
        )


def _configuration(run: Run, asked: Asked) -> Iterator[str]:
    if asked.tags["NSW"] != 0:
        return
    wanted = asked.start.get_scaled_positions(wrap=False)[asked.order]
    away = run.fractional[0] - wanted
    cell = asked.start.cell.array
    if (
        np.abs(run.cell[0] - cell).max() > POSITION_TOLERANCE_A
        or np.abs((away - np.round(away)) @ cell).max() > POSITION_TOLERANCE_A
    ):
        yield "the atoms are not at the positions of the configuration"


GATE: dict[str, Callable[[Run, Asked], Iterator[str]]] = {
    "kind of run": _kind,
    "atoms": _atoms,
    "POTCAR": _potcars,
    "settings": _settings,
    "charge": _charge,
    "finite numbers": _finite,
    "electronic convergence": _electronic,
    "configuration": _configuration,
}
"""Checks of a run by name; that the cell moves is checked over all runs of molecular dynamics."""


def same(wanted: Any, found: Any) -> bool:
    """Whether a tag in force is the one that was asked for."""
    if isinstance(wanted, str) or isinstance(found, str):
        one, other = str(wanted).strip().upper(), str(found).strip().upper()
        return one == other or (
            len(other) == 6 and one.startswith(other)
        )  # the XML cuts PREC to six letters
    if found is None:
        return False
    return bool(np.isclose(float(wanted), float(found), rtol=1e-6, atol=1e-8))


def tags_in_force(xml: Vasprun) -> dict[str, Any]:
    """Every tag that matters, from the parameters in force, or from the INCAR as VASP read it where
    these are silent.
    """
    found: dict[str, Any] = {}
    for tag in (*SCIENCE, "NELECT", "NELM"):
        value = xml.parameters.get(ALIASES.get(tag, tag))
        if value is None or value == "--":
            value = xml.incar.get(tag)
        if value is not None:
            found[tag] = value
    return found


@dataclass(frozen=True)
class Outcar:
    """What the gate needs of an OUTCAR.

    Attributes
    ----------
    titels : TITEL of each POTCAR
    mdalgo : of the last line that tells it
    energy : (F,) eV, TOTEN of each step
    """

    titels: list[str]
    mdalgo: int | None
    energy: NDArray[np.float64]


def read_outcar(file: Path) -> Outcar:
    """Read line by line: an OUTCAR of molecular dynamics has gigabytes."""
    titels, energies, mdalgo, ended = [], [], None, False
    try:
        with file.open(errors="replace") as lines:
            for line in lines:
                if line.startswith("  free  energy   TOTEN"):
                    energies.append(line.split("=")[1].split()[0])
                elif line.startswith("   TITEL  ="):
                    titels.append(line.split("=", 1)[1].strip())
                elif found := re.match(r" +MDALGO = +(\d+)$", line.rstrip()):
                    mdalgo = int(found[1])
                elif line.startswith("                         Elapsed time (sec):"):
                    ended = True
    except OSError as error:
        raise unreadable(file, error) from error
    except IndexError as error:
        raise ParseError(file, f"is cut short after step {len(energies)}") from error
    if not ended:
        raise ParseError(
            file,
            f"is cut short after step {len(energies)}: it does not end with VASP's timing",
            evidence=_tail(file),
        )
    try:
        return Outcar(titels, mdalgo, np.array([float(energy) for energy in energies]))
    except ValueError as error:
        raise ParseError(file, f"has an energy that is not a number ({error})") from error


def _temperatures(file: Path, steps: int) -> NDArray[np.float64]:
    from pymatgen.io.vasp.outputs import Oszicar

    try:
        temperatures = np.array([step["T"] for step in Oszicar(file).ionic_steps], float)
    except Exception as error:  # pymatgen raises whatever its reader stumbles over
        raise ParseError(file, f"is cut short or damaged ({error})") from error
    if len(temperatures) != steps:
        raise ParseError(
            file, f"has the temperature of {len(temperatures)} steps instead of {steps}"
        )
    return temperatures


def _tail(file: Path) -> str:
    try:
        return "\n".join(file.read_text(errors="replace").splitlines()[-10:])
    except OSError:
        return ""
