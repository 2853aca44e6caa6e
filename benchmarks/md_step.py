"""What a whole LAMMPS step costs, against the bare force evaluation on the same neighbours.

Runs NPT dynamics at 600 K through ``borarun.engines.lammps.md`` in this process. At every twentieth
step the compiled force evaluations alone, motep's (``calc_run``) and borarun's, are timed on the
neighbours of that step, so that all see the same load of the machine. Times are CPU times.

    python benchmarks/md_step.py tests/data/li2b12h12_level8.mtp [more potentials]

writes ``benchmarks/results/md_step.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from borarun.engines.lammps import md  # first: it sets the number of threads

import numpy as np  # isort: skip
from motep.potentials.mtp.cext._mtp_cext import calc_run

from borarun.basics.file import write_files
from borarun.engines.lammps import engine as lammps
from borarun.engines.lammps.md_frames import Frames as FramesFile
from borarun.engines.lammps.md_plan import MdPlan
from borarun.engines.lammps.md_watch import Candidates, MdWatch
from borarun.engines.moment_tensor.form import Evaluator
from borarun.mtp.evaluate import energies_forces_virial
from borarun.mtp.potential import Potential
from borarun.records.frames import Frames
from borarun.structures.files import read_structure

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "md_step.md"
STRUCTURE = HERE.parent / "studies" / "structures" / "Li2B12H12-Pa-3.cif"
SAMPLE = 20
TEXT = """\
# Cost of a molecular dynamics step

`{command}`

Machine: {machine}; {versions}.

NPT at 600 K, 0.5 fs, a frame every 20 fs, three repetitions each; CPU milliseconds a step.
*motep*: its `calc_run` alone, which has neither forces nor stress yet, on the step's own neighbours; *own*: borarun's compiled evaluation alone,
with forces and stress, on the same; *callback*: neighbours, evaluation and all checks; *step*: all of LAMMPS with it; *builds*: neighbour lists
searched a step. The goal is 1.25 for step / own. Beside the evaluation a step looks at every pair of the neighbour list, searches lists now and then,
and has LAMMPS integrate and write; with 104 atoms the calls from LAMMPS through Python weigh as much as each of these. All that hardly depends on the
level, and did not become faster with the evaluation: beside other work, which takes the caches, it is a quarter of level 12 and a third of level 8.

| level | atoms | motep | own | callback | step | step / motep | step / own | builds |
|---|---|---|---|---|---|---|---|---|
{rows}
"""  # noqa: E501


class Timed(MdWatch):
    """Times the bare evaluation now and then, and itself at every step."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.motep = self.own = self.spent = self.inside = 0.0
        self.samples = self.calls = 0

    def __call__(self, step: int, tag: Any, x: Any, f: Any) -> None:
        begin = time.process_time()
        super().__call__(step, tag, x, f)
        self.inside += time.process_time() - begin
        self.calls += 1
        if step % SAMPLE == SAMPLE // 2:
            begin = time.process_time()
            arguments = motep_arguments(self.evaluator)
            middle = time.process_time()
            calc_run(*arguments)
            self.motep += time.process_time() - middle
            middle = time.process_time()
            energies_forces_virial(self.evaluator.potential, self.evaluator.neighbours.pairs)
            self.own += time.process_time() - middle
            self.spent += time.process_time() - begin
            self.samples += 1


def motep_arguments(evaluator: Evaluator) -> tuple[Any, ...]:
    """The neighbours of the last configuration as motep has them: one rectangular array, -1 where
    an atom has fewer.
    """
    pairs, potential = evaluator.neighbours.pairs, evaluator.potential
    width = int(pairs.counts.max())
    absent = np.arange(width) >= pairs.counts[:, None]
    js = np.where(absent, -1, pairs.js[:, :width]).astype(np.int32)
    vectors = np.ascontiguousarray(pairs.vectors[:, :, :width].transpose(0, 2, 1))
    vectors[absent] = potential.cutoff_A
    values = SimpleNamespace(vatoms=np.zeros((int(potential.data.alpha_scalar_moments), len(js))))
    return js, vectors, pairs.types, pairs.types[js], potential.data, values


def measure(text: str, repeat: int, steps: int) -> dict[str, float]:
    """CPU milliseconds of one step: all of it, the callback, the bare evaluation."""
    structure = Frames.of([read_structure(STRUCTURE)]).to_extxyz()
    settings = lammps.Settings(
        cell={"text": structure, "supercell": (repeat, repeat, repeat)},
        segments=[
            {
                "name": "hold",
                "time_ps": steps * 0.0005,
                "from_K": 600,
                "to_K": 600,
                "sample_every_fs": 20,
            }
        ],
    )
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), lammps.render(settings, {"potential": text}, lammps.Program()))
        os.chdir(folder)
        try:
            plan = MdPlan.read()
            lmp = md.start_lammps()
            before, line, after = Path("in.lammps").read_text().partition(md.INTERACTION)
            lmp.commands_string(before + line)
            link = md.Link(lmp)
            watch = Timed(
                link,
                plan,
                Evaluator(Potential.read(text), plan.numbers, None),
                Candidates(Path("candidates.extxyz")),
                FramesFile(Path("frames.bin"), len(plan.numbers), plan.rotation, plan.frames),
                0,
            )
            link.listen(watch)
            begin = time.process_time()
            lmp.commands_string(after)
            total = time.process_time() - begin - watch.spent
            assert not watch.stop and not watch.error
        finally:
            os.chdir(home)
    return {
        "n_atoms": float(len(plan.numbers)),
        "step": total / watch.calls * 1e3,
        "callback": watch.inside / watch.calls * 1e3,
        "motep": watch.motep / watch.samples * 1e3,
        "own": watch.own / watch.samples * 1e3,
        "builds": watch.evaluator.neighbours.n_builds / watch.calls,
    }


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("potentials", nargs="+", type=Path)
    files = parser.parse_args().potentials
    rows = []
    for file in files:
        text = file.read_text()
        level = Potential.read(text).level
        for repeat, steps in ((1, 2000), (2, 300)):
            measure(text, repeat, 20)  # compiles and loads
            for _ in range(3):
                m = measure(text, repeat, steps)
                numbers = [f"{m[name]:.3f}" for name in ("motep", "own", "callback", "step")]
                ratios = [f"{m['step'] / m[name]:.2f}" for name in ("motep", "own")]
                rows.append(
                    f"| {level} | {m['n_atoms']:.0f} | {' | '.join(numbers + ratios)} | "
                    f"{m['builds']:.3f} |"
                )
                print(rows[-1], flush=True)
    cpu = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "?",
    )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        TEXT.format(
            command=f"python benchmarks/md_step.py {' '.join(str(file) for file in files)}",
            machine=f"{cpu}, {os.cpu_count()} cores, shared with other work",
            versions=f"Python {platform.python_version()}, LAMMPS {metadata.version('lammps')}, "
            f"motep {metadata.version('motep')}",
            rows="\n".join(rows),
        )
    )


if __name__ == "__main__":
    main()
