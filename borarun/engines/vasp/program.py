"""VASP under custodian: ``python -m borarun.engines.vasp.program COMMAND...``, with the words that
start VASP.

It works in the current directory, which ``borarun.engines.vasp`` rendered. Each run of VASP has a
directory ``run-N`` of its own, and is whole when ``run.json`` is there: one that was killed is
begun again. A relaxation runs again from where it ended until VASP has nothing left to do;
molecular dynamics that the wall stopped goes on. Its last file says how it ended.

Custodian's handlers mend what they can, and what they mended is noted. Those that change the
smearing (LargeSigma, IncorrectSmearing) or the time step of molecular dynamics (Potim) are not
used: labels must be of one kind.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from custodian.custodian import Custodian, ErrorHandler, Validator
from custodian.vasp import handlers
from custodian.vasp.jobs import VaspJob
from custodian.vasp.validators import VaspFilesValidator, VaspNpTMDValidator
from pymatgen.io.vasp.inputs import Incar
from pymatgen.io.vasp.outputs import Oszicar

from borarun.basics.causes import Cause, cause_of_exit
from borarun.basics.errors import EngineError
from borarun.basics.file import replacing
from borarun.basics.job_time import seconds_left
from borarun.basics.tether import end_with_parent
from borarun.engines.vasp.job import Noted, VaspTask
from borarun.engines.vasp.output_xml import last_structure
from borarun.records.endings import Ending
from borarun.records.operations.reference import Correction, Potcar

POLL_S = 0.5
CHECK_EVERY_S = 30
MAX_ERRORS = 5
MAX_RUNS = 10
"""Of a relaxation. Each one has plane waves for the cell that it starts from, so that the first few
find a cell of their own.
"""

EVIDENCE_LINES = 20
END_BYTES = 1000
WALL = "Walltime reached"


class TetheredJob(VaspJob):
    """A run of VASP that ends with this process, and copies no POTCAR."""

    @property
    def exit_code(self) -> int:
        """Of the last start; 0 where there was none."""
        return (process.poll() or 0) if (process := getattr(self, "_vasp_process", None)) else 0

    def run(self, directory: str = "./") -> subprocess.Popen[bytes]:
        """Start VASP."""
        folder = Path(directory)
        with (
            (folder / self.output_file).open("w") as out,
            (folder / self.stderr_file).open("w") as err,
        ):
            # A session of its own: custodian ends VASP with all of its ranks.
            self._vasp_process = subprocess.Popen(
                self.vasp_cmd,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                preexec_fn=partial(end_with_parent, os.getpid()),
            )
        return self._vasp_process


class Progress(ErrorHandler):
    """No handler of errors: it says how far molecular dynamics is, each time custodian looks."""

    is_monitor = True

    def __init__(self, file: str, done: int, steps: int) -> None:
        self.file, self.done, self.steps = file, done, steps

    def check(self, directory: str = "./") -> bool:
        """Write the part that is done; there is never anything to correct."""
        with contextlib.suppress(OSError):
            done = self.done + (Path(directory) / "OSZICAR").read_text(errors="replace").count(
                " T= "
            )
            with replacing(Path(self.file)) as file:
                file.write(f"{min(done / self.steps, 1):.4f}\n".encode())
        return False

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Nothing to correct."""
        return {"errors": [], "actions": None}


class VasprunEndValidator(Validator):
    """Whether ``vasprun.xml`` came to its end. Custodian's own validator has pymatgen read all of
    it into memory; borarun's engine reads it anyway.
    """

    def check(self, directory: str = "./") -> bool:
        """Whether it did not."""
        try:
            with (Path(directory) / "vasprun.xml").open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - END_BYTES))
                return b"</modeling>" not in file.read()
        except OSError:
            return True


def run(directory: Path, command: list[str]) -> None:
    """Do the job of a directory, from the beginning or from the last run that is whole."""
    job = VaspTask.read(directory)
    try:
        runs, stopped = _runs(directory, job, command)
    except EngineError as error:
        ending = Ending.of_error(error)
    else:
        ending = (
            Ending(
                cause=Cause.OUT_OF_TIME,
                message="the wall of the batch job was reached before VASP was done.",
            )
            if stopped
            else Ending(result={"runs": runs})
        )
    ending.write(directory)


def _runs(directory: Path, job: VaspTask, command: list[str]) -> tuple[int, bool]:
    """Run VASP as often as it takes: how many runs there are, and whether the wall came before the
    end.
    """
    done: list[Noted] = []
    while (file := directory / f"run-{len(done) + 1}" / "run.json").exists():
        done.append(Noted.model_validate_json(file.read_bytes()))
    while not _finished(job, done):
        parts, whole = (
            (job.steps, sum(record.steps for record in done))
            if job.operation == "aimd"
            else (MAX_RUNS, len(done))
        )
        (directory / "progress").write_text(
            f"{whole / parts:.3f}"
        )  # what a job to come can go on from
        done.append(_one_run(directory, job, command, done))
        if done[-1].stopped and not _finished(job, done):
            return len(done), True
    return len(done), False


def _finished(job: VaspTask, done: list[Noted]) -> bool:
    if not done:
        return False
    if job.operation == "aimd":
        return sum(record.steps for record in done) >= job.steps
    if job.operation == "label":
        return True
    settled = not done[-1].stopped and done[-1].steps <= job.settled_steps
    return settled or sum(not record.stopped for record in done) >= MAX_RUNS


def _one_run(directory: Path, job: VaspTask, command: list[str], done: list[Noted]) -> Noted:
    """Run VASP once, from the rendered start or from where the last run ended; what there is to
    note of it.
    """
    folder = directory / f"run-{len(done) + 1}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    before = directory / f"run-{len(done)}"
    shutil.copyfile(directory / "KPOINTS", folder / "KPOINTS")
    if done:
        (folder / "POSCAR").write_text(_last_geometry(before))
    else:
        shutil.copyfile(directory / "POSCAR", folder / "POSCAR")
    with _licensed(folder, job) as potcars:
        incar = Incar.from_file(directory / "INCAR")
        if job.charge:
            incar["NELECT"] = _electrons(folder / "POSCAR", potcars) - job.charge
        if job.operation == "aimd" and done:
            incar["NSW"] = job.steps - sum(record.steps for record in done)
            incar["RANDOM_SEED"] = _last_seed(before / "REPORT")
        incar.write_file(folder / "INCAR")
        corrections = _custodian(
            directory, folder, job, command, sum(record.steps for record in done)
        )
    try:
        steps = len(Oszicar(folder / "OSZICAR").ionic_steps)
    except (OSError, ValueError, IndexError) as error:
        raise EngineError(
            "VASP ended before its first step.",
            remedy="See its output below.",
            evidence=_tail(folder),
        ) from error
    record = Noted(
        steps=steps,
        stopped=any(WALL in correction.errors for correction in corrections),
        potcars=potcars,
        vdw_kernel_sha256=hashlib.sha256(Path(job.vdw_kernel).read_bytes()).hexdigest()
        if job.vdw_kernel
        else None,
        corrections=tuple(each for each in corrections if WALL not in each.errors),
    )
    with replacing(folder / "run.json") as written:
        written.write(record.model_dump_json(indent=1).encode())
    return record


@contextmanager
def _licensed(folder: Path, job: VaspTask) -> Iterator[dict[str, Potcar]]:
    """POTCAR and kernel where VASP looks for them, until it has ended; element -> what is noted of
    its POTCAR.

    One POTCAR is linked. Several must be one file, which exists in this folder only and only now,
    for its owner alone.
    """
    potcars, sources = {}, [Path(path) for path in job.potcars]
    for path in sources:
        content = path.read_bytes()
        text = content.decode(errors="replace")
        titel, zval = (
            re.search(pattern, text, re.MULTILINE)
            for pattern in (r"^\s*TITEL\s*=\s*(.*?)\s*$", r"ZVAL\s*=\s*([\d.]+)")
        )
        if titel is None or zval is None:
            raise EngineError(
                f"the POTCAR {path} has no TITEL or no ZVAL.",
                remedy="Put the file that VASP ships there.",
                cause=Cause.BAD_SETUP,
            )
        element = re.split(r"[_.]", titel[1].split()[1])[0]
        potcars[element] = Potcar(
            titel=titel[1], sha256=hashlib.sha256(content).hexdigest(), zval=float(zval[1])
        )
    potcar, kernel = folder / "POTCAR", folder / "vdw_kernel.bindat"
    try:
        if len(sources) == 1:
            potcar.symlink_to(sources[0])
        else:
            potcar.touch(mode=0o600)
            potcar.write_bytes(b"".join(path.read_bytes() for path in sources))
        if job.vdw_kernel:
            kernel.symlink_to(job.vdw_kernel)
        yield potcars
    finally:
        potcar.unlink(missing_ok=True)
        kernel.unlink(missing_ok=True)


def _last_geometry(run: Path) -> str:
    """The CONTCAR of a run; where VASP left it empty or cut short at the wall, the newest
    configuration that is whole: that of its vasprun.xml, or the one that the run started from.
    """
    start = (run / "POSCAR").read_text()
    text = (run / "CONTCAR").read_text(errors="replace") if (run / "CONTCAR").exists() else ""
    if is_whole(text, start):
        return text
    last = last_structure(run / "vasprun.xml")
    if last is None:
        return start
    head = start.splitlines()
    rows = [" ".join(f"{value:.16f}" for value in row) for row in last[0]]
    places = [" ".join(f"{value:.16f}" for value in row) for row in last[1]]
    return "\n".join([head[0], "1.0", *rows, *head[5:7], "Direct", *places]) + "\n"


def is_whole(contcar: str, start: str) -> bool:
    """Whether a CONTCAR holds all atoms of the POSCAR that its run started from."""
    lines, wanted = contcar.splitlines(), start.splitlines()
    if len(lines) < 8 or lines[6].split() != wanted[6].split():
        return False
    first = 9 if lines[7].strip()[:1].lower() == "s" else 8
    count = sum(int(word) for word in wanted[6].split())
    cell = [line.split() for line in lines[2:5]]
    rows = [line.split() for line in lines[first : first + count]]
    if len(rows) < count or any(len(row) < 3 for row in (*cell, *rows)):
        return False
    try:
        numbers = np.array([row[:3] for row in (*cell, *rows)], float)
    except ValueError:
        return False
    # a line that is cut short may still end in a number, but not in the digits of those before it
    lengths = {len(word.partition(".")[2]) for row in rows for word in row[:3]}
    return bool(np.isfinite(numbers).all()) and len(lengths) == 1


def _electrons(poscar: Path, potcars: dict[str, Potcar]) -> float:
    """Valence electrons of the neutral cell."""
    lines = poscar.read_text().splitlines()
    return sum(
        potcars[re.split("[/_]", species)[0]].zval * int(count)
        for species, count in zip(lines[5].split(), lines[6].split(), strict=True)
    )


def _last_seed(report: Path) -> list[int]:
    """Where the stream of random numbers stood at the end of a run, as VASP tells it at
    every step.
    """
    found = (
        re.findall(r"RANDOM_SEED = +(\d+) +(\d+) +(\d+)", report.read_text(errors="replace"))
        if report.exists()
        else []
    )
    if not found:
        raise EngineError(
            "VASP wrote no random seed into REPORT, so the run cannot continue.",
            remedy="Delete the task's directory and submit again.",
        )
    return [int(number) for number in found[-1]]


def _custodian(
    directory: Path, folder: Path, job: VaspTask, command: list[str], done: int
) -> tuple[Correction, ...]:
    """Run VASP under custodian; what was mended, each ``handler``, ``errors``, ``actions``."""
    vasp = TetheredJob(command, backup=False, auto_gamma=False)
    custodian = Custodian(
        _handlers(job)
        + (
            [Progress(str(directory / "progress"), done, job.steps)]
            if job.operation == "aimd"
            else []
        ),
        [vasp],
        [VaspFilesValidator(), VasprunEndValidator(), VaspNpTMDValidator()],
        max_errors=MAX_ERRORS,
        polling_time_step=POLL_S,
        monitor_freq=round(CHECK_EVERY_S / POLL_S),
        directory=str(folder),
    )
    try:
        custodian.run()  # type: ignore[no-untyped-call]
    # besides its own errors, whatever pymatgen stumbles over where VASP left half a file
    except Exception as error:
        message, evidence = (
            f"VASP failed, and custodian could not correct it: {error}",
            _tail(folder, _mended(custodian)),
        )
        raise EngineError(
            message,
            remedy="See VASP's output below.",
            evidence=evidence,
            cause=cause_of_exit(vasp.exit_code, evidence),
        ) from error
    return _mended(custodian)


def _mended(custodian: Custodian) -> tuple[Correction, ...]:
    return tuple(
        Correction(
            handler=type(correction["handler"]).__name__,
            errors=tuple(correction["errors"]),
            actions=tuple(correction["actions"] or ()),
        )
        for entry in custodian.run_log
        for correction in entry["corrections"]
    )


def _handlers(job: VaspTask) -> list[ErrorHandler]:
    """Custodian's handlers of an operation."""
    common = [
        handlers.VaspErrorHandler(),
        handlers.StdErrHandler(),
        handlers.MeshSymmetryErrorHandler(),
        handlers.PositiveEnergyErrorHandler(),
    ]
    of_its_own = (
        [handlers.FrozenJobErrorHandler()]
        if job.operation == "aimd"
        else [handlers.NonConvergingErrorHandler(), handlers.UnconvergedErrorHandler()]
    )
    return [
        *common,
        *of_its_own,
        handlers.WalltimeHandler(_seconds_left(), job.walltime_margin_s),
    ]


def _seconds_left() -> float | None:
    """Seconds that the batch job has left; None leaves it to custodian, which knows PBS_WALLTIME
    and SBATCH_TIMELIMIT.
    """
    left = min(seconds_left(), float(os.environ.get("SLURM_JOB_END_TIME", "inf")) - time.time())
    if left == float("inf"):
        return None
    os.environ["CUSTODIAN_WALLTIME_START"] = datetime.now().strftime(
        "%a %b %d %H:%M:%S UTC %Y"
    )  # as custodian writes it: local time called UTC
    return left


def _tail(folder: Path, mended: Sequence[Correction] | None = None) -> str:
    """The last lines that VASP printed, after what was mended before."""
    lines = [correction.model_dump_json() for correction in mended or ()]
    for name in ("vasp.out", "std_err.txt"):
        if (folder / name).exists():
            lines += (
                (folder / name).read_text(errors="replace").strip().splitlines()[-EVIDENCE_LINES:]
            )
    return "\n".join(lines)


def main() -> None:
    """Do the job of the current directory."""
    warnings.simplefilter("ignore")  # pymatgen warns of every POTCAR that it does not know
    logging.disable(logging.CRITICAL)  # custodian's own log is custodian.json
    run(Path.cwd(), sys.argv[1:])


if __name__ == "__main__":
    main()
