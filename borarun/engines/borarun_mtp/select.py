"""Select the candidates in this directory that are worth a label:
``python -m borarun.engines.borarun_mtp.select``.

Reads ``job.json``, ``start.mtp``, ``active_set.npy`` and ``candidates.extxyz``. Leaves
``selected.extxyz`` and, last, how it ended.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from borarun.basics.file import replacing
from borarun.engines.borarun_mtp.job import SelectJob
from borarun.mtp import active_set
from borarun.mtp.evaluate import Evaluator
from borarun.mtp.potential import Potential
from borarun.records.endings import Ending
from borarun.records.frames import Frames
from borarun.records.operations.potential import Selected


def main() -> None:
    """Grade all candidates and select among them by D-optimality."""
    here = Path()
    job = SelectJob.read(here)
    potential = Potential.read((here / "start.mtp").read_text())
    active = np.load(here / "active_set.npy")
    candidates = Frames.from_extxyz((here / "candidates.extxyz").read_text())
    gradients = []
    for number, atoms in enumerate(candidates):
        evaluator = Evaluator(potential, atoms.numbers)
        evaluator.evaluate(atoms.positions, atoms.cell.array)
        gradients.append(evaluator.gradients())
        if number % 20 == 0:
            (here / "progress").write_text(f"{number / len(candidates):.3f}")
    found = [float(active_set.grades(active, rows).max()) for rows in gradients]
    chosen = active_set.select(active, gradients, job.max_selected)
    selected = replace(candidates.take(chosen), grade=np.array([found[index] for index in chosen]))
    with replacing(here / "selected.extxyz") as file:
        file.write(selected.to_extxyz().encode())
    result = Selected(n_candidates=len(candidates), n_selected=len(chosen), grades=tuple(found))
    Ending(result=result.stored()).write(here)


if __name__ == "__main__":
    main()
