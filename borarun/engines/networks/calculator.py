"""Pretrained potentials as calculators."""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress
from pydantic import BaseModel

from borarun.basics.causes import Cause
from borarun.basics.errors import EngineError


class NetworkJob(BaseModel, frozen=True):
    """What ``model.json`` tells the program: the model, and how to run it.

    Attributes
    ----------
    family : name of a ``Family``
    model : name of a model of the package, or path of a file
    dispersion : functional whose D3(BJ) is added; None: none is
    device : ``cpu``, ``cuda``; ``auto``: a GPU where there is one
    """

    family: str
    model: str
    dispersion: str | None
    device: str


def calculator(job: NetworkJob, cores: int) -> BaseCalculator:
    """A model, with dispersion where it is asked for."""
    _keep_memory()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch

        torch.set_num_threads(cores)
        device = job.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        network = LOADERS[job.family](job.model, device)
    network = SixStresses(network)
    return _with_dispersion(network, job.dispersion) if job.dispersion else network


class SixStresses(Calculator):
    """A network whose stress has six components, in the order of Voigt, as ASE has it; some
    packages give a matrix.
    """

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012 - as ASE declares it

    def __init__(self, network: BaseCalculator) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._network = network

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Any = ("energy",),
        system_changes: Any = all_changes,
    ) -> None:
        """All three properties: labels need all of them."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        for name in self.implemented_properties:
            value = self._network.get_property(name, atoms)
            six = np.shape(value) == (3, 3) and name == "stress"
            self.results[name] = full_3x3_to_voigt_6_stress(value) if six else value


def _keep_memory() -> None:
    # A new block of memory for every tensor costs a third of the time in page faults. glibc: no
    # mmap, no trimming, grow in large pieces.
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        for option, value in ((-4, 0), (-1, 2**31 - 1), (-2, 2**28)):
            mallopt(option, value)


def _with_dispersion(network: BaseCalculator, functional: str) -> BaseCalculator:
    """Adds D3(BJ) without the three-body term, as VASP's IVDW = 12.

    Source: Grimme, Ehrlich, Goerigk, J. Comput. Chem. 32, 1456 (2011).
    """
    from ase.calculators.mixing import SumCalculator
    from dftd3.ase import DFTD3

    tweaks = {"method": functional, "atm": False}
    return SumCalculator([network, DFTD3(method=functional, damping="d3bj", params_tweaks=tweaks)])


def _sevennet(model: str, device: str) -> BaseCalculator:
    from sevenn.calculator import SevenNetCalculator

    network: BaseCalculator = SevenNetCalculator(model, device=device)
    return network


def _chgnet(model: str, device: str) -> BaseCalculator:
    from chgnet.model import CHGNet
    from chgnet.model.dynamics import CHGNetCalculator

    loaded = (
        CHGNet.from_file(model)
        if Path(model).is_absolute()
        else CHGNet.load(model_name=model, use_device=device, verbose=False)
    )
    network: BaseCalculator = CHGNetCalculator(
        loaded, use_device=device, on_isolated_atoms="ignore"
    )
    return network


def _mace(model: str, device: str) -> BaseCalculator:
    from mace.calculators import MACECalculator

    network: BaseCalculator = MACECalculator(
        model_paths=model, device=device, default_dtype="float64"
    )
    return network


def _mattersim(model: str, device: str) -> BaseCalculator:
    from mattersim.forcefield import MatterSimCalculator, Potential

    potential = Potential.from_checkpoint(model, device=device, load_training_state=False)
    network: BaseCalculator = MatterSimCalculator(potential=potential, device=device)
    return network


def _orb(model: str, device: str) -> BaseCalculator:
    from orb_models.forcefield.calculator import ORBCalculator
    from orb_models.forcefield.pretrained import ORB_PRETRAINED_MODELS

    name = Path(model).name
    kinds = [kind for kind in ORB_PRETRAINED_MODELS if name.startswith(kind)]
    if not kinds or "conservative" not in name:
        raise EngineError(
            f"{name} is no conservative model of Orb by its name.",
            remedy="Keep the name that the file was published under, e.g. "
            "orb-v3-conservative-inf-omat-20250404.ckpt. Models that predict forces directly do "
            "not conserve energy.",
            cause=Cause.BAD_SETUP,
        )
    loaded = ORB_PRETRAINED_MODELS[max(kinds, key=len)](
        weights_path=model, device=device, precision="float32-highest", compile=False
    )
    network: BaseCalculator = ORBCalculator(loaded, device=device)
    return network


def _upet(model: str, device: str) -> BaseCalculator:
    from upet.ase import UPETCalculator

    network: BaseCalculator = UPETCalculator(checkpoint_path=model, device=device)
    return network


LOADERS: dict[str, Callable[[str, str], BaseCalculator]] = {
    "sevennet": _sevennet,
    "chgnet": _chgnet,
    "mace": _mace,
    "mattersim": _mattersim,
    "orb": _orb,
    "upet": _upet,
}
"""Family -> what loads a model, by its name or from its file, on a device."""
