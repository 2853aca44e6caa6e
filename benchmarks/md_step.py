"""What a whole LAMMPS step costs, against the bare force evaluation on the same neighbours.

Runs NPT dynamics at 600 K through ``borarun.programs.md`` in this process. At every twentieth step the compiled force evaluation of motep alone
(``calc_run``) is timed on the neighbours of that step, so that both see the same load of the machine. Times are CPU times.

    python benchmarks/md_step.py tests/data/li2b12h12_level8.mtp [more potentials]

writes ``benchmarks/results/md_step.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from borarun.programs import md  # first: it sets the number of threads

import numpy as np  # isort: skip
from motep.potentials.mtp.cext._mtp_cext import calc_run

from borarun.engines import lammps
from borarun.frames import Frames
from borarun.mtp.evaluate import Evaluator
from borarun.mtp.potential import Potential
from borarun.structure import read_structure

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "md_step.md"
STRUCTURE = HERE.parent / "tests" / "data" / "Li2B12H12-Pa-3.cif"
SAMPLE = 20


class Timed(md.Watch):
    """Times the bare evaluation now and then, and itself at every step."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.bare = self.spent = self.inside = 0.0
        self.samples = self.calls = 0

    def __call__(self, caller: object, step: int, n: int, tag: Any, x: Any, f: Any) -> None:
        begin = time.process_time()
        super().__call__(caller, step, n, tag, x, f)
        self.inside += time.process_time() - begin
        self.calls += 1
        if step % SAMPLE == SAMPLE // 2:
            begin = time.process_time()
            for block in self.evaluator.neighbours.blocks:
                values = SimpleNamespace(vatoms=np.zeros((len(self.evaluator.potential.data.alpha_moment_mapping), len(block.atoms))))
                middle = time.process_time()
                calc_run(block.neighbours, block.vectors, block.types, block.neighbour_types, self.evaluator.potential.data, values)
                self.bare += time.process_time() - middle
            self.spent += time.process_time() - begin
            self.samples += 1


def measure(text: str, repeat: int, steps: int) -> dict[str, float]:
    """CPU milliseconds of one step: all of it, the callback, the bare evaluation."""
    structure = Frames.of([read_structure(STRUCTURE)]).to_extxyz()
    settings = lammps.Settings(
        cell={"text": structure, "supercell": (repeat, repeat, repeat)},
        segments=[{"name": "hold", "time_ps": steps * 0.0005, "from_K": 600, "to_K": 600, "sample_every_fs": 20}],
    )
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        for name, content in lammps.render(settings, {"potential": text}).items():
            (Path(folder) / name).write_bytes(content.encode() if isinstance(content, str) else content)
        os.chdir(folder)
        try:
            plan = md.Plan.read()
            lmp = md.start_lammps()
            before, line, after = Path("in.lammps").read_text().partition(md.INTERACTION)
            lmp.commands_string(before + line)
            watch = Timed(lmp, plan, Evaluator(Potential.read(text), plan.numbers), None, md.Candidates(Path("candidates.extxyz")), 0)
            lmp.set_fix_external_callback("mtp", watch, None)
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
        "bare": watch.bare / watch.samples * 1e3,
        "builds": watch.evaluator.neighbours.n_builds / watch.calls,
    }


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
                rows.append(
                    f"| {level} | {m['n_atoms']:.0f} | {m['bare']:.3f} | {m['callback']:.3f} | {m['step']:.3f} | {m['step'] / m['bare']:.3f} | {m['builds']:.3f} |"
                )
                print(rows[-1], flush=True)
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        "# Cost of a molecular dynamics step\n\n"
        f"`python benchmarks/md_step.py {' '.join(str(file) for file in files)}`\n\n"
        f"Machine: {model}, {os.cpu_count()} cores, shared with other work; Python {platform.python_version()}, {lammps.version(None)}.\n\n"  # type: ignore[arg-type]
        "NPT at 600 K, 0.5 fs, a frame every 20 fs, three repetitions each; CPU milliseconds a step. *bare*: motep's `calc_run` alone on the step's own\n"
        "neighbours; *callback*: neighbours, evaluation, forces, stress and all checks; *step*: all of LAMMPS with it; *builds*: neighbour lists built a step.\n\n"
        "| level | atoms | bare | callback | step | step / bare | builds |\n|---|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


if __name__ == "__main__":
    main()
