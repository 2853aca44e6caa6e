"""Ordered models as structure files."""

from __future__ import annotations

import io
from typing import Literal

from ase import Atoms
from ase.io import write

Format = Literal["cif", "poscar"]

SUFFIX = {"cif": ".cif", "poscar": ".vasp"}


def structure_text(atoms: Atoms, kind: Format) -> str:
    """A structure as a CIF without symmetry, or as a POSCAR."""
    if kind == "poscar":
        poscar = io.StringIO()
        write(poscar, atoms, format="vasp", direct=True)
        return poscar.getvalue()
    # here, because its import takes longer than all the rest
    from pymatgen.io.ase import AseAtomsAdaptor
    from pymatgen.io.cif import CifWriter

    return str(CifWriter(AseAtomsAdaptor.get_structure(atoms), significant_figures=12))
