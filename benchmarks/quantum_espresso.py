"""How near SevenNet-0 is to density functional theory for Li2B12H12: one cell of 104 atoms, at rest and with its atoms displaced.

    python benchmarks/quantum_espresso.py --pseudopotentials /usr/share/espresso/pseudo --output benchmarks/results/quantum_espresso.md

Both frames are labelled by each engine: Quantum ESPRESSO with PBE-D3 and rev-vdW-DF2, SevenNet-0 with D3. Then the labels are compared: root
mean square difference, correlation and slope (second over first) of the forces of both frames, the stress, and the energy that the displacement
costs. A run that was interrupted goes on from the labels that it has when it is given the same directory. It takes minutes to hours of one core.
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
from borarun.structure import read_structure
from borarun.units import EV_PER_A3_IN_KBAR

STRUCTURE = Path(__file__).parent.parent / "studies" / "structures" / "Li2B12H12-Pa-3.cif"
FILES = {"Li": "Li.pbesol-s-kjpaw_psl.0.2.1.UPF", "B": "B.pbe-n-kjpaw_psl.1.0.0.UPF", "H": "H.pbe-kjpaw.UPF"}
"""What Debian's quantum-espresso-data holds; its only PAW set of Li is for PBEsol."""

DISPLACEMENT_A = 0.05
"""Standard deviation along each axis; about that of boron at 300 K, less than that of Li and H."""


def frames() -> Frames:
    """The cell as it is shipped, and with every atom displaced at random."""
    rest = read_structure(STRUCTURE)
    displaced = rest.copy()
    displaced.positions += np.random.default_rng(1).normal(scale=DISPLACEMENT_A, size=rest.positions.shape)
    return Frames.of([rest, displaced])


def label(engine: Engine, settings: Any, program: Any, directory: Path) -> Frames:
    """The labelled frames."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in engine.render(settings, {"frames": frames()}, program).items():
        (directory / name).write_text(str(content))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(engine.command(settings, 1, program), cwd=directory, check=True, env=environment)
    return engine.parse(settings, directory).frames["labels"]


def row(name: str, dft: Frames, other: Frames) -> str:
    """How far ``other`` is from ``dft``."""
    assert dft.energy is not None and dft.forces is not None and dft.stress is not None
    assert other.energy is not None and other.forces is not None and other.stress is not None
    force = np.sqrt(np.mean((other.forces - dft.forces) ** 2))
    correlation = np.corrcoef(dft.forces.ravel(), other.forces.ravel())[0, 1]
    scale = float((dft.forces * other.forces).sum() / (dft.forces**2).sum())
    stress = np.sqrt(np.mean((other.stress - dft.stress) ** 2)) * EV_PER_A3_IN_KBAR
    pressures = [-float(frames.stress[0, :3].mean()) * EV_PER_A3_IN_KBAR for frames in (dft, other) if frames.stress is not None]
    costs = [float(np.diff(frames.energy)[0]) for frames in (dft, other) if frames.energy is not None]
    cells = [f"{force:.3f}", f"{correlation:.4f}", f"{scale:.3f}", f"{stress:.1f}", *(f"{value:.1f}" for value in pressures)]
    return " | ".join(["", name, *cells, *(f"{value:.3f}" for value in costs), ""]).strip()


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
        lines.append(f"{functional}: both frames took {taken} of one core (Gamma point, {arguments.ecutwfc:g}/{arguments.ecutrho:g} Ry).")
    ours = sevennet.Settings(operation="label", functional="PBE-D3")
    found["SevenNet-0 + D3"] = label(sevennet, ours, sevennet.Program(), arguments.directory / "sevennet")
    lines += [
        "",
        "| first, second | forces, eV/A | correlation | slope | stress, kbar | pressure at rest, kbar: first | second | displacement, eV | second |",
        "|---|---|---|---|---|---|---|---|---|",
        *(row(f"{one}, {other}", found[one], found[other]) for one, other in itertools.combinations(found, 2)),
    ]
    print("\n".join(lines))
    if arguments.output:
        arguments.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
