"""What the program of the references that ASE drives is told."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, RootModel

from borarun.engines.job import Job


class ReferenceJob(Job):
    """What every job says.

    Attributes
    ----------
    calculator : folder of engines whose ``calculator.py`` computes
    """

    operation: str
    calculator: str
    functional: str


class RelaxJob(ReferenceJob):
    """A relaxation; ``ReferenceSettings`` explains the names."""

    operation: Literal["relax"] = "relax"
    fmax_eV_per_A: float
    max_stress_kbar: float
    max_steps: int
    relax_cell: bool
    keep_symmetry: bool


class LabelJob(ReferenceJob):
    """Labels of configurations."""

    operation: Literal["label"] = "label"


class AimdJob(ReferenceJob):
    """Ab initio molecular dynamics; a sample every ``sample_every`` of its ``steps``."""

    operation: Literal["aimd"] = "aimd"
    temperature_K: float
    timestep_fs: float
    friction_per_ps: float
    pressure_bar: float
    seed: int
    steps: int
    sample_every: int


class AnyJob(RootModel[Annotated[RelaxJob | LabelJob | AimdJob, Discriminator("operation")]]):
    """One of them, as its file says."""


class Dynamics(Job):
    """Where a run of molecular dynamics goes on after a kill.

    Attributes
    ----------
    steps : that are done
    positions, momenta, cell : (N, 3), (N, 3) and (3, 3), in ASE's units
    cell_momentum, cell_force : of the barostat
    rng : state of numpy's generator of random numbers, which alone reads it
    sum_of_temperatures : of all steps so far, K
    """

    steps: int
    positions: tuple[tuple[float, float, float], ...]
    momenta: tuple[tuple[float, float, float], ...]
    cell: tuple[tuple[float, float, float], ...]
    cell_momentum: float
    cell_force: float
    rng: Any
    sum_of_temperatures: float


class Progress(Job):
    """What is done of a job: bytes and number of the labels, and the state to go on from."""

    bytes: int
    n_labels: int
    dynamics: Dynamics | None = None
