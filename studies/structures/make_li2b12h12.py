"""Make Li2B12H12-Pa-3.cif: regular icosahedra and lithium in space group Pa-3, relaxed with
SevenNet-0 + D3(BJ).

Run in this folder: ``python make_li2b12h12.py`` (needs ``pip install "borarun[sevennet]"``; some
minutes on one core). The cell of the file is the measured one; for comparison the cell is relaxed
as well and printed. README.md says more.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.spacegroup import crystal
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.cif import CifWriter
from scipy.spatial.transform import Rotation

from borarun.engines.pretrained.engine import ENGINES
from borarun.records.frames import Frames
from borarun.structures.structure import Cell

MEASURED_A = 9.577
"""Lattice parameter at room temperature, angstrom (Her et al., Inorg. Chem. 47, 9757 (2008))."""

PA3 = 205
GOLDEN = (1 + 5**0.5) / 2
VERTICES = np.array(
    [np.roll((0, i, j * GOLDEN), k) for i in (-1, 1) for j in (-1, 1) for k in range(3)]
) / np.hypot(1, GOLDEN)
BORON_A, HYDROGEN_A = 1.70, 2.90

TURN_DEG, LITHIUM_X = 48.0, 0.35
"""The start that relaxes to the lowest energy of a scan over turns of 0 to 108 degrees and x of
0.21, 0.29 and 0.35; see README.md.
"""


def build() -> Atoms:
    """Four icosahedra on 4a, turned about [111], and lithium on 8c."""
    directions = (
        Rotation.from_rotvec(np.radians(TURN_DEG) * np.ones(3) / 3**0.5).apply(VERTICES)
        / MEASURED_A
    )
    return crystal(
        ["Li", *["B"] * 12, *["H"] * 12],
        np.vstack([np.full((1, 3), LITHIUM_X), BORON_A * directions, HYDROGEN_A * directions]),
        spacegroup=PA3,
        cellpar=[MEASURED_A] * 3 + [90] * 3,
        onduplicates="keep",
    )


def relax(atoms: Atoms, *, relax_cell: bool) -> Atoms:
    """The relaxed structure; its facts are printed."""
    sevennet = ENGINES["sevennet"]
    settings = sevennet.Settings(
        operation="relax",
        functional="PBE-D3",
        cell=Cell(text=Frames.of([atoms]).to_extxyz()),
        fmax_eV_per_A=0.002,
        relax_cell=relax_cell,
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, content in sevennet.render(settings, {}, sevennet.Program()).items():
            (Path(folder) / name).write_text(str(content))
        subprocess.run(sevennet.command(settings, 1, sevennet.Program()), cwd=folder, check=True)
        result = sevennet.parse(settings, Path(folder))
    print("cell relaxed" if relax_cell else "cell fixed", result.facts)
    assert result.facts["space_group"] == f"Pa-3 ({PA3})"
    return result.frames["structure"][0]


if __name__ == "__main__":
    start = build()
    assert len(start) == 104
    relaxed = relax(start, relax_cell=False)
    CifWriter(
        AseAtomsAdaptor.get_structure(relaxed), symprec=0.01, significant_figures=6
    ).write_file("Li2B12H12-Pa-3.cif")
    relax(relaxed, relax_cell=True)
