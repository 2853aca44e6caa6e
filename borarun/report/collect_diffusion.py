"""Transport and reorientation, from the runs at constant temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, sqrt

import numpy as np
from scipy import stats

from borarun.analysis import arrhenius, rotation
from borarun.analysis.conductivity import Conductivity, conductivity
from borarun.analysis.diffusion import Diffusivity, Haven, collective_diffusivity, diffusivity, haven_ratio
from borarun.analysis.msd import mean_squared_displacement
from borarun.analysis.order import ORDERED, disorder, mutual_order, orientational_order, settled
from borarun.analysis.regression import Regression, regression
from borarun.errors import BorarunError
from borarun.protocol import Study
from borarun.report.collect_structure import Places, local_structure, places
from borarun.report.results import AngleSeries, Array, ArrheniusLine, Check, LocalStructure, Measured, Rotation, Transition, Transport
from borarun.report.source import Done, Source
from borarun.report.style import thin, thin_log
from borarun.report.trajectory import Trajectory, check, read
from borarun.units import FS_PER_PS

LINE_POINTS = 30
ORDERED_PHASE, DISORDERED_PHASE = "ordered phase", "disordered phase"

PARTS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Of a run, from its beginning, whose diffusivities show whether it converged."""


@dataclass(frozen=True)
class Diffusion:
    """What the runs at constant temperature gave."""

    transport: tuple[Transport, ...]
    rotation: tuple[Rotation, ...]
    local: tuple[LocalStructure, ...]
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class _Run:
    """What one run contributes."""

    done: Done
    check: Check
    n_atoms: int
    n_mobile: int
    n_frames: int
    interval_fs: float
    volume_A3: float
    msd: Array
    framework_msd: Array
    tracer: Diffusivity
    collective: Diffusivity
    haven: Haven
    regression: Regression
    parts: tuple[Diffusivity, ...]


@dataclass(frozen=True)
class _Turns:
    """What one run says of rotation."""

    shape: tuple[int, int]
    interval_fs: float
    xi: Array
    deflection: rotation.Deflection
    rotations: rotation.Rotations
    order: float
    mutual_order: float
    series: tuple[AngleSeries, ...]


def diffusion(study: Study, source: Source) -> Diffusion:
    """Every temperature and vacancy count that has a usable run."""
    groups: dict[tuple[str, float, int], list[Done]] = {}
    for done in source.of("diffusion"):
        groups.setdefault((done.about("functional"), done.about("temperature_K"), done.about("vacancies")), []).append(done)
    transport: list[Transport] = []
    turned: list[Rotation] = []
    local: list[LocalStructure] = []
    checks: list[Check] = []
    for group in groups.values():
        runs, turns = [], []
        found: list[Places] = []
        for done in group:
            try:
                run = read(study, source, done, "produce", directions=study.reorientation is not None)
            except BorarunError as error:
                source.unusable(done, f"its trajectory cannot be used: {error}")
                continue
            if run is None:
                continue
            runs.append(_run(done, run))
            if runs[-1].check.intact:
                found.append(places(study, run))
            if study.reorientation is not None:
                turns.append(_turns(run, study.reorientation.anions))
        if not runs:
            continue
        point = _transport(study, runs)
        transport.append(point)
        checks += [run.check for run in runs]
        if turns:
            turned.append(_rotation(point, turns))
        if found:
            local.append(local_structure(point.functional, point.temperature_K, point.vacancies, found))
    transport.sort(key=lambda point: (point.functional, point.vacancies, point.temperature_K))
    local.sort(key=lambda point: (point.functional, point.vacancies, point.temperature_K))
    return Diffusion(tuple(transport), tuple(turned), tuple(local), tuple(checks))


def _run(done: Done, run: Trajectory) -> _Run:
    ions = run.ions
    tracer = diffusivity(ions, run.interval_fs)
    return _Run(
        done=done,
        check=check(done, run, constant=True),
        n_atoms=len(run.numbers),
        n_mobile=len(ions),
        n_frames=run.n_frames,
        interval_fs=run.interval_fs,
        volume_A3=run.volume_A3,
        msd=mean_squared_displacement(ions),
        framework_msd=mean_squared_displacement(run.centres),
        tracer=tracer,
        collective=collective_diffusivity(ions, run.interval_fs),
        haven=haven_ratio(ions, run.interval_fs),
        regression=regression(ions, run.interval_fs),
        parts=(*(diffusivity(ions[:, :, : round(part * run.n_frames)], run.interval_fs) for part in PARTS[:-1]), tracer),
    )


def _transport(study: Study, runs: Sequence[_Run]) -> Transport:
    first = runs[0]
    functional, temperature_K, vacancies = (first.done.about(name) for name in ("functional", "temperature_K", "vacancies"))
    units = study.formula_units(study.supercell)
    n_frames = min(run.n_frames for run in runs)
    lags = thin_log(max(n_frames // 2, 2))
    volume = float(np.mean([run.volume_A3 for run in runs]))
    tracer, collective = pooled([run.tracer for run in runs]), pooled([run.collective for run in runs])

    def conduct(d: Diffusivity) -> Conductivity:
        return conductivity(d, first.n_mobile, volume, temperature_K, charge=abs(study.material.mobile_charge))

    reason = "; ".join(run.check.verdict for run in runs if run.check.verdict) or tracer.reason
    held = all(run.check.intact for run in runs)
    return Transport(
        functional=functional,
        temperature_K=temperature_K,
        vacancies=vacancies,
        mol_percent=100 * vacancies / units,
        site_percent=100 * vacancies / (first.n_mobile + vacancies),
        n_runs=len(runs),
        n_atoms=first.n_atoms,
        n_mobile=first.n_mobile,
        time_ps=(n_frames - 1) * first.interval_fs / FS_PER_PS,
        interval_fs=first.interval_fs,
        n_origins=n_frames,
        n_blocks=tracer.n_blocks,
        seeds=tuple(run.done.task.settings["seed"] for run in runs),
        volume_A3=volume,
        lag_ps=lags * first.interval_fs / FS_PER_PS,
        msd_A2=np.mean([run.msd[lags] for run in runs], axis=0),
        framework_msd_A2=np.mean([run.framework_msd[lags] for run in runs], axis=0),
        fit_window_ps=(tracer.fit_from_fs / FS_PER_PS, tracer.fit_to_fs / FS_PER_PS),
        diffusivity_cm2_s=_measured(tracer) if held else None,
        regression_cm2_s=_regression([run.regression for run in runs]) if held else None,
        part_ps=np.array(PARTS) * n_frames * first.interval_fs / FS_PER_PS,
        part_cm2_s=tuple(_measured(pooled([run.parts[index] for run in runs])) if held else None for index in range(len(PARTS))),
        conductivity_S_cm=_measured(conduct(tracer)) if held else None,
        collective_S_cm=_measured(conduct(collective)) if held and collective.diffusive else None,
        haven=_haven([run.haven for run in runs]) if held else None,
        accepted=not reason,
        reason=reason,
    )


def _measured(value: Diffusivity | Conductivity) -> Measured | None:
    return Measured(value.value, value.low, value.high, positive=True) if isfinite(value.value) else None


def pooled(runs: Sequence[Diffusivity]) -> Diffusivity:
    """One diffusivity from independent runs of equal length: the mean, its interval from the blocks of all.

    It is diffusive where every run is: to leave out only the runs with few hops would favour the lucky ones.
    """
    if len(runs) == 1:
        return runs[0]
    blocks = np.concatenate([run.blocks for run in runs])
    value = float(np.mean([run.value for run in runs]))
    error = float(blocks.std(ddof=1)) / sqrt(len(blocks)) if len(blocks) > 1 else float("nan")
    reach = error * float(stats.t.ppf(0.975, len(blocks) - 1)) if len(blocks) > 1 else float("nan")
    reason = next((f"run {index}: {run.reason}" for index, run in enumerate(runs) if not run.diffusive), "")
    return replace(
        runs[0],
        value=value,
        error=error,
        low=value - reach,
        high=value + reach,
        blocks=tuple(blocks.tolist()),
        hops=sum(run.hops for run in runs),
        diffusive=not reason,
        reason=reason,
    )


def _regression(runs: Sequence[Regression]) -> Measured | None:
    """Mean over independent runs."""
    value, half = float(np.mean([run.value for run in runs])), sqrt(sum((run.high - run.low) ** 2 for run in runs)) / (2 * len(runs))
    return Measured(value, value - half, value + half, positive=True) if isfinite(value) else None


def _haven(runs: Sequence[Haven]) -> Measured | None:
    if not all(run.usable for run in runs):
        return None
    value = float(np.mean([run.value for run in runs]))
    half = sqrt(sum((run.high - run.low) ** 2 for run in runs)) / (2 * len(runs))
    return Measured(value, value - half, value + half)


def _turns(run: Trajectory, n_series: int) -> _Turns:
    vectors = run.vertex_vectors
    drawn = thin(run.n_frames)
    directions = settled(vectors, max(round(rotation.MEMORY_FS / run.interval_fs), 1))
    theta, phi = rotation.angles(vectors[:n_series, 0][:, :, drawn])
    time_ps = drawn * run.interval_fs / FS_PER_PS
    return _Turns(
        shape=(vectors.shape[0], vectors.shape[1]),
        interval_fs=run.interval_fs,
        xi=rotation.autocorrelation(vectors),
        deflection=rotation.deflection(vectors),
        rotations=rotation.full_rotations(rotation.rotation_matrices(vectors), run.interval_fs),
        order=float(orientational_order(directions, run.start_vectors).order.mean()),
        mutual_order=mutual_order(directions, run.start_vectors),
        series=tuple(AngleSeries(anion, time_ps, theta[anion], phi[anion]) for anion in range(len(theta))),
    )


def _rotation(point: Transport, turns: Sequence[_Turns]) -> Rotation:
    first = turns[0]
    xi = np.concatenate([turn.xi[:, : point.n_origins] for turn in turns])
    lags = thin_log(max(point.n_origins // 2, 2))
    relaxation = rotation.relaxation_time(xi, first.interval_fs)
    order, mutual = (float(np.mean([getattr(turn, name) for turn in turns])) for name in ("order", "mutual_order"))
    reorientations = float(np.mean([turn.rotations.reorientations.mean() for turn in turns]))
    return Rotation(
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
        deflection_deg=max(turn.deflection.overall_deg for turn in turns),
        deflection_deg_edges=rotation.DEFLECTION_BINS_DEG,
        deflection_density=np.mean([turn.deflection.density for turn in turns], axis=0),
        rms_deflection_deg=sqrt(float(np.mean([turn.deflection.rms_deg**2 for turn in turns]))),
        order=order,
        reorientations=reorientations,
        disorder=disorder(order, mutual, reorientations),
        full_rotations=sum(turn.rotations.total for turn in turns),
        full_rotations_per_ns=float(np.mean([turn.rotations.per_ns for turn in turns])),
    )


def _relaxation(found: rotation.Relaxation) -> Measured:
    """In ps; without an interval where there is none."""
    return Measured(found.time_fs / FS_PER_PS, found.low_fs / FS_PER_PS, found.high_fs / FS_PER_PS, positive=True)


def with_phases(transport: Sequence[Transport], transitions: Sequence[Transition], rotation: Sequence[Rotation]) -> tuple[Transport, ...]:
    """The points with the phase that they are in, where the heating runs found a transition.

    Below and above the half heights of cooling and heating temperature tells it. Between them either phase may be there: whether the run's own anions kept
    the order of the relaxed crystal tells which; a point of which nothing tells it is no longer accepted.
    """
    order = {(p.functional, p.temperature_K, p.vacancies): p.order for p in rotation}
    return tuple(
        _with_phase(p, _transition(p.functional, p.vacancies, transitions), order.get((p.functional, p.temperature_K, p.vacancies))) for p in transport
    )


def _with_phase(point: Transport, near: Transition | None, order: float | None) -> Transport:
    if near is None or near.bracket_K is None or near.temperature_K is None:
        return point
    low, high = near.bracket_K
    by_temperature = ORDERED_PHASE if point.temperature_K < near.temperature_K.value else DISORDERED_PHASE
    if not low < point.temperature_K < high:
        return replace(point, phase=by_temperature)
    if order is not None:
        return replace(point, phase=ORDERED_PHASE if order >= ORDERED else DISORDERED_PHASE)
    if not point.accepted:
        return replace(point, phase=by_temperature)
    return replace(
        point, phase=by_temperature, accepted=False, reason=f"within the hysteresis: either phase may be there between {low:.0f} and {high:.0f} K"
    )


def lines(transport: Sequence[Transport]) -> tuple[ArrheniusLine, ...]:
    """An Arrhenius line for each functional, vacancy count and phase."""
    groups: dict[tuple[str, int, str], list[Transport]] = {}
    for point in transport:
        groups.setdefault((point.functional, point.vacancies, point.phase), []).append(point)
    made = [_line(points) for points in groups.values()]
    return tuple(sorted(made, key=lambda line: (line.functional, line.vacancies, not line.statement.startswith(ORDERED_PHASE))))


def _transition(functional: str, vacancies: int, transitions: Sequence[Transition]) -> Transition | None:
    """The slowest ramps of the same functional, at the nearest vacancy count that was heated."""
    same = [t for t in transitions if t.functional == functional]
    return min(same, key=lambda t: (abs(t.vacancies - vacancies), t.heating_K_per_ps), default=None)


def _line(points: Sequence[Transport]) -> ArrheniusLine:
    good = [p for p in points if p.accepted and p.conductivity_S_cm is not None]
    temperatures_K = np.array([p.temperature_K for p in good])
    sigma = np.array([p.conductivity_S_cm.value for p in good if p.conductivity_S_cm])
    error = np.array([_standard_error(p) for p in good])
    fit = arrhenius.fit(temperatures_K, sigma, error)
    where = np.linspace(temperatures_K.min(), temperatures_K.max(), LINE_POINTS) if fit.usable else np.zeros(0)
    energy = Measured(1e3 * fit.activation_energy_eV, 1e3 * fit.low, 1e3 * fit.high) if fit.usable else None
    span = f"{temperatures_K.min():g} to {temperatures_K.max():g} K" if fit.usable else fit.reason
    left_out = len(points) - len(good)
    statement = ", ".join(part for part in (points[0].phase, span, f"{left_out} of {len(points)} temperatures left out" if left_out else "") if part)
    return ArrheniusLine(
        functional=points[0].functional,
        vacancies=points[0].vacancies,
        mol_percent=points[0].mol_percent,
        site_percent=points[0].site_percent,
        activation_energy_meV=energy,
        n_points=fit.n_points,
        chi2_reduced=fit.chi2_reduced if isfinite(fit.chi2_reduced) else None,
        line_T_K=where,
        line_S_cm=fit.at(where)[0] if fit.usable else np.zeros(0),
        statement=statement,
    )


def _standard_error(point: Transport) -> float:
    """S/cm, back from the 95 % interval of ``n_blocks`` blocks."""
    assert point.conductivity_S_cm is not None
    return point.conductivity_S_cm.half_width / float(stats.t.ppf(0.975, point.n_blocks - 1))
