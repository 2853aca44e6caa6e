"""Label close contacts for the bundled potential: atoms of neighbouring ions pushed together. Needs borarun[sevennet]; some minutes.

    python studies/bundled_reference_contacts.py

Writes bundled-reference-contacts.extxyz.xz. Molecular dynamics hardly ever visits the repulsive wall between Li and Li, so that a fit to its
configurations alone leaves the wall to chance, and ions that meet once in some hundred picoseconds fall into one another.
"""

from __future__ import annotations

import lzma
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from ase import Atoms

from borarun.engines import sevennet
from borarun.frames import Frames

STUDIES = Path(__file__).parent
LABELS = STUDIES / "bundled-reference-labels.extxyz.xz"
CONTACTS = STUDIES / "bundled-reference-contacts.extxyz.xz"
FUNCTIONAL = "PBE-D3"
NUMBER, SEED = 90, 1

NEAREST_A = {"Li": 1.3, "B": 1.5, "H": 1.1}
"""How near Li is brought to an atom: about one to three eV above where molecular dynamics goes."""

MOST_FORCE = 9.5
"""eV/angstrom; what is pushed together harder than that is left out: molecular dynamics at 1400 K goes no farther, and it would weigh more than
all that matters."""

FARTHEST_A = 2.6
"""Between Li and Li; to B and H half the way from where they are."""


def contact(atoms: Atoms, partner: str, rng: np.random.Generator) -> Atoms:
    """A configuration with one Li ion near another atom: both moved for Li and Li, else the ion alone."""
    symbols = np.array(atoms.get_chemical_symbols())
    ion = int(rng.choice(np.flatnonzero(symbols == "Li")))
    others = np.flatnonzero((symbols == partner) & (np.arange(len(atoms)) != ion))
    away = atoms.get_distances(ion, others, mic=True)
    other = int(others[np.argmin(away)])
    bond = atoms.get_distance(ion, other, mic=True, vector=True)
    length = float(np.linalg.norm(bond))
    farthest = FARTHEST_A if partner == "Li" else (length + NEAREST_A[partner]) / 2
    share = 1 - rng.uniform(NEAREST_A[partner], farthest) / length
    out = atoms.copy()
    if partner == "Li":
        out.positions[ion] += share / 2 * bond
        out.positions[other] -= share / 2 * bond
    else:
        out.positions[ion] += share * bond
    return out


def main() -> None:
    """Make, label, write."""
    rng = np.random.default_rng(SEED)
    known = list(Frames.from_extxyz(lzma.decompress(LABELS.read_bytes()).decode()))
    partners = ("Li", "Li", "B", "H")
    made = [contact(known[index], partners[number % len(partners)], rng) for number, index in enumerate(rng.choice(len(known), NUMBER, replace=False))]
    settings = sevennet.Settings(operation="label", functional=FUNCTIONAL)
    program = sevennet.Program()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        for name, content in sevennet.render(settings, {"frames": Frames.of(made)}, program).items():
            (directory / name).write_text(str(content))
        subprocess.run(sevennet.command(settings, os.cpu_count() or 1, program), cwd=directory, check=True)
        labels = sevennet.parse(settings, directory).frames["labels"]
    labels = labels.take(index for index, atoms in enumerate(labels) if np.abs(atoms.get_forces()).max() < MOST_FORCE)
    print(f"{len(labels)} of {len(made)} contacts: {CONTACTS}")
    CONTACTS.write_bytes(lzma.compress(labels.to_extxyz().encode()))


if __name__ == "__main__":
    main()
