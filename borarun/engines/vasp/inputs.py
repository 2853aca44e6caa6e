"""VASP's input files: which tags make a functional, a relaxation, molecular dynamics; the order of
atoms; where a POTCAR lies.

Source: VASP wiki, pages of each tag and "Nonlocal vdW-DF functionals"; rev-vdW-DF2: Hamada, Phys.
Rev. B 89, 121103 (2014); D3: Grimme, Antony, Ehrlich, Krieg, J. Chem. Phys. 132, 154104 (2010),
with Becke-Johnson damping J. Comput. Chem. 32, 1456 (2011).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

Tag = bool | int | float | str | list[bool | int | float | str]
Tags = Mapping[str, Tag]

VDW_DF2_ZAB = -1.8867
"""Parameter of the kernel of vdW-DF2; that of vdW-DF, -0.8491, is VASP's default."""

FUNCTIONALS: dict[str, Tags] = {
    "PBE": {"GGA": "PE"},
    "PBE-D3": {"GGA": "PE", "IVDW": 12},
    "PBE-D3-zero": {"GGA": "PE", "IVDW": 11},
    "PBEsol": {"GGA": "PS"},
    "rev-vdW-DF2": {
        "GGA": "MK",
        "PARAM1": 0.1234568,
        "PARAM2": 0.711357,
        "LUSE_VDW": True,
        "ZAB_VDW": VDW_DF2_ZAB,
        "AGGAC": 0.0,
    },
    "vdW-DF2": {"GGA": "ML", "LUSE_VDW": True, "ZAB_VDW": VDW_DF2_ZAB, "AGGAC": 0.0},
    "optB86b-vdW": {"GGA": "MK", "PARAM1": 0.1234, "PARAM2": 1.0, "LUSE_VDW": True, "AGGAC": 0.0},
    "optB88-vdW": {
        "GGA": "BO",
        "PARAM1": 0.1833333333,
        "PARAM2": 0.22,
        "LUSE_VDW": True,
        "AGGAC": 0.0,
    },
    "optPBE-vdW": {"GGA": "OR", "LUSE_VDW": True, "AGGAC": 0.0},
    "SCAN+rVV10": {
        "METAGGA": "SCAN",
        "LUSE_VDW": True,
        "BPARAM": 15.7,
        "CPARAM": 0.0093,
        "ALGO": "All",
    },
    "r2SCAN": {"METAGGA": "R2SCAN", "ALGO": "All"},
    "r2SCAN+rVV10": {
        "METAGGA": "R2SCAN",
        "LUSE_VDW": True,
        "BPARAM": 11.95,
        "CPARAM": 0.0093,
        "ALGO": "All",
    },
}
"""Functional -> tags, all with LASPH and PBE POTCARs. ALGO: the damped search that VASP asks for
with meta-GGAs.
"""

STUDY_KEYS = {
    "ENCUT": "reference.encut_eV",
    "EDIFF": "reference.ediff_eV",
    "SIGMA": "reference.sigma_eV",
    "NELECT": "reference.charge",
    "POTIM": "training_set.aimd.timestep_fs",
    "TEBEG": "training_set.aimd.temperature_K",
    "TEEND": "training_set.aimd.temperature_K",
    "LANGEVIN_GAMMA": "training_set.aimd.friction_per_ps",
    "EDIFFG": "relax.max_force_eV_per_A",
}
"""Tags that a key of the study says; in ``incar`` they overrule it."""

KIND_OF_RUN = ("NSW", "IBRION", "ISIF", "MDALGO", "NBLOCK")
"""Tags that make a run a relaxation, a label or molecular dynamics; in ``incar`` they hold for all
three.
"""

MANY_BODY: tuple[str, ...] = (
    "G0W0",
    "GW",
    "SCGW",
    "EVGW",
    "QPGW",
    "CHI",
    "ACFDT",
    "RPA",
    "TIMEEV",
    "TDHF",
    "BSE",
)
"""How the names of such algorithms begin."""

OTHER_RUNS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "ML_LMLFF": (bool, "a run with VASP's machine-learned force field (ML_LMLFF)"),
    "LEPSILON": (bool, "a run of linear response (LEPSILON)"),
    "LCALCEPS": (bool, "a run in finite electric fields (LCALCEPS)"),
    "LCHIMAG": (bool, "a run of NMR shieldings (LCHIMAG)"),
    "LEFG": (bool, "a run of electric field gradients (LEFG)"),
    "LOPTICS": (bool, "a run of optical properties (LOPTICS)"),
    "IBRION": (lambda value: value in (5, 6, 7, 8), "a run of phonons by VASP itself (IBRION)"),
    "ICHARG": (lambda value: value >= 10, "a run at a fixed density, as of bands (ICHARG)"),
    "LNONCOLLINEAR": (bool, "a non-collinear run (LNONCOLLINEAR)"),
    "LSORBIT": (bool, "a run with spin-orbit coupling (LSORBIT)"),
    "ALGO": (
        lambda value: str(value).strip().upper().startswith(MANY_BODY),
        "a run of many-body theory (ALGO)",
    ),
}
"""Tag -> whether its value makes another kind of run than labels are of, and which."""

MACHINE_LEARNING = "ML_"
"""How the tags of VASP's own machine-learned force fields begin."""

NEWER_TAGS = frozenset(
    {
        *("BPARAM", "CPARAM", "IVDW_NL", "XC", "XC_C", "AMGGAX", "AMGGAC"),
        *("LIBXC1", "LIBXC1_P0", "LIBXC1_P1", "LIBXC1_P2"),
        *("LIBXC2", "LIBXC2_P0", "LIBXC2_P1", "LIBXC2_P2"),
        *("NHC_NCHAINS", "NHC_PERIOD", "NHC_NRESPA", "NHC_NS", "CSVR_PERIOD"),
        *("KERNEL_TRUNCATION", "LTRUNCATE", "IDIM_TRUNCATE", "FACTOR_TRUNCATE"),
        *("LH5", "LVASPH5", "LCHARGH5", "LWAVEH5", "NCSHMEM", "OMPI", "LUSENCCL", "NELMGPU"),
        *("EFERMI", "LFINITE_TEMPERATURE", "LPHON_DISPERSION", "PHON_NWRITE", "LBFGS", "STOP_ON"),
        "BSEPREC",
    }
)
"""Tags of VASP 6.3 to 6.5, and older ones, that pymatgen's list lacks."""

PMASS_AMU = 100
"""Mass of the cell. A cell of edge L, volume V and bulk modulus B swings with (2 pi / T)^2 = 3 B V
/ (PMASS L^2): for Li2B12H12 (9.6 angstrom, about 15 GPa) T is 0.4 ps, slow against the anions'
vibrations, fast enough to follow the temperature within a picosecond. VASP's default, 1000, gives
1.2 ps.
"""

CELL_FRICTION_PER_PS = 10


@cache
def known_tags() -> frozenset[str]:
    """Tags that VASP has, by pymatgen's list and those that it lacks: VASP passes over one that it
    does not know without a word.
    """
    return (
        frozenset(
            json.loads((files("pymatgen") / "io" / "vasp" / "incar_parameters.json").read_text())
        )
        | NEWER_TAGS
    )


def kind_of_run(tags: Mapping[str, Any]) -> str:
    """What kind of run tags make, where labels are not of it; else empty."""
    for tag, (is_other, kind) in OTHER_RUNS.items():
        value = tags.get(tag)
        if value is None or (isinstance(value, str) and tag != "ALGO"):
            continue
        if is_other(value):
            return kind
    return ""


def order(numbers: NDArray[np.int32]) -> NDArray[np.intp]:
    """The atoms as a POSCAR wants them, one element after the other.

    Parameters
    ----------
    numbers : (N,) atomic numbers

    Returns
    -------
    (N,) indices: atom i of the POSCAR is atom ``order[i]``. Elements stand in the order of their
    first atoms, and so do the atoms of each.
    """
    first = {number: index for index, number in reversed(list(enumerate(numbers.tolist())))}
    return np.argsort([first[number] for number in numbers.tolist()], kind="stable")


def elements(atoms: Atoms) -> list[str]:
    """The elements of a POSCAR in its order."""
    return list(dict.fromkeys(atoms.symbols))


def poscar(atoms: Atoms) -> str:
    """The POSCAR of atoms, grouped by element; VASP's own precision, so that it holds what it is
    given.
    """
    from pymatgen.io.ase import (
        AseAtomsAdaptor,
    )  # here and below: its import takes longer than a plan, which needs none of it
    from pymatgen.io.vasp.inputs import Poscar

    grouped = atoms[order(atoms.numbers)]
    structure = AseAtomsAdaptor.get_structure(
        Atoms(grouped.numbers, grouped.positions, cell=grouped.cell, pbc=True)
    )
    return str(
        Poscar(structure, comment=grouped.get_chemical_formula()).get_str(significant_figures=16)
    )


def kpoints(mesh: tuple[int, int, int]) -> str:
    """The KPOINTS of a Gamma-centred mesh."""
    from pymatgen.io.vasp.inputs import Kpoints

    return str(Kpoints.gamma_automatic(mesh))


def incar(tags: Tags) -> str:
    """The INCAR of tags, one a line in the given order."""
    from pymatgen.io.vasp.inputs import Incar

    return str(Incar(tags).get_str())


def potcar_path(directory: str, titel: str) -> Path:
    """Where VASP's own tree of potentials holds the POTCAR of a TITEL: ``PAW_PBE Li_sv 10Sep2004``
    in ``Li_sv/POTCAR``.
    """
    return Path(directory) / titel.split()[1] / "POTCAR"
