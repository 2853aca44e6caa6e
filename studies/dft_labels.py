"""Label configurations that ship with borarun by rev-vdW-DF2: a first training set of Li2B12H12.

    python studies/dft_labels.py WORK --pseudopotentials FOLDER [--labels 40]

The configurations are those that the bundled potentials were trained on, the most informative
first. A batch of them is one task of the engine `quantum-espresso`; a batch that was killed goes
on from its last label, and one that is whole is added to the labels beside this file. Labels that
are there are not computed again, so WORK may be lost. Settings, pseudopotentials and what was
found: li2b12h12-rev-vdW-DF2.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from borarun.engines.base import Result
from borarun.engines.quantum_espresso import engine as quantum_espresso
from borarun.file import replacing, write_files
from borarun.frames import Frames
from borarun.mtp.evaluate import Evaluator
from borarun.mtp.potential import Potential

STUDIES = Path(__file__).parent
SOURCES = ("PBE-D3", "PBE")
POTENTIAL = STUDIES.parent / "borarun" / "potentials" / "Li2B12H12-PBE-D3.mtp"
LABELS = STUDIES / "li2b12h12-rev-vdW-DF2.extxyz.xz"
RECORD = STUDIES / "li2b12h12-rev-vdW-DF2.json"

ELEMENTS = {
    "Li": "dbcf0ea72988e720c8c712b432d51b0d",
    "B": "72f82fc31bc892420d0cab7e25c88ab8",
    "H": "e96aa7e3e4a958db16958554ea960e2a",
}
"""MD5 of the PseudoDojo 0.5 sets, PBE, scalar relativistic, standard."""

SETTINGS = quantum_espresso.Settings.model_validate(
    {
        "operation": "label",
        "functional": "rev-vdW-DF2",
        "pseudopotentials": {element: f"{element}.PseudoDojo-0.5.upf" for element in ELEMENTS},
        "pseudopotential_md5": ELEMENTS,
        "ecutwfc_Ry": 80.0,
        "ecutrho_Ry": 320.0,
        "conv_thr_Ry": 1e-7,
        "version": "6.7",
    }
)

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
"""The kernel's table costs two minutes a batch; a batch that is lost, ten minutes a label."""

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
    """The most informative configurations, best first: greedy maximum of the determinant.

    Each in turn is the one whose neighbourhoods enlarge the volume of the information matrix of
    the bundled potential's parameters most, given those before it.

    Source: Podryabinkin, Shapeev, Comput. Mater. Sci. 140, 171 (2017), for the neighbourhoods'
    gradients; a sum over all neighbourhoods in place of the active set, so that it needs no fit.
    """
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


def label(batch: Frames, work: Path, program: quantum_espresso.Program) -> Result:
    """The labels of a batch and the facts of its record, computed by pw.x on one core."""
    write_files(work, quantum_espresso.render(SETTINGS, {"frames": batch}, program))
    subprocess.run(
        quantum_espresso.command(SETTINGS, 1, program),
        cwd=work,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    return quantum_espresso.parse(SETTINGS, work)


def _cpu_s() -> float:
    """CPU time of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path, help="folder of the runs, which may be lost")
    parser.add_argument("--pseudopotentials", type=Path, required=True, help="folder of UPF files")
    parser.add_argument("--command", default="pw.x", help="what starts pw.x")
    parser.add_argument("--labels", type=int, default=40, help="stop when there are so many")
    arguments = parser.parse_args()
    program = quantum_espresso.Program(
        command=arguments.command,
        pseudopotential_directory=str(arguments.pseudopotentials.resolve()),
    )
    if trouble := quantum_espresso.missing(SETTINGS, program):
        raise SystemExit(trouble)
    frames = shipped()
    settings = SETTINGS.model_dump(mode="json", exclude_unset=True)
    if RECORD.exists():
        record = json.loads(RECORD.read_text())
        labels = [Frames.from_extxyz(lzma.decompress(LABELS.read_bytes()).decode())]
        if record["settings"] != settings:
            raise SystemExit(f"The labels in {LABELS.name} have other settings. Move them away.")
    else:
        record, labels = {"settings": settings, "order": choose(frames), "labels": []}, []
    known = {tuple(one["configuration"]) for one in record["labels"]}
    for batch in batches([(source, number) for source, number in record["order"]], frames):
        if len(known) >= arguments.labels:
            break
        if known.issuperset(batch):
            continue
        work = arguments.work / "-".join(map(str, batch[0]))
        if not (work / "state.json").exists():  # nothing of it is there to go on from
            batch = [name for name in batch if name not in known]
        before = _cpu_s()
        result = label(Frames.of([frames[name] for name in batch]), work, program)
        new = [index for index, name in enumerate(batch) if name not in known]
        used = (_cpu_s() - before) / len(new)
        labels.append(result.frames["labels"].take(new))
        known.update(batch)
        record["labels"] += [{"configuration": batch[i], "cpu_s": round(used)} for i in new]
        record |= {key: result.facts[key] for key in ("program", "pseudopotentials")}
        with replacing(LABELS) as file:
            file.write(lzma.compress(Frames.join(labels).to_extxyz().encode(), preset=9))
        record["sha256"] = hashlib.sha256(LABELS.read_bytes()).hexdigest()
        with replacing(RECORD) as file:
            file.write((json.dumps(record, indent=1) + "\n").encode())
        print(f"{len(known)} labels, the last with {used:.0f} s of CPU each", flush=True)


if __name__ == "__main__":
    main()
