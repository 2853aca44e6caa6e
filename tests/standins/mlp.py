"""Stands in for MLIP-3's mlp: ``python mlp.py train POTENTIAL CFG --save_to=FILE
--iteration_limit=N ...``, ``check_errors``, ``calculate_efs``.

It trains in earnest, with borarun's own fit, one iteration after another, and says and saves after
each what mlp says and saves. ``STANDIN_PAUSE=s`` in the environment makes it rest so long after
each.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from borarun.mtp import active_set, almtp, cfg
from borarun.mtp.evaluate import MTPCalculator
from borarun.mtp.fit import fit
from borarun.mtp.potential import Potential
from borarun.mtp.residuals import Weights
from borarun.mtp.team import Team
from borarun.records.frames import Frames

LINE = "_" * 47


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["train", "check_errors", "calculate_efs"])
    parser.add_argument("potential", type=Path)
    parser.add_argument("configurations", type=Path)
    parser.add_argument("--save_to", type=Path)
    parser.add_argument("--report_to", type=Path)
    parser.add_argument("--output_filename", type=Path)
    parser.add_argument("--iteration_limit", type=int)
    for name in ("energy", "force", "stress"):
        parser.add_argument(f"--{name}_weight", type=float)
    parser.add_argument("--al_mode", choices=["nbh"])
    asked = parser.parse_args()
    potential = Potential.read(almtp.split(asked.potential.read_bytes())[0])
    labels = cfg.read(asked.configurations.read_text(), potential.species)
    if asked.verb == "train":
        train(
            potential,
            labels,
            Weights(asked.energy_weight, asked.force_weight, asked.stress_weight),
            asked.iteration_limit,
            asked.save_to,
        )
        return
    found = predicted(potential, labels)
    if asked.verb == "calculate_efs":
        asked.output_filename.write_text(cfg.write(found, potential.species))
    else:
        asked.report_to.write_text(report(labels, found))


def train(potential: Potential, labels: Frames, weights: Weights, limit: int, file: Path) -> None:
    with Team(potential, labels, weights) as team:
        for iteration in range(1, limit + 1):
            found = fit(potential, team, team, max_iterations=1)
            potential = found.potential
            file.write_text(potential.write())
            print(f"BFGS iter {iteration}: f={found.loss[-1]:.9g}", flush=True)
            time.sleep(float(os.environ.get("STANDIN_PAUSE", "0")))
        file.write_bytes(
            almtp.write(potential, active_set.build(team.gradients(potential.parameters)))
        )
    print("step limit reached\ntraining complete")


def predicted(potential: Potential, labels: Frames) -> Frames:
    calculator = MTPCalculator(potential)
    images = [labels.take([index]) for index in range(len(labels))]
    energies, forces, stresses = [], [], []
    for image in images:
        atoms = image[0]
        atoms.calc = calculator
        energies.append(atoms.get_potential_energy())
        forces.append(atoms.get_forces())
        stresses.append(atoms.get_stress())
    return replace(
        labels, energy=np.array(energies), forces=np.concatenate(forces), stress=np.array(stresses)
    )


def report(labels: Frames, found: Frames) -> str:
    """Root mean squares where borarun reads them."""
    assert (
        labels.energy is not None
        and labels.forces is not None
        and found.energy is not None
        and found.forces is not None
    )
    energies, forces = (
        found.energy - labels.energy,
        np.linalg.norm(found.forces - labels.forces, axis=1),
    )
    columns = {
        "Energy": energies,
        "Energy per atom": energies / np.diff(labels.offsets),
        "Forces": forces,
        "Stresses (in energy units)": np.zeros(1),
        "Virial stresses (in pressure units)": np.zeros(1),
    }
    parts = [
        f"{name}:\n\tErrors checked for {len(values)}\n\tRMS     absolute difference = "
        f"{np.sqrt(np.mean(values**2)):.6g}\n"
        for name, values in columns.items()
    ]
    return "\n".join(["_________________Errors report_________________", *parts]) + f"{LINE}\n"


if __name__ == "__main__":
    sys.exit(main())
