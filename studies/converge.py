"""Converge the settings of Li2B12H12's labels: cutoffs, pseudopotentials, k-points.

    python studies/converge.py SITE            # all of it: about two hours of one core
    python studies/converge.py SITE family     # cutoffs, family, kpoints: some of it

Each setting is a study, `li2b12h12-dft.yaml` with this one thing changed, that labels two cells and
is run by `borarun submit`; what is done is not run again. *A* is a cell with its atoms displaced by
0.03 A (standard deviation along each axis), *B* the same atoms displaced otherwise in edges longer
by 1.5 %. Prints a row for each setting: energy of B against A, root mean square difference of the
force components of A and B, and the pressures, each against the row that is said to be converged.

The site file needs the pseudopotentials `E.PseudoDojo-0.5.upf` and `E_ONCV_PBE-1.2.upf`
(SG15, from the same wheel, `SG15/1.2/PBE/SR`) for Li, B and H, and the PAW sets of Debian's
`quantum-espresso-data`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ruamel.yaml import YAML
from spglib import find_primitive

from borarun.basics.units import EV_PER_A3_IN_KBAR
from borarun.labels.gate import geometries
from borarun.records.frames import Frames
from borarun.records.store import Store
from borarun.structures.files import read_structure

STUDIES = Path(__file__).parent
BASE = STUDIES / "li2b12h12-dft.yaml"
CELLS = {"small": "Li2B12H12-C2m.cif", "Pa-3": "Li2B12H12-Pa-3.cif"}
SETTINGS = ("pseudopotentials", "ecutwfc_Ry", "ecutrho_Ry", "kpoints")
HEADER = """| setting | energy of B against A, meV/atom | pressure of A, kbar | of B \
| differences: meV/atom, eV/A, kbar, kbar |
|---|---|---|---|---|"""
DISPLACEMENT_A = 0.03
EXPANSION = 0.015

Family = Mapping[str, tuple[str, str]]
"""File and MD5 of each element."""

SG15: Family = {
    "Li": ("Li_ONCV_PBE-1.2.upf", "c91dd4cee9943b136ac3b62641658f95"),
    "B": ("B_ONCV_PBE-1.2.upf", "eb3cbeacc2d324d57d903df00f564d27"),
    "H": ("H_ONCV_PBE-1.2.upf", "bf21e08b90ac4ce7d0149ac4e8138190"),
}
"""Norm-conserving, without core correction."""

PAW: Family = {
    "Li": ("Li.pbesol-s-kjpaw_psl.0.2.1.UPF", "859015b7cfe8ffa064b4dbcc5a9071b6"),
    "B": ("B.pbe-n-kjpaw_psl.1.0.0.UPF", "8c825a5969375aca5c2c6ad5945b3059"),
    "H": ("H.pbe-kjpaw.UPF", "a225a3f3a1be5237eb8f6a7e61cbb4ee"),
}
"""Debian's projector augmented waves, which need more for the density."""


def cutoffs(ry: int, density: int = 4) -> dict[str, Any]:
    """Of the wave functions, and ``density`` times that of the density."""
    return {"ecutwfc_Ry": ry, "ecutrho_Ry": density * ry}


def of(family: Family) -> dict[str, Any]:
    """Pseudopotentials of a family."""
    return {
        "pseudopotentials": {element: file for element, (file, _) in family.items()},
        "pseudopotential_md5": {element: md5 for element, (_, md5) in family.items()},
    }


COMPARED: Mapping[str, tuple[str, Mapping[str, Mapping[str, Any]]]] = {
    "cutoffs": ("small", {f"{ry}/{4 * ry} Ry": cutoffs(ry) for ry in (60, 70, 80, 100, 120)}),
    "family": (
        "small",
        {
            "PAW 60/480 Ry": of(PAW) | cutoffs(60, density=8),
            "SG15 80/320 Ry": of(SG15) | cutoffs(80),
            "SG15 120/480 Ry": of(SG15) | cutoffs(120),
            "PseudoDojo 120/480 Ry": cutoffs(120),
        },
    ),
    "kpoints": (
        "Pa-3",
        {
            "Gamma": {**cutoffs(50), "kpoints": [1, 1, 1]},
            "2x2x2": {**cutoffs(50), "kpoints": [2, 2, 2]},
        },
    ),
}
"""Of each comparison the cell, and the settings; the last is the converged one."""


def main() -> None:
    """Run what is missing, and print the tables."""
    site, *chosen = sys.argv[1:]
    for name in chosen or COMPARED:
        cell, settings = COMPARED[name]
        labels = {title: labelled(cell, changed, site) for title, changed in settings.items()}
        print(f"\n{name}, {cell} cell\n\n{HEADER}", *rows(labels), sep="\n")


def labelled(cell: str, changed: Mapping[str, Any], site: str) -> Frames:
    """Labels of A and B with something changed in the reference."""
    yaml = YAML()
    study = yaml.load(BASE)
    kept = ("borarun", "material", "functionals", "reference")
    study = {key: study[key] for key in kept}
    study["name"] = "converge"
    study["reference"] |= {"labels_per_task": 2, **changed}
    folder = Path("runs-converge")
    folder.mkdir(exist_ok=True)
    study["material"]["phases"] = {"Pa-3": CELLS["Pa-3"]}
    shutil.copy(STUDIES / "structures" / CELLS["Pa-3"], folder)
    frames, cells = folder / f"{cell}.extxyz", Frames.of(both(cell))
    frames.write_text(cells.to_extxyz())
    study["training_set"] = {"configurations": frames.name}
    file = folder / "study.yaml"
    yaml.dump(study, file)
    command = ["borarun", "submit", str(file), "--site", site, "--runs", str(folder / "runs")]
    if subprocess.run(command, check=False, stdout=sys.stderr).returncode:
        raise SystemExit("borarun says above why it could not label the cells.")
    return found(Store(folder / "runs" / "store"), study["reference"], cells)


def found(store: Store, reference: Mapping[str, Any], cells: Frames) -> Frames:
    """The labels of these cells with these settings in a store."""
    wanted = geometries(cells)
    for key in sorted(store.keys()):
        settings = store.task(key).settings
        if any(settings.get(name) != reference[name] for name in SETTINGS):
            continue
        labels = store.frames(key, "labels")
        order = {geometry: index for index, geometry in enumerate(geometries(labels))}
        if set(wanted) <= set(order):
            return labels.take([order[each] for each in wanted])
    raise SystemExit("The store has no labels of these cells.")


def rows(labels: Mapping[str, Frames]) -> list[str]:
    """A row for each setting."""
    *_, best = labels.values()
    of_best = figures(best)
    lines = []
    for title, each in labels.items():
        energy, pressures = figures(each)
        away = [
            energy - of_best[0],
            *(mine - its for mine, its in zip(pressures, of_best[1], strict=True)),
        ]
        assert each.forces is not None and best.forces is not None
        forces = np.sqrt(np.mean((each.forces - best.forces) ** 2))
        against = (
            "" if each is best else f"{away[0]:+.2f}, {forces:.4f}, {away[1]:+.2f}, {away[2]:+.2f}"
        )
        lines.append(
            f"| {title} | {energy:.2f} | {pressures[0]:.2f} | {pressures[1]:.2f} | {against} |"
        )
    return lines


def figures(labels: Frames) -> tuple[float, list[float]]:
    """Energy of B against A, meV/atom, and their pressures, kbar."""
    assert labels.energy is not None and labels.stress is not None
    energy = 1000 * (labels.energy[1] - labels.energy[0]) / len(labels[0])
    return float(energy), [-EV_PER_A3_IN_KBAR * each[:3].mean() for each in labels.stress]


def primitive(atoms: Atoms) -> Atoms:
    """The primitive cell of a crystal: 26 of 52 atoms."""
    lattice, positions, numbers = find_primitive(
        (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    )
    return Atoms(numbers, cell=lattice, scaled_positions=positions, pbc=True)


def both(cell: str) -> list[Atoms]:
    """A and B."""
    rest = read_structure(STUDIES / "structures" / CELLS[cell])
    if cell == "small":
        rest = primitive(rest)
    chance = np.random.default_rng(1)
    found = []
    for expansion in (0.0, EXPANSION):
        atoms = rest.copy()
        atoms.positions += chance.normal(scale=DISPLACEMENT_A, size=rest.positions.shape)
        atoms.set_cell(rest.cell * (1 + expansion), scale_atoms=True)
        found.append(atoms)
    return found


if __name__ == "__main__":
    main()
