"""Pretrained potentials beside density functional theory: forces on the configurations of
Li2B12H12 that ship with labels by rev-vdW-DF2, and the core time of an atom.

``python benchmarks/pretrained.py NAME...`` labels them with each engine that is named, as a study
does: ``bundled``, or a pretrained potential whose extra is installed. Some packages exclude each
other, so that each wants a virtual environment of its own.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from borarun.engines.registry import ENGINES
from borarun.labels import read_labels
from borarun.records.frames import Frames

LABELS = Path(__file__).parents[1] / "studies" / "li2b12h12-rev-vdW-DF2.extxyz.xz"


def main() -> None:
    """A row for each engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=sorted(ENGINES), metavar="NAME")
    names = parser.parse_args().names
    dft = read_labels({LABELS.name: LABELS}, ["Li", "B", "H"]).frames.take(range(8))
    assert dft.forces is not None
    print("| engine | RMSE of forces, eV/A | slope | core time of an atom, ms |")
    print("|---|---|---|---|")
    for name in names:
        found, seconds = labelled(name, dft)
        assert found.forces is not None
        error = float(np.sqrt(np.mean((found.forces - dft.forces) ** 2)))
        slope = float(np.vdot(found.forces, dft.forces) / np.vdot(dft.forces, dft.forces))
        print(f"| {name} | {error:.2f} | {slope:.2f} | {1e3 * seconds / len(dft.numbers):.2g} |")


def labelled(name: str, asked: Frames) -> tuple[Frames, float]:
    """The configurations with an engine's labels, and the core time that an evaluation of all took:
    that of all of them without that of the first, in which the network is loaded.
    """
    one, whole = (_run(name, asked.take(range(n))) for n in (1, len(asked)))
    return whole[0], (whole[1] - one[1]) * len(asked) / (len(asked) - 1)


def _run(name: str, asked: Frames) -> tuple[Frames, float]:
    engine: Any = ENGINES[name]
    settings = engine.Settings(operation="label", functional="PBE")
    program = engine.Program()
    if missing := engine.missing(settings, program):
        raise SystemExit(f"{name}: {missing}")
    plain = Frames(asked.offsets, asked.numbers, asked.positions, asked.cell)
    with tempfile.TemporaryDirectory() as folder:
        for file, content in engine.render(settings, {"frames": plain}, program).items():
            (Path(folder) / file).write_text(str(content))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(engine.command(settings, 1, program), cwd=folder, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        labels: Frames = engine.parse(settings, Path(folder)).frames["labels"]
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return labels, seconds


if __name__ == "__main__":
    main()
