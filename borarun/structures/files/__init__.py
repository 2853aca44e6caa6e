"""Structure files: one crystal read from a CIF, POSCAR or extended XYZ file, or refused."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ase import Atoms

from borarun.basics.errors import StudyError
from borarun.structures.files import cif, extended_xyz, poscar
from borarun.structures.files.average import Average
from borarun.structures.files.checks import checked, doubts
from borarun.structures.files.text import REMARKS, text_of, wrong

__all__ = ["Average", "doubts", "read_average", "read_structure"]

LARGEST_FILE_B = 20_000_000
"""A larger structure file is a mistake; 20,000 atoms take less."""

OTHER_KINDS = {
    ".mcif": "is a magnetic CIF. A study needs a plain CIF: export the structure without "
    "magnetic moments as .cif, e.g. from VESTA.",
    ".json": "is JSON, as the Materials Project gives it. Download the CIF, or convert it with "
    "pymatgen: Structure.from_file('x.json').to('x.cif').",
    ".pdb": "is a PDB file, a format for molecules. Use .cif, .vasp (POSCAR) or .xyz "
    "(extended XYZ).",
}


def read_structure(path: Path) -> Atoms:
    """The periodic structure of a CIF, POSCAR or extended XYZ file, checked.

    Parameters
    ----------
    path : file; the kind is told by its name (``.cif``; ``.vasp``, ``.poscar``, ``POSCAR`` or
        ``CONTCAR`` in the name; ``.xyz``, ``.extxyz``)

    Returns
    -------
    Atoms : positions and cell in angstrom, periodic in all directions; everything else that the
        file says is dropped. ``info["remarks"]`` says what was taken for something else

    Raises
    ------
    StudyError
        Where the file is missing or unreadable, or holds no cell, no atoms, several structures, a
        partly occupied site, an unknown symmetry or overlapping atoms.
    """

    text = _text(path)
    name, suffix = path.name.lower(), path.suffix.lower()
    with _told_of(path), warnings.catch_warnings():  # the readers warn of what the checks judge
        warnings.simplefilter("ignore")
        if suffix == ".cif":
            atoms = cif.read(text)
        elif suffix in {".xyz", ".extxyz"}:
            atoms = extended_xyz.read(text)
        elif suffix in OTHER_KINDS:
            raise wrong(OTHER_KINDS[suffix])
        elif suffix in {".vasp", ".poscar"} or "poscar" in name or "contcar" in name:
            atoms = poscar.read(text)
        else:
            raise wrong(
                "unknown kind of structure file. Use .cif, .vasp (POSCAR) or .xyz (extended XYZ)."
            )
        read = checked(Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True))
        read.info[REMARKS] = tuple(atoms.info[REMARKS])
        return read


def read_average(path: Path) -> Average | None:
    """The average structure of a CIF with partly occupied or shared sites; None where the file is
    of another kind, or all its sites are occupied by one element each.

    Raises
    ------
    StudyError
        As ``read_structure``, but for partly occupied sites.
    """
    if path.suffix.lower() != ".cif":
        return None
    text = _text(path)
    with _told_of(path):
        average = cif.read_average(text)
    return None if average.is_ordered else average


def _text(path: Path) -> str:
    """The text of a structure file, which is not too large."""

    def of_file(message: str) -> StudyError:
        return wrong(message, str(path))

    try:
        if path.is_dir():
            raise of_file("is a folder. Give the path of a structure file.")
        if not path.exists():
            raise of_file("no such file. Paths are relative to the folder of the study file.")
        if not path.is_file():
            raise of_file("is not a regular file. Give the path of a structure file.")
        if (size := path.stat().st_size) > LARGEST_FILE_B:
            raise of_file(
                f"too large for a structure (got {size / 1e6:.0f} MB, at most "
                f"{LARGEST_FILE_B / 1e6:.0f} MB)."
            )
        return text_of(path)
    except OSError as error:
        raise of_file(
            f"cannot be read ({error.strerror}). Check the path and its permissions."
        ) from None
    except StudyError as error:
        raise of_file(error.problems[0].message) from None


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """Any mistake of a reader, told of the file."""
    try:
        yield
    except StudyError as error:
        raise wrong(error.problems[0].message, str(path)) from error
    except Exception as error:  # the readers raise whatever their parsers stumble over
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise wrong(
            f"cannot be read ({reason}). Open it in VESTA or OVITO to see what is wrong.", str(path)
        ) from error
