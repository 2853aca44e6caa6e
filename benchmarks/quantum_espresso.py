"""How near SevenNet-0 is to density functional theory for Li2B12H12: one cell of 104 atoms, at rest, with its atoms displaced, and expanded.

    python benchmarks/quantum_espresso.py --pseudopotentials /usr/share/espresso/pseudo --output benchmarks/results/quantum_espresso.md

All frames are labelled by each engine: Quantum ESPRESSO with PBE-D3 and rev-vdW-DF2, SevenNet-0 with D3. Then the labels are compared: what
displacement and expansion cost and which pressure there is; root mean square difference, correlation and slope (second over first) of the forces of all
frames, and of their stresses. A run that was interrupted goes on from the labels that it has when it is given the same directory. It takes minutes to
hours of one core.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from borarun.engines import quantum_espresso, sevennet
from borarun.engines.base import Engine
from borarun.frames import Frames
from borarun.structure import find_anions, read_structure, whole_anions
from borarun.units import EV_PER_A3_IN_KBAR

STRUCTURE = Path(__file__).parent.parent / "studies" / "structures" / "Li2B12H12-Pa-3.cif"
FILES = {"Li": "Li.pbesol-s-kjpaw_psl.0.2.1.UPF", "B": "B.pbe-n-kjpaw_psl.1.0.0.UPF", "H": "H.pbe-kjpaw.UPF"}
"""What Debian's quantum-espresso-data holds; its only PAW set of Li is for PBEsol."""

DISPLACEMENT_A = 0.05
"""Standard deviation along each axis; about that of boron at 300 K, less than that of Li and H."""


EXPANSION = 0.015
"""Of the cell's edges; anions keep their shape. Functionals differ by as much in this compound."""


def frames() -> Frames:
    """The cell as it is shipped, with every atom displaced at random, and expanded."""
    rest = read_structure(STRUCTURE)
    displaced, expanded = rest.copy(), rest.copy()
    displaced.positions += np.random.default_rng(1).normal(scale=DISPLACEMENT_A, size=rest.positions.shape)
    anions = find_anions(rest, "B12H12", "Li")
    whole = whole_anions(rest, anions)
    expanded.positions[anions] = whole + EXPANSION * whole.mean(axis=1, keepdims=True)
    lithium = rest.symbols == "Li"
    expanded.positions[lithium] *= 1 + EXPANSION
    expanded.set_cell(rest.cell * (1 + EXPANSION))
    return Frames.of([rest, displaced, expanded])


def label(engine: Engine, settings: Any, program: Any, directory: Path) -> Frames:
    """The labelled frames."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in engine.render(settings, {"frames": frames()}, program).items():
        (directory / name).write_text(str(content))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(engine.command(settings, 1, program), cwd=directory, check=True, env=environment)
    return engine.parse(settings, directory).frames["labels"]


def alone(name: str, labels: Frames) -> str:
    """Energies against the cell at rest, and pressures."""
    assert labels.energy is not None and labels.stress is not None
    pressures = -labels.stress[:, :3].mean(axis=1) * EV_PER_A3_IN_KBAR
    costs = labels.energy[1:] - labels.energy[0]
    return f"| {name} | {costs[0]:.3f} | {costs[1]:.3f} | {pressures[0]:.1f} | {pressures[2]:.1f} |"


def beside(name: str, dft: Frames, other: Frames) -> str:
    """How far ``other`` is from ``dft``."""
    assert dft.forces is not None and dft.stress is not None and other.forces is not None and other.stress is not None
    force = np.sqrt(np.mean((other.forces - dft.forces) ** 2))
    size = np.sqrt(np.mean(dft.forces**2))
    correlation = np.corrcoef(dft.forces.ravel(), other.forces.ravel())[0, 1]
    scale = float((dft.forces * other.forces).sum() / (dft.forces**2).sum())
    stress = np.sqrt(np.mean((other.stress - dft.stress) ** 2)) * EV_PER_A3_IN_KBAR
    return f"| {name} | {force:.3f} of {size:.3f} | {correlation:.4f} | {scale:.3f} | {stress:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pseudopotentials", required=True, help="folder of the UPF files")
    parser.add_argument("--functionals", nargs="+", default=["PBE-D3", "rev-vdW-DF2"])
    parser.add_argument("--command", default="pw.x", help="what starts pw.x")
    parser.add_argument("--ecutwfc", type=float, default=80.0, help="Ry")
    parser.add_argument("--ecutrho", type=float, default=640.0, help="Ry")
    parser.add_argument("--conv-thr", type=float, default=1e-7, help="Ry")
    parser.add_argument("--directory", type=Path, default=Path("quantum_espresso_run"), help="where the runs are kept")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    site = quantum_espresso.Program(command=arguments.command, pseudopotential_directory=arguments.pseudopotentials)
    cutoffs = {"ecutwfc_Ry": arguments.ecutwfc, "ecutrho_Ry": arguments.ecutrho, "conv_thr_Ry": arguments.conv_thr}
    found, lines = {}, []
    for functional in arguments.functionals:
        settings = quantum_espresso.Settings(operation="label", functional=functional, pseudopotentials=FILES, **cutoffs)
        directory = arguments.directory / functional
        found[functional] = label(quantum_espresso, settings, site, directory)
        taken = re.findall(r"^\s+PWSCF\s+:\s+(.+) CPU", (directory / quantum_espresso.OUTPUT).read_text(), re.MULTILINE)[-1]
        lines.append(f"{functional}: three frames took {taken} of one core (Gamma point, {arguments.ecutwfc:g}/{arguments.ecutrho:g} Ry).")
    ours = sevennet.Settings(operation="label", functional="PBE-D3")
    found["SevenNet-0 + D3"] = label(sevennet, ours, sevennet.Program(), arguments.directory / "sevennet")
    lines += [
        "",
        "| | displacement, eV | expansion, eV | pressure at rest, kbar | expanded, kbar |",
        "|---|---|---|---|---|",
        *(alone(name, labels) for name, labels in found.items()),
        "",
        "| first, second | forces, eV/A | correlation | slope | stress, kbar |",
        "|---|---|---|---|---|",
        *(beside(f"{one}, {other}", found[one], found[other]) for one, other in itertools.combinations(found, 2)),
    ]
    print("\n".join(lines))
    if arguments.output:
        arguments.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
