"""What a study says of quantum-espresso."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from borarun.engines.reference import base as reference
from borarun.engines.reference.base import Charge, Mesh, Positive


class Keys(BaseModel):
    """What a study says of the engine, and what is part of the settings of its tasks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: reference.Version = Field(
        default=None,
        description='Version of pw.x, whole or its beginning, in quotes, e.g. `"7.2"` or `"7"`: '
        "part of "
        "every key, and what another version computed "
        "fails. Without it any will do, and each result tells its own.",
    )
    pseudopotentials: Annotated[dict[str, str], Field(min_length=1)] = Field(
        description="File of each element, e.g. `{Li: Li.UPF}`; the site file says in which "
        "folder they are."
    )
    pseudopotential_md5: dict[str, str] = Field(
        default={},
        description="Hash that the file of an element must have, as pw.x prints it and SSSP "
        "lists it; optional.",
    )
    ecutwfc_Ry: Positive = Field(default=80.0, description="Cutoff of the wave functions, Ry.")
    ecutrho_Ry: Positive = Field(
        default=640.0,
        description="Cutoff of the density, Ry; 8 times the other for ultrasoft and PAW, 4 for "
        "norm-conserving.",
    )
    kpoints: Mesh = Field(
        default=(1, 1, 1),
        description="Gamma-centred mesh for the first phase's cell; a supercell gets one coarser "
        "by its repeats.",
    )
    degauss_Ry: Positive | None = Field(
        default=None,
        description="Width of Gaussian smearing, Ry. Without it occupations are fixed, which "
        "needs an even number of electrons: not an odd number of neutral vacancies. "
        "0.0147 is 0.2 eV.",
    )
    conv_thr_Ry: Positive = Field(
        default=1e-9,
        description="The electronic cycle ends when the energy's estimated error is smaller, Ry.",
    )
    charge: Charge = Field(
        default=0.0,
        description="Charge of every cell in elementary charges, against a uniform background.",
    )
    espresso: dict[str, bool | int | float | str] = Field(
        default={},
        description="Further keys of pw.x's namelists under their own names, e.g. `{mixing_beta: "
        "0.4}`.",
    )


class EspressoReference(Keys, reference.ReferenceSection):
    """Density functional theory by Quantum ESPRESSO's pw.x, free to install. Not spin-polarised.
    See docs/quantum-espresso.md.
    """

    LABELS_AGAIN: ClassVar[bool] = True

    engine: Literal["quantum-espresso"] = Field(
        description="Quantum ESPRESSO: density functional theory, free to install."
    )
    labels_per_task: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=10, description="Configurations that one task labels."
    )
