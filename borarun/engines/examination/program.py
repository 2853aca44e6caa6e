"""Evaluate potentials on the labelled configurations in this directory:
``python -m borarun.engines.examination.program``.

Reads ``job.json``, ``labels.extxyz`` and the files of each potential, and leaves ``examined.npz``
and, last, how it ended.
"""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path

import numpy as np

from borarun.basics.file import replacing
from borarun.engines.examination.job import ExaminationJob
from borarun.engines.potential.answers import answers, references
from borarun.engines.potential.form import form
from borarun.records.endings import Ending
from borarun.records.frames import Frames
from borarun.records.operations.examination import Examined


def main() -> None:
    """Evaluate all potentials, and write their answers beside the reference's."""
    here = Path()
    job = ExaminationJob.read(here)
    labels = Frames.from_extxyz((here / "labels.extxyz").read_text())
    found = [references(labels)]
    for number, names in enumerate(job.files):
        directory = here / f"potential-{number}"
        directory.mkdir(exist_ok=True)
        for name in names:
            (directory / name).write_bytes((here / f"{number}-{name}").read_bytes())
        evaluator = partial(form(job.potential).evaluator, directory, graded=False)
        found.append(answers(labels, evaluator))
    energy, forces, stress = (np.stack(each) for each in zip(*found, strict=True))
    content = io.BytesIO()
    atoms = np.diff(labels.offsets).astype(np.int64)
    np.savez(content, atoms=atoms, energy=energy, forces=forces, stress=stress)
    with replacing(here / "examined.npz") as file:
        file.write(content.getvalue())
    facts = Examined(n_frames=len(labels), n_potentials=len(job.files))
    Ending(result={"facts": facts.stored(), "bytes": len(content.getvalue())}).write(here)


if __name__ == "__main__":
    main()
