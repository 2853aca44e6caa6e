"""Cost of borarun's evaluation of a moment tensor potential against motep's compiled engine, on the
same moving atoms.

A short Langevin run of Li2B12H12 at 600 K and 0.5 fs (level 8) gives the positions; potentials of
several levels, with random coefficients, are evaluated along it. Times are CPU times.

    python benchmarks/evaluator.py

writes ``benchmarks/results/evaluator.md``.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from motep.calculator import MTP
from motep.potentials.mtp.cext._mtp_cext import calc_run
from threadpoolctl import threadpool_limits

from borarun.mtp.derivatives import jacobian
from borarun.mtp.evaluate import Evaluator, MTPCalculator
from borarun.mtp.neighbours import Pairs
from borarun.mtp.potential import Potential
from borarun.records.frames import Frames

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "evaluator.md"
CASES = ((8, 1), (12, 1), (16, 1), (20, 1), (8, 3), (16, 3))
TEXT = """\
# Evaluation of moment tensor potentials

`{command}`

Machine: {machine}; {versions}.

CPU milliseconds, one core, along {steps} steps of 0.5 fs at 600 K. *motep*: its `calc_run` alone, on neighbours given to it. *evaluate*: borarun's energy,
forces and stress, with its neighbour list kept up to date. *gradients*: derivatives of all local energies with respect to all parameters, for grades.
*Jacobian*: those of energy, stress and forces, for a fit; *motep, train*: the same by motep.

| level | atoms | motep | evaluate | evaluate / motep | gradients | Jacobian | motep, train |
|---|---|---|---|---|---|---|---|
{rows}
"""  # noqa: E501


def trajectory(steps: int) -> list[Atoms]:
    """Successive configurations of a short run."""
    atoms = Frames.from_extxyz((HERE / "data" / "li2b12h12_sevennet0_d3_train.extxyz").read_text())[
        20
    ]
    atoms.calc = MTPCalculator(
        Potential.read((HERE.parent / "tests" / "data" / "li2b12h12_level8.mtp").read_text())
    )
    random = np.random.default_rng(1)
    thermalize_momenta(atoms, temperature_K=600, rng=random)
    run = Langevin(
        atoms, 0.5 * units.fs, temperature_K=600, friction=0.01 / units.fs, fixcm=False, rng=random
    )
    run.run(200)
    images: list[Atoms] = []
    run.attach(
        lambda: images.append(Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)),
        interval=1,
    )
    run.run(steps)
    return images


def motep_call(potential: Potential, pairs: Pairs) -> Callable[[], object]:
    """``calc_run`` on these neighbours: one rectangular array, -1 where an atom has fewer."""
    width = int(pairs.counts.max())
    absent = np.arange(width) >= pairs.counts[:, None]
    js = np.where(absent, -1, pairs.js[:, :width]).astype(np.int32)
    vectors = np.ascontiguousarray(pairs.vectors[:, :, :width].transpose(0, 2, 1))
    vectors[absent] = potential.cutoff_A
    basis = SimpleNamespace(vatoms=np.zeros((int(potential.data.alpha_scalar_moments), len(js))))
    return lambda: calc_run(js, vectors, pairs.types, pairs.types[js], potential.data, basis)


def milliseconds(call: Callable[[], object], n: int) -> float:
    """Mean CPU time of a call."""
    call()
    begin = time.process_time()
    for _ in range(n):
        call()
    return (time.process_time() - begin) / n * 1e3


def row(level: int, repeat: int, images: list[Atoms]) -> str:
    """One line of the table."""
    potential = Potential.untrained(level, (3, 5, 1))
    potential = potential.with_parameters(
        np.random.default_rng(1).normal(0.0, 0.1, potential.n_parameters)
    )
    images = [image * (repeat, repeat, repeat) for image in images]
    evaluator = Evaluator(potential, images[0].numbers)
    evaluator.evaluate(images[0].positions, images[0].cell.array)
    begin = time.process_time()
    for image in images:
        evaluator.evaluate(image.positions, image.cell.array)
    evaluate = (time.process_time() - begin) / len(images) * 1e3
    motep = milliseconds(
        motep_call(potential, evaluator.neighbours.pairs), 20 if repeat == 1 else 3
    )
    gradients = milliseconds(evaluator.gradients, 10)
    slopes = train = ""
    if repeat == 1:
        slopes = f"{milliseconds(lambda: jacobian(potential.tables, *evaluator.neighbours.pairs), 5):.1f}"  # noqa: E501
        calculator = MTP(potential.data, engine="cext", mode="train")
        train = f"{milliseconds(lambda: calculator.calculate(images[-1]), 1):.0f}"
    return (
        f"| {level} | {len(images[0])} | {motep:.2f} | {evaluate:.2f} | {evaluate / motep:.2f} | "
        f"{gradients:.2f} | {slopes} | {train} |"
    )


def main() -> None:
    """Measure all cases, print and write the table."""
    images = trajectory(300)
    with threadpool_limits(1):
        rows = [
            row(level, repeat, images if repeat == 1 else images[:60]) for level, repeat in CASES
        ]
    found = (
        re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
        if Path("/proc/cpuinfo").exists()
        else None
    )
    text = TEXT.format(
        command=("python benchmarks/evaluator.py " + " ".join(sys.argv[1:])).strip(),
        machine=f"{found[1] if found else platform.processor()}, {os.cpu_count()} cores, shared "
            "with other work",
        versions=f"Python {platform.python_version()}, motep {metadata.version('motep')}, numba "
            f"{metadata.version('numba')}",
        steps=len(images), rows="\n".join(rows),
    )  # fmt: skip
    print(text)
    RESULTS.write_text(text)


if __name__ == "__main__":
    main()
