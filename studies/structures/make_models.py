"""Make the model structures beside Pa-3: P2_1/n and C2/m Li2B12H12, Pca2_1 LiCB11H12; README.md
says what they are and are not.

Run in this folder: ``python make_models.py Li2B12H12-P21n`` (or ``Li2B12H12-C2m``,
``LiCB11H12-Pca21``). It needs ``pip install "borarun[sevennet]"`` and up to an hour of one core.
Regular icosahedra stand on the packing positions of the space group, turned at random by a fixed
seed, with the ions near the holes between them. The start that a scan found lowest is relaxed at
that symmetry.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import spglib
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.constraints import FixSymmetry
from ase.filters import FrechetCellFilter
from ase.geometry import cellpar_to_cell
from ase.neighborlist import neighbor_list
from ase.optimize import BFGS
from make_li2b12h12 import BORON_A, HYDROGEN_A, VERTICES
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.cif import CifWriter
from scipy.spatial.transform import Rotation

from borarun.basics.errors import StudyError
from borarun.basics.units import EV_PER_A3_IN_KBAR
from borarun.engines.bundled import engine as bundled
from borarun.engines.networks.calculator import NetworkJob, calculator
from borarun.mtp.evaluate import MTPCalculator
from borarun.mtp.potential import Potential
from borarun.structures.structure import find_anions, formula_units

SEED = 1
SYMMETRY_A = 0.01
CONTACT_A, HYDROGENS_A = 1.3, 1.7
"""Shortest distance of atoms that do not belong to the same anion, and that of two hydrogens of
different anions.
"""


@dataclass(frozen=True)
class Model:
    """What a model structure is made from.

    Attributes
    ----------
    formula, anion : of the material
    hall : number of the space group's setting in spglib's database
    name : of the space group in that setting
    cells : (a, b, c, alpha, beta, gamma) to start from, angstrom and degrees
    centre : of the anion, fractional
    axis : the anion turns about this axis only, where it stands on a position of 2/m; None where it
        is free
    ions : the hole that an ion starts near, fractional, and the directions it may leave it in
    start : number of the random start that came out lowest in the scan that README.md tells of
    relax_cell : whether the file's cell is relaxed, or the measured one
    """

    formula: str
    anion: str
    hall: int
    name: str
    cells: tuple[tuple[float, ...], ...]
    centre: tuple[float, float, float]
    ions: tuple[tuple[tuple[float, float, float], tuple[int, int, int]], ...]
    axis: tuple[int, int, int] | None = None
    start: int = 0
    relax_cell: bool = True

    @property
    def number(self) -> int:
        """Of the space group."""
        kind = spglib.get_spacegroup_type(self.hall)
        assert kind is not None
        return int(kind.number)


MODELS = {
    # Shaped like the cell of Na2B12H12, whose anions pack in this way, at 220 A^3 a formula unit.
    "Li2B12H12-P21n": Model(
        "Li2B12H12",
        "B12H12",
        82,
        "P 1 21/n 1",
        ((6.63, 10.05, 6.61, 90, 94.6, 90),),
        (0, 0, 0),
        (((0.5, 0.25, 0.0), (1, 1, 1)),),
        start=37,
    ),
    # One anion a lattice point, in an fcc packing with the twofold axis along [110] or along [100].
    "Li2B12H12-C2m": Model(
        "Li2B12H12",
        "B12H12",
        63,
        "C 1 2/m 1",
        ((11.73, 6.77, 6.77, 90, 125.26, 90), (9.577, 9.577, 6.77, 90, 135.0, 90)),
        (0, 0, 0),
        (
            ((0.25, 0.0, 0.5), (1, 0, 1)),
            ((0.0, 0.5, 0.5), (0, 1, 0)),
            ((0.0, 0.4, 0.0), (0, 1, 0)),
            ((0.3, 0.0, 0.2), (1, 0, 1)),
        ),
        axis=(0, 1, 0),
        start=3,
    ),
    # Measured cell and space group (Tang et al., Energy Environ. Sci. 8, 3637 (2015)); fcc packing
    # of the anions, as in the cubic phase.
    "LiCB11H12-Pca21": Model(
        "LiCB11H12",
        "CB11H12",
        143,
        "P c a 21",
        ((9.6668, 9.4892, 9.7273, 90, 90, 90),),
        (0, 0.25, 0),
        (
            ((0.25, 0.5, 0.25), (1, 1, 1)),
            ((0.25, 0.0, 0.25), (1, 1, 1)),
            ((0.5, 0.25, 0.0), (1, 1, 1)),
        ),
        start=27,
        relax_cell=False,
    ),
}


def starts(model: Model) -> Iterator[Atoms]:
    """Random starts of the model's symmetry whose atoms do not overlap, without end and always the
    same.
    """
    rng = np.random.default_rng(SEED)
    operations = spglib.get_symmetry_from_database(model.hall)
    while True:
        cell = cellpar_to_cell(model.cells[rng.integers(len(model.cells))])
        turn = (
            Rotation.random(rng=rng)
            if model.axis is None
            else Rotation.from_rotvec(np.array(model.axis) * rng.uniform(0, np.pi))
        )
        arms = turn.apply(VERTICES)
        shape = "C" + "B" * 11 if model.anion.startswith("C") else "B" * 12
        hole, free = model.ions[rng.integers(len(model.ions))]
        ion = np.array(hole) + np.array(free) * rng.uniform(-1.2, 1.2, 3) / np.linalg.norm(
            cell, axis=1
        )
        inverse = np.linalg.inv(cell)
        unique = [("Li", ion)]
        unique += [
            (symbol, np.array(model.centre) + BORON_A * arm @ inverse)
            for symbol, arm in zip(shape, arms, strict=True)
        ]
        unique += [("H", np.array(model.centre) + HYDROGEN_A * arm @ inverse) for arm in arms]
        atoms = _repeated(unique, cell, operations)
        if _sound(atoms, model):
            yield atoms


def _repeated(unique: list[tuple[str, Any]], cell: Any, operations: dict[str, Any]) -> Atoms:
    """Every image of the unique atoms, each site once."""
    symbols: list[str] = []
    sites: list[Any] = []
    for symbol, place in unique:
        for rotation, translation in zip(
            operations["rotations"], operations["translations"], strict=True
        ):
            image = (rotation @ place + translation) % 1.0
            apart = [
                (image - site + 0.5) % 1.0 - 0.5
                for kind, site in zip(symbols, sites, strict=True)
                if kind == symbol
            ]
            if not any(np.linalg.norm(step @ cell) < 0.1 for step in apart):
                symbols.append(symbol)
                sites.append(image)
    return Atoms(symbols, scaled_positions=sites, cell=cell, pbc=True)


def _sound(atoms: Atoms, model: Model) -> bool:
    """Whether a structure has the formula, and whole anions that keep apart from each other and
    from the ions.
    """
    try:
        formula_units(atoms, model.formula)
        anions = find_anions(atoms, model.anion, "Li")
    except StudyError:
        return False
    member = np.full(len(atoms), -1)
    for number, anion in enumerate(anions):
        member[anion] = number
    i, j, distance = neighbor_list("ijd", atoms, HYDROGENS_A)
    apart = (member[i] != member[j]) | (member[i] == -1)
    least = np.where((atoms.numbers[i] == 1) & (atoms.numbers[j] == 1), HYDROGENS_A, CONTACT_A)
    return not (apart & (distance < least)).any()


def relax(
    atoms: Atoms, calculator: BaseCalculator, *, cell: bool, force: float, steps: int
) -> float:
    """Relax in place at the structure's symmetry to forces below ``force`` (eV/A) and stresses
    below 0.1 kbar; its energy, eV.
    """
    atoms.calc = calculator
    atoms.set_constraint(FixSymmetry(atoms, symprec=SYMMETRY_A))
    for _ in BFGS(FrechetCellFilter(atoms) if cell else atoms, logfile=None).irun(
        fmax=0.0, steps=steps
    ):
        largest = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
        stress = float(np.abs(atoms.get_stress()).max()) * EV_PER_A3_IN_KBAR if cell else 0.0
        if largest < force and stress < max(0.1, 20 * force):
            break
    atoms.set_constraint()
    return float(atoms.get_potential_energy())


def write(name: str, model: Model, atoms: Atoms) -> None:
    """The CIF, in the model's own setting, with its provenance."""
    text = str(
        CifWriter(
            AseAtomsAdaptor.get_structure(atoms),
            symprec=SYMMETRY_A,
            significant_figures=6,
            refine_struct=False,
        )
    )
    lines = text.splitlines()
    head = [
        "# A model, not measured coordinates: regular icosahedra on packing positions, "
        "relaxed at this symmetry with",
        "# SevenNet-0 + D3(BJ) for PBE. Made by make_models.py; README.md says how and what "
        "it gives.",
    ]
    lines = [
        f"_symmetry_space_group_name_H-M   '{model.name}'" if "name_H-M" in line else line
        for line in lines
    ]
    Path(f"{name}.cif").write_text("\n".join([*head, *lines]) + "\n")


def settled(
    atoms: Atoms, model: Model, network: BaseCalculator, *, force: float, steps: int
) -> float | None:
    """Relax a start in place; its energy a formula unit, None where it fell apart."""
    if model.anion == "B12H12":
        quick = MTPCalculator(Potential.read(bundled.potential("PBE-D3")))
        try:
            relax(atoms, quick, cell=True, force=0.05, steps=150)
        except (
            RuntimeError
        ):  # atoms have fallen onto each other, so that ASE finds no symmetry any more
            return None
    energy = relax(atoms, network, cell=model.relax_cell, force=force, steps=steps)
    return energy / formula_units(atoms, model.formula) if _sound(atoms, model) else None


def main() -> None:
    """Make one model from the start that a scan chose, or scan."""
    parser = argparse.ArgumentParser(description="Make a model structure.")
    parser.add_argument("name", choices=MODELS)
    parser.add_argument(
        "--scan",
        type=int,
        metavar="N",
        help="relax the first N starts roughly, print their energies, write nothing",
    )
    arguments = parser.parse_args()
    model = MODELS[arguments.name]
    network = calculator(
        NetworkJob(family="sevennet", model="7net-0", dispersion="PBE", device="cpu"), cores=1
    )
    if arguments.scan:
        for number, atoms in enumerate(islice(starts(model), arguments.scan)):
            print(
                number,
                settled(atoms, model, network, force=0.03, steps=60),
                _group(atoms),
                flush=True,
            )
        return
    atoms = next(islice(starts(model), model.start, None))
    energy = settled(atoms, model, network, force=0.005, steps=400)
    assert energy is not None and _group(atoms).endswith(f"({model.number})")
    print(
        f"{energy:.4f} eV a formula unit, {_group(atoms)}, cell "
        f"{np.round(atoms.cell.cellpar(), 4).tolist()}"
    )
    write(arguments.name, model, atoms)


def _group(atoms: Atoms) -> str:
    dataset = spglib.get_symmetry_dataset(
        (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers), symprec=SYMMETRY_A
    )
    assert dataset is not None
    return f"{dataset.international} ({dataset.number})"


if __name__ == "__main__":
    main()
