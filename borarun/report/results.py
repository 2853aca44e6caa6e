"""What a study found, as plain values: figures, tables, the page and ``results.json`` are all made from this.

Curves are already thinned for drawing; the full arrays stay in the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from borarun.analysis.functionals import Match
from borarun.published import Published
from borarun.task import Json

Array = NDArray[Any]

DRAWN_ONLY = {"json": False}
"""Metadata of a field that only a drawing needs."""


@dataclass(frozen=True)
class Measured:
    """A number with its 95 % interval, all in one unit. ``positive``: it cannot be negative, whatever the interval says."""

    value: float
    low: float
    high: float
    positive: bool = False

    @property
    def half_width(self) -> float:
        """Half the interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Gap:
    """A task whose result is not there.

    Attributes
    ----------
    stage, label : of the task
    failed : whether it failed; otherwise it has not run yet
    reason : what is known of the cause
    remedy : what the user can do
    evidence : the program's own last lines
    """

    stage: str
    label: str
    failed: bool
    reason: str
    remedy: str = ""
    evidence: str = ""


@dataclass(frozen=True)
class RelaxedCell:
    """A phase relaxed by the reference engine.

    Attributes
    ----------
    formula_units : in the cell
    volume_A3 : of the cell
    relative_meV : energy per formula unit above the study's first phase; None where that is not known
    relative_meV_per_atom : the same per atom
    below : the phase that is measured to be stable, where this one lies below it; else empty
    deviation_percent : rms deviation of a, b and c from the measured ones, None where the study names none
    """

    phase: str
    functional: str
    space_group: str
    formula_units: int
    lattice_A: tuple[float, float, float]
    angles_deg: tuple[float, float, float]
    volume_A3: float
    energy_eV_per_atom: float
    relative_meV: float | None
    relative_meV_per_atom: float | None
    max_force_eV_per_A: float
    below: str
    deviation_percent: float | None


@dataclass(frozen=True)
class Phonons:
    """Phonons of one phase with one functional.

    Attributes
    ----------
    width_meV : standard deviation of the Gaussians in the density of states
    frequency_meV, dos : (n,) density of states per meV and formula unit
    projected : share of each element in it, (n,) each
    band_distance, band_meV : (q,) and (q, modes) along the path; ``corners`` are (distance, name)
    n_imaginary, n_q_points : imaginary modes among those of so many irreducible points of the mesh
    lowest_meV : lowest frequency on mesh and path, negative where imaginary
    zero_point_eV, free_energy_eV : per formula unit; the latter vibrational, (temperature in K, energy) each
    acoustic_sum_eV_per_A2 : largest violation of the acoustic sum rule before it was imposed
    peaks_meV : (p,) positions of the peaks of the density of states
    match : these against the measured peaks; None where there are none to compare, or fewer than measured
    """

    phase: str
    functional: str
    supercell: tuple[int, int, int]
    mesh: tuple[int, int, int]
    displacement_A: float
    width_meV: float
    n_displacements: int
    frequency_meV: Array
    dos: Array
    projected: Mapping[str, Array]
    band_distance: Array
    band_meV: Array
    corners: tuple[tuple[float, str], ...]
    n_imaginary: int
    n_q_points: int
    lowest_meV: float
    zero_point_eV: float
    free_energy_eV: tuple[tuple[float, float], ...]
    acoustic_sum_eV_per_A2: float
    peaks_meV: Array
    match: Match | None


@dataclass(frozen=True)
class StandIn:
    """The record of a reference engine that stands in for DFT; None where the record says nothing."""

    functional: str
    statement: str
    level: int
    n_train: int
    n_valid: int
    energy_meV_per_atom: float | None
    forces_eV_per_A: float | None
    stress_kbar: float | None
    lattice_300K_A: float | None


@dataclass(frozen=True)
class Errors:
    """Root-mean-square errors of a potential against its reference."""

    energy_meV_per_atom: float
    forces_eV_per_A: float
    stress_kbar: float


@dataclass(frozen=True)
class Training:
    """One fit of the potential.

    Attributes
    ----------
    number : 0 for the first potential, n after round n - 1 of active learning
    ranges : of the labels: ``energy_eV_per_atom``, ``forces_eV_per_A``, ``stress_kbar`` -> (lowest, highest)
    """

    functional: str
    number: int
    n_train: int
    n_valid: int
    level: int
    n_parameters: int
    evaluations: int
    train: Errors
    valid: Errors
    ranges: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Exploration:
    """One exploration run. ``grade_time_ps`` and ``grade`` are (n,): the largest grade of any atom at that time."""

    functional: str
    round: int
    vacancies: int
    run: int
    stop: str
    time_ps: float
    planned_ps: float
    grade_max: float
    n_candidates: int
    grade_time_ps: Array
    grade: Array
    threshold_save: float
    threshold_break: float


@dataclass(frozen=True)
class Round:
    """One round of active learning: what was explored, what was labelled, and what it changed."""

    functional: str
    round: int
    explorations: tuple[Exploration, ...]
    n_candidates: int
    n_selected: int | None
    n_labelled: int | None
    before: Errors | None
    after: Errors | None

    @property
    def clean(self) -> bool:
        """Whether no run left a candidate."""
        return self.n_candidates == 0 and all(run.stop == "completed" for run in self.explorations)


@dataclass(frozen=True)
class Parity:
    """Reference against potential over the held-out configurations; each quantity (2, n): reference, potential."""

    functional: str
    energy_eV_per_atom: Array
    forces_eV_per_A: Array
    stress_kbar: Array


@dataclass(frozen=True)
class Learning:
    """How the potential of one functional came to be.

    Attributes
    ----------
    n_initial : configurations of the first training set
    n_pushed : those of them with ions pushed together or bonds strained; all of these are fitted, none is held out
    """

    functional: str
    n_initial: int
    n_pushed: int
    trainings: tuple[Training, ...]
    rounds: tuple[Round, ...]
    parity: Parity | None


@dataclass(frozen=True)
class Branch:
    """One ramp of temperature.

    Attributes
    ----------
    branch : ``heating`` or ``cooling``
    rate_K_per_ps, heating_K_per_ps : its own rate, and that of the heating that it is or that it follows
    temperature_K, lattice_A, error_A : (n,) means over temperature bins; the error is the standard error of the bin's mean
    volume_A3 : (n,) volume per formula unit
    half_height_K : where the lattice is half way through its step; None where the branch has no step
    stop, reached_K : how and where the run ended
    """

    functional: str
    vacancies: int
    branch: str
    rate_K_per_ps: float
    heating_K_per_ps: float
    n_atoms: int
    seed: int
    temperature_K: Array
    lattice_A: Array
    error_A: Array
    volume_A3: Array
    half_height_K: Measured | None
    statement: str
    stop: str
    reached_K: float


@dataclass(frozen=True)
class Transition:
    """Heating and cooling at one rate together. ``temperature_K`` is None where there is no step, and ``statement`` says so.

    Attributes
    ----------
    heating_K_per_ps : rate of heating
    heated_K, cooled_K : half-height temperatures; None where a branch has no step
    hysteresis_K : the first less the second; None where one is missing
    bracket_K : lower and upper of the two
    volume_step_percent : by how much the volume grows at half height on heating, of the volume below; None where there is no step
    """

    functional: str
    vacancies: int
    heating_K_per_ps: float
    temperature_K: Measured | None
    heated_K: Measured | None
    cooled_K: Measured | None
    hysteresis_K: Measured | None
    bracket_K: tuple[float, float] | None
    volume_step_percent: Measured | None
    statement: str

    @property
    def order(self) -> tuple[int, float]:
        """To choose by: few vacancies first, then slow ramps, which are nearest to equilibrium."""
        return self.vacancies, self.heating_K_per_ps


@dataclass(frozen=True)
class LatticePoint:
    """Lattice parameter at one temperature, from the heating branch."""

    functional: str
    vacancies: int
    temperature_K: float
    lattice_A: Measured


@dataclass(frozen=True)
class Transport:
    """Motion of the mobile ions at one temperature and vacancy count; independent runs are pooled.

    Attributes
    ----------
    mol_percent, site_percent : vacancies per formula unit and per mobile-ion site
    lag_ps, msd_A2, framework_msd_A2 : (n,) mean squared displacement of mobile ions and of the framework
    diffusivity_cm2_s, conductivity_S_cm : tracer values (Haven ratio 1); None where none can be given
    regression_cm2_s : tracer value by generalised least squares, a second opinion
    part_ps, part_cm2_s : (p,) lengths of the first parts of the run, the last of them the whole, and the tracer value of each
    collective_S_cm : conductivity from the displacement of all mobile charge together
    haven : tracer / collective
    accepted : whether the point takes part in the Arrhenius fit; ``reason`` says why not
    phase : ``ordered phase`` or ``disordered phase``; empty where no transition was found
    """

    functional: str
    temperature_K: float
    vacancies: int
    mol_percent: float
    site_percent: float
    n_runs: int
    n_atoms: int
    n_mobile: int
    time_ps: float
    interval_fs: float
    n_origins: int
    n_blocks: int
    seeds: tuple[int, ...]
    volume_A3: float
    lag_ps: Array
    msd_A2: Array
    framework_msd_A2: Array
    fit_window_ps: tuple[float, float]
    diffusivity_cm2_s: Measured | None
    regression_cm2_s: Measured | None
    part_ps: Array
    part_cm2_s: tuple[Measured | None, ...]
    conductivity_S_cm: Measured | None
    collective_S_cm: Measured | None
    haven: Measured | None
    accepted: bool
    reason: str
    phase: str = ""


@dataclass(frozen=True)
class ArrheniusLine:
    """Weighted fit of ln(sigma) over 1/T at one vacancy count. Without enough points, ``activation_energy_meV`` is None.

    ``line_T_K`` and ``line_S_cm`` are (n,): the fitted line over the range of the points.
    """

    functional: str
    vacancies: int
    mol_percent: float
    site_percent: float
    activation_energy_meV: Measured | None
    n_points: int
    chi2_reduced: float | None
    line_T_K: Array
    line_S_cm: Array
    statement: str


@dataclass(frozen=True)
class AngleSeries:
    """Direction of one vertex of one anion: ``time_ps``, ``theta_deg`` and ``phi_deg`` are (n,)."""

    anion: int
    time_ps: Array
    theta_deg: Array
    phi_deg: Array


@dataclass(frozen=True)
class Rotation:
    """Reorientation of the anions at one temperature and vacancy count.

    Attributes
    ----------
    lag_ps, xi : (n,) angular autocorrelation <r(t).r(0)> over all anions, vertices and time origins
    relaxation_ps : lag at which xi has fallen to 1/e; None where it did not within the run, and ``relaxation`` says so
    deflection_deg, rms_deflection_deg : largest and rms angle of a vertex from its own mean direction
    deflection_deg_edges, deflection_density : (b + 1,) and (b,) its distribution, per degree
    order : mean orientational order, against the relaxed crystal
    reorientations : new places that an anion took in a run, on average
    disorder : what follows from these two, and from how alike anions point
    full_rotations, full_rotations_per_ns : whole turns of all anions together, in all runs and per ns
    """

    functional: str
    temperature_K: float
    vacancies: int
    n_anions: int
    n_vertices: int
    n_runs: int
    time_ps: float
    lag_ps: Array
    xi: Array
    series: tuple[AngleSeries, ...]
    relaxation_ps: Measured | None
    relaxation: str
    deflection_deg: float
    deflection_deg_edges: Array
    deflection_density: Array
    order: float
    reorientations: float
    disorder: str
    rms_deflection_deg: float
    full_rotations: int
    full_rotations_per_ns: float


@dataclass(frozen=True)
class Pairs:
    """How atoms of one kind lie around those of another.

    Attributes
    ----------
    name : of the pair, e.g. ``Li–B``
    r_A, g, coordination : (n,) distance, radial distribution function, atoms nearer than this
    peak_A, end_A, first_shell : where the first peak and its end are, and how many atoms lie within; None where it shows no shell within its reach
    """

    name: str
    r_A: Array
    g: Array
    coordination: Array
    peak_A: float | None
    end_A: float | None
    first_shell: float | None


@dataclass(frozen=True)
class Stay:
    """How long ions stay on one kind of site. Without departures ``mean_ps`` is None and only the lower bound means something."""

    kind: str
    departures: int
    mean_ps: Measured | None
    low_ps: float


@dataclass(frozen=True)
class DensityMap:
    """Density of the mobile ions in the unit cell whose corner is an anion.

    Attributes
    ----------
    cell : (3, 3) angstrom, the mean unit cell
    projection : (n, m) along c, ions per angstrom^2
    section : (n, k) plane that a + b and c span, ions per angstrom^3
    values : (n, m, k) ions per angstrom^3; not among the JSON values
    total : ions in the unit cell
    voxel_A, smoothed_A : longest edge of a voxel, and standard deviation of the Gaussian that both were smoothed by
    sites : kind -> (s, 3) scaled coordinates in the unit cell, with the anions' centres under ``anion``
    """

    cell: Array
    projection: Array
    section: Array
    total: float
    voxel_A: float
    smoothed_A: float
    sites: Mapping[str, Array]
    values: Array = field(metadata=DRAWN_ONLY)


@dataclass(frozen=True)
class LocalStructure:
    """Where the mobile ions are at one temperature and vacancy count; independent runs are pooled.

    Attributes
    ----------
    n_frames, n_pair_frames : frames of all runs, and those of them that pairs were counted in
    sites : kind -> sites in the supercell
    share : kind -> share of the ions that are nearest to such a site
    share_time_ps, share_series : (n,) and kind -> (n,) the same against time, in the first run
    hops, hops_per_ion_ns : changes of site in all runs, by kinds of the two sites, e.g. ``window → octahedral``; all of them per ion and ns
    stays : residence times, by kind of site
    """

    functional: str
    temperature_K: float
    vacancies: int
    n_runs: int
    n_atoms: int
    n_mobile: int
    n_frames: int
    n_pair_frames: int
    time_ps: float
    interval_fs: float
    sites: Mapping[str, int]
    share: Mapping[str, Measured]
    share_time_ps: Array
    share_series: Mapping[str, Array]
    hops: Mapping[str, int]
    hops_per_ion_ns: float
    stays: tuple[Stay, ...]
    pairs: tuple[Pairs, ...]
    density: DensityMap


@dataclass(frozen=True)
class Vibrations:
    """Vibrational density of states from molecular dynamics.

    Attributes
    ----------
    interval_fs, n_frames, n_windows : time between frames, their number, windows of time that were averaged
    resolution_meV : full width at half maximum that a sharp line has
    frequency_meV, dos : (n,) density of states per meV and formula unit
    projected : share of each element in it, (n,) each
    """

    functional: str
    temperature_K: float
    vacancies: int
    n_atoms: int
    interval_fs: float
    n_frames: int
    n_windows: int
    resolution_meV: float
    frequency_meV: Array
    dos: Array
    projected: Mapping[str, Array]


@dataclass(frozen=True)
class OrderBranch:
    """What disorders on a ramp of temperature.

    Attributes
    ----------
    temperature_K : (n,) means over temperature bins, as in `Branch`
    share : kind of site -> (n,) share of the mobile ions
    memory, order : (n,) of the anions' orientations, see `borarun.analysis.order`
    l : of the order
    """

    functional: str
    vacancies: int
    branch: str
    n_atoms: int
    n_anions: int
    n_frames: int
    temperature_K: Array
    share: Mapping[str, Array]
    memory: Array
    order: Array
    l: int  # noqa: E741


@dataclass(frozen=True)
class Check:
    """Does the framework hold together in one run?

    Attributes
    ----------
    stage : that the run belongs to
    bonds_A : ``B-H``, ``B-B`` ... -> (mean in the first frame, shortest, longest over all sampled frames)
    displacement_A : largest net displacement of an anion's centre, None where the check does not apply
    unwrap_difference_percent : largest difference of the two ways to unwrap, in mean squared displacement of the mobile ions
    grade_max : largest extrapolation grade on the way, None where it was not watched
    """

    stage: str
    label: str
    bonds_A: Mapping[str, tuple[float, float, float]]
    displacement_A: float | None
    unwrap_difference_percent: float | None
    grade_max: float | None
    intact: bool
    verdict: str


@dataclass(frozen=True)
class Run:
    """A line of the provenance table."""

    stage: str
    label: str
    engine: str
    version: str
    seed: int | None
    key: str


@dataclass(frozen=True)
class Provenance:
    """Where the numbers come from.

    Attributes
    ----------
    study : the study file as borarun understood it, YAML-like JSON text
    versions : program -> version
    started, ended : first and last time in the records, ISO 8601; empty where unknown
    """

    study: str
    versions: Mapping[str, str]
    runs: tuple[Run, ...]
    started: str = ""
    ended: str = ""


@dataclass(frozen=True)
class UnitCell:
    """The structure that molecular dynamics starts from, its anions in one piece.

    Attributes
    ----------
    symbols : (N,) elements
    positions : (N, 3) angstrom
    vectors : (3, 3) angstrom, rows are the cell's vectors
    bonds : (B, 2) int, bonded atoms
    """

    symbols: tuple[str, ...]
    positions: Array
    vectors: Array
    bonds: Array


@dataclass(frozen=True)
class Results:
    """Everything that the report shows.

    Attributes
    ----------
    main_functional : the one that the key numbers are for
    mobile_per_formula : mobile ions in one formula unit
    n_atoms : of the supercell before vacancies
    reference : name of the reference engine
    level : of the moment tensor potential, None before it is trained
    sections : of the study file
    cubic : whether the first phase is cubic, so that one lattice parameter says it all
    unit_cell : the first phase
    warnings : of the study file
    measured_cells_A : measured lattice parameters of phases, from the study file
    measured_peaks_meV : measured vibrational peaks, from the study file
    """

    name: str
    formula: str
    phase: str
    mobile: str
    anion: str
    functionals: tuple[str, ...]
    main_functional: str
    mobile_per_formula: int
    supercell: tuple[int, int, int]
    n_atoms: int
    reference: str
    level: int | None
    sections: frozenset[str]
    cubic: bool
    unit_cell: UnitCell
    warnings: tuple[str, ...] = ()
    stand_ins: tuple[StandIn, ...] = ()
    cells: tuple[RelaxedCell, ...] = ()
    measured_cells_A: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    phonons: tuple[Phonons, ...] = ()
    measured_peaks_meV: tuple[float, ...] = ()
    learning: tuple[Learning, ...] = ()
    branches: tuple[Branch, ...] = ()
    transitions: tuple[Transition, ...] = ()
    lattice: tuple[LatticePoint, ...] = ()
    transport: tuple[Transport, ...] = ()
    arrhenius: tuple[ArrheniusLine, ...] = ()
    rotation: tuple[Rotation, ...] = ()
    local: tuple[LocalStructure, ...] = ()
    order: tuple[OrderBranch, ...] = ()
    vibrations: tuple[Vibrations, ...] = ()
    checks: tuple[Check, ...] = ()
    published: Published = field(default_factory=lambda: Published({}))
    gaps: tuple[Gap, ...] = ()
    provenance: Provenance = field(default_factory=lambda: Provenance("", {}, ()))

    def missing(self, *stages: str) -> tuple[Gap, ...]:
        """Tasks of ``stages`` without a result."""
        return tuple(gap for gap in self.gaps if gap.stage in stages)

    def to_json(self) -> Json:
        """The same as JSON values; what is not a finite number becomes None."""
        return _json(self)


def _json(value: Any) -> Json:
    if isinstance(value, BaseModel):
        return _json(value.model_dump(exclude_defaults=True))
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _json(getattr(value, f.name)) for f in fields(value) if f.metadata != DRAWN_ONLY}
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _json(value.tolist())
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, np.generic):
        return _json(value.item())
    if isinstance(value, float):
        return float(f"{value:.8g}") if isfinite(value) else None
    return value
