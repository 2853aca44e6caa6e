"""Evaluate potentials on the labelled configurations in this directory:
``python -m borarun.engines.examination.program``.

Reads ``job.json``, ``labels.extxyz`` and the files of each potential, and leaves ``examined.npz``
and, last, how it ended.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from borarun.basics.file import replacing
from borarun.engines.examination.job import ExaminationJob
from borarun.engines.potential.form import form
from borarun.records.endings import Ending
from borarun.records.frames import Frames
from borarun.records.operations.examination import Examined

Array = NDArray[Any]


def answers(folder: str, directory: Path, frames: Frames) -> tuple[Array, Array, Array]:
    """What the potential in a directory says of the configurations.

    Parameters
    ----------
    folder : of its form, in ``borarun/engines``

    Returns
    -------
    (C,) energies, eV per atom; (A, 3) forces, eV/angstrom; (C, 6) stresses, eV/angstrom^3
    """
    energy, forces, stress = [], [], []
    evaluators: dict[bytes, Any] = {}
    for atoms in frames:
        numbers = np.asarray(atoms.numbers)
        kind = numbers.tobytes()
        if kind not in evaluators:
            evaluators[kind] = form(folder).evaluator(directory, numbers, graded=False)
        evaluators[kind].forget()
        found = evaluators[kind].evaluate(atoms.positions, atoms.cell.array)
        energy.append(found.energy / len(atoms))
        forces.append(np.array(found.forces))
        stress.append(np.array(found.stress))
    return np.array(energy), np.concatenate(forces), np.array(stress)


def main() -> None:
    """Evaluate all potentials, and write their answers beside the reference's."""
    here = Path()
    job = ExaminationJob.read(here)
    labels = Frames.from_extxyz((here / "labels.extxyz").read_text())
    assert labels.energy is not None and labels.forces is not None and labels.stress is not None
    atoms = np.diff(labels.offsets)
    found = [(labels.energy / atoms, labels.forces, labels.stress)]
    for number, names in enumerate(job.files):
        directory = here / f"potential-{number}"
        directory.mkdir(exist_ok=True)
        for name in names:
            (directory / name).write_bytes((here / f"{number}-{name}").read_bytes())
        found.append(answers(job.potential, directory, labels))
    energy, forces, stress = (np.stack(each) for each in zip(*found, strict=True))
    content = io.BytesIO()
    np.savez(content, atoms=atoms.astype(np.int64), energy=energy, forces=forces, stress=stress)
    with replacing(here / "examined.npz") as file:
        file.write(content.getvalue())
    facts = Examined(n_frames=len(labels), n_potentials=len(job.files))
    Ending(result={"facts": facts.stored(), "bytes": len(content.getvalue())}).write(here)


if __name__ == "__main__":
    main()
