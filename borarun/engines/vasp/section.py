"""What a study says of vasp."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from borarun.engines.reference import base as reference
from borarun.engines.reference.base import Mesh, Positive
from borarun.engines.reference.charge import ChargeKeys
from borarun.engines.vasp.inputs import KIND_OF_RUN, STUDY_KEYS


class Keys(BaseModel):
    """What a study says of the engine, and what is part of the settings of its tasks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: reference.Version = Field(
        default=None,
        description="Version of VASP, complete or only its beginning, in quotes, e.g. "
        '`"6.4.2"` or `"6.4"`. Results of another version are then refused. Default: any version; '
        "each result records its own.",
    )
    potcar: Annotated[dict[str, Annotated[str, Field(max_length=60)]], Field(min_length=1)] = Field(
        description='TITEL of the POTCAR of each element, e.g. `{Li: "PAW_PBE Li_sv '
        '10Sep2004"}`; the '
        "site file says in which folder they are."
    )
    encut_eV: Positive = Field(default=600.0, description="Plane-wave cutoff, eV.")
    ediff_eV: Positive = Field(
        default=1e-6,
        description="Convergence threshold of the electronic cycle: change of the energy, eV.",
    )
    ionic_tolerance_eV: Positive | None = Field(
        default=None,
        description="Relaxation ends when the energy changes by less than this from step to "
        "step, eV (1e-5 in the paper). Default: it ends by "
        "`relax.max_force_eV_per_A`.",
    )
    sigma_eV: Positive = Field(default=0.2, description="Width of Gaussian smearing, eV.")
    kpoints: Mesh = Field(
        default=(5, 5, 5),
        description="Gamma-centred k-point mesh for the cell of the first phase; a supercell "
        "gets a mesh that is coarser by its repeats.",
    )
    kpoints_aimd: Mesh = Field(
        default=(1, 1, 1),
        description="The same for molecular dynamics. The default is borarun's choice.",
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
        description="More INCAR tags, e.g. `{NCORE: 4}`. They override the tags that borarun sets.",
    )


class VaspReference(ChargeKeys, Keys, reference.ReferenceSection):
    """Density functional theory by VASP, under licence. Not spin-polarised. See docs/vasp.md."""

    LABELS_AGAIN: ClassVar[bool] = True
    STAND_IN: ClassVar[str] = ""

    engine: Literal["vasp"] = Field(description="VASP: density functional theory, under licence.")
    labels_per_task: Literal[1] = Field(
        default=1, description="Number of configurations per task; VASP takes one per run."
    )

    def findings(
        self, elements: Set[str], cells: Iterable[Mapping[int, int]]
    ) -> Iterator[tuple[str, str]]:
        """Elements without a POTCAR."""
        if lacking := sorted(elements - set(self.potcar)):
            yield (
                "potcar",
                "must name a TITEL for every element of the formula (got none for "
                f"{', '.join(lacking)}).",
            )

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Tags that override what other keys set."""
        for tag, value in self.incar.items():
            if tag in STUDY_KEYS:
                yield f"incar.{tag}", f"{value} overrides {STUDY_KEYS[tag]}."
            if tag in KIND_OF_RUN:
                yield (
                    f"incar.{tag}",
                    f"{value} applies to relaxations, labels and molecular dynamics alike, "
                    "although each needs its own value.",
                )
