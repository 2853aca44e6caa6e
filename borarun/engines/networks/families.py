"""The pretrained potentials that borarun knows. To add one: an entry here, a function in
``calculator``, an extra in ``pyproject.toml``.

Importing this loads none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DISPERSION = "-D3"
"""Ends the name of a functional to which D3(BJ) without the three-body term is added."""

FUNCTIONALS = ("PBE", "PBE-D3", "PBEsol", "r2SCAN")
"""What a study can ask of them."""


@dataclass(frozen=True)
class Family:
    """Models that one package runs.

    Attributes
    ----------
    name : name of the engine in study files, and of the extra that installs it
    title : its own name
    package : distribution that runs the models
    module : what it is imported as
    models : models that the package's wheel contains -> the functional that each approximates; the
        first is the default
    seconds_per_atom : core time of one evaluation, s
    licence : of the code, and of the weights that the wheel contains
    weights : where other models come from
    source : of the method
    home : page of the program
    """

    name: str
    title: str
    package: str
    module: str
    models: Mapping[str, str]
    seconds_per_atom: float
    licence: str
    weights: str
    source: str
    home: str

    @property
    def default(self) -> str | None:
        """The model of a study that names none."""
        return next(iter(self.models), None)


FAMILIES = (
    Family(
        name="sevennet",
        title="SevenNet",
        package="sevenn",
        module="sevenn",
        models={"7net-0": "PBE"},
        seconds_per_atom=0.02,
        licence="MIT; the wheel contains SevenNet-0 of 11 July 2024, trained on MPtrj",
        weights="https://github.com/MDIL-SNU/SevenNet/releases",
        source="Park, Kim, Hwang, Han, J. Chem. Theory Comput. 20, 4857 (2024)",
        home="https://github.com/MDIL-SNU/SevenNet",
    ),
    Family(
        name="chgnet",
        title="CHGNet",
        package="chgnet",
        module="chgnet",
        models={"0.3.0": "PBE", "0.2.0": "PBE", "r2scan": "r2SCAN"},
        seconds_per_atom=0.01,
        licence="BSD; the wheel contains its models, trained on MPtrj (PBE, with U for oxides and "
        "fluorides of some metals)",
        weights="https://github.com/CederGroupHub/chgnet",
        source="Deng et al., Nat. Mach. Intell. 5, 1031 (2023)",
        home="https://chgnet.lbl.gov",
    ),
    Family(
        name="mace",
        title="MACE",
        package="mace-torch",
        module="mace",
        models={},
        seconds_per_atom=0.02,
        licence="MIT; each model has a licence of its own, some for academic use only",
        weights="https://github.com/ACEsuit/mace-foundations/releases",
        source="Batatia et al., NeurIPS 35, 11423 (2022)",
        home="https://github.com/ACEsuit/mace",
    ),
    Family(
        name="mattersim",
        title="MatterSim",
        package="mattersim",
        module="mattersim",
        models={},
        seconds_per_atom=0.01,
        licence="MIT, code and models",
        weights="https://github.com/microsoft/mattersim/tree/main/pretrained_models",
        source="Yang et al., arXiv 2405.04967 (2024)",
        home="https://microsoft.github.io/mattersim",
    ),
    Family(
        name="orb",
        title="Orb",
        package="orb-models",
        module="orb_models",
        models={},
        seconds_per_atom=0.02,
        licence="Apache-2.0, code and models",
        weights="https://github.com/orbital-materials/orb-models/blob/main/MODELS.md",
        source="Rhodes et al., arXiv 2504.06231 (2025)",
        home="https://github.com/orbital-materials/orb-models",
    ),
    Family(
        name="upet",
        title="UPET",
        package="upet",
        module="upet",
        models={},
        seconds_per_atom=0.02,
        licence="BSD-3-Clause; each model has a licence of its own",
        weights="https://huggingface.co/lab-cosmo/upet",
        source="Mazitov et al., Nat. Commun. 16, 10653 (2025)",
        home="https://github.com/lab-cosmo/upet",
    ),
)
