"""Choose configurations of Li2B12H12 for density functional theory, the most informative first.

    python studies/choose_configurations.py

They come from the sets that the bundled potentials were trained on. Each in turn is the one whose
neighbourhoods enlarge the determinant of the information on the bundled potential's parameters
most, given those before it; every third is the best of the calm ones. The result,
``li2b12h12-configurations.extxyz.xz``, has no labels: ``li2b12h12-dft.yaml`` computes them.

Source: Podryabinkin, Shapeev, Comput. Mater. Sci. 140, 171 (2017), for the gradients of
neighbourhoods; a sum over all neighbourhoods in place of the active set, so that it needs no fit.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from borarun.basics.file import replacing
from borarun.mtp.evaluate import Evaluator
from borarun.mtp.potential import Potential
from borarun.records.frames import Frames

STUDIES = Path(__file__).parent
SOURCES = ("PBE-D3", "PBE")
POTENTIAL = STUDIES.parent / "borarun" / "potentials" / "Li2B12H12-PBE-D3.mtp"
CONFIGURATIONS = STUDIES / "li2b12h12-configurations.extxyz.xz"

N_CHOSEN = 120
CALM_EVERY = 3
"""Every third is the most informative of the calm ones: else all would be hot or torn apart."""
CALM_EV_PER_A = 0.8
"""Root mean square force component of a calm configuration, about 500 K."""
VOLUME_A3 = (800.0, 1050.0)
"""Of eight formula units' share of Li: the edge of the cell is 9.28 to 10.16 A."""
LARGEST_EV_PER_A = 10.0
PRIOR = 1.0
"""Information on each parameter before the first label, in units of that of one neighbourhood."""
BATCH = 5
"""``labels_per_task`` of the study: the kernel's table costs two minutes a task; a task that is
lost costs ten minutes a label.
"""

Array = NDArray[Any]
Name = tuple[str, int]
"""A set that ships, and the number of a configuration in it, from 0."""


def shipped() -> dict[Name, Atoms]:
    """All configurations of the labelled sets that ship, with the labels of the stand-in."""
    found = {}
    for source in SOURCES:
        file = STUDIES / f"bundled-reference-{source}.extxyz.xz"
        text = lzma.decompress(file.read_bytes()).decode()
        found.update({(source, i): atoms for i, atoms in enumerate(Frames.from_extxyz(text))})
    return found


def choose(frames: dict[Name, Atoms]) -> list[Name]:
    """The most informative configurations, best first: greedy maximum of the determinant."""
    potential = Potential.read(POTENTIAL.read_text())
    rows, calm = {}, set()
    for name, atoms in frames.items():
        forces = atoms.get_forces()
        volume = atoms.get_volume() * 104 / len(atoms)
        largest = np.linalg.norm(forces, axis=1).max()
        if largest > LARGEST_EV_PER_A or not VOLUME_A3[0] <= volume <= VOLUME_A3[1]:
            continue
        evaluator = Evaluator(potential, atoms.numbers)
        evaluator.evaluate(atoms.positions, atoms.cell.array)
        rows[name] = evaluator.gradients()
        if np.sqrt(np.mean(forces**2)) < CALM_EV_PER_A:
            calm.add(name)
    scale = np.sqrt(np.mean(np.vstack(list(rows.values())) ** 2, axis=0))
    rows = {name: values / np.where(scale > 0, scale, 1.0) for name, values in rows.items()}
    information = PRIOR * np.eye(potential.n_parameters)
    order: list[Name] = []
    while len(order) < N_CHOSEN:
        inverse = np.linalg.inv(information)
        among = rows.keys() & calm if len(order) % CALM_EVERY == CALM_EVERY - 1 else rows.keys()
        best = max(sorted(among), key=lambda name: _gain(rows[name], inverse))
        chosen = rows.pop(best)
        information += chosen.T @ chosen
        order.append(best)
    return order


def _gain(rows: Array, inverse: Array) -> float:
    """Logarithm of how many times the rows enlarge the determinant."""
    return float(np.linalg.slogdet(np.eye(len(rows)) + rows @ inverse @ rows.T)[1])


def batches(order: list[Name], frames: dict[Name, Atoms]) -> Iterator[list[Name]]:
    """The order cut into tasks: alike in their atoms, the largest cell first.

    pw.x keeps the plane waves of a task's first cell until the volume has changed by a tenth, so
    that the cutoff of the others is higher than that of the settings, never lower.
    """
    for start in range(0, len(order), 2 * BATCH):
        part = sorted(
            order[start : start + 2 * BATCH],
            key=lambda name: (-len(frames[name]), -frames[name].get_volume()),
        )
        for size in sorted({len(frames[name]) for name in part}, reverse=True):
            alike = [name for name in part if len(frames[name]) == size]
            n = -(-len(alike) // BATCH)
            for cut in np.array_split(np.arange(len(alike)), n):
                yield [alike[index] for index in cut]


def main() -> None:
    frames = shipped()
    chosen = [frames[name].copy() for batch in batches(choose(frames), frames) for name in batch]
    for atoms in chosen:
        atoms.calc = None
    with replacing(CONFIGURATIONS) as file:
        file.write(lzma.compress(Frames.of(chosen).to_extxyz().encode(), preset=9))


if __name__ == "__main__":
    main()
