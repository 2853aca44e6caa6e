"""Time and held-out error of borarun's fit against motep's own optimisers and, where ``mlp`` is on
PATH, MLIP-3's.

All fit a potential of one level to the same 38 configurations (``data/README.md``), each in one
process on one core, and are judged by borarun on the same 10 held-out ones. Each starts from an
untrained potential of its own kind.

    python benchmarks/trainers.py

writes ``benchmarks/results/trainers.md``.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import Atoms
from motep.io.mlip.mtp import read_mtp
from motep.train.trainer import Trainer
from threadpoolctl import threadpool_limits

from borarun.mtp.fit import State, best_start, fit, fit_to_part
from borarun.mtp.potential import Potential
from borarun.mtp.residuals import Weights, compare
from borarun.mtp.team import Team
from borarun.records.frames import Frames

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "trainers.md"
SPECIES = (3, 5, 1)
STARTS, ITERATIONS_A_START, ITERATIONS_OF_PART = 4, 6, 8
TEXT = """\
# Trainers of moment tensor potentials compared

`{command}`

Machine: {machine}; {versions}.

Level {level}, {n_train} configurations of 104 atoms, judged on {n_valid} held-out ones; one process, CPU seconds. Weights are MLIP-3's defaults
everywhere (energy 1, forces 0.01, stress 0.001). *ratio*: time over that of borarun's whole fit. *borarun needs*: CPU seconds after which
borarun's fit, brief starts included, has a held-out force error as low as that row's, and how many times less that is.

| trainer | CPU s | ratio | energy, meV/atom | forces, eV/A | stress, kbar | borarun needs |
|---|---|---|---|---|---|---|
{rows}
"""  # noqa: E501


class Score(NamedTuple):
    """Held-out root mean square errors after some CPU time."""

    name: str
    seconds: float
    energy: float
    forces: float
    stress: float


def judge(name: str, seconds: float, valid: Frames, team: Team, potential: Potential) -> Score:
    """Errors of a potential on the held-out configurations."""
    found = compare(valid, team.predict(potential.parameters))
    energy, forces, stress = (float(np.sqrt(np.mean((x[1] - x[0]) ** 2))) for x in found)
    return Score(name, seconds, energy * 1e3, forces, stress * 1602.1766)


def borarun(level: int, train: Frames, valid: Frames) -> list[Score]:
    """The score after each iteration; judging is not counted."""
    starts = [Potential.untrained(level, SPECIES, seed=1 + k) for k in range(STARTS)]
    begin = time.process_time()
    start = best_start(starts, train, Weights(), ITERATIONS_A_START)
    start = fit_to_part(start, train, Weights(), ITERATIONS_OF_PART)
    scores: list[Score] = []
    judging = 0.0
    with Team(start, train, Weights()) as ours, Team(start, valid, Weights()) as theirs:

        def note(state: State) -> None:
            nonlocal judging
            now = time.process_time()
            potential = start.with_parameters(state.parameters)
            scores.append(
                judge(
                    f"borarun, iteration {state.iteration}",
                    now - begin - judging,
                    valid,
                    theirs,
                    potential,
                )
            )
            judging += time.process_time() - now

        found = fit(start, ours, theirs, max_iterations=100, progress=note)
        total = time.process_time() - begin - judging
        return [
            *scores,
            judge(
                f"borarun, {STARTS} brief starts, then {found.evaluations} evaluations",
                total,
                valid,
                theirs,
                found.potential,
            ),
        ]


def motep(level: int, train: Frames, iterations: int) -> tuple[float, Potential]:
    """motep's linear least squares, BFGS, linear least squares."""
    text = untrained_text(level)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("start.mtp").write_text(text)
        data = read_mtp("start.mtp")
        data.species = np.array(SPECIES, np.int32)
        steps = [
            {"method": "LLS"},
            {
                "method": "minimize",
                "kwargs": {"method": "BFGS", "options": {"maxiter": iterations}},
            },
            {"method": "LLS"},
        ]
        begin = time.process_time()
        with threadpool_limits(1):
            Trainer(data, seed=1, steps=steps).train(list(train))
        return time.process_time() - begin, Potential(data, SPECIES)


def mlip3(level: int, train: Frames, iterations: int) -> tuple[float, Potential]:
    """MLIP-3's ``mlp train`` from scratch, active set by neighbourhoods."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("start.almtp").write_text(untrained_text(level))
        Path("train.cfg").write_text("".join(cfg(atoms) for atoms in train))
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        subprocess.run(
            ["mlp", "train", "start.almtp", "train.cfg", "--save_to=out.almtp", f"--iteration_limit={iterations}", "--al_mode=nbh"],  # noqa: E501
            check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},  # noqa: E501
        )  # fmt: skip
        seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        return seconds, Potential.read(
            Path("out.almtp").read_bytes().decode(errors="replace"), SPECIES
        )


def untrained_text(level: int) -> str:
    """A potential without coefficients, which motep and MLIP-3 choose themselves."""
    text = re.sub(
        r"\tradial_coeffs\n(\t\t.*\n)+",
        "",
        Potential.untrained(level, SPECIES, min_distance_A=0.95).write(),
    )
    return re.sub(r"(species_coeffs|moment_coeffs) = .*\n", "", text)


def cfg(atoms: Atoms) -> str:
    """One configuration in MLIP-3's format."""
    stress = -atoms.get_stress()[[0, 1, 2, 3, 4, 5]] * atoms.get_volume()
    rows = [
        f"{i + 1} {SPECIES.index(z)} " + " ".join(f"{x:.10f}" for x in (*position, *force))
        for i, (z, position, force) in enumerate(
            zip(atoms.numbers, atoms.positions, atoms.get_forces(), strict=True)
        )
    ]
    lines = [
        "BEGIN_CFG",
        "Size",
        str(len(atoms)),
        "Supercell",
        *(" ".join(f"{x:.12f}" for x in row) for row in atoms.cell.array),
    ]
    lines += [
        "AtomData: id type cartes_x cartes_y cartes_z fx fy fz",
        *rows,
        "Energy",
        f"{atoms.get_potential_energy():.12f}",
    ]
    lines += ["PlusStress: xx yy zz yz xz xy", " ".join(f"{x:.10f}" for x in stress), "END_CFG", ""]
    return "\n".join(lines) + "\n"


def rows(ours: list[Score], others: list[Score]) -> Iterator[str]:
    """The table's rows."""
    whole = ours[-1]
    for score in (whole, *others):
        reached = next((s.seconds for s in ours[:-1] if s.forces <= score.forces), whole.seconds)
        better = (
            ""
            if score is whole
            else f"{reached:.1f} s, {score.seconds / reached:.0f} times less"
            if whole.forces <= score.forces
            else "more"
        )
        yield (
            f"| {score.name} | {score.seconds:.1f} | {score.seconds / whole.seconds:.1f} | "
            f"{score.energy:.2f} | {score.forces:.3f} |"
            f" {score.stress:.2f} | {better} |"
        )


def main() -> None:
    """Run all, print and write the table."""
    parser = argparse.ArgumentParser(description="Compare trainers of moment tensor potentials.")
    parser.add_argument("--level", type=int, default=8)
    parser.add_argument("--motep-iterations", type=int, default=30)
    parser.add_argument("--mlip3-iterations", type=int, default=300)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    train, valid = (
        Frames.from_extxyz((HERE / "data" / f"li2b12h12_sevennet0_d3_{name}.extxyz").read_text())
        for name in ("train", "valid")
    )
    borarun(6, train.take([0, 1]), valid.take([0]))  # compiles the kernels
    ours = borarun(options.level, train, valid)
    others = []
    seconds, potential = motep(options.level, train, options.motep_iterations)
    with Team(potential, valid, Weights()) as team:
        others.append(
            judge(
                f"motep, LLS + {options.motep_iterations} BFGS + LLS",
                seconds,
                valid,
                team,
                potential,
            )
        )
    if shutil.which("mlp"):
        seconds, potential = mlip3(options.level, train, options.mlip3_iterations)
        with Team(potential, valid, Weights()) as team:
            others.append(
                judge(
                    f"MLIP-3, mlp train, {options.mlip3_iterations} iterations",
                    seconds,
                    valid,
                    team,
                    potential,
                )
            )
    text = TEXT.format(
        command=("python benchmarks/trainers.py " + " ".join(sys.argv[1:])).strip(),
        machine=f"{cpu()}, {os.cpu_count()} cores, shared with other work",
        versions=f"Python {platform.python_version()}, motep {metadata.version('motep')}",
        level=options.level, n_train=len(train), n_valid=len(valid), rows="\n".join(rows(ours, others)),  # noqa: E501
    )  # fmt: skip
    print(text)
    RESULTS.write_text(text)


def cpu() -> str:
    """Model of the processor."""
    found = (
        re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
        if Path("/proc/cpuinfo").exists()
        else None
    )
    return found[1] if found else platform.processor()


if __name__ == "__main__":
    main()
