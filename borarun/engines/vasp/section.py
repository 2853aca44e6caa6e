"""What a study says of vasp."""

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
        description='Version of VASP, whole or its beginning, in quotes, e.g. `"6.4.2"` or '
        '`"6.4"`: part '
        "of every key, and what another version computed "
        "fails. Without it any will do, and each result tells its own.",
    )
    potcar: Annotated[dict[str, Annotated[str, Field(max_length=60)]], Field(min_length=1)] = Field(
        description='TITEL of the POTCAR of each element, e.g. `{Li: "PAW_PBE Li_sv '
        '10Sep2004"}`; the '
        "site file says in which folder they are."
    )
    encut_eV: Positive = Field(default=600.0, description="Cutoff of the plane waves, eV.")
    ediff_eV: Positive = Field(
        default=1e-6, description="The electronic cycle ends when the energy changes less, eV."
    )
    ionic_tolerance_eV: Positive | None = Field(
        default=None,
        description="Relaxed when the energy changes less than this from one step to the next, "
        "eV (the paper's 1e-5); without it, by `relax.max_force_eV_per_A`.",
    )
    sigma_eV: Positive = Field(default=0.2, description="Width of Gaussian smearing, eV.")
    kpoints: Mesh = Field(
        default=(5, 5, 5),
        description="Gamma-centred mesh for the first phase's cell; a supercell gets one coarser "
        "by its repeats.",
    )
    kpoints_aimd: Mesh = Field(
        default=(1, 1, 1), description="The same for molecular dynamics; chosen by borarun."
    )
    charge: Charge = Field(
        default=0.0,
        description="Charge of every cell in elementary charges, against a uniform background.",
    )
    incar: dict[
        str,
        bool
        | int
        | float
        | str
        | Annotated[list[bool | int | float | str], Field(max_length=1000)],
    ] = Field(
        default={},
        description="Further tags of the INCAR under their own names, e.g. `{NCORE: 4}`; they "
        "overrule borarun's.",
    )


class VaspReference(Keys, reference.ReferenceSection):
    """Density functional theory by VASP, under licence. Not spin-polarised. See docs/vasp.md."""

    LABELS_AGAIN: ClassVar[bool] = True

    engine: Literal["vasp"] = Field(description="VASP: density functional theory, under licence.")
    labels_per_task: Literal[1] = Field(
        default=1, description="Configurations that one task labels; VASP takes one a run."
    )
