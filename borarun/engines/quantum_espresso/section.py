"""What a study says of quantum-espresso."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from borarun.engines.reference import base as reference
from borarun.engines.reference.base import Mesh, Positive
from borarun.engines.reference.charge import ChargeKeys, odd


class Keys(BaseModel):
    """What a study says of the engine, and what is part of the settings of its tasks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: reference.Version = Field(
        default=None,
        description="Version of pw.x, complete or only its beginning, in quotes, e.g. "
        '`"7.2"` or `"7"`. Results of another version are then refused. Default: any version; '
        "each result records its own.",
    )
    pseudopotentials: Annotated[dict[str, str], Field(min_length=1)] = Field(
        description="File of each element, e.g. `{Li: Li.UPF}`; the site file gives the folder."
    )
    pseudopotential_md5: dict[str, str] = Field(
        default={},
        description="MD5 hash that the file of an element must have, as pw.x prints it and "
        "SSSP lists it; optional.",
    )
    ecutwfc_Ry: Positive = Field(
        default=80.0, description="Kinetic energy cutoff of the wave functions, Ry."
    )
    ecutrho_Ry: Positive = Field(
        default=640.0,
        description="Kinetic energy cutoff of the charge density, Ry: 8 times ecutwfc_Ry for "
        "ultrasoft and PAW, 4 times for norm-conserving pseudopotentials.",
    )
    kpoints: Mesh = Field(
        default=(1, 1, 1),
        description="Gamma-centred k-point mesh for the cell of the first phase; a supercell "
        "gets a mesh that is coarser by its repeats.",
    )
    degauss_Ry: Positive | None = Field(
        default=None,
        description="Width of Gaussian smearing, Ry; 0.0147 is 0.2 eV. Default: fixed "
        "occupations, which need an even number of electrons: an even number of neutral vacancies, "
        "or `charge_per_vacancy`.",
    )
    conv_thr_Ry: Positive = Field(
        default=1e-9,
        description="Convergence threshold of the electronic cycle: estimated error of the "
        "energy, Ry.",
    )
    espresso: dict[str, bool | int | float | str] = Field(
        default={},
        description="More keys of pw.x's namelists, under their own names, e.g. "
        "`{mixing_beta: 0.4}`.",
    )


class EspressoReference(ChargeKeys, Keys, reference.ReferenceSection):
    """Density functional theory by Quantum ESPRESSO's pw.x, free to install. Not spin-polarised.
    See docs/quantum-espresso.md.
    """

    LABELS_AGAIN: ClassVar[bool] = True
    STAND_IN: ClassVar[str] = ""

    engine: Literal["quantum-espresso"] = Field(
        description="Quantum ESPRESSO: density functional theory, free to install."
    )
    labels_per_task: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=10, description="Number of configurations that one task labels."
    )

    def findings(
        self, elements: Set[str], cells: Iterable[Mapping[int, int]]
    ) -> Iterator[tuple[str, str]]:
        """Elements without a pseudopotential, and fixed occupations of an odd number of
        electrons.
        """
        if lacking := sorted(elements - set(self.pseudopotentials)):
            yield (
                "pseudopotentials",
                f"must name a file for every element of the formula (got none for "
                f"{', '.join(lacking)}).",
            )
        if self.degauss_Ry is not None:
            return
        for counts in odd(self, cells):
            neutral = "" if self.charge_per_vacancy else "neutral "
            what = (
                f"{', '.join(map(str, counts))} {neutral}vacancies leave"
                if counts != [0]
                else "the cell has"
            )
            yield (
                "degauss_Ry",
                f"{what} an odd number of electrons, which is impossible with fixed "
                "occupations. Set a smearing, e.g. 0.0147 (0.2 eV).",
            )
            return
