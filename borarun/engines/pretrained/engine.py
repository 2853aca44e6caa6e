"""SevenNet-0 as reference: a pretrained graph network for PBE; with D3(BJ) dispersion for PBE-D3.

Source: Park, Kim, Hwang, Han, J. Chem. Theory Comput. 20, 4857 (2024), checkpoint of 11 July 2024
from the ``sevenn`` wheel; Grimme, Ehrlich, Goerigk, J. Comput. Chem. 32, 1456 (2011), by ``dftd3``
(s-dftd3), without the three-body term, as VASP's IVDW = 12.
"""

from __future__ import annotations

import importlib.util
from importlib import metadata
from pathlib import Path
from typing import ClassVar

from borarun.engines.base import Cost, Files, Inputs, Probe, Result, python_probe
from borarun.engines.base import Program as Program
from borarun.engines.base import paths as paths
from borarun.engines.reference import base as reference
from borarun.engines.sevennet.section import SevenNetReference

NAME = "sevennet"
Section = SevenNetReference
RESUMABLE = True
MODEL = "7net-0"
PACKAGES = {"PBE": ("sevenn",), "PBE-D3": ("sevenn", "dftd3")}

SECONDS_PER_ATOM = 0.02
"""Core time of one evaluation of Li2B12H12, 52 neighbours an atom; dispersion takes a twentieth of
it.
"""


class Settings(reference.ReferenceSettings):
    """Settings of the SevenNet reference."""

    ENGINE: ClassVar[str] = NAME
    FUNCTIONALS: ClassVar[tuple[str, ...]] = tuple(PACKAGES)


def version(settings: Settings) -> str:
    """Versions of the files, the network and the packages, as far as they are installed here."""
    return ", ".join(
        [
            f"format {reference.FORMAT}",
            MODEL,
            *(f"{name} {_installed(name)}" for name in PACKAGES[settings.functional]),
        ]
    )


def missing(settings: Settings, program: Program) -> str:
    """How to install what is not there."""
    if all(importlib.util.find_spec(name) for name in PACKAGES[settings.functional]):
        return ""
    return (
        'pip install "borarun[sevennet]"  (without a GPU, install the CPU build of PyTorch '
        "first: it is much smaller)"
    )


def probes(program: Program) -> list[Probe]:
    """SevenNet and PyTorch, and the GPUs that they see."""
    code = (
        "import sevenn, torch; print('version', sevenn.__version__, 'with PyTorch', "
        "torch.__version__, 'and', torch.cuda.device_count(), 'GPUs')"
    )
    return [python_probe(code, "pip install 'borarun[sevennet]'")]


def render(settings: Settings, inputs: Inputs, program: Program) -> Files:
    """Every input file."""
    return reference.render(settings, reference.configurations(settings, inputs))


def command(settings: Settings, cores: int, program: Program) -> list[str]:
    """The command to start."""
    return reference.command(settings, cores)


def parse(settings: Settings, directory: Path) -> Result:
    """What the run left."""
    return reference.parse(settings, directory)


def cost(settings: Settings, n_atoms: int) -> Cost:
    """Estimate."""
    return reference.cost(settings, n_atoms, SECONDS_PER_ATOM, start_s=20.0)


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
