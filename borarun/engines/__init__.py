"""Engines: each module knows one program's files, and nothing of stages, sites or Parsl."""

from __future__ import annotations

from borarun.engines import (
    bundled,
    lammps,
    mlip_3,
    motep,
    phonopy,
    quantum_espresso,
    sevennet,
    vasp,
)
from borarun.engines.base import Engine

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
"""Every engine by its name in study files and tasks. To add one: a module, a line here, a test."""

__all__ = ["ENGINES", "Engine"]
