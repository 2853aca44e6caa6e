"""The packages that a network needs, and whether they are installed here."""

from __future__ import annotations

import importlib.util
from importlib import metadata

from borarun.engines import base
from borarun.engines.networks.families import Family


def versions(family: Family, dispersion: str | None) -> tuple[str, ...]:
    """Name and version of each, as far as it is installed here.

    Parameters
    ----------
    family : of the network
    dispersion : functional whose D3(BJ) is added; None: none is
    """
    names = (family.package, *(["dftd3"] if dispersion else []))
    return tuple(f"{name} {_installed(name)}" for name in names)


def missing(family: Family, dispersion: str | None) -> str:
    """How to install what is not there; empty where all is."""
    needed = (family.module, *(["dftd3"] if dispersion else []))
    if all(importlib.util.find_spec(name) for name in needed):
        return ""
    return (
        f'pip install "borarun[{family.name}]"  (without a GPU, install the CPU build of '
        "PyTorch first: it is much smaller)"
    )


def _installed(name: str) -> str:
    try:
        return base.installed(name)
    except metadata.PackageNotFoundError:
        return "not installed"
