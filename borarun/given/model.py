"""What an analysis of given trajectories is told, by flags or by a file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from borarun.input.messages import Section
from borarun.input.renamed import WithFormerNames
from borarun.sections.study import Anions, MobileIons, Moving, StudyName
from borarun.sections.values import FilePath, Kelvin, Positive, PositiveInt, Supercell, TimeStep

Units = Literal["metal", "real", "electron", "nano", "micro", "cgs", "si"]
Symbol = Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")]
Symbols = Annotated[tuple[Symbol, ...], Field(min_length=1, max_length=100), Strict(False)]
FreeText = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Reading(Section):
    """What a file may not say; a trajectory may differ in it from the others."""

    timestep_fs: TimeStep | None = Field(
        default=None, description="Time step of the run, fs; for files that count steps."
    )
    interval_fs: Positive | None = Field(
        default=None,
        description="Time from one frame to the next, fs; for files that do not say it.",
    )
    elements: Symbols | None = Field(
        default=None, description="Elements of the atom types of a LAMMPS dump, in their order."
    )
    units: Units | None = Field(
        default=None, description="LAMMPS's `units` of the run; metal and real need not be told."
    )
    topology: FilePath | None = Field(
        default=None,
        description="File with the elements of an xtc, trr or dcd, such as a .gro or .pdb.",
    )
    skip_ps: Annotated[float, Field(ge=0, le=1e9)] | None = Field(
        default=None, description="Time at the beginning that is left out, ps."
    )
    stride: PositiveInt | None = Field(
        default=None, description="Keep every Nth frame only, to save memory and time."
    )


class OneTrajectory(Reading):
    """One file, of one temperature."""

    file: FilePath = Field(description="The trajectory.")
    temperature_K: Kelvin = Field(description="Temperature of the run, K.")


class AnalysedMaterial(Section, Moving):
    """What the trajectories are of."""

    mobile: MobileIons = Field(
        description="Element of the ions that move, e.g. `Li`; several as a list, `[Li, Na]`. With "
        "charges that are not the usual ones as a map, `{Cu: 2}`."
    )
    mobile_charge: Annotated[int, Field(ge=-4, le=4)] | None = Field(
        default=None,
        description="Charge of one mobile ion in elementary charges, where one element moves. "
        "Default: its usual charge.",
    )
    vacancies_of: str | None = Field(
        default=None,
        description="Mobile ion that vacancies are of, where several elements move. Default: the "
        "first.",
    )
    anions: Anions = Field(
        default=(),
        description="Formula of the molecular anions, e.g. `B12H12`, or a list of formulas; they "
        "are looked for by their bonds. Default: none. All atoms that are neither mobile nor in an "
        "anion are the framework.",
    )
    formula: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None,
        description="Formula unit of the crystal without vacancies, e.g. `Li2B12H12`; without it, "
        "that of the first frame.",
    )
    supercell: Supercell = Field(
        default=(1, 1, 1),
        description="How many unit cells the simulated cell has along a, b and c: densities are "
        "folded into one.",
    )


class Analysis(Reading, WithFormerNames):
    """An analysis of trajectories that are there already. Files of one temperature are taken as
    independent runs.
    """

    borarun: Literal[1] = Field(description="Version of this format.")
    name: StudyName = Field(description="Name of the analysis and of its folder.")
    material: AnalysedMaterial = Field(
        description="The material: which of its ions move, what its molecular anions are."
    )
    method: FreeText = Field(
        default="given",
        description="What computed the forces, e.g. `PBE-D3` or `MACE-MP-0`; shown beside all "
        "numbers.",
    )
    trajectories: Annotated[
        tuple[OneTrajectory, ...], Field(min_length=1, max_length=1000), Strict(False)
    ] = Field(description="The files, each with its temperature.")

    def reading(self, trajectory: OneTrajectory) -> Reading:
        """What holds for a trajectory: what it says itself, else what is said for all."""
        names = Reading.model_fields
        return Reading(
            **{
                name: getattr(self, name) if (own := getattr(trajectory, name)) is None else own
                for name in names
            }
        )
