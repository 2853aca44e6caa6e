"""Quantum ESPRESSO's pw.x as an ASE calculator: one process for many configurations of the same
atoms, over a UNIX socket (i-PI's protocol).

``pw.json`` holds the names of the input files; each input file is for one list of atoms. The
process starts once for each, which matters for the van der Waals functionals, whose kernel table
takes over a minute. pw.x chooses its plane waves for the first cell that it is sent, and keeps them
until the volume has changed by a tenth: so that is always the cell of the input file, also when a
task is continued.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.socketio import SocketServer, actualunixsocketname
from ase.io import read
from ase.stress import full_3x3_to_voigt_6_stress

from borarun.basics.causes import Cause, cause_of_exit
from borarun.basics.errors import EngineError
from borarun.basics.tether import end_with_parent
from borarun.engines.quantum_espresso.output import JOB, OUTPUT, PwJob

EVIDENCE_LINES = 20


def explain(text: str, code: int) -> EngineError:
    """Why the last pw.x ended early, and what to do; the evidence is what it printed up to there.

    Parameters
    ----------
    text : its output
    code : its exit code; minus the signal that killed it
    """
    cause = cause_of_exit(code, text)
    text = text.rpartition("Program PWSCF")[2]
    if found := re.search(r"convergence NOT achieved.*", text):
        cause, message = Cause.NOT_CONVERGED, "the electronic cycle of pw.x did not converge."
        remedy = (
            "Lower mixing_beta or raise electron_maxstep under reference.espresso, or "
            "check the structure."
        )
    elif found := re.search(r"Error in routine\s+(\S+)\s+\(.*\):\s*\n\s*(.+)", text):
        message, remedy = (
            f"pw.x stopped in {found[1]}: {found[2].strip()}.",
            "See reference in the study, and the site's command.",
        )
    else:
        message = "pw.x ended before its result."
        remedy = (
            cause.remedy
            if cause.may_pass
            else "It may have been killed, or had too little memory: see its last lines and "
            "stderr.txt."
        )
    lines = text[: found.end() if found else len(text)].rstrip().splitlines()
    evidence = "\n".join(lines[-EVIDENCE_LINES:])
    return EngineError(message, remedy=remedy, evidence=evidence, cause=cause)


class PwCalculator(Calculator):
    """Energies, forces and stresses of pw.x; it raises EngineError where pw.x gives none, and gives
    none that did not converge.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012 - as ASE declares it

    def __init__(self, directory: Path, command: Sequence[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        job = PwJob.model_validate_json((directory / JOB).read_text())
        self._path = directory
        self._command = list(command)
        self._starts: dict[str, Any] = {
            name: read(directory / name, format="espresso-in") for name in job.inputs
        }
        self._server: SocketServer | None = None
        self._numbers: Any = None
        # The name is the directory's, so that what a killed run left is found; a path under /tmp is
        # short enough for a socket.
        self._socket = (
            f"borarun_{hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:24]}"
        )

    def calculate(
        self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes
    ) -> None:
        """Send the configuration to pw.x, and wait for what it makes of it."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        try:
            if self._server is None or not np.array_equal(atoms.numbers, self._numbers):
                self._begin(atoms)
            assert self._server is not None
            results = self._server.calculate(atoms)
        except (
            OSError,
            AssertionError,
        ) as error:  # ASE asserts that numbers are finite and messages are those of the protocol
            code = self.close()
            output = self._path / OUTPUT
            text = output.read_text(errors="replace") if output.exists() else ""
            raise explain(text, code) from error
        self.results = {
            "energy": results["energy"],
            "free_energy": results["energy"],
            "forces": results["forces"],
            "stress": -full_3x3_to_voigt_6_stress(results["virial"]) / atoms.get_volume(),
        }

    def _begin(self, atoms: Atoms) -> None:
        """Start pw.x for these atoms, on the cell of their input file."""
        self.close()
        name, start = next(
            (name, start)
            for name, start in self._starts.items()
            if np.array_equal(start.numbers, atoms.numbers)
        )
        Path(actualunixsocketname(self._socket)).unlink(missing_ok=True)
        self._server = SocketServer(unixsocket=self._socket)
        with (self._path / OUTPUT).open("ab") as output:
            self._server.proc = subprocess.Popen(
                [*self._command, "-in", name, "--ipi", f"{self._socket}:UNIX"],
                cwd=self._path,
                stdin=subprocess.DEVNULL,
                stdout=output,
                preexec_fn=partial(end_with_parent, os.getpid()),
            )
        self._numbers = atoms.numbers.copy()
        if not (
            np.allclose(start.positions, atoms.positions, atol=1e-8)
            and np.allclose(start.cell.array, atoms.cell.array, atol=1e-8)
        ):
            self._server.calculate(start)

    def close(self) -> int:
        """End pw.x and wait until it has written its last lines; its exit code, 0 where none
        ran.
        """
        if self._server is None:
            return 0
        server, self._server = self._server, None
        try:
            if server.protocol is not None:
                server.protocol.end()
        except OSError:
            pass  # pw.x is gone already
        with (
            warnings.catch_warnings()
        ):  # its exit code is not 0 where it fails, which its output tells better
            warnings.simplefilter("ignore")
            server.close()
        return (server.proc.poll() or 0) if server.proc else 0


@contextmanager
def opened(
    directory: Path, functional: str, cores: int, command: Sequence[str]
) -> Iterator[PwCalculator]:
    """pw.x, started by ``command``; it has ended when the context ends."""
    with closing(PwCalculator(directory, command)) as calculator:
        yield calculator
