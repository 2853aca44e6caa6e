"""LAMMPS's data file and its orientation of a cell.

Source: LAMMPS manual, read_data and Howto_triclinic.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.data import atomic_masses, chemical_symbols
from numpy.typing import NDArray

Array = NDArray[Any]


def standard_cell(cell: Array) -> tuple[Array, Array]:
    """LAMMPS's orientation of a cell: a along x, b in the xy plane.

    Parameters
    ----------
    cell : (3, 3) angstrom, rows are vectors

    Returns
    -------
    (3, 3) lower triangular cell, angstrom, and (3, 3) orthogonal matrix R with ``cell = standard @
    R``; positions turn the same way. R mirrors a left-handed cell, which no moment tensor potential
    notices
    """
    standard = np.linalg.cholesky(cell @ cell.T)
    if np.allclose(standard, cell, atol=1e-9):
        return cell, np.eye(3)
    return standard, np.linalg.solve(standard, cell)


def data_file(
    positions: Array, cell: Array, types: Array, species: tuple[int, ...], triclinic: bool
) -> str:
    """The data file of atoms in a standard cell.

    Parameters
    ----------
    positions : (N, 3) angstrom
    cell : (3, 3) angstrom, lower triangular, its origin at zero
    types : (N,) int, from 0
    species : atomic number of each type
    triclinic : whether the cell may tilt in the run
    """
    lines = ["atoms of in.lammps", "", f"{len(positions)} atoms", f"{len(species)} atom types", ""]
    lines += [f"0.0 {cell[axis, axis]:.12f} {name}lo {name}hi" for axis, name in enumerate("xyz")]
    if triclinic:
        lines += [f"{cell[1, 0]:.12f} {cell[2, 0]:.12f} {cell[2, 1]:.12f} xy xz yz"]
    lines += ["", "Masses", ""]
    lines += [
        f"{index} {atomic_masses[z]:.6f}  # {chemical_symbols[z]}"
        for index, z in enumerate(species, 1)
    ]
    lines += ["", "Atoms  # atomic", ""]
    lines += [
        f"{i} {kind + 1} {x:.10f} {y:.10f} {z:.10f}"
        for i, (kind, (x, y, z)) in enumerate(zip(types, positions, strict=True), 1)
    ]
    return "\n".join(lines) + "\n"
