"""What every study says, whatever it computes: its material, its functionals, its reference. The
defaults are those of the published work.

Source: Maltsev, Chepkasov, Oganov (2023), doi in README; where the paper is silent, the description
says that borarun chose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PrivateAttr,
    Strict,
    Tag,
)

from borarun.engines.registry import Reference
from borarun.input.messages import Name, Section
from borarun.input.renamed import Former, Renamed, WithFormerNames
from borarun.labels import without
from borarun.published import Published, obelix, shipped
from borarun.records.frames import Frames
from borarun.records.task import Given
from borarun.sections.values import (
    FilePath,
    Functional,
    PhaseName,
    Supercell,
)

SHARED_FOLDERS = ("store", "work")
"""Beside the folder of each study; see ``places.py``."""


def _free(name: str) -> str:
    if name.lower() in SHARED_FOLDERS:
        raise ValueError("is reserved for a folder that all studies share. Choose another name")
    return name


def _form(value: object) -> str:
    return (
        "charges"
        if isinstance(value, dict)
        else "list"
        if isinstance(value, list | tuple)
        else "ion"
    )


CHARGES = {
    **dict.fromkeys(["H", "Li", "Na", "K", "Rb", "Cs", "Ag"], (1,)),
    "Cu": (1, 2),
    **dict.fromkeys(["Mg", "Ca", "Sr", "Ba", "Zn"], (2,)),
    "Al": (3,),
    **dict.fromkeys(["F", "Cl", "Br", "I"], (-1,)),
    **dict.fromkeys(["O", "S"], (-2,)),
}
"""Charges of ions in solids, elementary charges, the usual one first, for elements that have been
seen to move.
"""

MobileIons = Annotated[
    Annotated[str, Tag("ion")]
    | Annotated[tuple[str, ...], Field(min_length=1, max_length=4), Strict(False), Tag("list")]
    | Annotated[
        dict[str, Annotated[int, Field(ge=-4, le=4)]],
        Field(min_length=1, max_length=4),
        Tag("charges"),
    ],
    Discriminator(_form),
]
"""An element, several, or several with their charges."""

AnionFormula = Annotated[str, Field(min_length=1, max_length=100)]
Anions = Annotated[
    Annotated[tuple[AnionFormula, ...], Field(max_length=6), Strict(False)],
    BeforeValidator(
        lambda value: [value] if isinstance(value, str) else value,
        json_schema_input_type=AnionFormula | tuple[AnionFormula, ...],
    ),
]
"""A formula, or a list of formulas, which may be empty."""

Kind = TypeVar("Kind", bound=Section)

StudyName = Annotated[Name, AfterValidator(_free)]


class Order(Section):
    """Ordered models of the phases whose sites are partly occupied, or shared by several elements.
    Each becomes a phase of its own, ``NAME-1``, ``NAME-2`` ...
    """

    supercell: Supercell = Field(
        default=(1, 1, 1),
        description="Repeats of the file's cell along a, b and c in which the atoms are ordered. "
        "The composition must be whole there. The study's other supercells repeat this one.",
    )
    models: Annotated[int, Field(ge=1, le=50)] = Field(
        default=5,
        description="How many models, from the lowest electrostatic energy up. Where something "
        "else than the mobile ions is disordered, they differ in that.",
    )
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        default=1, description="Seed of the search, where there are too many models to list."
    )
    charges: Annotated[dict[str, Annotated[float, Field(ge=-8, le=8)]], Field(strict=False)] = (
        Field(
            default={},
            description="Charges of ions by element, elementary charges, e.g. `{Fe: 3}`. Default: "
            "guessed from the usual oxidation states.",
        )
    )
    nearest: bool = Field(
        default=False,
        description="Whether to take the nearest neutral composition where the supercell cannot "
        "hold that of the file. `material.formula` is then that of the models.",
    )


class Moving:
    """What a material's keys say of its ions; studies and analyses share it."""

    if TYPE_CHECKING:
        mobile: MobileIons
        mobile_charge: int | None
        vacancies_of: str | None
        anions: Anions

    @property
    def ions(self) -> tuple[str, ...]:
        """Elements of the mobile ions, as the study lists them."""
        return (self.mobile,) if isinstance(self.mobile, str) else tuple(self.mobile)

    @property
    def vacancy_ion(self) -> str:
        """Element of the mobile ions that vacancies are made of."""
        return self.vacancies_of or self.ions[0]

    def charge(self, ion: str) -> int:
        """Charge of a mobile ion, elementary charges; 0 where neither the study nor `CHARGES` has
        one.
        """
        if isinstance(self.mobile, dict):
            return self.mobile[ion]
        return self.mobile_charge or CHARGES.get(ion, (0,))[0]


class Material(Section, Moving):
    """What is studied."""

    formula: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="Formula unit, e.g. `Li2B12H12`; every structure is checked against it."
    )
    phases: Annotated[dict[PhaseName, FilePath], Field(min_length=1)] = Field(
        description="Name of each phase and its structure file (CIF, POSCAR or extended XYZ) "
        "in this study's folder. Molecular dynamics starts from the first phase. `diffusion` "
        "starts from each model of it, where it is disordered."
    )
    order: Order | None = Field(
        default=None,
        description="Ordered models of phases with partly occupied sites. `{}` takes the defaults; "
        "`borarun order` shows the models beforehand.",
    )
    mobile: MobileIons = Field(
        description="Element of the mobile ions, e.g. `Li`; several as a list, `[Li, Na]`. With "
        "charges that are not the usual ones as a map, `{Cu: 2}`."
    )
    mobile_charge: Annotated[int, Field(ge=-4, le=4)] | None = Field(
        default=None,
        description="Charge of one mobile ion in elementary charges, where one element moves. "
        "Default: its usual charge, e.g. 1 of Li, 2 of Mg, -1 of F.",
    )
    vacancies_of: str | None = Field(
        default=None,
        description="Mobile ion that vacancies are made of, where several elements move. Default: "
        "the first.",
    )
    anions: Anions = Field(
        default=(),
        description="Formula of the molecular anions, e.g. `B12H12`, or a list of formulas, "
        "`[CB9H10, CB11H12]`; borarun finds them in the structures by their bonds. Default: none. "
        "All atoms that are neither mobile nor in an anion are the framework.",
    )


RENAMED = (Renamed(("material", "anion"), "anions", since="0.1.0"),)
"""Keys that have a new name."""


class Compare(Section):
    """Published values that the report sets ours beside. They change no result, and no task runs
    anew for them.
    """

    file: FilePath | None = Field(
        default=None,
        description="A file of published values in this study's folder. Its numbers replace those "
        "that ship with borarun.",
    )
    shipped: bool = Field(
        default=True, description="Whether to compare also with the values that ship with borarun."
    )
    obelix: bool = Field(
        default=True,
        description="Whether to compare also with the measured conductivities of OBELiX, a table "
        "of 599 lithium electrolytes at room temperature: every row of the study's composition.",
    )


class Study(WithFormerNames):
    """What every study says, whatever it computes: the base of its model, to which
    ``study/model.py`` adds the sections.
    """

    borarun: Literal[1] = Field(description="Version of this format.")
    name: StudyName = Field(
        description="Name of the study and of its run folder: letters, digits, `.`, `_` and `-`, "
        "at most 64."
    )
    extends: FilePath | None = Field(
        default=None,
        description="Another study file in this folder. This study takes its keys and changes some "
        "of them.",
    )
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        default=1, description="Seed of all random numbers."
    )
    material: Material = Field(
        description="The material: its formula, its structures and its mobile ion."
    )
    functionals: Annotated[tuple[Functional, ...], Field(min_length=1), Strict(False)] = Field(
        description="Density functionals. Everything is computed with each of them."
    )
    supercell: Supercell = Field(
        default=(3, 3, 3),
        description="Repeats of the cell along a, b and c in `heating` and `diffusion`.",
    )
    reference: Reference = Field(
        description="The program that computes the energies, forces and stresses for training."
    )
    _starts: tuple[str, ...] = PrivateAttr(default=())
    _texts: dict[str, str] = PrivateAttr(default_factory=dict)
    _warnings: list[str] = PrivateAttr(default_factory=list)
    _published: Published | None = PrivateAttr(default=None)
    _labels: dict[str, Given] = PrivateAttr(default_factory=dict)
    _configurations: Frames = PrivateAttr(default_factory=lambda: Frames.of([]))
    _n_atoms: int = PrivateAttr(default=0)
    _n_units: int = PrivateAttr(default=0)

    def section(self, kind: type[Kind]) -> Kind | None:
        """The study's section of a kind, e.g. ``study.section(Heating)``; None where it has
        none.
        """
        return next((each for each in self.__dict__.values() if isinstance(each, kind)), None)

    def sections(self, kind: type[Kind]) -> list[tuple[str, Kind]]:
        """Name and section of each subject that the study has, of a kind."""
        own = Study.model_fields
        return [
            (name, each)
            for name, each in self.__dict__.items()
            if name not in own and isinstance(each, kind)
        ]

    @property
    def phase(self) -> str:
        """Name of the phase that molecular dynamics starts from: the first."""
        return next(iter(self.material.phases))

    @property
    def starts(self) -> tuple[str, ...]:
        """Phases that molecular dynamics starts from: the first, or all models of it."""
        return self._starts or (self.phase,)

    def with_models(self, models: Mapping[str, Sequence[str]]) -> Self:
        """A copy whose disordered phases are replaced by their models.

        Parameters
        ----------
        models : names of the models of each disordered phase
        """
        material = self.material
        phases = {
            name: file
            for phase, file in material.phases.items()
            for name in models.get(phase, (phase,))
        }
        copy = self.model_copy(update={"material": material.model_copy(update={"phases": phases})})
        copy._starts = tuple(models.get(self.phase, ()))
        return copy

    def holding(
        self,
        *,
        texts: dict[str, str],
        n_atoms: int,
        n_units: int,
        warnings: list[str],
        former: list[Former],
        published: Published | None = None,
        labels: dict[str, Given] | None = None,
        configurations: Frames | None = None,
    ) -> Self:
        """A copy that holds what loading found beside the file's own values: structures by phase,
        counts of its cell, warnings, former names, published values, labels, configurations to
        label.
        """
        copy = self.having(former)
        if configurations is not None:
            copy._configurations = configurations
        copy._texts, copy._n_atoms, copy._n_units = texts, n_atoms, n_units
        copy._warnings, copy._published, copy._labels = warnings, published, labels or {}
        return copy

    def phase_text(self, phase: str) -> str:
        """Structure of a phase as extended XYZ text."""
        return self._texts[phase]

    def labels(self, functional: str) -> Given | None:
        """Labelled configurations that the study brings along for a functional, where it does."""
        return self._labels.get(functional)

    def configurations(self, functional: str) -> Frames:
        """Configurations that the study brings along for the reference to label, in order, without
        those whose labels for this functional it brings along too.
        """
        there = self.labels(functional)
        return without(self._configurations, there.frames) if there else self._configurations

    @property
    def published(self) -> Published:
        """Published values to compare with: those of the study's own file over those that ship with
        borarun and those of OBELiX, as `compare` has it.
        """
        found = self._published or Published({})
        compare = self.section(Compare) or Compare()
        if compare.shipped:
            found = found.over(shipped(self.material.formula))
        if compare.obelix:
            found = found.over(obelix.measured(self.material.formula))
        return found

    @property
    def warnings(self) -> list[str]:
        """What is allowed but worth knowing, one sentence each."""
        return self._warnings

    def n_atoms(self, supercell: tuple[int, int, int] = (1, 1, 1)) -> int:
        """Atoms in a supercell of the first phase, before vacancies."""
        return self._n_atoms * supercell[0] * supercell[1] * supercell[2]

    def formula_units(self, supercell: tuple[int, int, int] = (1, 1, 1)) -> int:
        """Formula units in a supercell of the first phase, before vacancies."""
        return self._n_units * supercell[0] * supercell[1] * supercell[2]
