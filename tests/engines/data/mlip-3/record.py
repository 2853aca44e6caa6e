"""Records anew what the real ``mlp`` leaves: ``python tests/engines/data/mlip-3/record.py``, with
``mlp`` on PATH.

Ten lithium hydride cells of eight atoms, labelled by a moment tensor potential with random
coefficients; five more, squeezed, are candidates.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk

from borarun.basics.file import write_files
from borarun.engines.mlip_3 import engine as mlip_3
from borarun.mtp.evaluate import MTPCalculator
from borarun.mtp.potential import Potential
from borarun.records.frames import Frames

HERE = Path(__file__).parent
KEPT = (
    "train.cfg valid.cfg start.mtp train.log trained.almtp active_set.npy efs_train.cfg "
    "efs_valid.cfg errors_train.txt errors_valid.txt"
)
KEPT += " ending.json candidates.cfg graded.cfg pieces.cfg select_add.log chosen.cfg"
SHAPE: dict[str, Any] = {"level": 6, "cutoff_A": 4.0, "radial_basis_size": 4}
TRAIN = mlip_3.Settings(
    operation="train", **SHAPE, iteration_limit=15, al_mode="nbh", validation_fraction=0.3
)
SELECT = {
    "whole": mlip_3.Settings(operation="select", al_mode="nbh", max_selected=3),
    "cut": mlip_3.Settings(operation="select", al_mode="nbh", max_selected=3, cut_radius_A=2.5),
}


def cells(count: int, seed: int, scale: float = 1.0) -> list[Atoms]:
    """Distorted cells of lithium hydride."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        atoms = bulk("LiH", "rocksalt", a=4.08, cubic=True)
        atoms.set_cell(
            atoms.cell.array @ (np.eye(3) * scale + random.normal(0.0, 0.02, (3, 3))),
            scale_atoms=True,
        )
        atoms.positions += random.normal(0.0, 0.15, atoms.positions.shape)
        found.append(atoms)
    return found


def labelled(images: list[Atoms]) -> Frames:
    """The cells with energies, forces and stresses."""
    potential = Potential.untrained(6, (3, 1), 4.0, radial_basis_size=4, seed=3)
    potential = potential.with_parameters(
        np.random.default_rng(3).normal(0.0, 0.1, potential.n_parameters)
    )
    for atoms in images:
        atoms.calc = MTPCalculator(potential)
        atoms.get_forces()
        atoms.get_stress()
    return Frames.of(images)


def inputs() -> dict[str, Any]:
    """What the training is given."""
    return {"labels": [labelled(cells(10, seed=1))]}


def run(settings: mlip_3.Settings, given: Mapping[str, Any], directory: Path) -> None:
    """Render and start the program, as a worker does."""
    shutil.rmtree(directory, ignore_errors=True)
    write_files(directory, mlip_3.render(settings, given, mlip_3.Program()))
    subprocess.run(mlip_3.command(settings, 1, mlip_3.Program()), cwd=directory, check=True)


if __name__ == "__main__":
    run(TRAIN, inputs(), HERE / "train")
    state = mlip_3.parse(TRAIN, HERE / "train").arrays["almtp"].values
    for name, settings in SELECT.items():
        run(
            settings,
            {
                "almtp": state,
                "candidates": [Frames.of(cells(3, seed=2)), Frames.of(cells(2, seed=5, scale=0.9))],
            },
            HERE / name,
        )
    for file in HERE.glob("*/*"):
        if file.name not in KEPT.split():
            file.unlink()
