"""Examine the network in this directory on the labelled configurations beside it:
``python -m borarun.engines.pretrained_potential.examine``.

Reads ``network.json`` and ``valid.extxyz``. Leaves ``parity.npz`` and, last, how it ended.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from borarun.basics.file import replacing
from borarun.engines.pretrained_potential.form import POTENTIAL, Evaluator, known
from borarun.records.endings import Ending
from borarun.records.frames import Frames
from borarun.records.operations.potential import Errors, ErrorsOfSets, Ranges, Trained

Parity = dict[str, NDArray[np.float64]]
"""``energy`` (eV per atom), ``forces`` and ``stress``, each (2, n): reference, network."""


def compared(labels: Frames, evaluators: dict[bytes, Evaluator]) -> Parity:
    """What the reference and the network say of each configuration.

    Parameters
    ----------
    labels : configurations with energies, forces and stresses
    evaluators : the network, for each list of atomic numbers
    """
    assert labels.energy is not None and labels.forces is not None and labels.stress is not None
    found = [
        evaluators[atoms.numbers.tobytes()].evaluate(atoms.positions, atoms.cell.array)
        for atoms in labels
    ]
    atoms = np.diff(labels.offsets)
    energy = np.array([each.energy for each in found])
    forces = np.concatenate([each.forces for each in found])
    stress = np.array([each.stress for each in found])
    return {
        "energy": np.array([labels.energy, energy]) / atoms,
        "forces": np.array([labels.forces.ravel(), forces.ravel()]),
        "stress": np.array([labels.stress.ravel(), stress.ravel()]),
    }


def main() -> None:
    """Evaluate the network, and write its answers beside the reference's."""
    parser = argparse.ArgumentParser(description="Examine a pretrained network.")
    parser.add_argument("--cores", type=int, default=1)
    cores, here = parser.parse_args().cores, Path()
    calculator = known((here / POTENTIAL).read_text()).calculator(cores)
    labels = Frames.from_extxyz((here / "valid.extxyz").read_text())
    lists = {atoms.numbers.tobytes(): atoms.numbers for atoms in labels}
    parity = compared(
        labels, {kind: Evaluator(calculator, numbers) for kind, numbers in lists.items()}
    )
    content = io.BytesIO()
    np.savez(content, energy=parity["energy"], forces=parity["forces"], stress=parity["stress"])
    with replacing(here / "parity.npz") as file:
        file.write(content.getvalue())
    both = parity["energy"], parity["forces"], parity["stress"]
    facts = Trained(
        n_parameters=0,
        n_train=0,
        n_valid=len(labels),
        evaluations=0,
        errors=ErrorsOfSets(valid=Errors.of(*both)),
        ranges=Ranges.of(both),
    )
    Ending(result={"facts": facts.stored(), "bytes": len(content.getvalue())}).write(here)


if __name__ == "__main__":
    main()
