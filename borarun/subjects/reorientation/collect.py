"""Reorientation of the anions, from runs that are read already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from borarun.analysis import rotation
from borarun.analysis.neutron import quasi_elastic_width_meV
from borarun.analysis.nmr import second_autocorrelation
from borarun.analysis.order import (
    MeanOrder,
    disorder,
    mean_order,
    mutual_order,
    orientational_order,
    polar_order,
    settled,
)
from borarun.basics.units import FS_PER_PS
from borarun.report.measured import Array, Measured
from borarun.report.thinning import thin, thin_log
from borarun.sections.study import Study
from borarun.subjects.common.results import Results
from borarun.subjects.common.source import Source
from borarun.subjects.common.trajectory import Molecules, Trajectory
from borarun.subjects.diffusion.results import DiffusionFound, Transport
from borarun.subjects.reorientation.results import AngleSeries, ReorientationFound, Rotation


def collect(study: Study, source: Source, results: Results) -> ReorientationFound:
    """What was read from the runs of diffusion, each of which is read once for both."""
    return ReorientationFound(results.of(DiffusionFound).rotation)


@dataclass(frozen=True)
class Turns:
    """What one run says of the rotation of one kind of anion."""

    formula: str
    shape: tuple[int, int]
    interval_fs: float
    xi: Array
    xi_2: Array
    deflection: rotation.Deflection
    rotations: rotation.Rotations
    order: Array
    polar_order: Array | None
    mutual_order: float
    series: tuple[AngleSeries, ...]


def turns_of(kind: Molecules, run: Trajectory, n_series: int, reoriented_deg: float) -> Turns:
    """What one run says of the rotation of one kind of its anions, with the directions of
    ``n_series`` of them against time; ``reoriented_deg`` is the angle of a reorientation.
    """
    vectors = kind.vertex_vectors
    drawn = thin(run.n_frames)
    directions = settled(vectors, max(round(rotation.MEMORY_FS / run.interval_fs), 1))
    theta, phi = rotation.angles(vectors[:n_series, 0][:, :, drawn])
    time_ps = drawn * run.interval_fs / FS_PER_PS
    return Turns(
        formula=kind.formula,
        shape=(vectors.shape[0], vectors.shape[1]),
        interval_fs=run.interval_fs,
        xi=rotation.autocorrelation(vectors),
        xi_2=second_autocorrelation(vectors),
        deflection=rotation.deflection(vectors),
        rotations=rotation.full_rotations(
            rotation.rotation_matrices(vectors), run.interval_fs, reoriented_deg=reoriented_deg
        ),
        order=orientational_order(directions, kind.start_vectors).order,
        polar_order=polar_order(directions, kind.start_vectors, kind.head)
        if kind.head.any()
        else None,
        mutual_order=mutual_order(directions, kind.start_vectors),
        series=tuple(
            AngleSeries(anion, time_ps, theta[anion], phi[anion]) for anion in range(len(theta))
        ),
    )


def reorientation(point: Transport, turns: Sequence[Turns]) -> Rotation:
    """One kind of anion in independent runs at one temperature and vacancy count, those of
    ``point``, together.
    """
    first = turns[0]
    xi = np.concatenate([turn.xi[:, : point.n_origins] for turn in turns])
    lags = thin_log(max(point.n_origins // 2, 2))
    relaxation = rotation.relaxation_time(xi, first.interval_fs)
    second = rotation.relaxation_time(
        np.concatenate([turn.xi_2[:, : point.n_origins] for turn in turns]), first.interval_fs
    )
    order = mean_order([turn.order for turn in turns])
    polar = [turn.polar_order for turn in turns if turn.polar_order is not None]
    mutual = float(np.mean([turn.mutual_order for turn in turns]))
    density = np.mean([turn.deflection.density for turn in turns], axis=0)
    drawn = thin(len(first.rotations.so_far))
    reorientations = float(np.mean([turn.rotations.reorientations.mean() for turn in turns]))
    return Rotation(
        anion=first.formula,
        functional=point.functional,
        temperature_K=point.temperature_K,
        vacancies=point.vacancies,
        n_anions=first.shape[0],
        n_vertices=first.shape[1],
        n_runs=len(turns),
        time_ps=point.time_ps,
        lag_ps=lags * first.interval_fs / FS_PER_PS,
        xi=xi.mean(axis=0)[lags],
        series=first.series,
        relaxation_ps=_relaxation(relaxation) if relaxation.decayed else None,
        relaxation=relaxation.reason,
        nmr_ps=_relaxation(second) if second.decayed else None,
        quasi_elastic_meV=quasi_elastic_width_meV(relaxation.time_fs / FS_PER_PS)
        if relaxation.decayed
        else None,
        deflection_deg=max(turn.deflection.overall_deg for turn in turns),
        deflection_deg_edges=rotation.DEFLECTION_BINS_DEG,
        deflection_density=density,
        deflection_99_deg=rotation.quantile_deg(density, 0.99),
        rms_deflection_deg=sqrt(float(np.mean([turn.deflection.rms_deg**2 for turn in turns]))),
        order=_measured(order),
        polar_order=_measured(mean_order(polar)) if polar else None,
        reorientations=reorientations,
        disorder=disorder(order, mutual, reorientations),
        turns_ps=first.rotations.time_fs[drawn] / FS_PER_PS,
        turns=first.rotations.so_far[drawn],
        full_rotations=sum(turn.rotations.total for turn in turns),
        full_rotations_per_anion_ns=float(np.mean([turn.rotations.per_anion_ns for turn in turns])),
    )


def _measured(order: MeanOrder) -> Measured:
    return Measured(order.value, order.low, order.high)


def _relaxation(found: rotation.Relaxation) -> Measured:
    """In ps; without an interval where there is none."""
    return Measured(
        found.time_fs / FS_PER_PS,
        found.low_fs / FS_PER_PS,
        found.high_fs / FS_PER_PS,
        positive=True,
    )
