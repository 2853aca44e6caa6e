"""What every study says: its material, its functionals, its reference; published protocol as
default.

Source: Maltsev, Chepkasov, Oganov (2023), doi in README; where the paper is silent, the description
says that borarun chose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Discriminator, Field, PrivateAttr, Strict, Tag

from borarun.messages import Name, Section
from borarun.published import Published, shipped
from borarun.task import Given
from borarun.values import (
    VERSION,
    FilePath,
    Functional,
    PhaseName,
    Positive,
    PositiveInt,
    Supercell,
)

SHARED_FOLDERS = ("store", "work")
"""Beside the folder of each study; see ``places.py``."""


def _free(name: str) -> str:
    if name.lower() in SHARED_FOLDERS:
        raise ValueError("must be another one, since all studies share a folder of this name")
    return name


Kind = TypeVar("Kind", bound=Section)

StudyName = Annotated[Name, AfterValidator(_free)]


class Material(Section):
    """What is studied."""

    formula: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="Formula unit, e.g. `Li2B12H12`; every structure is checked against it."
    )
    phases: Annotated[dict[PhaseName, FilePath], Field(min_length=1)] = Field(
        description="Name of each phase and its structure file (CIF, POSCAR or extended XYZ), in "
        "this study's folder. Molecular dynamics starts from the first."
    )
    mobile: str = Field(description="Element of the ions that move, e.g. `Li`.")
    mobile_charge: Annotated[int, Field(ge=-4, le=4)] = Field(
        default=1, description="Charge of one mobile ion in elementary charges."
    )
    anion: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="Formula of one molecular anion, e.g. `B12H12`; it is looked for in the "
        "structures by its bonds."
    )


class BundledReference(Section):
    """The potential that ships with borarun: it stands in for DFT, and is none. Needs nothing else
    installed.
    """

    engine: Literal["bundled"] = Field(
        description="The potential that ships with borarun: it stands in for DFT, and is none."
    )
    labels_per_task: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=100, description="Configurations that one task labels."
    )


class SevenNetReference(Section):
    """SevenNet-0, a pretrained graph network (PBE), with or without D3(BJ) dispersion. Needs `pip
    install 'borarun[sevennet]'`.
    """

    engine: Literal["sevennet"] = Field(
        description="SevenNet-0 (PBE), with D3(BJ) dispersion for PBE-D3."
    )
    labels_per_task: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=25, description="Configurations that one task labels."
    )


class VaspReference(Section):
    """Density functional theory by VASP, under licence. Not spin-polarised. See docs/vasp.md."""

    engine: Literal["vasp"] = Field(description="VASP: density functional theory, under licence.")
    labels_per_task: Literal[1] = Field(
        default=1, description="Configurations that one task labels; VASP takes one a run."
    )
    version: Annotated[str, Field(pattern=VERSION, max_length=40)] | None = Field(
        default=None,
        description='Version of VASP, whole or its beginning, in quotes, e.g. `"6.4.2"` or '
        '`"6.4"`: part '
        "of every key, and what another version computed "
        "fails. Without it any will do, and each result tells its own.",
    )
    potcar: Annotated[dict[str, str], Field(min_length=1)] = Field(
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
    kpoints: Supercell = Field(
        default=(5, 5, 5),
        description="Gamma-centred mesh for the first phase's cell; a supercell gets one coarser "
        "by its repeats.",
    )
    kpoints_aimd: Supercell = Field(
        default=(1, 1, 1), description="The same for molecular dynamics; chosen by borarun."
    )
    charge: Annotated[float, Field(ge=-100, le=100)] = Field(
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


class EspressoReference(Section):
    """Density functional theory by Quantum ESPRESSO's pw.x, free to install. Not spin-polarised.
    See docs/quantum-espresso.md.
    """

    engine: Literal["quantum-espresso"] = Field(
        description="Quantum ESPRESSO: density functional theory, free to install."
    )
    labels_per_task: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=10, description="Configurations that one task labels."
    )
    version: Annotated[str, Field(pattern=VERSION, max_length=40)] | None = Field(
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
    kpoints: Supercell = Field(
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
    charge: Annotated[float, Field(ge=-100, le=100)] = Field(
        default=0.0,
        description="Charge of every cell in elementary charges, against a uniform background.",
    )
    espresso: dict[str, bool | int | float | str] = Field(
        default={},
        description="Further keys of pw.x's namelists under their own names, e.g. `{mixing_beta: "
        "0.4}`.",
    )


Reference = Annotated[
    BundledReference | SevenNetReference | VaspReference | EspressoReference,
    Field(discriminator="engine"),
]


class AnyPotential(Section):
    """What every engine of potentials is told."""

    if TYPE_CHECKING:  # each engine has it, under its own name
        engine: str

    level: Literal[6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28] = Field(
        default=20, description="Level of the MTP: higher is slower and finer."
    )
    cutoff_A: Annotated[float, Field(ge=2, le=15)] = Field(
        default=5.0, description="Cutoff radius, angstrom."
    )
    radial_basis_size: Annotated[int, Field(ge=2, le=30)] = Field(
        default=8, description="Number of radial basis functions."
    )
    energy_weight: Annotated[float, Field(ge=0)] = Field(
        default=1.0, description="Weight of energies in the fit, as in MLIP-3."
    )
    force_weight: Annotated[float, Field(ge=0)] = Field(
        default=0.01, description="Weight of forces in the fit, as in MLIP-3."
    )
    stress_weight: Annotated[float, Field(ge=0)] = Field(
        default=0.001, description="Weight of stresses in the fit, as in MLIP-3."
    )


class MotepPotential(AnyPotential):
    """The moment tensor potential (MTP) and its fit by Levenberg and Marquardt's method. Needs
    nothing else installed.
    """

    engine: Literal["motep"] = Field(
        default="motep", description="Trained and selected for by borarun and motep."
    )
    max_evaluations: PositiveInt = Field(
        default=100, description="Evaluations of the whole training set that one fit may take."
    )


class Mlip3Potential(AnyPotential):
    """The moment tensor potential (MTP) and its fit by MLIP-3. Needs its program `mlp`."""

    engine: Literal["mlip-3"] = Field(description="Trained and selected for by MLIP-3.")
    iteration_limit: PositiveInt = Field(
        default=1000, description="Iterations (BFGS) that one fit may take."
    )
    al_mode: Literal["cfg", "nbh"] = Field(
        default="nbh",
        description="Active learning by whole configurations (`cfg`, what MLIP-3 does unasked; "
        "needs more labels than the potential has parameters) or by neighbourhoods "
        "(`nbh`); chosen by borarun, whose own grades are of neighbourhoods.",
    )
    cut_radius_A: Annotated[float, Field(ge=2, le=30)] | None = Field(
        default=None,
        description="With `nbh`: label not whole candidates but the worst neighbourhood of each, "
        "cut out this far around its centre, angstrom. For cells too large to label.",
    )


def _engine(value: Any) -> str:
    return str(
        value.get("engine", "motep")
        if isinstance(value, dict)
        else getattr(value, "engine", "motep")
    )


Potential = Annotated[
    Annotated[MotepPotential, Tag("motep")] | Annotated[Mlip3Potential, Tag("mlip-3")],
    Discriminator(_engine),
]


class Compare(Section):
    """Published values that the report sets ours beside. They change no result, and no task runs
    anew for them.
    """

    file: FilePath | None = Field(
        default=None,
        description="A file of published values in this study's folder; where it has a number "
        "that ships with borarun, it replaces that.",
    )
    shipped: bool = Field(
        default=True, description="Whether to compare with the values that ship with borarun too."
    )


class Header(Section):
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
        description="Another study file in this folder, whose keys this one takes over and "
        "changes.",
    )
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        default=1, description="All random numbers follow from it."
    )
    material: Material = Field(
        description="The material: its formula, its structures, which of its ions moves."
    )
    functionals: Annotated[tuple[Functional, ...], Field(min_length=1), Strict(False)] = Field(
        description="Everything is done with each of these density functionals."
    )
    supercell: Supercell = Field(
        default=(3, 3, 3),
        description="Repeats of the cell along a, b and c in `heating` and `diffusion`.",
    )
    reference: Reference = Field(
        description="The program that gives the energies, forces and stresses to learn from."
    )
    _texts: dict[str, str] = PrivateAttr(default_factory=dict)
    _warnings: list[str] = PrivateAttr(default_factory=list)
    _published: Published | None = PrivateAttr(default=None)
    _labels: dict[str, Given] = PrivateAttr(default_factory=dict)
    _n_atoms: int = PrivateAttr(default=0)
    _n_units: int = PrivateAttr(default=0)

    def section(self, kind: type[Kind]) -> Kind | None:
        """The study's section of a kind, e.g. ``study.section(Heating)``; None where it has
        none.
        """
        return next((each for each in self.__dict__.values() if isinstance(each, kind)), None)

    @property
    def phase(self) -> str:
        """Name of the phase that molecular dynamics starts from: the first."""
        return next(iter(self.material.phases))

    def attach(
        self,
        *,
        texts: dict[str, str],
        n_atoms: int,
        n_units: int,
        warnings: list[str],
        published: Published | None = None,
        labels: dict[str, Given] | None = None,
    ) -> None:
        """Keep what loading found beside the file's own values: structures by phase, counts of its
        cell, warnings, published values, labels.
        """
        self._texts, self._n_atoms, self._n_units, self._warnings, self._published = (
            texts,
            n_atoms,
            n_units,
            warnings,
            published,
        )
        self._labels = labels or {}

    def phase_text(self, phase: str) -> str:
        """Structure of a phase as extended XYZ text."""
        return self._texts[phase]

    def labels(self, functional: str) -> Given | None:
        """Labelled configurations that the study brings along for a functional, where it does."""
        return self._labels.get(functional)

    @property
    def published(self) -> Published:
        """Published values to compare with: those of the study's own file over those that ship with
        borarun, as `compare` has it.
        """
        own = self._published or Published({})
        compare = self.section(Compare) or Compare()
        return own.over(shipped(self.material.formula)) if compare.shipped else own

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
