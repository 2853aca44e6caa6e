"""Train a potential on the configurations in this directory:
``python -m borarun.engines.borarun_mtp.fit``.

Reads ``job.json``, ``train.extxyz``, ``valid.extxyz`` and, to start from it, ``start.mtp``. Leaves
``potential.mtp``, ``active_set.npy``, ``loss.npy``, ``parity_*.npy`` (validation set: reference,
potential) and, last, how it ended.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from borarun.basics.file import replacing
from borarun.engines.borarun_mtp.job import FitJob
from borarun.mtp import active_set
from borarun.mtp.fit import State, best_start, fit, fit_to_part
from borarun.mtp.potential import Potential
from borarun.mtp.residuals import Weights, compare
from borarun.mtp.team import Team
from borarun.records.endings import Ending
from borarun.records.frames import Frames
from borarun.records.operations.potential import Errors, ErrorsOfSets, Ranges, Trained

BEGUN, STATE = "begun.mtp", "state.npz"
"""The start that the fit was begun from, and where it stands: an interrupted fit goes on from there
and ends with the same potential.
"""

ITERATIONS_A_START, ITERATIONS_OF_PART = 6, 8
"""After which starts are compared; those of the best one on a part of the training set."""


def main() -> None:
    """Train, find the active set, judge on the held-out configurations."""
    parser = argparse.ArgumentParser(
        description="Train a moment tensor potential on the configurations in this directory."
    )
    parser.add_argument("--processes", type=int, default=1)
    processes = parser.parse_args().processes
    here = Path()
    job = FitJob.read(here)
    train, valid = (
        Frames.from_extxyz((here / f"{name}.extxyz").read_text()) for name in ("train", "valid")
    )
    weights = Weights(job.energy_weight, job.force_weight, job.stress_weight)
    start = (
        Potential.read((here / BEGUN).read_text())
        if (here / BEGUN).exists()
        else _start(here, job, train, weights, processes)
    )
    with replacing(here / BEGUN) as file:
        file.write(start.write().encode())

    def progress(state: State) -> None:
        (here / "progress").write_text(f"{state.iteration / job.max_evaluations:.3f}")
        with replacing(here / STATE) as file:
            np.savez(file, **vars(state))

    with Team(start, train, weights, processes) as ours, Team(start, valid, weights, 1) as theirs:
        found = fit(
            start,
            ours,
            theirs,
            max_iterations=job.max_evaluations,
            state=_interrupted(here),
            progress=progress,
        )
        parameters = found.potential.parameters
        trained, judged = (
            compare(train, ours.predict(parameters)),
            compare(valid, theirs.predict(parameters)),
        )
        active = active_set.build(ours.gradients(parameters))
    with replacing(here / "potential.mtp") as file:
        file.write(found.potential.write().encode())
    for name, values in {
        "active_set": active,
        "loss": found.loss,
        "parity_energy": judged.energy,
        "parity_forces": judged.forces.reshape(2, -1),
        "parity_stress": judged.stress.reshape(2, -1),
    }.items():
        np.save(here / f"{name}.npy", values)
    result = Trained(
        level=found.potential.level,
        n_parameters=found.potential.n_parameters,
        n_train=len(train),
        n_valid=len(valid),
        evaluations=found.evaluations,
        converged=found.converged,
        errors=ErrorsOfSets(train=Errors.of(*trained), valid=Errors.of(*judged)),
        ranges=Ranges.of(trained, judged),
    )
    Ending(result=result.stored()).write(here)


def _interrupted(here: Path) -> State | None:
    """Where an earlier run of this fit was when it was interrupted."""
    if not (here / STATE).exists():
        return None
    with np.load(here / STATE) as kept:
        return State(
            kept["parameters"],
            float(kept["damping"]),
            kept["loss"],
            kept["validation_loss"],
            int(kept["evaluations"]),
        )


def _start(here: Path, job: FitJob, train: Frames, weights: Weights, processes: int) -> Potential:
    """The earlier potential, or the best of some untrained ones for the elements of the training
    set, in their order of appearance, after a few iterations on a part of it.
    """
    if (here / "start.mtp").exists():
        return Potential.read((here / "start.mtp").read_text())
    species = list(dict.fromkeys(train.numbers.tolist()))
    starts = [
        Potential.untrained(
            job.level,
            species,
            job.cutoff_A,
            radial_basis_size=job.radial_basis_size,
            seed=job.seed + k,
        )
        for k in range(job.starts)
    ]
    most = job.max_evaluations
    best = (
        best_start(starts, train, weights, min(ITERATIONS_A_START, most), processes)
        if len(starts) > 1
        else starts[0]
    )
    return fit_to_part(best, train, weights, min(ITERATIONS_OF_PART, most), processes)


if __name__ == "__main__":
    main()
