"""Train or select in this directory: ``python -m borarun.engines.pair.program``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from borarun.engines.pair.form import LEVERAGE, POTENTIAL, Potential, grade_of, known

from borarun.basics.units import EV_PER_A3_IN_BAR
from borarun.records.endings import Ending
from borarun.records.frames import Frames
from borarun.records.operations.potential import Errors, ErrorsOfSets, Ranges, Selected, Trained

EV_PER_A3_IN_KBAR = EV_PER_A3_IN_BAR / 1000


def compared(potential, frames, weights):
    """(2, n) of the reference and the potential: energies an atom, forces, stress."""
    rows = [potential.rows(atoms) for atoms in frames]
    counts = np.diff(frames.offsets)
    energy = [row.energy @ weights / count for row, count in zip(rows, counts, strict=True)]
    forces = np.concatenate([row.forces @ weights for row in rows])
    stress = np.concatenate([row.stress @ weights for row in rows])
    return {
        "energy": np.array([frames.energy / counts, energy]),
        "forces": np.array([frames.forces.ravel(), forces]),
        "stress": np.array([frames.stress.ravel(), stress]),
    }


def errors(found):
    rms = {name: float(np.sqrt(np.mean((a - b) ** 2))) for name, (a, b) in found.items()}
    return Errors(
        energy_meV_per_atom=1e3 * rms["energy"],
        forces_eV_per_A=rms["forces"],
        stress_kbar=EV_PER_A3_IN_KBAR * rms["stress"],
    )


def train(here, job):
    train, valid = (
        Frames.from_extxyz((here / f"{part}.extxyz").read_text()) for part in ("train", "valid")
    )
    species = tuple(sorted({*train.numbers.tolist()}))
    blank = Potential(species, job["cutoff_A"], job["n_radial"])
    rows = [blank.rows(atoms) for atoms in train]
    volumes = [atoms.get_volume() for atoms in train]
    left = [
        np.concatenate([row.energy[None], row.forces, row.stress * volume])
        for row, volume in zip(rows, volumes, strict=True)
    ]
    right = [
        np.concatenate([[energy], atoms.get_forces().ravel(), stress * volume])
        for energy, atoms, stress, volume in zip(
            train.energy, train, train.stress, volumes, strict=True
        )
    ]
    weights = np.linalg.lstsq(np.concatenate(left), np.concatenate(right), rcond=1e-5)[0]
    means = np.array([row.energy / row.energy[-len(species) :].sum() for row in rows])
    leverage = np.linalg.inv(means.T @ means + 1e-6 * np.eye(len(weights)))
    leverage /= max(mean @ leverage @ mean for mean in means)
    (here / POTENTIAL).write_text(replace(blank, coefficients=tuple(weights.tolist())).text())
    np.save(here / LEVERAGE, leverage)
    found = compared(blank, valid, weights)
    for name, values in found.items():
        np.save(here / f"{name}.npy", values)
    spans = compared(blank, Frames.join([train, valid]), weights)
    span = {name: (float(a.min()), float(a.max())) for name, (a, _) in spans.items()}
    return Trained(
        n_parameters=len(weights),
        n_train=len(train),
        n_valid=len(valid),
        evaluations=1,
        errors=ErrorsOfSets(train=errors(compared(blank, train, weights)), valid=errors(found)),
        ranges=Ranges(
            energy_eV_per_atom=span["energy"],
            forces_eV_per_A=span["forces"],
            stress_kbar=tuple(EV_PER_A3_IN_KBAR * value for value in span["stress"]),
        ),
    )


def select(here, job):
    potential, leverage = known((here / POTENTIAL).read_text()), np.load(here / LEVERAGE)
    candidates = Frames.from_extxyz((here / "candidates.extxyz").read_text())
    grades = np.array([grade_of(potential.rows(atoms), leverage) for atoms in candidates])
    chosen = np.argsort(-grades)[: job["max_selected"]]
    selected = replace(candidates.take(chosen), grade=grades[chosen])
    (here / "selected.extxyz").write_text(selected.to_extxyz())
    return Selected(
        n_candidates=len(candidates), n_selected=len(chosen), grades=tuple(grades.tolist())
    )


if __name__ == "__main__":
    job = json.loads(Path("job.json").read_text())
    found = {"train": train, "select": select}[job["operation"]](Path(), job)
    Ending(result=found.stored()).write(Path())
