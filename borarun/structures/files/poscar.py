"""POSCAR and CONTCAR: ASE reads them, once their header is known to be one that it can."""

from __future__ import annotations

import io
import re

from ase import Atoms

from borarun.structures.files.checks import MOST_ATOMS
from borarun.structures.files.text import (
    REMARKS,
    count,
    element,
    isotope_remarks,
    number,
    numbers,
    wrong,
)


def symbol_of(word: str) -> str:
    """The element of a species as VASP writes it: ``Li_sv/f474ac0d1`` is Li.

    Raises
    ------
    ValueError
        Where it is none.
    """
    return element(re.split("[/_]", word)[0])


def read(text: str) -> Atoms:
    """The structure of a POSCAR.

    Raises
    ------
    StudyError
        Where the header is none, or fewer atoms follow than it counts.
    """
    lines = text.splitlines()
    if len(lines) < 8:
        raise wrong(f"is not a complete POSCAR: it has {len(lines)} lines. Export it again.")
    for place in range(1, 5):
        words = lines[place].split()
        try:
            if len(words) not in ((1, 3) if place == 1 else (3,)):
                raise ValueError(f"{lines[place].strip()[:40]!r}")
            numbers(words)
        except ValueError as error:
            what = "the scaling factor" if place == 1 else "a cell vector"
            raise wrong(f"{what} is expected (got {error}).", line=place + 1) from error
    species, counts = lines[5].split(), lines[6].split()
    if species and all(word.isdigit() for word in species):  # of VASP before 5
        raise wrong(
            "does not name the elements. Write their symbols in the line before the "
            "numbers of atoms, as VASP 5 does."
        )
    try:
        symbols = [symbol_of(word) for word in species]
    except ValueError as error:
        raise wrong(str(error), line=6) from error
    try:
        atoms = [count(word) for word in counts[: len(species)]]
    except ValueError as error:
        raise wrong(f"{error}.", line=7) from error
    if not atoms or len(atoms) != len(species):
        raise wrong(f"{len(species)} elements, but {len(counts)} numbers of atoms.", line=7)
    first = 8 if lines[7].strip()[:1].lower() != "s" else 9
    if sum(atoms) > MOST_ATOMS:
        raise wrong(f"has {sum(atoms):,} atoms (at most {MOST_ATOMS:,} are allowed).", line=7)
    rows = [line.split() for line in lines[first : first + sum(atoms)]]
    for place, row in enumerate(rows):
        try:
            if len(row) < 3:
                raise ValueError("three coordinates are expected")
            for word in row[:3]:
                number(word)
        except ValueError as error:
            raise wrong(f"{error}.", line=first + place + 1) from error
    if len(rows) < sum(atoms):
        raise wrong(
            f"should have {sum(atoms)} atoms, but has {len(rows)}. Export it again.", line=7
        )
    head = [*lines[:5], " ".join(symbols), " ".join(map(str, atoms)), *lines[7:first]]
    body = [" ".join([*row[:3], *row[3:6]]) for row in rows]
    from ase.io import read as ase_read  # loads scipy whole: a plan need not wait for it

    read_atoms = ase_read(io.StringIO("\n".join([*head, *body]) + "\n"), format="vasp")
    assert isinstance(read_atoms, Atoms)
    read_atoms.info[REMARKS] = isotope_remarks({re.split("[/_]", word)[0] for word in species})
    return read_atoms
