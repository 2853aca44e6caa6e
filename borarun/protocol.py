"""The study's model: every section and key, with the published protocol as default.

Source: Maltsev, Chepkasov, Oganov (2023), doi in README; where the paper is silent, the description
says that borarun chose.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, Discriminator, Field, PlainSerializer, PrivateAttr, Strict, Tag
from pydantic_core import PydanticCustomError

from borarun.messages import Name, Section
from borarun.published import Published, shipped
from borarun.task import Given

MAX_SWEEP = 10_000
"""A sweep with more values than this is a slip of the pen."""

MAX_PATH = 200
"""Longest path in a study file, characters."""


VERSION = r"^[0-9]+(\.[0-9A-Za-z-]+)*$"
"""A program's version, or its beginning."""

SHARED_FOLDERS = ("store", "work")
"""Beside the folder of each study; see ``places.py``."""


def _free(name: str) -> str:
    if name.lower() in SHARED_FOLDERS:
        raise ValueError("must be another one, since all studies share a folder of this name")
    return name


StudyName = Annotated[Name, AfterValidator(_free)]
PhaseName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./() -]{0,39}$")]
FilePath = Annotated[str, Field(min_length=1, max_length=MAX_PATH, pattern=r"^[^\x00-\x1f\x7f]*$")]
Positive = Annotated[float, Field(gt=0, le=1e9)]
TimeStep = Annotated[float, Field(ge=0.01, le=1000)]
Kelvin = Annotated[float, Field(gt=0, lt=3000)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
PositiveInt = Annotated[int, Field(gt=0, le=1_000_000_000)]
Number = TypeVar("Number", bound=float)


class Range(Section, Generic[Number]):
    """Evenly spaced values from `from` to `to`, both included."""

    from_: Number = Field(alias="from", description="First value.")
    to: Number = Field(description="Last value; it is included.")
    step: Number = Field(gt=0, description="Distance between neighbouring values.")

    def values(self) -> list[float]:
        """The values in rising order; whole numbers stay whole."""
        if self.to < self.from_:
            raise PydanticCustomError("sweep_order", "`to` must not be below `from`")
        steps = (self.to - self.from_) / self.step
        if steps >= MAX_SWEEP:
            raise PydanticCustomError(
                "sweep_long", "holds more than {limit} values", {"limit": MAX_SWEEP}
            )
        if abs(steps - round(steps)) > 1e-6:
            context = {"first": f"{self.from_:g}", "last": f"{self.to:g}", "step": f"{self.step:g}"}
            raise PydanticCustomError(
                "sweep_end", "steps of {step} from {first} do not meet {last}", context
            )
        return [self.from_ + index * self.step for index in range(round(steps) + 1)]


def _form(value: Any) -> str:
    return (
        "range"
        if isinstance(value, dict | Range)
        else "list"
        if isinstance(value, list | tuple)
        else "number"
    )


def _sorted_values(value: Any) -> tuple[Any, ...]:
    values = (
        value.values()
        if isinstance(value, Range)
        else value
        if isinstance(value, list)
        else [value]
    )
    return tuple(sorted(set(values)))


def _sweep(item: Any) -> Any:
    """A number, a list of numbers or a range in the file; a sorted tuple without repeats in the
    model.
    """
    number = Annotated[item, Tag("number")]
    values = Annotated[
        list[item], Field(min_length=1, max_length=MAX_SWEEP), Strict(False), Tag("list")
    ]
    spaced = Annotated[Range[item], Tag("range")]
    return Annotated[
        number | values | spaced,
        Discriminator(_form),
        AfterValidator(_sorted_values),
        PlainSerializer(list),
    ]


if TYPE_CHECKING:
    Kelvins = tuple[float, ...]
    Counts = tuple[int, ...]
    Rates = tuple[float, ...]
else:
    Kelvins = _sweep(Kelvin)
    Rates = _sweep(Positive)
    Counts = _sweep(Count)

Peaks = Annotated[
    tuple[Annotated[float, Field(gt=0, le=1e4)], ...],
    Field(min_length=1, max_length=100),
    Strict(False),
]
Repeat = Annotated[int, Field(ge=1, le=50)]
Supercell = Annotated[tuple[Repeat, Repeat, Repeat], Strict(False)]

Functional = Literal[
    "PBE",
    "PBE-D3",
    "PBE-D3-zero",
    "rev-vdW-DF2",
    "vdW-DF2",
    "optB86b-vdW",
    "optB88-vdW",
    "optPBE-vdW",
    "SCAN+rVV10",
    "r2SCAN+rVV10",
]
"""``PBE-D3`` is D3 with Becke-Johnson damping, ``PBE-D3-zero`` with zero damping."""
CellMode = Literal["isotropic", "anisotropic", "triclinic"]

VACANCIES = (
    "Vacancies: how many mobile ions are removed, at random by the seed, from each supercell. A "
    "number, a list or a range."
)
CELL_MODE = (
    "How the barostat may change the cell: `isotropic` (one scale), `anisotropic` (each edge of "
    "its own), `triclinic` (edges and angles)."
)


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


class Relax(Section):
    """Relax each phase with each functional: lattice parameters, energies relative to the first
    phase.
    """

    max_force_eV_per_A: Positive = Field(
        default=0.005,
        description="Relaxed when no force along the directions that keep the space group is "
        "larger, eV/angstrom.",
    )
    max_steps: PositiveInt = Field(default=500, description="Give up after this many steps.")
    ground_state: PhaseName | None = Field(
        default=None,
        description="The phase that is measured to be stable at low temperature; the report marks "
        "functionals that put another below it.",
    )
    measured_A: dict[PhaseName, Annotated[tuple[Positive, Positive, Positive], Strict(False)]] = (
        Field(
            default_factory=dict,
            description="Measured lattice parameters a, b, c of phases, angstrom, to compare with.",
        )
    )


class Phonons(Section):
    """Phonons of relaxed phases by finite displacements; their peaks against measured ones rank the
    functionals.
    """

    phases: Annotated[tuple[PhaseName, ...], Field(min_length=1), Strict(False)] | None = Field(
        default=None, description="Phases of the material; without it the first."
    )
    supercell: Supercell = Field(
        default=(1, 1, 1), description="Repeats of the relaxed cell along a, b and c."
    )
    displacement_A: Annotated[float, Field(gt=0, le=0.5)] = Field(
        default=0.01, description="How far atoms are displaced, angstrom."
    )
    mesh: Supercell = Field(
        default=(4, 4, 4),
        description="Points of the Gamma-centred mesh along the three reciprocal vectors.",
    )
    width_meV: Annotated[float, Field(gt=0, le=20)] = Field(
        default=1.0,
        description="Standard deviation of the Gaussians in the density of states, meV; about the "
        "resolution of the measurement.",
    )
    path: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Z0-9,]+$")] | None = (
        Field(
            default=None,
            description="Corners of the band structure in the notation of Setyawan and "
            "Curtarolo, e.g. `GXMG,R`; without it the lattice's whole path.",
        )
    )
    temperatures_K: Kelvins = Field(
        default=(300.0,), description="Free energy and heat capacity at these temperatures, K."
    )
    peaks_meV: Peaks | None = Field(
        default=None, description="Measured positions of peaks in the vibrational spectrum, meV."
    )
    peaks_per_cm: Peaks | None = Field(default=None, description="The same in cm^-1 instead.")


class Aimd(Section):
    """Short molecular dynamics with the reference engine (NPT, Langevin); its frames are the first
    training set.
    """

    temperature_K: Kelvins = Field(
        default=(1000.0,), description="Temperatures, K. A number, a list or a range."
    )
    time_ps: Positive = Field(default=1.0, description="Length of each run, ps.")
    timestep_fs: TimeStep = Field(
        default=1.0, description="Time step, fs; at most 1 with hydrogen."
    )
    sample_every_fs: Positive = Field(
        default=1.0, description="Keep a configuration this often, fs; a multiple of the time step."
    )
    friction_per_ps: Positive = Field(
        default=10.0, description="Friction of the Langevin thermostat, 1/ps."
    )
    vacancies: Counts = Field(default=(0,), description=VACANCIES)
    supercell: Supercell = Field(
        default=(1, 1, 1), description="Repeats of the structure's cell along a, b and c."
    )


class TrainingSet(Section):
    """The first labelled configurations."""

    labels: dict[Functional, FilePath] = Field(
        default={},
        description="Labelled configurations that you have, by the functional that they were "
        "computed with, in this study's folder, e.g. `{PBE-D3: labels.extxyz}`: "
        "extended XYZ (eV, eV/angstrom, eV/angstrom^3 with ASE's sign) or MLIP's "
        "cfg. They must come from the settings of `reference`, which labels what is "
        "added.",
    )
    cfg_elements: (
        Annotated[tuple[str, ...], Field(min_length=1, max_length=100), Strict(False)] | None
    ) = Field(
        default=None,
        description="Elements of the types 0, 1, 2 ... in cfg files of `labels`, e.g. "
        "`[Li, B, H]`.",
    )
    aimd: Aimd | None = Field(
        default=None,
        description="Short molecular dynamics with the reference engine. Without this key it "
        "runs, by its defaults, for functionals that have no `labels`; with it for "
        "all.",
    )
    contacts: Count = Field(
        default=0,
        description="Configurations with two ions pushed together, labelled and learnt whole: "
        "they show the potential the repulsive wall, which molecular dynamics seldom "
        "climbs.",
    )
    strained_bonds: Count = Field(
        default=0,
        description="Configurations with an outer atom of an anion, as a hydrogen of B12H12, "
        "pushed in and pulled out along its bond in turn, labelled and learnt whole: "
        "without them a potential may let it go, or fall in.",
    )
    validation_fraction: Annotated[float, Field(gt=0, lt=0.9)] = Field(
        default=0.1,
        description="Part of these configurations that is held out of the fit, to judge it; what "
        "active learning selects is learnt whole.",
    )

    @property
    def dynamics(self) -> Aimd:
        """How molecular dynamics with the reference is done, where it is."""
        return self.aimd or Aimd()

    def runs_dynamics(self, functional: str) -> bool:
        """Whether molecular dynamics with the reference is done for a functional."""
        return self.aimd is not None or functional not in self.labels


class AnyPotential(Section):
    """What every engine of potentials is told."""

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


class ActiveLearning(Section):
    """Explore with the potential, label what it does not know, fit again, until a whole round stays
    in the known region.
    """

    threshold_save: Annotated[float, Field(gt=1)] = Field(
        default=2.1, description="Configurations of a higher extrapolation grade are kept."
    )
    threshold_break: Annotated[float, Field(gt=1)] = Field(
        default=11.0, description="A run stops at this extrapolation grade."
    )
    grade_every: PositiveInt = Field(
        default=10, description="Time steps between two looks at the grade; chosen by borarun."
    )
    from_K: Kelvin = Field(default=10.0, description="Exploration heats from here, K.")
    heat_to_K: Kelvin = Field(default=1000.0, description="to here, K,")
    heat_ns: Positive = Field(default=1.0, description="within this time, ns,")
    hold_ns: Positive = Field(default=10.0, description="and then stays there for this time, ns.")
    timestep_fs: TimeStep = Field(
        default=1.0, description="Time step, fs; at most 1 with hydrogen."
    )
    cell: CellMode = Field(default="isotropic", description=CELL_MODE)
    vacancies: Counts = Field(default=(0,), description=VACANCIES)
    supercell: Supercell = Field(
        default=(1, 1, 1), description="Repeats of the structure's cell along a, b and c."
    )
    runs: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1, description="Independent exploration runs (seeds) per round and vacancy count."
    )
    max_rounds: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=20, description="Stop after this many rounds even if the last was not clean."
    )
    max_labels_per_round: PositiveInt = Field(
        default=50,
        description="Configurations labelled per round at most; the most informative ones.",
    )


class Heating(Section):
    """Heat and cool the supercell: lattice parameter against temperature, transition
    temperature.
    """

    from_K: Kelvin = Field(default=10.0, description="Lowest temperature, K.")
    to_K: Kelvin = Field(default=1000.0, description="Highest temperature, K.")
    rate_K_per_ps: Rates = Field(
        default=(1.0,),
        description="Heating rate, K/ps. With several, all is heated and cooled at each: "
        "hysteresis against rate.",
    )
    cooling_rate_K_per_ps: Rates = Field(
        default=(0.1,),
        description="Cooling rate, K/ps: one, or as many as heating rates; the slowest cooling "
        "then follows the slowest heating.",
    )
    timestep_fs: TimeStep = Field(
        default=0.5, description="Time step, fs; at most 1 with hydrogen."
    )
    sample_every_fs: Positive = Field(
        default=50.0, description="Keep a frame this often, fs; a multiple of the time step."
    )
    cell: CellMode = Field(default="isotropic", description=CELL_MODE)
    pressure_bar: Annotated[float, Field(ge=-1e5, le=1e7)] = Field(
        default=0.0, description="Pressure, bar."
    )
    vacancies: Counts = Field(default=(0,), description=VACANCIES)

    def ramps(self) -> list[tuple[float, float]]:
        """(heating rate, rate of the cooling that follows), K/ps."""
        cooling = self.cooling_rate_K_per_ps
        return list(
            zip(
                self.rate_K_per_ps,
                cooling * len(self.rate_K_per_ps) if len(cooling) == 1 else cooling,
                strict=True,
            )
        )


class Diffusion(Section):
    """Molecular dynamics at fixed temperatures: diffusivity, ionic conductivity, activation
    energy.
    """

    functional: Functional | None = Field(
        default=None, description="One of the study's functionals; without it all of them."
    )
    temperatures_K: Kelvins = Field(
        default=tuple(float(kelvin) for kelvin in range(200, 701, 25)),
        description="Temperatures, K. A number, a list or a range.",
    )
    vacancies: Counts = Field(default=(0, 1, 2, 4, 8, 12), description=VACANCIES)
    vacancy_temperatures_K: Kelvins | None = Field(
        default=None,
        description="Temperatures of the runs with vacancies, K; without it those of "
        "temperatures_K.",
    )
    from_K: Kelvin = Field(
        default=10.0, description="Each run is heated from here to its temperature, K."
    )
    heat_rate_K_per_ps: Positive = Field(default=1.0, description="Rate of that heating, K/ps.")
    equilibrate_ns: Positive = Field(
        default=0.2, description="Time at temperature before counting starts, ns."
    )
    time_ns: Positive = Field(default=1.0, description="Time that is counted, ns.")
    timestep_fs: TimeStep = Field(
        default=0.5, description="Time step, fs; at most 1 with hydrogen."
    )
    sample_every_fs: Positive = Field(
        default=50.0, description="Keep a frame this often, fs; a multiple of the time step."
    )
    cell: CellMode = Field(default="isotropic", description=CELL_MODE)
    pressure_bar: Annotated[float, Field(ge=-1e5, le=1e7)] = Field(
        default=0.0, description="Pressure, bar."
    )
    runs: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1, description="Independent runs (seeds) at each temperature and vacancy count."
    )

    def temperatures_of(self, vacancies: int) -> tuple[float, ...]:
        """Temperatures of the runs with so many vacancies, rising, K."""
        return (vacancies and self.vacancy_temperatures_K) or self.temperatures_K

    def points(self) -> Iterator[tuple[int, float]]:
        """(vacancies, temperature) of every run but for its repeats."""
        return (
            (count, temperature)
            for count in self.vacancies
            for temperature in self.temperatures_of(count)
        )


class Vibrations(Section):
    """Short molecular dynamics with frames so dense that the vibrational density of states follows
    from them. The defaults are borarun's choice.
    """

    functional: Functional | None = Field(
        default=None, description="One of the study's functionals; without it all of them."
    )
    temperatures_K: Kelvins = Field(
        default=(300.0,), description="Temperatures, K. A number, a list or a range."
    )
    vacancies: Counts = Field(default=(0,), description=VACANCIES)
    from_K: Kelvin = Field(
        default=10.0, description="Each run is heated from here to its temperature, K."
    )
    heat_rate_K_per_ps: Positive = Field(default=50.0, description="Rate of that heating, K/ps.")
    equilibrate_ps: Positive = Field(
        default=5.0, description="Time at temperature before counting starts, ps."
    )
    time_ps: Positive = Field(default=20.0, description="Time that is counted, ps.")
    timestep_fs: TimeStep = Field(
        default=0.5, description="Time step, fs; at most 1 with hydrogen."
    )
    sample_every_fs: Annotated[float, Field(gt=0, le=6)] = Field(
        default=4.0,
        description="Keep a frame this often, fs; at most 6, or a stretch of B-H (13 fs) is "
        "lost; a multiple of the time step.",
    )
    cell: CellMode = Field(default="isotropic", description=CELL_MODE)
    pressure_bar: Annotated[float, Field(ge=-1e5, le=1e7)] = Field(
        default=0.0, description="Pressure, bar."
    )


class Reorientation(Section):
    """Rotation of the anions, from the runs of `diffusion`."""

    anions: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3, description="How many anions are drawn as series of theta and phi."
    )


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


class Study(Section):
    """A borarun study: what is computed, the same on every machine. A section that is absent is not
    run.
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
    relax: Relax | None = Field(
        default=None, description="Relax each phase. `{}` takes the defaults."
    )
    phonons: Phonons | None = Field(
        default=None, description="Phonons of relaxed phases. `{}` takes the defaults."
    )
    training_set: TrainingSet | None = Field(
        default=None, description="The first labelled configurations. `{}` takes the defaults."
    )
    potential: Potential | None = Field(
        default=None,
        description="The moment tensor potential and its fit. `{}` takes the defaults.",
    )
    active_learning: ActiveLearning | None = Field(
        default=None, description="Extend the training set actively. `{}` takes the defaults."
    )
    heating: Heating | None = Field(
        default=None, description="Lattice parameter against temperature. `{}` takes the defaults."
    )
    diffusion: Diffusion | None = Field(
        default=None, description="Diffusivity and conductivity. `{}` takes the defaults."
    )
    reorientation: Reorientation | None = Field(
        default=None, description="Rotation of the anions. `{}` takes the defaults."
    )
    vibrations: Vibrations | None = Field(
        default=None, description="Vibrational density of states. `{}` takes the defaults."
    )
    compare: Compare | None = Field(
        default=None,
        description="Published values to compare with; without it those that ship with borarun.",
    )

    _texts: dict[str, str] = PrivateAttr(default_factory=dict)
    _warnings: list[str] = PrivateAttr(default_factory=list)
    _published: Published | None = PrivateAttr(default=None)
    _labels: dict[str, Given] = PrivateAttr(default_factory=dict)
    _n_atoms: int = PrivateAttr(default=0)
    _n_units: int = PrivateAttr(default=0)

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
        return (
            own.over(shipped(self.material.formula))
            if self.compare is None or self.compare.shipped
            else own
        )

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
