"""The unit cell; sites, pairs and density, from runs that are read already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import isfinite

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from borarun.analysis import density, jumps, lattice, occupancy, van_hove
from borarun.analysis.diffusion import Diffusivity
from borarun.analysis.rdf import Radial, first_shell, radial_distribution
from borarun.analysis.sites import Sites, census, find_sites
from borarun.basics.units import FS_PER_NS, FS_PER_PS
from borarun.report.measured import Array, Measured
from borarun.sections.study import Study
from borarun.subjects.common.holes import Holes, find_holes
from borarun.subjects.common.trajectory import Trajectory
from borarun.subjects.common.unit_cell import DensityMap
from borarun.subjects.diffusion.structure.results import JumpPath, LocalStructure, Pairs, Stay

NO_SITES = Sites(np.zeros((0, 3)), np.zeros(0, int), np.zeros(0, "U11"))

SMOOTHED_A = 0.25
"""Standard deviation of the Gaussian that a density is drawn with, angstrom: about the amplitude of
vibration.
"""

SERIES_POINTS = 100

CAME_PART = 10
"""Distances that ions have come are told after this part of the run."""

CAME_EDGES_A = np.linspace(0.0, 15.0, 76)


@dataclass(frozen=True)
class RunStructure:
    """What one run at constant temperature says of structure."""

    n_atoms: int
    n_mobile: int
    n_frames: int
    interval_fs: float
    holes: Holes | None
    sites: Sites
    share: Mapping[str, Array]
    residence: tuple[occupancy.Residence, ...]
    hops: Mapping[tuple[str, str], int]
    paths: tuple[jumps.Path, ...]
    time_on_fs: dict[str, float]
    came_lag: int
    came: Array
    non_gaussian: float
    pairs: Mapping[str, Radial]
    density: density.Density
    marks: Mapping[str, Array]


def places(study: Study, run: Trajectory) -> RunStructure:
    """Everything about one run whose framework holds."""
    holes = find_holes(run, negative=study.material.charge(study.material.ions[0]) < 0)
    sites = holes.sites if holes is not None else NO_SITES
    settled = (
        occupancy.settled(occupancy.nearest_site(run.ions, sites, run.mean_cell), run.interval_fs)
        if holes is not None
        else np.zeros((0, run.n_frames), np.int32)
    )
    corner = holes.points[0] if holes is not None else _corner(run)
    lag = max(run.n_frames // CAME_PART, 1)
    return RunStructure(
        n_atoms=len(run.numbers),
        n_mobile=len(run.ions),
        n_frames=run.n_frames,
        interval_fs=run.interval_fs,
        holes=holes,
        sites=sites,
        share=occupancy.fractions(settled, sites),
        residence=occupancy.residence(settled, sites, run.interval_fs),
        hops=occupancy.hops(settled, sites),
        paths=jumps.paths(settled, sites, run.mean_cell, run.interval_fs),
        time_on_fs=jumps.time_on(settled, sites, run.interval_fs),
        came_lag=lag,
        came=van_hove.self_part(run.ions, lag, CAME_EDGES_A),
        non_gaussian=van_hove.non_gaussian(run.ions, lag),
        pairs=_pairs(study, run),
        density=density.fold(run.ions, run.mean_cell, study.supercell, corner),
        marks=_marks(study, holes, run.mean_cell) if holes is not None else {},
    )


def _pairs(study: Study, run: Trajectory) -> dict[str, Radial]:
    """Mobile ions with each other, with each element of the anions and with their centres; the
    centres of each kind with each other; mobile ions with each other element of the framework.
    """
    drawn = run.drawn
    cell = run.cell[drawn]
    to_cell = np.linalg.inv(run.mean_cell) @ cell  # centres were found in the mean cell

    still_ions = np.einsum("aif,fij->ajf", run.ions[:, :, drawn].astype(float), to_cell)
    found: dict[str, Radial] = {}
    drawn_of = {
        ion: run.drawn_positions[run.mobile & (run.numbers == atomic_numbers[ion])]
        for ion in study.material.ions
    }
    for one, other in combinations_with_replacement(study.material.ions, 2):
        if one != other:
            found[f"{one}–{other}"] = radial_distribution(drawn_of[one], drawn_of[other], cell)
        elif len(drawn_of[one]) > 1:
            found[f"{one}–{one}"] = radial_distribution(drawn_of[one], None, cell)
    rest = [
        *dict.fromkeys(
            number
            for kind in run.anions
            for number in sorted(set(run.numbers[kind.members[0]].tolist()), reverse=True)
        ),
        *(atomic_numbers[element] for element in run.single),
    ]
    for number in dict.fromkeys(rest):
        others = run.drawn_positions[(run.numbers == number) & ~run.mobile]
        for ion, ions in drawn_of.items():
            found[f"{ion}–{chemical_symbols[number]}"] = radial_distribution(ions, others, cell)
    for kind in run.anions:
        centres = np.einsum("aif,fij->ajf", kind.centres[:, :, drawn], to_cell)
        for ion in study.material.ions:
            own = still_ions[run.numbers[run.mobile] == atomic_numbers[ion]]
            found[f"{ion}–{kind.formula}"] = radial_distribution(own, centres, cell)
        if len(centres) > 1:
            found[f"{kind.formula}–{kind.formula}"] = radial_distribution(centres, None, cell)
    return found


def _corner(run: Trajectory) -> Array:
    """(3,) angstrom, mean position of something of the framework."""
    parts = [*(kind.centres for kind in run.anions), *run.single.values()]
    return np.asarray(parts[0][0].mean(axis=1))


def _marks(study: Study, holes: Holes, cell: Array) -> dict[str, Array]:
    """Sites, and what they lie between, in the mean unit cell whose corner is the first of it."""
    unit = cell / np.asarray(study.supercell, float)[:, None]
    points = density.unit_cell_places(holes.points, cell, study.supercell, holes.points[0])
    sites = find_sites(points, unit)
    return {
        holes.mark: points @ np.linalg.inv(unit),
        **{kind: sites.scaled[sites.of(kind)] for kind in census(sites)},
    }


def local_structure(
    functional: str,
    temperature_K: float,
    vacancies: int,
    runs: Sequence[RunStructure],
    tracer: Diffusivity | None,
) -> LocalStructure:
    """Independent runs at one temperature and vacancy count, together; ``tracer`` is their
    diffusivity, None where it is not the mean over all ions.
    """
    first = runs[0]
    kinds = list(dict.fromkeys(kind for run in runs for kind in run.share))
    ion_fs = sum(run.n_mobile * (run.n_frames - 1) * run.interval_fs for run in runs)
    hops = sum((Counter(run.hops) for run in runs), Counter())
    paths = jumps.together([run.paths for run in runs], [run.time_on_fs for run in runs])
    series = [
        part
        for part in np.array_split(np.arange(first.n_frames), min(SERIES_POINTS, first.n_frames))
        if len(part)
    ]
    return LocalStructure(
        functional=functional,
        temperature_K=temperature_K,
        vacancies=vacancies,
        n_runs=len(runs),
        n_atoms=first.n_atoms,
        n_mobile=first.n_mobile,
        n_frames=sum(run.n_frames for run in runs),
        n_pair_frames=sum(next(iter(run.pairs.values())).n_frames for run in runs),
        time_ps=(first.n_frames - 1) * first.interval_fs / FS_PER_PS,
        interval_fs=first.interval_fs,
        between=first.holes.between if first.holes is not None else "",
        sites=census(first.sites),
        share={
            kind: _share([run.share.get(kind, np.zeros(run.n_frames)) for run in runs])
            for kind in kinds
        },
        share_time_ps=np.array([part.mean() for part in series]) * first.interval_fs / FS_PER_PS,
        share_series={
            kind: np.array([values[part].mean() for part in series])
            for kind, values in first.share.items()
        },
        hops={f"{before} → {after}": count for (before, after), count in sorted(hops.items())},
        hops_per_ion_ns=hops.total() / ion_fs * FS_PER_NS,
        stays=_stays(runs),
        paths=tuple(_path(path) for path in paths),
        hole_time_ns={
            kind: time_fs / FS_PER_NS
            for kind, time_fs in sum((Counter(run.time_on_fs) for run in runs), Counter()).items()
        },
        correlation_factor=_correlation(paths, ion_fs, tracer),
        came_ps=first.came_lag * first.interval_fs / FS_PER_PS,
        came_A=(CAME_EDGES_A[1:] + CAME_EDGES_A[:-1]) / 2,
        came_density=np.mean([run.came for run in runs], axis=0),
        non_gaussian=float(np.mean([run.non_gaussian for run in runs])),
        pairs=_together(runs),
        density=_density(runs),
    )


def _path(path: jumps.Path) -> JumpPath:
    rate, low, high = (FS_PER_NS * part for part in path.rate_per_fs)
    return JumpPath(
        f"{path.before} → {path.after}",
        path.count,
        Measured(rate, low, high),
        path.length_A,
    )


def _correlation(
    paths: Sequence[jumps.Path], ion_fs: float, tracer: Diffusivity | None
) -> Measured | None:
    """D over that of independent jumps, with the interval of D: both count the same jumps, so that
    their number adds little.
    """
    independent = jumps.jump_diffusivity(paths, 1, ion_fs)
    if tracer is None or not tracer.diffusive or independent == 0:
        return None
    low, value, high = (d / independent for d in (tracer.low, tracer.value, tracer.high))
    return Measured(value, low, high, positive=True)


def _share(runs: Sequence[Array]) -> Measured:
    """Mean share with the interval of ten blocks of time in each run."""
    mean = lattice.block_mean(np.concatenate(runs), 10 * len(runs))
    return Measured(mean.value, max(mean.low, 0.0), min(mean.high, 1.0))


def _stays(runs: Sequence[RunStructure]) -> tuple[Stay, ...]:
    time_fs: Counter[str] = Counter()
    departures: Counter[str] = Counter()
    for run in runs:
        for part in run.residence:
            time_fs[part.kind] += part.time_fs  # type: ignore[assignment]
            departures[part.kind] += part.departures
    found = [
        occupancy.residence_time(kind, total, departures[kind]) for kind, total in time_fs.items()
    ]
    return tuple(
        Stay(
            kind=part.kind,
            departures=part.departures,
            mean_ps=Measured(
                part.mean_fs / FS_PER_PS, part.low_fs / FS_PER_PS, part.high_fs / FS_PER_PS
            )
            if isfinite(part.mean_fs)
            else None,
            low_ps=part.low_fs / FS_PER_PS,
        )
        for part in found
    )


def _together(runs: Sequence[RunStructure]) -> tuple[Pairs, ...]:
    made = []
    for name, first in runs[0].pairs.items():
        n = min(len(run.pairs[name].r_A) for run in runs)

        def mean(read: Callable[[Radial], Array], name: str = name, n: int = n) -> Array:
            return np.asarray(np.mean([read(run.pairs[name])[:n] for run in runs], axis=0))

        radial = Radial(
            first.r_A[:n],
            mean(lambda one: one.g),
            mean(lambda one: one.coordination),
            first.n_frames * len(runs),
        )
        shell = first_shell(radial)
        made.append(
            Pairs(
                name,
                radial.r_A,
                radial.g,
                radial.coordination,
                peak_A=shell.peak_A if shell else None,
                end_A=shell.end_A if shell else None,
                first_shell=shell.coordination if shell else None,
            )
        )
    return tuple(made)


def _density(runs: Sequence[RunStructure]) -> DensityMap:
    first = runs[0]
    same = [
        run.density for run in runs if run.density.values.shape == first.density.values.shape
    ]  # a voxel more where the mean cell is larger
    raw = density.Density(
        np.mean([one.values for one in same], axis=0), np.mean([one.cell for one in same], axis=0)
    )
    drawn = density.smooth(raw, SMOOTHED_A)
    return DensityMap(
        cell=raw.cell,
        projection=density.projection(drawn),
        section=density.diagonal_section(drawn),
        total=raw.total,
        voxel_A=float(np.max(np.linalg.norm(raw.cell, axis=1) / raw.values.shape)),
        smoothed_A=SMOOTHED_A,
        mark=first.holes.mark if first.holes is not None else "",
        sites=first.marks,
        values=drawn.values,
    )
