"""The files that the stand-in leaves, in the layout of VASP 5.4: OUTCAR, vasprun.xml, OSZICAR,
XDATCAR, CONTCAR, REPORT.

What real readers look for stands where VASP has it, with VASP's number of digits; what belongs to a
true electronic structure is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION = "5.4.4-standin"
EV_PER_A3_IN_KBAR = 1602.1766208
RULE = "-" * 104
FORCES_RULE = " " + "-" * 83
VOIGT = ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0))
"""VASP's order: XX YY ZZ XY YZ ZX."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Species:
    """One block of atoms in the POSCAR with its POTCAR."""

    symbol: str
    count: int
    titel: str
    zval: float
    mass: float
    enmax: float


@dataclass(frozen=True)
class Step:
    """One ionic step: fractional positions, cell, energy eV, forces eV/angstrom, stress
    eV/angstrom^3 (3, 3) in ASE's sign, energies of the cycle.
    """

    fractional: Array
    cell: Array
    energy: float
    forces: Array
    stress: Array | None
    scf: Sequence[float]
    converged: bool
    kinetic: float = 0.0
    kinetic_cell: float = 0.0
    temperature: float = 0.0


def vectors(rows: Iterable[Iterable[float]], digits: int = 8) -> list[str]:
    return [" ".join(f"{value:16.{digits}f}" for value in row) for row in rows]


class Writer:
    """Writes as the steps come, so that a killed run leaves what a killed VASP leaves."""

    def __init__(
        self,
        directory: Path,
        tags: dict[str, Any],
        species: Sequence[Species],
        mesh: tuple[int, int, int],
        nelect: float,
        comment: str,
    ) -> None:
        self.directory, self.tags, self.species, self.comment = directory, tags, species, comment
        self.mesh, self.nelect = mesh, nelect
        self.steps = 0
        self.files = {
            name: (directory / name).open("w")
            for name in ("OUTCAR", "vasprun.xml", "OSZICAR", "XDATCAR", "REPORT")
        }

    def put(self, name: str, *lines: str) -> None:
        self.files[name].write("".join(f"{line}\n" for line in lines))
        self.files[name].flush()

    @property
    def dynamics(self) -> bool:
        return bool(self.tags["IBRION"] == 0)

    # -- head
    # ---------------------------------------------------------------------------------------------------------------------------  # noqa: E501

    def head(self, fractional: Array, cell: Array) -> None:
        self._outcar_head(fractional, cell)
        self._xml_head(fractional, cell)

    def _outcar_head(self, fractional: Array, cell: Array) -> None:
        tags, nions = self.tags, len(fractional)
        self.put(
            "OUTCAR", f" vasp.{VERSION} of borarun's tests: no density functional theory", "  "
        )
        self.put(
            "OUTCAR",
            " executed on             standin date 2024.01.01  00:00:00",
            " running on    1 total cores",
            "",
            "",
            RULE,
            "",
            "",
        )
        self.put("OUTCAR", " INCAR:", *(f" POTCAR:    {kind.titel:<30}" for kind in self.species))
        for kind in self.species:
            self.put(
                "OUTCAR",
                f" POTCAR:    {kind.titel:<30}",
                f"   VRHFIN ={kind.symbol}: made up",
                "   LEXCH  = PE",
                f"   TITEL  = {kind.titel}",
                f"   POMASS = {kind.mass:8.3f}; ZVAL   = {kind.zval:8.3f}    mass and valenz",
                f"   ENMAX  = {kind.enmax:8.3f}; ENMIN  = {0.75 * kind.enmax:8.3f} eV",
                " ",
            )
        self.put(
            "OUTCAR",
            f" POSCAR: {self.comment}",
            "  positions in direct lattice",
            "  No initial velocities read in",
            "",
            "",
        )
        self.put(
            "OUTCAR",
            " Dimension of arrays:",
            f"   k-points           NKPTS = {self.nkpts:6d}   k-points in BZ     NKDIM = "
            f"{self.nkpts:6d}   number of bands    NBANDS= {self.nbands:6d}",
        )
        self.put(
            "OUTCAR",
            f"   number of dos      NEDOS =    301   number of ions     NIONS = {nions:6d}",
        )
        self.put(
            "OUTCAR",
            "   total plane-waves  NPLWV =      1",
            "   dimension x,y,z NGX =     1 NGY =    1 NGZ =    1",
        )
        self.put(
            "OUTCAR",
            "   ions per type =            " + "".join(f"{kind.count:4d}" for kind in self.species),
        )
        self.put(
            "OUTCAR",
            " SYSTEM =  unknown system                          ",
            f" POSCAR =  {self.comment:<40}",
            "",
        )
        mdalgo = tags.get("MDALGO", 0)
        self.put(
            "OUTCAR",
            " Startparameter for this run:",
            "   NWRITE =      2    write-flag & timer",
            f"   PREC   = {str(tags.get('PREC', 'normal')).lower():<9} normal or accurate "
            "(medium, high low for compatibility)",
            "   ISTART =      0    job   : 0-new  1-cont  2-samecut",
            "   ISPIN  =      1    spin polarized calculation?",
            f"   LASPH  =      {'T' if tags.get('LASPH') else 'F'}    aspherical Exc in radial PAW",
            "",
            " Electronic Relaxation 1",
            f"   ENCUT  = {tags['ENCUT']:6.1f} eV  {tags['ENCUT'] / 13.605:5.2f} Ry    0.00 "
            "a.u.   0.00  0.00  0.00*2*pi/ulx,y,z",
            f"   NELM   = {tags['NELM']:6d};   NELMIN= {tags.get('NELMIN', 2):2d}; NELMDL=  "
            "0     # of ELM steps ",
            f"   EDIFF  = {tags['EDIFF']:.1E}   stopping-criterion for ELM",
            f"   LREAL  =      {'T' if tags.get('LREAL') else 'F'}    real-space projection",
            " Ionic relaxation",
            f"   EDIFFG = {tags['EDIFFG']:.1E}   stopping-criterion for IOM",
            f"   NSW    = {tags['NSW']:6d}    number of steps for IOM",
            f"   NBLOCK = {tags.get('NBLOCK', 1):6d};   KBLOCK = {max(tags['NSW'], 1):6d}    "
            "inner block; outer block ",
            f"   IBRION = {tags['IBRION']:6d}    ionic relax: 0-MD 1-quasi-New 2-CG",
            f"   ISIF   = {tags['ISIF']:6d}    stress and relaxation",
            f"   ISYM   = {tags.get('ISYM', 2):6d}    0-nonsym 1-usesym 2-fastsym",
            f"   POTIM  = {tags.get('POTIM', 0.5):6.4f}    time-step for ionic-motion",
            f"   TEIN   = {tags.get('TEBEG', 0.0):6.1f}    initial temperature",
            f"   TEBEG  = {tags.get('TEBEG', 0.0):6.1f};   TEEND  = "
            f"{tags.get('TEEND', 0.0):5.1f} temperature during run",
            f"   PSTRESS= {tags.get('PSTRESS', 0.0):6.1f} pullay stress",
            "",
            "  Mass of Ions in am",
            "   POMASS = " + "".join(f"{kind.mass:6.2f}" for kind in self.species),
            "  Ionic Valenz",
            "   ZVAL   = " + "".join(f"{kind.zval:6.2f}" for kind in self.species),
            f"   NELECT = {self.nelect:12.4f}    total number of electrons",
            "   NUPDOWN=      -1.0000    fix difference up-down",
            "",
            " DOS related values:",
            f"   ISMEAR = {tags['ISMEAR']:5d};   SIGMA  = {tags['SIGMA']:6.2f}  broadening "
            "in eV -4-tet -1-fermi 0-gaus",
            "",
            " Exchange correlation treatment:",
            f"   GGA     = {tags.get('GGA', '--'):>5}    GGA type",
            "   LEXCH   =     8    internal setting for exchange type",
            f"   LUSE_VDW=     {'T' if tags.get('LUSE_VDW') else 'F'}",
            "",
            "",
            RULE,
            "",
            "",
            " molecular dynamics for ions"
            if self.dynamics
            else " conjugate gradient relaxation of ions"
            if tags["NSW"]
            else " Static calculation",
            f"   using MDALGO {mdalgo}" if self.dynamics else "",
            "",
            RULE,
            "",
            "",
        )
        self._outcar_cell(cell)
        for name in ("units of 2pi/SCALE and weight", "reciprocal lattice and weights"):
            self.put(
                "OUTCAR",
                " ",
                f" k-points in {name}: Automatic kpoint scheme                 ",
                "   0.00000000  0.00000000  0.00000000       1.000",
            )
        self.put(
            "OUTCAR",
            " ",
            " position of ions in fractional coordinates (direct lattice) ",
            *(" " + "".join(f"{value:11.8f} " for value in row) for row in fractional),
            " ",
        )
        self.put(
            "OUTCAR",
            " position of ions in cartesian coordinates  (Angst):",
            *(" " + "".join(f"{value:11.8f} " for value in row) for row in fractional @ cell),
            " ",
            "",
            "",
            RULE,
            "",
            "",
        )

    def _outcar_cell(self, cell: Array) -> None:
        inverse = np.linalg.inv(cell).T
        lengths, reciprocal = np.linalg.norm(cell, axis=1), np.linalg.norm(inverse, axis=1)
        self.put(
            "OUTCAR",
            f"  energy-cutoff  :  {self.tags['ENCUT']:10.2f}",
            f"  volume of cell : {abs(np.linalg.det(cell)):11.2f}",
            "      direct lattice vectors                 reciprocal lattice vectors",
            *(
                "  " + "".join(f"{value:13.9f}" for value in (*row, *other))
                for row, other in zip(cell, inverse, strict=True)
            ),
            "",
            "  length of vectors",
            "  " + "".join(f"{value:13.9f}" for value in (*lengths, *reciprocal)),
            "",
            "",
        )

    @property
    def nkpts(self) -> int:
        return max(1, int(np.prod(self.mesh)) // 2)

    @property
    def nbands(self) -> int:
        return int(self.nelect / 2 * 1.2) + 1

    def _xml_head(self, fractional: Array, cell: Array) -> None:
        self.put(
            "vasprun.xml",
            '<?xml version="1.0" encoding="ISO-8859-1"?>',
            "<modeling>",
            " <generator>",
        )
        for name, value in {
            "program": "vasp ",
            "version": f"{VERSION}  ",
            "subversion": "no density functional theory",
            "platform": "standin ",
        }.items():
            self.put("vasprun.xml", f'  <i name="{name}" type="string">{value}</i>')
        self.put(
            "vasprun.xml",
            '  <i name="date" type="string">2024 01 01 </i>',
            '  <i name="time" type="string">00:00:00 </i>',
            " </generator>",
        )
        self.put(
            "vasprun.xml",
            " <incar>",
            *(f"  {xml_item(name, value)}" for name, value in self.tags["read"].items()),
            " </incar>",
            " <kpoints>",
        )
        self.put(
            "vasprun.xml",
            '  <generation param="Gamma">',
            f'   <v type="int" name="divisions">{"".join(f"{n:9d}" for n in self.mesh)} </v>',
        )
        self.put(
            "vasprun.xml",
            '   <v name="usershift">      0.00000000       0.00000000       0.00000000 </v>',
            "  </generation>",
        )
        self.put(
            "vasprun.xml",
            '  <varray name="kpointlist" >',
            "   <v>       0.00000000       0.00000000       0.00000000 </v>",
            "  </varray>",
        )
        self.put(
            "vasprun.xml",
            '  <varray name="weights" >',
            "   <v>       1.00000000 </v>",
            "  </varray>",
            " </kpoints>",
            " <parameters>",
        )
        for section, items in self._parameters().items():
            self.put(
                "vasprun.xml",
                f'  <separator name="{section}" >',
                *(f"   {xml_item(name, value)}" for name, value in items.items()),
                "  </separator>",
            )
        self.put(
            "vasprun.xml",
            " </parameters>",
            " <atominfo>",
            f"  <atoms>{len(fractional):8d} </atoms>",
            f"  <types>{len(self.species):8d} </types>",
        )
        self.put(
            "vasprun.xml",
            '  <array name="atoms" >',
            '   <dimension dim="1">ion</dimension>',
            '   <field type="string">element</field>',
        )
        self.put("vasprun.xml", '   <field type="int">atomtype</field>', "   <set>")
        for number, kind in enumerate(self.species, 1):
            self.put(
                "vasprun.xml",
                *[f"    <rc><c>{kind.symbol:<2}</c><c>{number:4d}</c></rc>"] * kind.count,
            )
        self.put(
            "vasprun.xml",
            "   </set>",
            "  </array>",
            '  <array name="atomtypes" >',
            '   <dimension dim="1">type</dimension>',
        )
        fields = [
            ("int", "atomspertype"),
            ("string", "element"),
            ("", "mass"),
            ("", "valence"),
            ("string", "pseudopotential"),
        ]
        self.put(
            "vasprun.xml",
            *(
                f'   <field type="{kind}">{name}</field>' if kind else f"   <field>{name}</field>"
                for kind, name in fields
            ),
            "   <set>",
        )
        for kind in self.species:
            cells = [
                f"{kind.count:4d}",
                f"{kind.symbol:<2}",
                f"{kind.mass:16.8f}",
                f"{kind.zval:16.8f}",
                f"  {kind.titel:<38}",
            ]
            self.put(
                "vasprun.xml", "    <rc>" + "".join(f"<c>{item}</c>" for item in cells) + "</rc>"
            )
        self.put("vasprun.xml", "   </set>", "  </array>", " </atominfo>")
        self._xml_structure("initialpos", fractional, cell, 1)

    def _parameters(self) -> dict[str, dict[str, Any]]:
        tags = self.tags
        sections: dict[str, dict[str, Any]] = {
            "general": {"SYSTEM": "unknown system"},
            "electronic": {
                "PREC": str(tags.get("PREC", "normal")).lower()[:6],
                "ENMAX": tags["ENCUT"],
                "EDIFF": tags["EDIFF"],
                "IALGO": 38,
                "NBANDS": self.nbands,
                "NELECT": self.nelect,
            },
            "electronic smearing": {"ISMEAR": tags["ISMEAR"], "SIGMA": tags["SIGMA"]},
            "electronic projectors": {"LREAL": bool(tags.get("LREAL"))},
            "electronic startup": {"ISTART": 0, "ICHARG": 2},
            "electronic spin": {
                "ISPIN": tags.get("ISPIN", 1),
                "LNONCOLLINEAR": False,
                "LSORBIT": False,
            },
            "electronic convergence": {
                "NELM": tags["NELM"],
                "NELMDL": 0,
                "NELMIN": tags.get("NELMIN", 2),
            },
            "ionic": {
                "NSW": tags["NSW"],
                "IBRION": tags["IBRION"],
                "ISIF": tags["ISIF"],
                "PSTRESS": float(tags.get("PSTRESS", 0)),
                "EDIFFG": tags["EDIFFG"],
                "POTIM": float(tags.get("POTIM", 0.5)),
                "SMASS": -3.0,
            },
            "ionic md": {
                "TEBEG": float(tags.get("TEBEG", 0)),
                "TEEND": float(tags.get("TEEND", tags.get("TEBEG", 0))),
                "NBLOCK": tags.get("NBLOCK", 1),
                "KBLOCK": max(tags["NSW"], 1),
            },
            "symmetry": {"ISYM": tags.get("ISYM", 2), "SYMPREC": 1e-5},
            "dos": {"LORBIT": 0, "NEDOS": 301},
            "writing": {
                "LWAVE": bool(tags.get("LWAVE", True)),
                "LCHARG": bool(tags.get("LCHARG", True)),
            },
            "electronic exchange-correlation": {
                "LASPH": bool(tags.get("LASPH", False)),
                "GGA": tags.get("GGA", "--"),
                "LHFCALC": False,
                "AEXX": 0.0,
                "AGGAC": float(tags.get("AGGAC", 1.0)),
                "LDAU": False,
            },
            "vdW DFT": {
                "LUSE_VDW": bool(tags.get("LUSE_VDW", False)),
                "Zab_VDW": float(tags.get("ZAB_VDW", -0.8491)),
                "PARAM1": float(tags.get("PARAM1", 0.1234)),
                "PARAM2": float(tags.get("PARAM2", 1.0)),
            },
        }
        return sections

    def _xml_structure(self, name: str, fractional: Array, cell: Array, indent: int) -> None:
        space = " " * indent
        opening = f'{space}<structure name="{name}" >' if name else f"{space}<structure>"
        self.put(
            "vasprun.xml",
            opening,
            f"{space} <crystal>",
            f'{space}  <varray name="basis" >',
            *(f"{space}   <v>{row} </v>" for row in vectors(cell)),
            f"{space}  </varray>",
        )
        self.put(
            "vasprun.xml",
            f'{space}  <i name="volume">{abs(np.linalg.det(cell)):16.8f} </i>',
            f'{space}  <varray name="rec_basis" >',
        )
        self.put(
            "vasprun.xml",
            *(f"{space}   <v>{row} </v>" for row in vectors(np.linalg.inv(cell).T)),
            f"{space}  </varray>",
            f"{space} </crystal>",
        )
        self.put(
            "vasprun.xml",
            f'{space} <varray name="positions" >',
            *(f"{space}  <v>{row} </v>" for row in vectors(fractional)),
            f"{space} </varray>",
            f"{space}</structure>",
        )

    # -- steps
    # --------------------------------------------------------------------------------------------------------------------------  # noqa: E501

    def step(self, step: Step) -> None:
        self.steps += 1
        self._outcar_step(step)
        self._xml_step(step)
        self._oszicar_step(step)
        self._xdatcar_step(step)

    def _outcar_step(self, step: Step) -> None:
        for number, energy in enumerate(step.scf, 1):
            title = f"-- Iteration {self.steps:4d}({number:4d})  --"
            self.put(
                "OUTCAR",
                f"----------------------------------------{title}-------------------------------------",
                "",
                "",
                "    POTLOK:  cpu time    0.0010: real time    0.0010",
            )
            self.put(
                "OUTCAR",
                "    --------------------------------------------",
                "      LOOP:  cpu time    0.0010: real time    0.0010",
                "",
            )
            self.put(
                "OUTCAR",
                f" number of electron  {self.nelect:12.7f} magnetization ",
                " Free energy of the ion-electron system (eV)",
                "  ---------------------------------------------------",
            )
            self.put(
                "OUTCAR",
                f"  free energy    TOTEN  = {energy:18.8f} eV",
                "",
                f"  energy without entropy = {energy:18.8f}  energy(sigma->0) = {energy:18.8f}",
                "",
                "",
                RULE,
                "",
                "",
                "",
                "",
            )
        if step.converged:
            self.put(
                "OUTCAR",
                "------------------------ aborting loop because EDIFF is reached "
                "----------------------------------------",
                "",
                "",
            )
        self.put(
            "OUTCAR", " E-fermi :   0.0000     XC(G=0):   0.0000     alpha+bet :  0.0000", "", ""
        )
        volume = abs(np.linalg.det(step.cell))
        if step.stress is not None:
            on_cell = [-step.stress[i, j] * volume for i, j in VOIGT]
            in_kb = [value / volume * EV_PER_A3_IN_KBAR for value in on_cell]
            pressure = sum(in_kb[:3]) / 3
            self.put(
                "OUTCAR",
                "  FORCE on cell =-STRESS in cart. coord.  units (eV):",
                "  Direction    XX          YY          ZZ          XY          YZ          ZX",
                "  " + "-" * 86,
                "  Total  " + "".join(f"{value:12.5f}" for value in on_cell),
                "  in kB  " + "".join(f"{value:12.5f}" for value in in_kb),
                f"  external pressure = {pressure:11.2f} kB  Pullay stress = "
                f"{self.tags.get('PSTRESS', 0.0):11.2f} kB",
                "",
            )
        self.put("OUTCAR", " VOLUME and BASIS-vectors are now :", " " + "-" * 77)
        self._outcar_cell(step.cell)
        rows = np.concatenate([step.fractional @ step.cell, step.forces], axis=1)
        self.put(
            "OUTCAR",
            " POSITION                                       TOTAL-FORCE (eV/Angst)",
            FORCES_RULE,
        )
        self.put(
            "OUTCAR",
            *(
                "".join(f"{value:13.5f}" for value in row[:3])
                + "    "
                + "".join(f"{value:14.6f}" for value in row[3:])
                for row in rows
            ),
            FORCES_RULE,
        )
        drift = step.forces.sum(axis=0)
        self.put(
            "OUTCAR",
            "    total drift:                         "
            + "".join(f"{value:14.6f}" for value in drift),
            "",
            "",
            RULE,
            "",
            "",
            "",
        )
        self.put(
            "OUTCAR",
            "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)",
            "  ---------------------------------------------------",
        )
        self.put(
            "OUTCAR",
            f"  free  energy   TOTEN  = {step.energy:18.8f} eV",
            "",
            f"  energy  without entropy={step.energy:18.8f}  energy(sigma->0) ={step.energy:18.8f}",
            " ",
            "",
            "",
            RULE,
            "",
            "",
        )
        if self.dynamics:
            self._outcar_dynamics(step)
        self.put("OUTCAR", "     LOOP+:  cpu time    0.0100: real time    0.0100", "", "")

    def _outcar_dynamics(self, step: Step) -> None:
        if "moving" in self.tags and self.steps == 1:
            gamma = "".join(f"{value:10.3f}" for value in self.tags["LANGEVIN_GAMMA"])
            self.put(
                "OUTCAR",
                "  MD-specific parameters",
                f"                MDALGO = {self.tags['MDALGO']:3d}",
                f"        LANGEVIN_GAMMA ={gamma}",
            )
            self.put(
                "OUTCAR",
                f"      LANGEVIN_GAMMA_L ={self.tags.get('LANGEVIN_GAMMA_L', 0.0):10.3f}",
                "",
            )
        total = step.energy + step.kinetic + step.kinetic_cell
        self.put(
            "OUTCAR",
            "  ENERGY OF THE ELECTRON-ION-THERMOSTAT SYSTEM (eV)",
            "  ---------------------------------------------------",
            f"% ion-electron   TOTEN  = {step.energy:16.6f}  see above",
            f"  kinetic energy EKIN   = {step.kinetic:16.6f}",
            f"  kin. lattice  EKIN_LAT= {step.kinetic_cell:16.6f}  (temperature "
            f"{step.temperature:7.2f} K)",
            "  nose potential ES     =         0.000000",
            "  nose kinetic   EPS    =         0.000000",
            "  ---------------------------------------------------",
            f"  total energy   ETOTAL = {total:16.6f} eV",
            "",
        )

    def _xml_step(self, step: Step) -> None:
        def energies(value: float) -> list[str]:
            return [
                f'<i name="{name}">{value:16.8f} </i>'
                for name in ("e_fr_energy", "e_wo_entrp", "e_0_energy")
            ]

        self.put("vasprun.xml", *[" </calculation>"] * (self.steps > 1), " <calculation>")
        for energy in step.scf:
            self.put(
                "vasprun.xml",
                "  <scstep>",
                '   <time name="total">    0.00    0.00</time>',
                "   <energy>",
                *(f"    {line}" for line in energies(energy)),
                "   </energy>",
                "  </scstep>",
            )
        self._xml_structure("", step.fractional, step.cell, 2)
        self.put(
            "vasprun.xml",
            '  <varray name="forces" >',
            *(f"   <v>{row} </v>" for row in vectors(step.forces)),
            "  </varray>",
        )
        if step.stress is not None:
            self.put(
                "vasprun.xml",
                '  <varray name="stress" >',
                *(f"   <v>{row} </v>" for row in vectors(-step.stress * EV_PER_A3_IN_KBAR)),
                "  </varray>",
            )
        lines = energies(step.energy)
        if self.dynamics:
            total = step.energy + step.kinetic + step.kinetic_cell
            extra = {
                "kinetic": step.kinetic,
                "lattice kinetic": step.kinetic_cell,
                "nosepot": 0.0,
                "nosekinetic": 0.0,
                "total": total,
            }
            lines += [f'<i name="{name}">{value:16.8f} </i>' for name, value in extra.items()]
        self.put(
            "vasprun.xml",
            "  <energy>",
            *(f"   {line}" for line in lines),
            "  </energy>",
            '  <time name="totalsc">    0.01    0.01</time>',
        )

    def _xml_electrons(self) -> None:
        """Levels and density of states, which VASP writes once, with the last step: two electrons a
        band below a gap.
        """
        levels = [
            (-1.0, 1.0) if band < self.nelect / 2 else (5.0, 0.0) for band in range(self.nbands)
        ]
        self.put(
            "vasprun.xml",
            "  <eigenvalues>",
            "   <array>",
            '    <dimension dim="1">band</dimension>',
            '    <dimension dim="2">kpoint</dimension>',
        )
        self.put(
            "vasprun.xml",
            '    <dimension dim="3">spin</dimension>',
            "    <field>eigene</field>",
            "    <field>occ</field>",
            "    <set>",
        )
        self.put("vasprun.xml", '     <set comment="spin 1">', '      <set comment="kpoint 1">')
        self.put(
            "vasprun.xml",
            *(f"       <r>{energy:10.4f}{occupation:10.4f} </r>" for energy, occupation in levels),
        )
        self.put(
            "vasprun.xml",
            "      </set>",
            "     </set>",
            "    </set>",
            "   </array>",
            "  </eigenvalues>",
        )
        self.put(
            "vasprun.xml",
            "  <dos>",
            '   <i name="efermi">      2.00000000 </i>',
            "   <total>",
            "    <array>",
            '     <dimension dim="1">gridpoints</dimension>',
        )
        self.put(
            "vasprun.xml",
            '     <dimension dim="2">spin</dimension>',
            "     <field>energy</field>",
            "     <field>total</field>",
            "     <field>integrated</field>",
        )
        self.put("vasprun.xml", "     <set>", '      <set comment="spin 1">')
        self.put(
            "vasprun.xml",
            *(
                f"       <r>{energy:10.4f}{0:10.4f}{self.nelect:10.4f} </r>"
                for energy in (-2.0, 2.0, 6.0)
            ),
        )
        self.put(
            "vasprun.xml", "      </set>", "     </set>", "    </array>", "   </total>", "  </dos>"
        )

    def _oszicar_step(self, step: Step) -> None:
        self.put(
            "OSZICAR",
            "       N       E                     dE             d eps       ncg     rms     "
            "     rms(c)",
        )
        before = 0.0
        for number, energy in enumerate(step.scf, 1):
            change = energy - before
            self.put(
                "OSZICAR",
                f"DAV: {number:3d}    {energy:18.12E}   {change:12.5E}  {change:12.5E}   100 "
                "  0.100E-02",
            )
            before = energy
        if self.dynamics:
            self.put(
                "OSZICAR",
                f"{self.steps:7d} T={step.temperature:7.0f}. E= "
                f"{step.energy + step.kinetic + step.kinetic_cell:.8E} F= {step.energy:.8E} E0= "
                f"{step.energy:.8E}  EK= {step.kinetic:.5E} SP= 0.00E+00 SK= 0.00E+00",
            )
        else:
            self.put(
                "OSZICAR",
                f"{self.steps:4d} F= {step.energy:.8E} E0= {step.energy:.8E}  d E "
                f"={step.energy - (step.scf[0] if step.scf else 0):.6E}",
            )

    def _xdatcar_step(self, step: Step) -> None:
        if self.steps == 1 or self.tags["ISIF"] >= 3:
            self.put(
                "XDATCAR",
                f"{self.comment:<40}",
                "           1",
                *(" " + "".join(f"{value:12.6f}" for value in row) for row in step.cell),
            )
            self.put(
                "XDATCAR",
                "   " + " ".join(f"{kind.symbol:<4}" for kind in self.species),
                " " + "".join(f"{kind.count:4d}" for kind in self.species),
            )
        self.put(
            "XDATCAR",
            f"Direct configuration={self.steps:6d}",
            *("".join(f"{value:13.8f}" for value in row) for row in step.fractional),
        )

    # -- end
    # ----------------------------------------------------------------------------------------------------------------------------  # noqa: E501

    def contcar(
        self,
        fractional: Array,
        cell: Array,
        velocities: Array | None = None,
        cell_velocities: Array | None = None,
    ) -> None:
        lines = [
            f"{self.comment:<40}",
            "   1.00000000000000     ",
            *(" " + "".join(f"{value:22.16f}" for value in row) for row in cell),
        ]
        lines += [
            "   " + " ".join(f"{kind.symbol:<4}" for kind in self.species),
            "  " + "".join(f"{kind.count:6d}" for kind in self.species),
            "Direct",
        ]
        lines += ["".join(f"{value:20.16f}" for value in row) for row in fractional]
        if velocities is not None:
            if cell_velocities is not None:
                lines += ["Lattice velocities and vectors", "           1"]
                lines += [
                    "".join(f"{value:16.8E}" for value in row) for row in (*cell_velocities, *cell)
                ]
            lines += [" ", *("".join(f"{value:16.8E}" for value in row) for row in velocities)]
        target = self.directory / "CONTCAR.new"
        target.write_text("".join(f"{line}\n" for line in lines))
        target.replace(self.directory / "CONTCAR")

    def finish(self, fractional: Array, cell: Array, relaxed: bool) -> None:
        if relaxed:
            self.put(
                "OUTCAR", " reached required accuracy - stopping structural energy minimisation", ""
            )
        self._xml_electrons()
        self.put("vasprun.xml", " </calculation>")
        self._xml_structure("finalpos", fractional, cell, 1)
        self.put("vasprun.xml", "</modeling>")
        self.put(
            "OUTCAR",
            "  ",
            " General timing and accounting informations for this job:",
            " ========================================================",
            "  ",
            "                  Total CPU time used (sec):        1.000",
            "                            User time (sec):        1.000",
            "                          System time (sec):        0.000",
            "                         Elapsed time (sec):        1.000",
            "  ",
            "                   Maximum memory used (kb):       10000.",
            "                   Average memory used (kb):           0.",
            "  ",
            "                          Minor page faults:            1",
            "                          Major page faults:            0",
            "                 Voluntary context switches:            1",
        )
        for file in self.files.values():
            file.close()


def xml_item(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return f'<i type="logical" name="{name}"> {"T" if value else "F"}  </i>'
    if isinstance(value, int):
        return f'<i type="int" name="{name}">{value:6d}</i>'
    if isinstance(value, float):
        return f'<i name="{name}">{value:16.8f}</i>'
    if isinstance(value, list):
        whole = all(isinstance(item, int) for item in value)
        texts = "".join(f"{item:6d}" if whole else f"{float(item):16.8f}" for item in value)
        return (
            f'<v{" type=" + chr(34) + "int" + chr(34) if whole else ""} name="{name}">{texts}</v>'
        )
    return f'<i type="string" name="{name}">{value}</i>'
