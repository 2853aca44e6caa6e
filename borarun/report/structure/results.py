"""Where the ions are, and what disorders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from borarun.report.measured import DRAWN_ONLY, Array, Measured


@dataclass(frozen=True)
class Pairs:
    """How atoms of one kind lie around those of another.

    Attributes
    ----------
    name : of the pair, e.g. ``Li–B``
    r_A, g, coordination : (n,) distance, radial distribution function, atoms nearer than this
    peak_A, end_A, first_shell : where the first peak and its end are, and how many atoms lie
        within; None where it shows no shell within its reach
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
    """How long ions stay on one kind of site. Without departures ``mean_ps`` is None and only the
    lower bound means something.
    """

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
    voxel_A, smoothed_A : longest edge of a voxel, and standard deviation of the Gaussian that both
        were smoothed by
    sites : kind -> (s, 3) scaled coordinates in the unit cell, with the anions' centres under
        ``anion``
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
    hops, hops_per_ion_ns : changes of site in all runs, by kinds of the two sites, e.g. ``window →
        octahedral``; all of them per ion and ns
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
