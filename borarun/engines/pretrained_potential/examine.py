"""Examine the network in this directory on the labelled configurations beside it:
``python -m borarun.engines.pretrained_potential.examine``.

Reads ``network.json`` and ``valid.extxyz``. Leaves ``parity.npz`` and, last, how it ended.
"""

from __future__ import annotations

import argparse
import io
from functools import partial
from pathlib import Path

import numpy as np

from borarun.basics.file import replacing
from borarun.engines.potential.answers import answers, references
from borarun.engines.pretrained_potential.form import POTENTIAL, Evaluator, known
from borarun.records.endings import Ending
from borarun.records.frames import Frames
from borarun.records.operations.potential import Errors, ErrorsOfSets, Ranges, Trained


def main() -> None:
    """Evaluate the network, and write its answers beside the reference's."""
    parser = argparse.ArgumentParser(description="Examine a pretrained network.")
    parser.add_argument("--cores", type=int, default=1)
    cores, here = parser.parse_args().cores, Path()
    calculator = known((here / POTENTIAL).read_text()).calculator(cores)
    labels = Frames.from_extxyz((here / "valid.extxyz").read_text())
    energy, forces, stress = (
        np.array([ours.ravel(), its.ravel()])
        for ours, its in zip(
            references(labels), answers(labels, partial(Evaluator, calculator)), strict=True
        )
    )
    content = io.BytesIO()
    np.savez(content, energy=energy, forces=forces, stress=stress)
    with replacing(here / "parity.npz") as file:
        file.write(content.getvalue())
    facts = Trained(
        n_parameters=0,
        n_train=0,
        n_valid=len(labels),
        evaluations=0,
        errors=ErrorsOfSets(valid=Errors.of(energy, forces, stress)),
        ranges=Ranges.of((energy, forces, stress)),
    )
    Ending(result={"facts": facts.stored(), "bytes": len(content.getvalue())}).write(here)


if __name__ == "__main__":
    main()
