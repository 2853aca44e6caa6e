"""A stand-in for pw.x behind a socket, for tests: Lennard-Jones energies, and the lines of pw.x's
output that borarun reads.

``stand_in_pw.py [--unconverged N] -in FILE --ipi NAME:UNIX``; with N, the N-th electronic cycle
does not converge, and it ends as pw.x does.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ase.calculators.lj import LennardJones
from ase.calculators.socketio import SocketClient
from ase.io import read
from ase.units import Ry

parser = argparse.ArgumentParser(prefix_chars="-")
parser.add_argument("--unconverged", type=int, default=0)
parser.add_argument("-in", dest="file")
parser.add_argument("--ipi")
arguments = parser.parse_args()
text = Path(arguments.file).read_text()
atoms = read(arguments.file, format="espresso-in")
functional = text.split("input_dft")[1].split("'")[1].upper()
print(
    f"\n     Program PWSCF v.0.stand-in starts\n     Exchange-correlation= {functional}\n",
    flush=True,
)
for number, symbol in enumerate(dict.fromkeys(atoms.symbols), 1):
    print(
        f"     PseudoPot. # {number} for {symbol:2s} read from file:\n     "
        f"/pseudo/{symbol}.UPF\n     MD5 check sum: {number:032x}",
        flush=True,
    )
atoms.calc = LennardJones(sigma=1.6, epsilon=0.5, rc=4.0, smooth=True)
cycle = 0


class Client(SocketClient):
    """Says what pw.x says of each cycle before it hands over the result."""

    def calculate(self, atoms, use_stress):  # type: ignore[no-untyped-def]
        global cycle
        cycle += 1
        if cycle == arguments.unconverged:
            print("     convergence NOT achieved after 100 iterations: stopping", flush=True)
            sys.exit(2)
        results = super().calculate(atoms, use_stress)
        print(
            f"!    total energy              = {results[0] / Ry:16.8f} Ry\n     convergence "
            "has been achieved in   3 iterations",
            flush=True,
        )
        print(
            f"     the cell is {' '.join(f'{value:.6f}' for value in atoms.cell.lengths())}",
            flush=True,
        )
        return results


Client(unixsocket=arguments.ipi.removesuffix(":UNIX")).run(atoms, use_stress=True)
print(f"\n={'-' * 78}=\n   JOB DONE.\n={'-' * 78}=", flush=True)
