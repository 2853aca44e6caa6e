"""The engines: each knows one program's files, and nothing of stages, sites or Parsl."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import Discriminator, Field, Tag

from borarun.engines.base import Engine
from borarun.engines.borarun_mtp import engine as borarun_mtp
from borarun.engines.bundled import engine as bundled
from borarun.engines.examination import engine as examination
from borarun.engines.lammps import engine as lammps
from borarun.engines.mlip_3 import engine as mlip_3
from borarun.engines.phonopy import engine as phonopy
from borarun.engines.potential.base import PotentialEngine, PotentialSection
from borarun.engines.pretrained import engine as pretrained
from borarun.engines.pretrained_potential import engine as network
from borarun.engines.quantum_espresso import engine as quantum_espresso
from borarun.engines.reference.base import ReferenceSection
from borarun.engines.vasp import engine as vasp

ENGINES: dict[str, Engine] = {
    "bundled": bundled,
    **pretrained.ENGINES,
    "vasp": vasp,
    "quantum-espresso": quantum_espresso,
    "borarun-mtp": borarun_mtp,
    "mlip-3": mlip_3,
    "pretrained": network,
    "examination": examination,
    "lammps": lammps,
    "phonopy": phonopy,
}
"""Every engine by its name in study files and tasks. To add one: a folder, a line here, a test."""

DEFAULT_POTENTIAL = "borarun-mtp"


def sections(kind: type[Any]) -> dict[str, type[Any]]:
    """What a study says of each engine of a kind, ``ReferenceSection`` or ``PotentialSection``."""
    said = {name: getattr(engine, "Section", None) for name, engine in ENGINES.items()}
    return {name: model for name, model in said.items() if model and issubclass(model, kind)}


def potential_engine(name: str) -> PotentialEngine:
    """The engine that trains a study's potential."""
    return cast(PotentialEngine, ENGINES[name])


def _engine(value: Any) -> str:
    """The engine that a section names."""
    name = value.get("engine") if isinstance(value, dict) else getattr(value, "engine", None)
    return str(name) if name else DEFAULT_POTENTIAL


if TYPE_CHECKING:
    Reference = ReferenceSection
    Potential = PotentialSection
else:
    Reference = Annotated[
        reduce(or_, sections(ReferenceSection).values()), Field(discriminator="engine")
    ]
    Potential = Annotated[
        reduce(
            or_,
            [Annotated[model, Tag(name)] for name, model in sections(PotentialSection).items()],
        ),
        Discriminator(_engine),
    ]
