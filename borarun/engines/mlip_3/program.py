"""The commands of MLIP-3's ``mlp``, one after the other, in this directory:
``python -m borarun.engines.mlip_3.program``.

Reads ``job.json``. To train also ``train.cfg``, ``valid.cfg`` and ``start.mtp``; it leaves
``train.log``, ``trained.almtp``, ``active_set.npy``, and of both sets ``errors_*.txt`` (the report
of ``check_errors``) and ``efs_*.cfg`` (of ``calculate_efs``), and ``program.txt``: which ``mlp`` it
was. To select also ``start.almtp`` and ``candidates.cfg``; it leaves ``graded.cfg``,
``select_add.log``, ``chosen.cfg`` and, where neighbourhoods are cut out, ``pieces.cfg``, among
which it chose. Last, both say how it ended.

A step whose file is there is not done again. Training that was stopped goes on from the potential
that ``mlp`` last saved, with the iterations left.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from borarun.basics.causes import Cause, cause_of_error, cause_of_exit
from borarun.basics.errors import EngineError
from borarun.basics.file import replacing
from borarun.basics.tether import end_with_parent
from borarun.engines.mlip_3.job import Mlip3Job, SelectJob, TrainJob
from borarun.mtp import active_set, almtp, cfg
from borarun.mtp.evaluate import Evaluator
from borarun.mtp.potential import Potential
from borarun.records.endings import Ending
from borarun.records.frames import Frames

POLL_S = 1.0
EVIDENCE_LINES = 15
VACUUM_A = 10.0
"""Least distance between a neighbourhood that was cut out and its images."""


def main() -> None:
    """Train, or select."""
    parser = argparse.ArgumentParser(description="Run the commands of MLIP-3 in this directory.")
    parser.add_argument(
        "--command", type=shlex.split, default=["mlp"], help="MLIP-3's mlp, on one core"
    )
    parser.add_argument("train_command", nargs="+", help="the same for training, after `--`")
    arguments = parser.parse_args()
    here = Path()
    job = Mlip3Job.read(here)
    command = arguments.command if job.operation == "select" else arguments.train_command
    (here / "program.txt").write_text(_name(command[-1]))
    try:
        if job.operation == "select":
            _select(here, SelectJob.read(here), command)
        else:
            _train(here, TrainJob.read(here), command)
            for part in ("train", "valid"):
                _step(
                    here,
                    arguments.command,
                    f"errors_{part}.txt",
                    "check_errors",
                    "trained.almtp",
                    f"{part}.cfg",
                    "--report_to={}",
                )
                _step(
                    here,
                    arguments.command,
                    f"efs_{part}.cfg",
                    "calculate_efs",
                    "trained.almtp",
                    f"{part}.cfg",
                    "--output_filename={}",
                )
            if not (here / "active_set.npy").exists():
                _active_set(here)
    except EngineError as error:
        ending = Ending.of_error(error)
    except FileNotFoundError as error:
        ending = Ending.of_error(EngineError(f"MLIP-3: {error}", cause=Cause.PROGRAM_MISSING))
    except (OSError, ValueError) as error:
        ending = Ending.of_error(EngineError(f"MLIP-3: {error}", cause=cause_of_error(error)))
    else:
        ending = Ending()
    ending.write(here)


def _name(program: str) -> str:
    """What stands for the version that ``mlp`` does not tell: the hash of its file, which is the
    last word of its command, where that can be read.
    """
    try:
        content = Path(shutil.which(program) or program).read_bytes()
        return f"MLIP-3, mlp {hashlib.sha256(content).hexdigest()[:12]}"
    except OSError:
        return "MLIP-3"


def _step(here: Path, command: list[str], output: str, verb: str, *arguments: str) -> None:
    """One command that writes a file, unless the file is there; it appears whole. Its name stands
    for ``{}`` in the arguments.
    """
    if not (here / output).exists():
        written = f"{output}.part"
        with (here / f"{verb}.log").open("wb") as log:
            code = _run(
                [*command, verb, *(argument.format(written) for argument in arguments)], log
            ).wait()
        if code < 0:  # else what it left tells better
            raise EngineError(
                f"MLIP-3: `mlp {verb}` was ended by signal {-code}.", cause=cause_of_exit(code, "")
            )
        _finish(here, written, output, f"{verb}.log")


def _run(command: list[str], log: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        preexec_fn=partial(end_with_parent, os.getpid()),
    )


def _finish(here: Path, written: str, output: str, log: str) -> None:
    """Let a file appear, or say why there is none: ``mlp`` ends with exit code 0 after some errors,
    too.
    """
    lines = (here / log).read_text(errors="replace").strip().splitlines()
    # An `mlp` that was built with MPI adds its rank to some names, also where it is alone.
    if (of_rank := here / f"{written}.0").exists():
        of_rank.replace(here / written)
    if not (here / written).exists() or any(
        "ERROR" in line or line.startswith("Error") for line in lines
    ):
        last = "\n".join(lines[-EVIDENCE_LINES:])
        raise EngineError(
            f"MLIP-3: a command failed. Its last lines are those of {log}.",
            evidence=last,
            cause=cause_of_exit(0, last),
        )
    (here / written).replace(here / output)


def _train(here: Path, job: TrainJob, command: list[str]) -> None:
    if (here / "trained.almtp").exists():
        return
    log = here / "train.log"
    saved = next(
        (text for name in ("current.almtp", "saved.mtp") if (text := _whole(here / name))), None
    )
    if saved is None:
        saved = (here / "start.mtp").read_text()
        log.write_text("")
    told = log.read_text(errors="replace")
    log.write_text(
        told[: told.rfind("\n") + 1]
    )  # a line that was cut short would run into the next
    done, limit = _iterations(log), job.iteration_limit
    (here / "begin.mtp").write_text(saved)
    arguments = [
        "train",
        "begin.mtp",
        "train.cfg",
        "--save_to=current.almtp",
        f"--al_mode={job.al_mode}",
    ]
    arguments += [
        f"--energy_weight={job.energy_weight!r}",
        f"--force_weight={job.force_weight!r}",
        f"--stress_weight={job.stress_weight!r}",
    ]
    # With no iteration the potential stays what it is and gets its selection state; another
    # shortest distance would change its radial functions.
    arguments += (
        [f"--iteration_limit={max(limit - done, 1)}"]
        if limit
        else ["--iteration_limit=0", "--no_mindist_update=true"]
    )
    with log.open("ab") as handle:
        process = _run([*command, *arguments], handle)
        while process.poll() is None:
            try:
                process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                if text := _whole(here / "current.almtp"):
                    with replacing(here / "saved.mtp") as file:
                        file.write(text.encode())
                (here / "progress").write_text(f"{0.95 * _iterations(log) / max(limit, 1):.3f}")
    if process.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-EVIDENCE_LINES:])
        raise EngineError(
            f"MLIP-3: `mlp train` ended with exit code {process.returncode}."
            if process.returncode > 0
            else f"MLIP-3: `mlp train` was ended by signal {-process.returncode}.",
            evidence=last,
            cause=cause_of_exit(process.returncode, last),
        )
    start = Potential.read((here / "start.mtp").read_text())
    content = almtp.tagged((here / "current.almtp").read_bytes(), str(start.data.potential_tag))
    almtp.read(content, Potential.read(almtp.split(content)[0]))
    with replacing(here / "trained.almtp") as file:
        file.write(content)


def _whole(file: Path) -> str:
    """The text of a potential that ``mlp`` saved; empty where it was stopped while it wrote."""
    text = almtp.split(file.read_bytes())[0] if file.exists() else ""
    return text if "moment_coeffs" in text and text.rstrip().endswith("}") else ""


def _iterations(log: Path) -> int:
    return len(
        re.findall(r"^BFGS iter \d+: f=\S+\n", log.read_text(errors="replace"), re.MULTILINE)
    )


def _active_set(here: Path) -> None:
    """The active set of neighbourhoods: MLIP-3's own, or that of the training set where MLIP-3
    selected whole configurations.
    """
    content = (here / "trained.almtp").read_bytes()
    potential = Potential.read(almtp.split(content)[0])
    selection = almtp.read(content, potential)
    if selection.mode == "nbh":
        rows = selection.active_set
    else:
        rows = active_set.build(
            [
                _gradients(potential, atoms)
                for atoms in cfg.read((here / "train.cfg").read_text(), potential.species)
            ]
        )
    with replacing(here / "active_set.npy") as file:
        np.save(file, rows)


def _gradients(potential: Potential, atoms: Any) -> NDArray[Any]:
    evaluator = Evaluator(potential, atoms.numbers)
    evaluator.evaluate(atoms.positions, atoms.cell.array)
    return evaluator.gradients()


def _select(here: Path, job: SelectJob, command: list[str]) -> None:
    _step(here, command, "graded.cfg", "calculate_grade", "start.almtp", "candidates.cfg", "{}")
    pool = "candidates.cfg"
    if job.cut_radius_A:
        pool = "pieces.cfg"
        _step(
            here,
            command,
            "cut.cfg",
            "cut_extrapolative_nbh",
            "graded.cfg",
            "{}",
            f"--cutoff={job.cut_radius_A!r}",
        )
        _box(here)
    # The configurations of the active set come with the potential.
    (here / "nothing.cfg").write_text("")
    _step(here, command, "chosen.cfg", "select_add", "start.almtp", "nothing.cfg", pool, "{}")


def _box(here: Path) -> None:
    """Give each neighbourhood that was cut out a cell of its own: borarun's configurations are
    periodic.
    """
    potential = Potential.read(almtp.split((here / "start.almtp").read_bytes())[0])
    text = (here / "cut.cfg").read_text()
    pieces = []
    for atoms, noted in zip(cfg.read(text, potential.species), cfg.features(text), strict=True):
        atoms.set_cell(np.ptp(atoms.positions, axis=0) + max(VACUUM_A, potential.cutoff_A + 1.0))
        atoms.center()
        atoms.info["grade"] = float(noted["extrapolation_grade"])
        pieces.append(atoms)
    with replacing(here / "pieces.cfg") as file:
        file.write(cfg.write(Frames.of(pieces), potential.species, numbered=True).encode())


if __name__ == "__main__":
    main()
