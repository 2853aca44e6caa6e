"""What a potential says of labelled configurations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from borarun.engines.potential.form import Evaluator
from borarun.records.frames import Frames

Array = NDArray[Any]


def answers(frames: Frames, evaluator: Callable[[Array], Evaluator]) -> tuple[Array, Array, Array]:
    """What a potential says of C configurations with A atoms together.

    Parameters
    ----------
    evaluator : makes the potential on atoms of given atomic numbers, (N,)

    Returns
    -------
    (C,) energies, eV per atom; (A, 3) forces, eV/angstrom; (C, 6) stresses, eV/angstrom^3
    """
    energy, forces, stress = [], [], []
    made: dict[bytes, Evaluator] = {}
    for atoms in frames:
        numbers = np.asarray(atoms.numbers)
        kind = numbers.tobytes()
        if kind not in made:
            made[kind] = evaluator(numbers)
        made[kind].forget()
        found = made[kind].evaluate(atoms.positions, atoms.cell.array)
        energy.append(found.energy / len(atoms))
        forces.append(np.array(found.forces))
        stress.append(np.array(found.stress))
    return np.array(energy), np.concatenate(forces), np.array(stress)


def references(labels: Frames) -> tuple[Array, Array, Array]:
    """What their reference says of the configurations, as ``answers`` has it."""
    assert labels.energy is not None and labels.forces is not None and labels.stress is not None
    return labels.energy / np.diff(labels.offsets), labels.forces, labels.stress
