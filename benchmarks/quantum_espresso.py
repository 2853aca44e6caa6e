"""How near SevenNet-0 is to density functional theory for Li2B12H12: one cell of 104 atoms, at
rest, with its atoms displaced, and expanded.

    python benchmarks/quantum_espresso.py --pseudopotentials /usr/share/espresso/pseudo --output
    benchmarks/results/quantum_espresso.md

All frames (``--frames`` takes some of them) are labelled by each engine: Quantum ESPRESSO with
PBE-D3 and rev-vdW-DF2, SevenNet-0 with D3. Then the labels are compared: the pressure of each, and
its energy against the first; of each pair of engines, root mean square difference, correlation and
slope (second over first) of the forces of each frame, and the difference of the stress. A run that
was interrupted goes on from the labels that it has when it is given the same directory. It takes
minutes to hours of one core.
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
from ase import Atoms

from borarun.basics.units import EV_PER_A3_IN_KBAR
from borarun.engines.base import Engine
from borarun.engines.pretrained.engine import ENGINES
from borarun.engines.quantum_espresso import engine as quantum_espresso
from borarun.records.frames import Frames
from borarun.structures.files import read_structure
from borarun.structures.structure import find_anions, whole_anions

STRUCTURE = Path(__file__).parent.parent / "studies" / "structures" / "Li2B12H12-Pa-3.cif"
FILES = {
    "Li": "Li.pbesol-s-kjpaw_psl.0.2.1.UPF",
    "B": "B.pbe-n-kjpaw_psl.1.0.0.UPF",
    "H": "H.pbe-kjpaw.UPF",
}
"""What Debian's quantum-espresso-data holds; its only PAW set of Li is for PBEsol."""

DISPLACEMENT_A = 0.05
"""Standard deviation along each axis; about that of boron at 300 K, less than that of Li and H."""


EXPANSION = 0.015
"""Of the cell's edges; anions keep their shape. Functionals differ by as much in this compound."""


def frames() -> dict[str, Atoms]:
    """The cell as it is shipped, with every atom displaced at random, and expanded."""
    rest = read_structure(STRUCTURE)
    displaced, expanded = rest.copy(), rest.copy()
    displaced.positions += np.random.default_rng(1).normal(
        scale=DISPLACEMENT_A, size=rest.positions.shape
    )
    anions = find_anions(rest, ["B12H12"], ["Li"])[0]
    whole = whole_anions(rest, anions)
    expanded.positions[anions] = whole + EXPANSION * whole.mean(axis=1, keepdims=True)
    lithium = rest.symbols == "Li"
    expanded.positions[lithium] *= 1 + EXPANSION
    expanded.set_cell(rest.cell * (1 + EXPANSION))
    return {"rest": rest, "displaced": displaced, "expanded": expanded}


def label(engine: Engine, settings: Any, program: Any, directory: Path, chosen: Frames) -> Frames:
    """The labelled frames."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in engine.render(settings, {"frames": chosen}, program).items():
        (directory / name).write_text(str(content))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(engine.command(settings, 1, program), cwd=directory, check=True, env=environment)
    return engine.parse(settings, directory).frames["labels"]


def alone(engine: str, labels: Frames, names: list[str]) -> list[str]:
    """Of each frame: energy against the first, pressure and largest force."""
    assert labels.energy is not None and labels.forces is not None and labels.stress is not None
    pressures = -labels.stress[:, :3].mean(axis=1) * EV_PER_A3_IN_KBAR
    largest = np.maximum.reduceat(np.linalg.norm(labels.forces, axis=1), labels.offsets[:-1])
    costs = labels.energy - labels.energy[0]
    return [
        f"| {engine} | {name} | {costs[k]:.3f} | {pressures[k]:.1f} | {largest[k]:.3f} |"
        for k, name in enumerate(names)
    ]


def beside(first: str, second: str, found: dict[str, Frames], names: list[str]) -> list[str]:
    """Of each frame: how far the second engine is from the first."""
    lines = []
    for index, name in enumerate(names):
        one, other = (found[engine].take([index]) for engine in (first, second))
        assert (
            one.forces is not None
            and one.stress is not None
            and other.forces is not None
            and other.stress is not None
        )
        force, size = (
            np.sqrt(np.mean(values**2)) for values in (other.forces - one.forces, one.forces)
        )
        correlation = np.corrcoef(one.forces.ravel(), other.forces.ravel())[0, 1]
        slope = float((one.forces * other.forces).sum() / (one.forces**2).sum())
        stress = np.sqrt(np.mean((other.stress - one.stress) ** 2)) * EV_PER_A3_IN_KBAR
        lines.append(
            f"| {first}, {second} | {name} | {force:.3f} of {size:.3f} | {correlation:.4f} | "
            f"{slope:.3f} | {stress:.1f} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pseudopotentials", required=True, help="folder of the UPF files")
    parser.add_argument("--functionals", nargs="+", default=["PBE-D3", "rev-vdW-DF2"])
    parser.add_argument("--frames", nargs="+", choices=list(frames()), default=list(frames()))
    parser.add_argument("--command", default="pw.x", help="what starts pw.x")
    parser.add_argument("--ecutwfc", type=float, default=80.0, help="Ry")
    parser.add_argument("--ecutrho", type=float, default=640.0, help="Ry")
    parser.add_argument("--conv-thr", type=float, default=1e-7, help="Ry")
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path("quantum_espresso_run"),
        help="where the runs are kept",
    )
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    site = quantum_espresso.Program(
        command=arguments.command, pseudopotential_directory=arguments.pseudopotentials
    )
    cutoffs = {
        "ecutwfc_Ry": arguments.ecutwfc,
        "ecutrho_Ry": arguments.ecutrho,
        "conv_thr_Ry": arguments.conv_thr,
    }
    chosen, names = Frames.of([frames()[name] for name in arguments.frames]), arguments.frames
    found, lines = {}, []
    for functional in arguments.functionals:
        settings = quantum_espresso.Settings(
            operation="label", functional=functional, pseudopotentials=FILES, **cutoffs
        )
        directory = arguments.directory / functional
        found[functional] = label(quantum_espresso, settings, site, directory, chosen)
        taken = re.findall(
            r"^\s+PWSCF\s+:\s+(.+) CPU",
            (directory / quantum_espresso.OUTPUT).read_text(),
            re.MULTILINE,
        )[-1]
        lines.append(
            f"{functional}, {', '.join(names)}: {taken} of one core (Gamma point, "
            f"{arguments.ecutwfc:g}/{arguments.ecutrho:g} Ry)."
        )
    sevennet = ENGINES["sevennet"]
    ours = sevennet.Settings(operation="label", functional="PBE-D3")
    found["SevenNet-0 + D3"] = label(
        sevennet, ours, sevennet.Program(), arguments.directory / "sevennet", chosen
    )
    lines += [
        "",
        f"| | frame | energy against {names[0]}, eV | pressure, kbar | largest force, eV/A |",
        "|---|---|---|---|---|",
        *(line for engine, labels in found.items() for line in alone(engine, labels, names)),
        "",
        "| first, second | frame | forces, eV/A | correlation | slope | stress, kbar |",
        "|---|---|---|---|---|---|",
        *(
            line
            for pair in itertools.combinations(found, 2)
            for line in beside(*pair, found, names)
        ),
    ]
    print("\n".join(lines))
    if arguments.output:
        arguments.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
