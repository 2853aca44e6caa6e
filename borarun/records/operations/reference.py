"""What a reference engine leaves: a relaxed structure, labels, or labels along a run of molecular
dynamics.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from borarun.records.operations.base import Facts, FramesItem


class Potcar(BaseModel):
    """A POTCAR that VASP read."""

    model_config = ConfigDict(frozen=True)

    titel: str
    sha256: str
    zval: float


class Pseudopotential(BaseModel):
    """A pseudopotential that pw.x read."""

    model_config = ConfigDict(frozen=True)

    file: str
    md5: str


class Correction(BaseModel):
    """What custodian changed in a run, and why."""

    model_config = ConfigDict(frozen=True)

    handler: str
    errors: tuple[str, ...]
    actions: tuple[JsonValue, ...] = Field(default=(), description="as custodian gives them")


class Computed(Facts):
    """Shared by all operations of the reference engines: the files and corrections behind them."""

    potcars: dict[str, Potcar] = Field(default={}, description="of VASP, by element")
    vdw_kernel_sha256: str | None = Field(default=None, description="of VASP's kernel, where used")
    corrections: tuple[Correction, ...] = Field(default=(), description="of VASP's runs, in order")
    pseudopotentials: dict[str, Pseudopotential] = Field(
        default={}, description="of Quantum ESPRESSO, by element"
    )


class Relaxed(Computed):
    """A structure relaxed to its lowest energy: `relax`."""

    energy_eV_per_atom: float
    lattice_A: tuple[float, float, float] = Field(description="a, b, c")
    angles_deg: tuple[float, float, float] = Field(description="alpha, beta, gamma")
    volume_A3: float
    max_force_eV_per_A: float = Field(
        description="as it was tested: along the directions that keep the space group"
    )
    max_stress_kbar: float | None = Field(
        default=None, description="largest component that is left; of VASP"
    )
    space_group: str = Field(description="symbol and number, `Pa-3 (205)`")
    steps: int

    STRUCTURE = FramesItem("structure", "the relaxed structure, labelled")


class Labelled(Computed):
    """Configurations with energy, forces and stress: `label`."""

    n_labels: int

    LABELS = FramesItem("labels", "the labelled configurations")


class Sampled(Labelled):
    """Labelled samples of a run of ab initio molecular dynamics: `aimd`."""

    temperature_K: float = Field(description="mean")
    steps: int
    ensemble: str = Field(default="", description="with thermostat and barostat, in words")
    unconverged: int = Field(
        default=0, description="samples left out because their electrons did not converge"
    )
