"""The engines: each knows one program's files, and nothing of stages, sites or Parsl."""

from __future__ import annotations

from borarun.engines.base import Engine
from borarun.engines.borarun_mtp import engine as motep
from borarun.engines.bundled import engine as bundled
from borarun.engines.lammps import engine as lammps
from borarun.engines.mlip_3 import engine as mlip_3
from borarun.engines.phonopy import engine as phonopy
from borarun.engines.quantum_espresso import engine as quantum_espresso
from borarun.engines.sevennet import engine as sevennet
from borarun.engines.vasp import engine as vasp

ENGINES: dict[str, Engine] = {
    "bundled": bundled,
    "sevennet": sevennet,
    "vasp": vasp,
    "quantum-espresso": quantum_espresso,
    "motep": motep,
    "mlip-3": mlip_3,
    "lammps": lammps,
    "phonopy": phonopy,
}
"""Every engine by its name in study files and tasks. To add one: a folder, a line here, a test."""
