"""Formats that MDAnalysis reads: xtc, trr, dcd and others, with a file that names the elements.

MDAnalysis is an extra (``pip install 'borarun[analyse]'``).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from borarun.given.frame import Array, Frame, Opened, Told, wrong
from borarun.structures.files.text import element

SUFFIXES = {".xtc": "xtc", ".trr": "trr", ".dcd": "dcd", ".nc": "AMBER NetCDF"}
"""Of files that are left to it, and what their format is called."""

FS_PER_PS = 1e3


def open_with_mdanalysis(file: Path, told: Told) -> Opened:
    """A trajectory and its topology.

    Raises
    ------
    StudyError
        Where MDAnalysis is not installed, no topology is given, or one of both is unreadable.
    """
    try:
        import MDAnalysis
    except ImportError as error:
        raise wrong(
            file,
            "is read by MDAnalysis, which is not installed. Install it: pip install "
            "'borarun[analyse]'",
        ) from error
    if told.topology is None:
        raise wrong(
            file,
            "does not say which element an atom is. Give --topology, a file of the same atoms that "
            "does, such as a .gro, .pdb or .xyz (key: topology).",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            universe = MDAnalysis.Universe(str(told.topology), str(file))
    except Exception as error:  # its readers raise all kinds
        raise wrong(
            file,
            f"and {told.topology.name} are unreadable together ({str(error)[:150]}). Check both.",
        ) from error
    numbers = _numbers(told.topology, universe.atoms)
    if universe.trajectory.ts.dimensions is None:
        raise wrong(file, "has no cell, and volume and unwrapping need one.")
    return Opened(SUFFIXES[file.suffix.lower()], "fs", False, _frames(file, universe, numbers))


def _numbers(topology: Path, atoms: Any) -> Array:
    """Of each atom's element, or of its name where the file has no elements."""
    words = atoms.elements if hasattr(atoms, "elements") else atoms.names
    found = []
    for word in words:
        symbol = str(word).rstrip("0123456789+-*'").capitalize()
        try:
            found.append(chemical_symbols.index(element(symbol)))
        except ValueError as error:
            raise wrong(topology, f"has an atom called {str(word)!r}: {error}") from error
    return np.array(found, np.int32)


def _frames(file: Path, universe: Any, numbers: Array) -> Iterator[Frame]:
    for step in universe.trajectory:
        cell = step.triclinic_dimensions
        if cell is None:
            raise wrong(file, f"frame {step.frame + 1} has no cell. Cut it off.")
        cell = np.asarray(cell, float)
        scaled = np.asarray(step.positions, float) @ np.linalg.inv(cell)
        yield Frame(step.frame + 1, float(step.time) * FS_PER_PS, numbers, cell, scaled)
