"""Where the ions are, and what disorders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from borarun.report.measured import Array, Measured
from borarun.subjects.common.unit_cell import DensityMap


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
class JumpPath:
    """Jumps from holes of one kind to holes of another.

    Attributes
    ----------
    path : e.g. ``tetrahedral → octahedral``
    jumps : in all runs
    rate_per_ns : of an ion on such a hole
    length_A : root mean square length
    """

    path: str
    jumps: int
    rate_per_ns: Measured
    length_A: float


@dataclass(frozen=True)
class LocalStructure:
    """Where the mobile ions are at one temperature and vacancy count; independent runs are pooled.

    Attributes
    ----------
    n_frames, n_pair_frames : frames of all runs, and those of them that pairs were counted in
    between : what the sites lie between; empty where there are none
    sites : kind -> sites in the supercell
    share : kind -> share of the ions that are nearest to such a site
    share_time_ps, share_series : (n,) and kind -> (n,) the same against time, in the first run
    hops, hops_per_ion_ns : changes of site in all runs, by kinds of the two sites, e.g. ``window →
        octahedral``; all of them per ion and ns
    stays : residence times, by kind of site
    paths : jumps from hole to hole; the windows between them are no stops
    hole_time_ns : kind -> time of all ions on holes of that kind
    correlation_factor : tracer diffusivity over that of independent jumps
    came_ps, came_A, came_density : a time, and (b,) distances that ions have come after it with
        their density per angstrom, the self part of the van Hove function
    non_gaussian : parameter of that distribution, 0 for Brownian motion
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
    between: str
    sites: Mapping[str, int]
    share: Mapping[str, Measured]
    share_time_ps: Array
    share_series: Mapping[str, Array]
    hops: Mapping[str, int]
    hops_per_ion_ns: float
    stays: tuple[Stay, ...]
    paths: tuple[JumpPath, ...]
    hole_time_ns: Mapping[str, float]
    correlation_factor: Measured | None
    came_ps: float
    came_A: Array
    came_density: Array
    non_gaussian: float
    pairs: tuple[Pairs, ...]
    density: DensityMap
