"""CPU time of a step of molecular dynamics, and the conservation of energy, of two commits.

Renders runs here and does each of them with this tree's program and with another tree's, in turns,
each in processes of its own on one core: a short one and a longer one, so that their difference has
no start. Then both trees' forces move the same atoms at constant energy.

    git worktree add --detach OTHER COMMIT
    python benchmarks/step.py OTHER [--levels 12 16] [--repeats 2 3]

writes ``benchmarks/results/step.md``.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import platform
import resource
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import training

from borarun.basics.file import write_files
from borarun.engines.lammps import engine as lammps
from borarun.engines.lammps.deck import Program
from borarun.records.frames import Frames
from borarun.structures.files import read_structure

HERE = Path(__file__).parent
TREE = HERE.parent
RESULTS = HERE / "results" / "step.md"
STRUCTURE = TREE / "studies" / "structures" / "Li2B12H12-Pa-3.cif"
POTENTIAL = TREE / "borarun" / "potentials" / "Li2B12H12-PBE-D3.mtp"
SHORT, LONG = 40, 240
"""Steps of the two runs."""

CONSTANT_ENERGY = """\
import json, sys
from pathlib import Path
import numpy as np
from borarun.mtp.evaluate import Evaluator
from borarun.mtp.potential import Potential
given = np.load("start.npz")
potential = Potential.read(Path("potential.mtp").read_text())
evaluator = Evaluator(potential, given["numbers"])
x, v, cell = given["positions"], given["velocities"], given["cell"]
acceleration = 9648.5332 / given["masses"][:, None]  # A/ps^2 of 1 eV/A on 1 u
found = evaluator.evaluate(x, cell)
first, dt, totals = found, float(sys.argv[1]), []
for step in range(int(sys.argv[2])):
    v = v + 0.5 * dt * found.forces * acceleration
    x = x + dt * v
    found = evaluator.evaluate(x, cell)
    v = v + 0.5 * dt * found.forces * acceleration
    kinetic = 0.5 * float(((v**2) / acceleration).sum())
    totals.append(found.energy + kinetic)
np.savez("end.npz", totals=totals, forces=first.forces, stress=first.stress, energy=first.energy)
"""

TEXT = """\
# The step of molecular dynamics: this commit against an earlier one

`python benchmarks/step.py OTHER`, OTHER being commit {other}

Machine: {machine}, one core of {n_cores}, shared with other work, so that seconds vary and ratios
count; {versions}.

LAMMPS whole with the embedded engine, NPT at 600 K, 0.5 fs, a frame every 20 fs: CPU microseconds
an atom and step, the runs of both commits in turns; the lowest of {pairs}. The goal was 1.3.

| level | atoms | before | now | before / now |
|---|---|---|---|---|
{rows}

The arithmetic is that of before, in double precision, with sums in another order. At the same
configuration of {n_atoms} atoms forces differ by at most {forces:.0e} eV/A, stress by
{stress:.0e} eV/A^3 and energy by {energy:.0e} eV. At constant energy ({steps} steps of {fs} fs from
600 K, level 12) the total energy scatters by {scatter_before:.2f} ueV an atom before and
{scatter_now:.2f} now, and drifts by {drift_before:+.3f} and {drift_now:+.3f} ueV an atom and ps.
"""


def trees_python(tree: Path) -> dict[str, str]:
    """The environment in which Python finds a tree's borarun first."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    return {**os.environ, **one, "PYTHONPATH": str(tree)}


def cpu_seconds(tree: Path, files: dict[str, Any]) -> float:
    """CPU time of one run of the embedded engine."""
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), files)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "borarun.engines.lammps.md"],
            cwd=folder,
            env=trees_python(tree),
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert (
            json.loads((Path(folder) / "ending.json").read_text())["result"]["stop"] == "completed"
        )
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rendered(text: str, repeat: int, steps: int) -> dict[str, Any]:
    """The files of a run."""
    structure = Frames.of([read_structure(STRUCTURE)]).to_extxyz()
    segment = {"name": "hold", "time_ps": steps * 0.0005, "from_K": 600, "to_K": 600}
    settings = lammps.Settings(
        cell={"text": structure, "supercell": (repeat, repeat, repeat)},
        segments=[{**segment, "sample_every_fs": 20}],
    )
    return dict(lammps.render(settings, {"potential": text}, Program()))


def potential_of(level: int) -> str:
    """borarun's own potential of level 12; of others one that was trained briefly."""
    if level == 12:
        return POTENTIAL.read_text()
    frames = Frames.from_extxyz(lzma.decompress(training.LABELS.read_bytes()).decode())
    n = len(frames) - training.N_HELD_OUT
    job = {
        "operation": "train", "level": level, "cutoff_A": 5.0, "radial_basis_size": 8,
        "energy_weight": 2.0, "force_weight": 0.01, "stress_weight": 0.02, "seed": 1, "starts": 2,
        "max_evaluations": 8,
    }  # fmt: skip
    train, valid = frames.take(range(0, n, 6)), frames.take(range(n, len(frames), 6))
    return str(training.run(TREE, job, train, valid, "")[2])


def at_constant_energy(tree: Path, repeat: int, dt_ps: float, steps: int) -> dict[str, Any]:
    """Total energies (steps,), eV, and forces, stress and energy of the start."""
    atoms = read_structure(STRUCTURE) * (repeat, repeat, repeat)
    random = np.random.default_rng(0)
    masses = atoms.get_masses()
    speeds = np.sqrt(8.617333e-5 * 600 * 9648.5332 / masses)[:, None]
    velocities = random.normal(size=(len(atoms), 3)) * speeds
    velocities -= (masses[:, None] * velocities).sum(axis=0) / masses.sum()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "potential.mtp").write_text(POTENTIAL.read_text())
        np.savez(
            Path(folder, "start.npz"),
            numbers=atoms.numbers,
            positions=atoms.positions + random.normal(0.0, 0.02, (len(atoms), 3)),
            velocities=velocities,
            cell=atoms.cell.array,
            masses=masses,
        )
        subprocess.run(
            [sys.executable, "-c", CONSTANT_ENERGY, str(dt_ps), str(steps)],
            cwd=folder,
            env=trees_python(tree),
            check=True,
        )
        with np.load(Path(folder, "end.npz")) as found:
            return {**found, "n_atoms": len(atoms)}


def kept(found: dict[str, Any], dt_ps: float) -> tuple[float, float]:
    """Scatter about its trend, and trend, of the total energy: ueV an atom, and that an ps."""
    totals = found["totals"] / found["n_atoms"] * 1e6
    times = dt_ps * np.arange(len(totals))
    trend = np.polynomial.Polynomial.fit(times, totals, 1).convert()
    return float(np.std(totals - trend(times))), float(trend.coef[1])


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", type=Path)
    parser.add_argument("--levels", type=int, nargs="+", default=[12, 16])
    parser.add_argument("--repeats", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    trees = (arguments.other.resolve(), TREE)
    rows = []
    for level in arguments.levels:
        text = potential_of(level)
        for repeat in arguments.repeats:
            n_atoms = 104 * repeat**3
            scale = {1: 10, 2: 1, 3: 1}[repeat]
            runs = [rendered(text, repeat, scale * steps) for steps in (SHORT, LONG)]
            for tree in trees:
                cpu_seconds(tree, runs[0])  # compiles
            best = [np.inf, np.inf]
            for _ in range(arguments.pairs):
                for k, tree in enumerate(trees):
                    short, long = (cpu_seconds(tree, run) for run in runs)
                    taken = (long - short) / (scale * (LONG - SHORT)) / n_atoms * 1e6
                    best[k] = min(best[k], taken)
            rows.append(
                f"| {level} | {n_atoms} | {best[0]:.1f} | {best[1]:.1f} | {best[0] / best[1]:.2f} |"
            )
            print(rows[-1], flush=True)
    dt_ps, steps = 0.0005, 8000
    before, now = (at_constant_energy(tree, 1, dt_ps, steps) for tree in trees)
    (scatter_before, drift_before), (scatter_now, drift_now) = kept(before, dt_ps), kept(now, dt_ps)
    other = subprocess.run(
        ["git", "-C", str(trees[0]), "rev-parse", "--short", "HEAD"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    cpu = Path("/proc/cpuinfo").read_text().partition("model name")[2].split(":")[1].split("\n")[0]
    RESULTS.write_text(
        TEXT.format(
            other=other,
            machine=cpu.strip(),
            n_cores=os.cpu_count(),
            versions=f"Python {platform.python_version()}, LAMMPS {metadata.version('lammps')}, "
            f"numba {metadata.version('numba')}",
            pairs=arguments.pairs,
            rows="\n".join(rows),
            n_atoms=now["n_atoms"],
            forces=np.abs(now["forces"] - before["forces"]).max(),
            stress=np.abs(now["stress"] - before["stress"]).max(),
            energy=abs(float(now["energy"] - before["energy"])),
            steps=steps,
            fs=dt_ps * 1e3,
            scatter_before=scatter_before,
            scatter_now=scatter_now,
            drift_before=drift_before,
            drift_now=drift_now,
        )
    )


if __name__ == "__main__":
    main()
